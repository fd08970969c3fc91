"""`assent`: the command line. Each command parses, makes one call and sets the exit code."""

from typing import Annotated

import typer

from app.commands import (
    audit,
    callers,
    challenges,
    clients,
    configured,
    db,
    linkage,
    organisations,
    people,
    policies,
    pseudonyms,
    records,
    reports,
    runs,
    slices,
)
from app.commands.at_the_line import begin
from app.commands.backup import backup, restore
from app.commands.demo import app as demo
from app.commands.drugs import drugs, terms
from app.commands.openapi import openapi
from app.commands.reconcile import run_reconcile
from app.commands.serve import serve, worker
from app.commands.supplies import supply_check
from app.commands.worklist import worklist
from app.commands.year import demo_year

app = typer.Typer(
    name="assent",
    help="An open prior-approval service for the NHS's high-cost drugs.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # they print local variables, which may be patient data
)


@app.callback()
def assent(
    stated: Annotated[
        str | None,
        typer.Option(
            "--as",
            envvar="ASSENT_OPERATOR",
            help="Who acts, for the audit log. It holds the operating system's user beside it.",
        ),
    ] = None,
) -> None:
    """An open prior-approval service for the NHS's high-cost drugs."""
    begin(stated)


app.command()(serve)
app.command()(worker)
app.command()(openapi)
app.command()(backup)
app.command()(restore)
app.command(name="reconcile")(run_reconcile)
app.command(name="supply-check")(supply_check)
app.command()(worklist)
demo.command("year")(demo_year)
app.add_typer(demo, name="demo")
app.add_typer(policies.app, name="policies")
app.add_typer(db.app, name="db")
app.add_typer(drugs, name="drugs")
app.add_typer(terms, name="terms")
app.add_typer(callers.app, name="callers")
app.add_typer(clients.app, name="clients")
app.add_typer(people.app, name="people")
app.add_typer(organisations.app, name="organisations")
app.add_typer(configured.app, name="settings")
app.add_typer(audit.app, name="audit")
app.add_typer(records.app, name="records")
app.add_typer(reports.app, name="report")
app.add_typer(pseudonyms.app, name="pseudonyms")
app.add_typer(challenges.app, name="challenges")
app.add_typer(linkage.app, name="linkage")
app.add_typer(runs.app, name="runs")
app.add_typer(slices.app, name="slices")


def main() -> None:
    """The entry point of the `assent` command."""
    app()


if __name__ == "__main__":
    main()
