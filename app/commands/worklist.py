"""`assent worklist NAME`: approvals and supplies that somebody should look at."""

from typing import Annotated

import typer

from app.audit import Reading
from app.commands.doors import door_or_exit, settings_or_exit
from app.commands.reading import read_recorded
from app.commands.reconcile import operator
from app.commands.supplies import pharmacist
from app.db.work import Work
from app.desk import make_desk
from app.reconciliation import listing_work
from app.reconciliation.worklists import Listed, Worklist


def worklist(
    name: Annotated[Worklist, typer.Argument(help="Which list.")],
    commissioner: Annotated[str | None, typer.Option(help="A commissioner's ODS code.")] = None,
    provider: Annotated[str | None, typer.Option(help="A provider's ODS code.")] = None,
) -> None:
    """Print a worklist of an organisation: where to begin asking, never a finding."""
    if (commissioner is None) == (provider is None):
        typer.echo("Say for whom: either --commissioner or --provider.", err=True)
        raise typer.Exit(2)
    door, desk = door_or_exit(), make_desk(settings_or_exit())
    caller = operator(commissioner) if commissioner else pharmacist(provider or "")

    def read(work: Work) -> tuple[Listed, Reading]:
        found = listing_work.worklist(work, desk, caller, name)
        return found, Reading("worklist read", names=found.shown(name))

    found = read_recorded(door, caller, read)
    for each in found.entries:
        named = each.reference or each.treatment_id
        typer.echo(f"{each.day:%d/%m/%Y}  {named}  {each.drug}  {', '.join(each.providers)}")
        typer.echo(f"    {each.why}")
    typer.echo(f"{found.count} to look at.", err=True)
