"""`assent slices …`: the current slices and their sums, the calendar, and stated totals."""

import csv
import io
import json
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from app.api.slices_model import slice_list
from app.commands.doors import door_or_exit
from app.commands.reconcile import Format, operator
from app.db.work import Work
from app.reconciliation.calendar import read_calendar, read_figures, set_calendar, set_figures
from app.reconciliation.errors import SettingNotAccepted, UnreadableSubmission
from app.reconciliation.months_report import months_text, untested_text
from app.reconciliation.report import pounds
from app.reconciliation.slice_months import MonthSum, by_month, challenged_by_month
from app.reconciliation.slice_report import SliceRow, by_commissioner, current_slices
from app.reference_data.organisations import load_organisations

app = typer.Typer(help="The current version of each provider's month, and what surrounds it.")
NOT_ACCEPTED = 3

Organisation = Annotated[
    str | None,
    typer.Option(help="Whose submissions (its ODS code); without it, the operator's own."),
]
CsvFile = Annotated[Path, typer.Argument(help="A CSV file.", dir_okay=False, exists=True)]


@app.callback(invoke_without_command=True)
def show(
    context: typer.Context,
    organisation: Organisation = None,
    year: Annotated[str | None, typer.Option(help="Only this financial year: 202627.")] = None,
    provider: Annotated[str | None, typer.Option(help="Only this provider's.")] = None,
    commissioner: Annotated[str | None, typer.Option(help="Only what it pays for.")] = None,
    format: Annotated[Format, typer.Option(help="How to print them.")] = Format.TEXT,
) -> None:
    """Print the current slices and their sum for each commissioner."""
    if context.invoked_subcommand is not None:
        return
    caller = operator(organisation)
    rows = door_or_exit().read(
        lambda work: current_slices(
            work, caller, financial_year=year, provider=provider, commissioner=commissioner
        )
    )
    if format is Format.JSON:
        typer.echo(json.dumps(slice_list(rows).model_dump(mode="json"), indent=2))
    elif format is Format.CSV:
        typer.echo(_as_csv(rows), nl=False)
    else:
        typer.echo(_as_text(rows), nl=False)


@app.command("months")
def show_months(
    organisation: Organisation = None,
    year: Annotated[str | None, typer.Option(help="Only this financial year: 202627.")] = None,
    provider: Annotated[str | None, typer.Option(help="Only this provider's.")] = None,
    commissioner: Annotated[str | None, typer.Option(help="Only what it pays for.")] = None,
) -> None:
    """Print the current slices month by month: stated, accepted, queried, deltas, challenges."""
    caller = operator(organisation)

    def ask(work: Work) -> tuple[tuple[SliceRow, ...], tuple[MonthSum, ...]]:
        rows = current_slices(
            work, caller, financial_year=year, provider=provider, commissioner=commissioner
        )
        return rows, by_month(rows, challenged_by_month(work, caller, provider, commissioner))

    rows, months = door_or_exit().read(ask)
    typer.echo(months_text(months, "By month"), nl=False)
    typer.echo(untested_text(rows), nl=False)


@app.command("calendar")
def load_calendar(file: CsvFile, organisation: Organisation = None) -> None:
    """Set the days of contract months: submission, flex, freeze, challenge_by.

    Columns: financial_year, financial_month, the four days (may be empty), source. Exit code 3:
    the file cannot be read, and nothing was set.
    """
    caller = operator(organisation)
    try:
        months = read_calendar(file.read_bytes())
    except (SettingNotAccepted, UnreadableSubmission) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(NOT_ACCEPTED) from None
    door_or_exit().transact(lambda work: set_calendar(work, caller, months))
    typer.echo(f"{len(months)} month(s) set.")


@app.command("figures")
def load_figures(file: CsvFile, organisation: Organisation = None) -> None:
    """Set Aggregate Contract Monitoring totals, which slices are held against.

    Columns: provider, commissioner, financial_year, financial_month, amount, source. Exit code 3:
    the file cannot be read, and nothing was set.
    """
    caller = operator(organisation)
    try:
        figures = read_figures(file.read_bytes(), load_organisations().fold)
    except (SettingNotAccepted, UnreadableSubmission) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(NOT_ACCEPTED) from None
    door_or_exit().transact(lambda work: set_figures(work, caller, figures))
    typer.echo(f"{len(figures)} total(s) set.")


def _as_text(rows: tuple[SliceRow, ...]) -> str:
    out = io.StringIO()
    console = Console(file=out, width=120, color_system=None, highlight=False, markup=False)
    slices = _table("Current slices", "Provider", "Commissioner", "Month", "Version", "Freeze")
    for row in rows:
        frozen = row.month.freeze if row.month is not None else None
        closed = "" if frozen is None else f"{frozen:%d/%m/%Y}{' closed' if row.frozen_on else ''}"
        key = row.key
        month = f"{key.financial_year} M{key.financial_month:02d}"
        slices.add_row(
            key.provider, key.commissioner, month, str(row.version), closed,
            str(row.corrected_lines), pounds(row.total), pounds(row.corrected),
            _or_blank(row.figure), _or_blank(row.difference),
        )  # fmt: skip
    console.print(slices)
    sums = _table("By commissioner", "Commissioner", "Slices")
    for each in by_commissioner(rows):
        sums.add_row(
            each.commissioner, str(each.slices), str(each.lines), pounds(each.total),
            pounds(each.corrected), pounds(each.figure), pounds(each.difference),
        )  # fmt: skip
    console.print(sums)
    return out.getvalue()


def _table(title: str, *names: str) -> Table:
    table = Table(title=title, title_justify="left")
    for name in names:
        table.add_column(name)
    for name in ("Lines", "Total (£)", "Corrected (£)", "Stated (£)", "Difference (£)"):
        table.add_column(name, justify="right")
    return table


def _or_blank(amount: Decimal | None) -> str:
    return "" if amount is None else pounds(amount)


def _as_csv(rows: tuple[SliceRow, ...]) -> str:
    out = io.StringIO()
    documents = [each.model_dump(mode="json") for each in slice_list(rows).slices]
    writer = csv.DictWriter(out, list(documents[0]) if documents else ["provider"])
    writer.writeheader()
    writer.writerows(documents)
    return out.getvalue()
