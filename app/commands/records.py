"""`assent records …`: whose record is past the period for which it is kept, and its end."""

from collections.abc import Sequence
from typing import Annotated

import typer

from app.approvals.retention import Due
from app.commands.at_the_line import administrator
from app.commands.doors import door_or_exit, settings_or_exit
from app.desk import make_desk
from app.ending import end, look

app = typer.Typer(no_args_is_help=True, help="Records past their retention period.")
Years = Annotated[
    int | None, typer.Option(min=8, max=100, help="Instead of ASSENT_RECORDS_KEPT_YEARS.")
]


@app.command("due")
def show_due(years: Years = None) -> None:
    """Say how many would be erased today, and erase nothing.

    Whoever waits for a file that is past today goes at once after it.
    """
    settings = settings_or_exit()
    period = years or settings.records_kept_years
    if period is None:
        typer.echo("ASSENT_RECORDS_KEPT_YEARS is not set: records are kept. Try --years 8.")
        return
    found = look(door_or_exit(), make_desk(settings), period)
    typer.echo(f"{len(found.submissions)} submissions' files past {period} years.")
    typer.echo(f"{_words(found.people)} past {period} years.")
    if found.waiting:
        typer.echo(f"{_words(found.waiting)} more, who wait until no kept file names them.")
    typer.echo("Nothing was erased.")
    _tell_unread(found.unread)


@app.command("erase")
def erase_now() -> None:
    """Erase them now, by the period that is set; the worker does so daily by itself.

    Gone afterwards: the files of submissions past the period, with the words about their lines;
    answers, words and drafts of people of long ago, and who they were. Approvals, segments and sums
    stay, with no person behind them.
    """
    settings = settings_or_exit()
    period = settings.records_kept_years
    if period is None:
        typer.echo("ASSENT_RECORDS_KEPT_YEARS is not set: nothing is erased. Set it.", err=True)
        raise typer.Exit(2)
    door = door_or_exit()
    done = end(door, make_desk(settings), administrator(), period)
    typer.echo(f"{done.submissions} submissions, {done.files} files past {period} years: erased.")
    typer.echo(f"{_words(done.people)} past {period} years: erased.")
    if done.waiting:
        typer.echo(f"{done.waiting} patients wait until no kept file names them.")
    _tell_unread(done.unread)


def _tell_unread(unread: int) -> None:
    if unread:
        typer.echo(
            f"{unread} stored files cannot be read, so nobody is forgotten: they may name anybody. "
            "Put them back from a backup.",
            err=True,
        )


def _words(found: Sequence[Due]) -> str:
    treatments = sum(len(each.treatments) for each in found)
    requests = sum(each.requests for each in found)
    return f"{len(found)} patients, {treatments} treatments, {requests} requests"
