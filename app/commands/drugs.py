"""`assent drugs`: names that no drug was recognised in, and what people take them for.

`assent terms`: a commissioner's contract terms and table of responsible commissioners.
"""

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from sqlalchemy import RowMapping

from app.approvals.handing import Asked, hand_over_by_two
from app.auth.errors import CallerNotAccepted
from app.auth.model import Caller
from app.commands.at_the_line import named
from app.commands.doors import door_or_exit, settings_or_exit
from app.commands.reconcile import operator
from app.commands.refusals import done
from app.db.work import Work
from app.desk import make_desk
from app.reconciliation import spellings, terms_loading
from app.reconciliation.errors import ReconciliationError, UnreadableSubmission
from app.reconciliation.name_lists import Columns, read_names, told_as_json, told_as_text
from app.reconciliation.report import pounds as in_pounds
from app.reference_data.coverage import coverage_of
from app.reference_data.drugs import load_drugs

drugs = typer.Typer(help="Review drug names that were not recognised.", no_args_is_help=True)
terms = typer.Typer(help="Load what a commissioner's contracts say.", no_args_is_help=True)

Organisation = Annotated[
    str | None,
    typer.Option(help="The commissioner's code; without it, for every organisation's runs."),
]
Who = Annotated[str, typer.Option("--by", help="Who proposes it: a name.")]
Second = Annotated[str, typer.Option("--seconded-by", help="Who agrees: another person's name.")]
REFUSED = 3


@drugs.command("review")
def review(organisation: Organisation = None, run: str | None = None) -> None:
    """List names in no drug's table, the costliest first: pounds, lines, name, suggestions."""
    desk = make_desk(settings_or_exit())
    caller = operator(organisation)

    def ask(work: Work) -> Any:
        if run is None:
            return spellings.review(work, desk, caller)
        return spellings.review_run(work, desk, caller, run)

    for row in _answered(lambda: door_or_exit().read(ask)):
        likely = ", ".join(f"{each.drug} ({each.score})" for each in row.suggestions) or "none"
        typer.echo(f"£{in_pounds(row.total)}\t{row.lines}\t{row.example}\t{likely}")


@drugs.command("accept")
def accept(
    name: str,
    drug: str,
    by: Who,
    seconded_by: Second,
    product: str | None = None,
    organisation: Organisation = None,
) -> None:
    """Take a name for a drug in every run from now on. Two people are named."""
    if by.casefold().split() == seconded_by.casefold().split():
        typer.echo("Two people accept a name: name another one with --seconded-by.", err=True)
        raise typer.Exit(2)
    settings = settings_or_exit()
    desk = make_desk(settings)
    two = _named(organisation, by), _named(organisation, seconded_by)

    def run(work: Work) -> RowMapping:
        known = not settings.demonstration
        return spellings.take_by_two(work, desk, two, name, drug, product, registered=known)

    row = _answered(lambda: door_or_exit().transact(run))
    typer.echo(f"{row['words']} is {row['drug']} from {row['accepted_on']:%d/%m/%Y} ({row['id']}).")


@drugs.command("withdraw")
def withdraw(
    spelling: str,
    by: Who,
    reason: Annotated[str, typer.Option()],
    organisation: Organisation = None,
) -> None:
    """Take an accepted name back, for every run from now on."""
    caller = _named(organisation, by)
    row = _answered(
        lambda: door_or_exit().transact(lambda w: spellings.withdraw(w, caller, spelling, reason))
    )
    typer.echo(f"{row['words']} is withdrawn.")


@drugs.command("coverage")
def coverage(
    file: Path,
    names: Annotated[
        str | None, typer.Option(help="The column of names, if not drug_name.")
    ] = None,
    codes: Annotated[str | None, typer.Option(help="A column of dm+d codes.")] = None,
    lines: Annotated[str | None, typer.Option(help="A column of how often each occurs.")] = None,
    pounds: Annotated[str | None, typer.Option(help="A column of what each costs.")] = None,
    top: Annotated[int, typer.Option(min=0, help="How many names without a drug to show.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Tell how many names of a CSV file are recognised, and how; no database is asked.

    Names that people accepted here (assent drugs accept) are not looked at.
    """
    try:
        read = read_names(file.read_bytes(), Columns(names, codes, lines, pounds))
    except OSError:
        typer.echo(f"{file} cannot be read. Check the path.", err=True)
        raise typer.Exit(2) from None
    except UnreadableSubmission as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    found = coverage_of(read.named, load_drugs())
    if as_json:
        typer.echo(json.dumps(told_as_json(found, read, top), indent=2, ensure_ascii=False))
    else:
        typer.echo(told_as_text(found, read, top), nl=False)


@terms.command("contracts")
def contracts(file: Path, organisation: str) -> None:
    """Load a commissioner's contract terms (CSV) in place of those that stand."""
    _load(terms_loading.load_contracts, file, organisation)


@terms.command("responsible")
def responsible(file: Path, organisation: str) -> None:
    """Load a commissioner's table of responsible commissioners (CSV) in place of the old one."""
    _load(terms_loading.load_payers, file, organisation)


@terms.command("hand-over")
def hand_over(
    drug: str,
    organisation: Annotated[str, typer.Option(help="Which commissioner hands over (ODS code).")],
    to: Annotated[str, typer.Option(help="Which commissioner pays from then on.")],
    day: Annotated[
        dt.datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="The first day.")
    ],
    reason: Annotated[str, typer.Option()],
    by: Annotated[str, typer.Option("--by", help="Who proposes it: a name.")],
    seconded_by: Second,
) -> None:
    """Hand the treatments with a drug to another commissioner: two people, as at a delegation."""
    known = not settings_or_exit().demonstration
    asked = Asked(receiver=to, drug=drug, from_day=day.date(), why=reason)
    caller = operator(organisation)
    found = done(
        lambda: door_or_exit().transact(
            lambda work: hand_over_by_two(work, caller, asked, by, seconded_by, registered=known)
        )
    )
    typer.echo(
        f"{found.treatments} treatment(s) went to {to} from {day:%d/%m/%Y} on; "
        f"{found.waiting} request(s) wait with {organisation}."
    )


@terms.command("prices")
def prices(file: Path, organisation: str) -> None:
    """Load the prices that a commissioner agreed (CSV) in place of those that stand."""
    _load(terms_loading.load_prices, file, organisation)


@terms.command("supplies")
def supplies(file: Path, organisation: str) -> None:
    """Load charges for deliveries and fees, tolerances and days (CSV), in place of the old."""
    _load(terms_loading.load_supplies, file, organisation)


def _load(load: Callable[..., int], file: Path, organisation: str) -> None:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        typer.echo(f"{file} cannot be read as text in UTF-8. Check the path.", err=True)
        raise typer.Exit(2) from None
    caller, dictionary = operator(organisation), load_drugs()
    settings_or_exit()
    count = _answered(
        lambda: door_or_exit().transact(lambda work: load(work, caller, dictionary, text))
    )
    typer.echo(f"{count} rows stand for {organisation}.")


def _named(organisation: str | None, person: str) -> Caller:
    return named(operator(organisation), person)


def _answered(ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except (ReconciliationError, CallerNotAccepted) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(REFUSED) from None
