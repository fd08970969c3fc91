"""`assent records …`: whose record is past the period for which it is kept, and its end."""

from typing import Annotated

import typer

from app.approvals.retention import Due, due, end_retention
from app.commands.callers import administrator
from app.commands.doors import door_or_exit, settings_or_exit
from app.db.work import Work

app = typer.Typer(no_args_is_help=True, help="Records past their retention period.")
Years = Annotated[
    int | None, typer.Option(min=8, max=100, help="Instead of ASSENT_RECORDS_KEPT_YEARS.")
]


@app.command("due")
def show_due(years: Years = None) -> None:
    """Say how many would be erased today, and erase nothing."""
    period = years or settings_or_exit().records_kept_years
    if period is None:
        typer.echo("ASSENT_RECORDS_KEPT_YEARS is not set: records are kept. Try --years 8.")
        return
    found = door_or_exit().read(lambda work: tuple(due(work, period)))
    typer.echo(f"{_words(found)} past {period} years. Nothing was erased.")


@app.command("erase")
def erase_now() -> None:
    """Erase them now, by the period that is set; the worker does so daily by itself."""
    period = settings_or_exit().records_kept_years
    if period is None:
        typer.echo("ASSENT_RECORDS_KEPT_YEARS is not set: nothing is erased. Set it.", err=True)
        raise typer.Exit(2)
    door, done = door_or_exit(), list[Due]()

    def run(work: Work) -> tuple[Due, ...]:
        return end_retention(work, administrator(door), period)

    while batch := door.transact(run):
        done += batch
    typer.echo(f"{_words(done)} past {period} years: erased.")


def _words(found: tuple[Due, ...] | list[Due]) -> str:
    treatments = sum(len(each.treatments) for each in found)
    requests = sum(each.requests for each in found)
    return f"{len(found)} patients, {treatments} treatments, {requests} requests"
