"""`assent demo year`: a whole invented financial year, received and reconciled file by file."""

from functools import partial
from pathlib import Path
from typing import Final

import typer

from app.commands.demo import LEGACY, demonstration_door, progress_bars, shown_path
from app.commands.reconcile import operator
from app.db.work import Work
from app.demonstration.load import find_loaded
from app.demonstration.organisations import COMMISSIONERS
from app.demonstration.year.files import Sent
from app.demonstration.year.play import Year, make_year, play
from app.demonstration.year.shown import files_text
from app.reconciliation.months_report import months_text, untested_text
from app.reconciliation.slice_months import MonthSum, by_month, challenged_by_month
from app.reconciliation.slice_report import SliceRow, current_slices

NOT_LOADED: Final = "The demonstration is not loaded yet: make run, or assent demo --no-serve."


def demo_year() -> None:
    """Reconcile the invented financial year, file by file on the days of then; print it by month.

    Done already, it prints the same again. Exit code 2: the demonstration is not loaded.
    """
    settings, door, desk = demonstration_door()
    loaded = door.read(find_loaded)
    if loaded is None:
        typer.echo(NOT_LOADED, err=True)
        raise typer.Exit(2)
    legacy = LEGACY.read_bytes() if LEGACY.exists() else None
    year = door.read(lambda work: make_year(work, loaded, legacy))
    folder = settings.data_dir / "demonstration" / f"year-{year.name}"
    _write(folder, year.files)
    with progress_bars() as progress:
        play(door.database, desk, year, loaded, progress)
    typer.echo(f"\n{files_text(year, shown_path(folder))}\n")
    for code in COMMISSIONERS:
        rows, months = door.read(partial(_told, year=year, code=code))
        typer.echo(months_text(months, f"{code}, {year.name}"), nl=False)
        typer.echo(untested_text(rows, f"{code}, {year.name}: accepted, and not tested"))


def _told(work: Work, year: Year, code: str) -> tuple[tuple[SliceRow, ...], tuple[MonthSum, ...]]:
    caller = operator(code)
    rows = current_slices(work, caller, financial_year=year.name)
    return rows, by_month(rows, challenged_by_month(work, caller))


def _write(folder: Path, files: tuple[Sent, ...]) -> None:
    """The files, to look at; those that are there already are left."""
    folder.mkdir(parents=True, exist_ok=True)
    for sent in files:
        path = folder / sent.name
        if sent.data and not path.exists():
            path.write_bytes(sent.data)
