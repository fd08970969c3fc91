"""`assent slices …`: the current slices and their sums, the calendar, and stated totals."""

import csv
import io
import json
from decimal import Decimal, InvalidOperation
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from app.api.deltas import delta_list
from app.api.slices_model import slice_list
from app.audit import Reading
from app.commands.doors import door_or_exit, settings_or_exit
from app.commands.reading import read_recorded
from app.commands.reconcile import Format, operator
from app.commands.refusals import done
from app.db.work import Work
from app.desk import make_desk
from app.reconciliation.calendar import read_calendar, read_figures, set_calendar, set_figures
from app.reconciliation.delta_report import DeltaRow, as_csv, deltas_for, shown
from app.reconciliation.delta_tables import deltas_text
from app.reconciliation.emptying import preview_empty, state_empty
from app.reconciliation.errors import SettingNotAccepted, UnreadableSubmission
from app.reconciliation.months_report import months_text, untested_text
from app.reconciliation.preview_report import emptying_lines
from app.reconciliation.report import pounds
from app.reconciliation.slice_months import MonthSum, by_month, challenged_by_month
from app.reconciliation.slice_report import SliceRow, by_commissioner, current_slices
from app.reconciliation.slices import SliceKey
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
    typer.echo(untested_text(rows, "Accepted, and not tested"), nl=False)


@app.command("deltas")
def show_deltas(
    organisation: Organisation = None,
    year: Annotated[str | None, typer.Option(help="Only this financial year: 202627.")] = None,
    month: Annotated[int | None, typer.Option(min=1, max=12, help="1 is April.")] = None,
    provider: Annotated[str | None, typer.Option(help="Only this provider's.")] = None,
    commissioner: Annotated[str | None, typer.Option(help="Only what it pays for.")] = None,
    format: Annotated[Format, typer.Option(help="How to print them.")] = Format.TEXT,
) -> None:
    """Print what changed approvals make of closed months: signed deltas, line by line."""
    caller = operator(organisation)

    def read(work: Work) -> tuple[tuple[DeltaRow, ...], Reading]:
        rows = deltas_for(
            work,
            caller,
            financial_year=year,
            financial_month=month,
            provider=provider,
            commissioner=commissioner,
        )
        return rows, Reading("deltas read", names=shown(rows))

    rows = read_recorded(door_or_exit(), caller, read)
    if format is Format.CSV:
        typer.echo(as_csv(rows).decode("utf-8-sig"), nl=False)
    elif format is Format.JSON:
        told = delta_list(rows, len(rows) or 1)
        typer.echo(json.dumps(told.model_dump(mode="json"), indent=2))
    else:
        typer.echo(deltas_text(rows), nl=False)


@app.command("empty")
def state_empty_month(
    provider: Annotated[str, typer.Argument(help="The provider's ODS code.")],
    commissioner: Annotated[str, typer.Argument(help="The commissioner that the lines name.")],
    year: Annotated[str, typer.Argument(help="The financial year: 202627.")],
    month: Annotated[int, typer.Argument(min=1, max=12, help="The financial month; 1 is April.")],
    organisation: Organisation = None,
    lines: Annotated[int | None, typer.Option(help="The lines that are seen to stand.")] = None,
    total: Annotated[str | None, typer.Option(help="The pounds that are seen to stand.")] = None,
    reason: Annotated[str | None, typer.Option(help="Why the month has none.")] = None,
) -> None:
    """State that a month which had lines has none now. Without --lines it only tells what would go.

    Exit code 2: the call is wrong; 3: refused, such as where other lines stand than were seen.
    """
    caller, desk = operator(organisation), make_desk(settings_or_exit())
    key = SliceKey(provider, commissioner, year, month)
    if lines is None and total is None and reason is None:
        ask = partial(preview_empty, desk=desk, caller=caller, key=key)
        found = done(lambda: door_or_exit().read(ask))
        typer.echo("\n".join(emptying_lines(found)))
        typer.echo("Nothing was stored.")
        return
    if lines is None or total is None or not reason:
        typer.echo("Give --lines, --total and --reason, or none of them to look.", err=True)
        raise typer.Exit(2)
    act = partial(
        state_empty,
        desk=desk, caller=caller, key=key, lines=lines, total=pounds_or_exit(total), reason=reason,
    )  # fmt: skip
    found = done(lambda: door_or_exit().transact(act))
    typer.echo("\n".join(emptying_lines(found)))


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


def pounds_or_exit(text: str) -> Decimal:
    """An amount; exit code 2 where it is none."""
    try:
        return Decimal(text)
    except InvalidOperation:
        typer.echo(f"{text} is not an amount. Give pounds, such as 352.14.", err=True)
        raise typer.Exit(2) from None


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
