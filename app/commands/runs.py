"""`assent runs …`: export a run, show why a line has its outcome, and decide lines by hand."""

import shutil
from pathlib import Path
from typing import Annotated, Any

import typer

from app.api.line_decisions import evidence_document
from app.audit import Reading
from app.auth.model import Caller
from app.commands.doors import door_or_exit, settings_or_exit
from app.commands.reading import read_recorded
from app.commands.reconcile import operator
from app.commands.refusals import done
from app.desk import make_desk
from app.reconciliation import deciding_lines, evidence, exporting, service
from app.reconciliation.exports import ExportFormat, write_export
from app.reconciliation.model import DecisionKind
from app.reconciliation.scratch import scratch

app = typer.Typer(no_args_is_help=True, help="What came of a reconciliation, and its lines.")

RunId = Annotated[str, typer.Argument(help="The run's id.")]
Row = Annotated[int, typer.Argument(help="The row in the file.", min=1)]
For = Annotated[
    str | None, typer.Option("--organisation", help="The commissioner whose run it is.")
]
Why = Annotated[str, typer.Option("--reason", help="Why, in your words.")]
Payer = Annotated[str, typer.Option("--commissioner", help="For whom: its ODS code.")]


@app.callback()
def runs() -> None:
    """What came of a reconciliation, and its lines."""


@app.command("export")
def export_run(
    run: RunId,
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write the file.")],
    organisation: For = None,
    format: Annotated[ExportFormat, typer.Option(help="The kind of file.")] = ExportFormat.XLSX,
) -> None:
    """Export a run: pseudonyms for numbers, since the operator acts for a payer."""
    door, desk, caller = door_or_exit(), make_desk(settings_or_exit()), operator(organisation)
    reading = Reading("run exported", names={"run": run, "format": format.value})
    content = read_recorded(
        door, caller, lambda work: (exporting.content_of(work, desk, caller, run), reading)
    )
    folder = desk.matching.spill_to
    assert folder is not None
    with scratch(folder) as beside:
        done(lambda: write_export(content, format, output, beside))
    typer.echo(f"{content.summary.grand.lines} lines: {output}", err=True)


@app.command("outcomes")
def outcomes(
    run: RunId,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Where to write the Parquet file.")
    ],
    organisation: For = None,
) -> None:
    """Write the outcomes of a run as they are stored, a row a line: for runs of any size."""
    door, desk, caller = door_or_exit(), make_desk(settings_or_exit()), operator(organisation)
    reading = Reading("run exported", names={"run": run, "format": "outcomes"})
    found = read_recorded(
        door, caller, lambda work: (exporting.outcomes_of(work, desk, caller, run), reading)
    )
    shutil.copyfile(found, output)
    typer.echo(f"The outcomes, a row a line: {output}", err=True)


@app.command("line")
def line(run: RunId, row: Row, organisation: For = None) -> None:
    """Why a line has its outcome: each pass with its reason, the approval, every test."""
    door, desk, caller = door_or_exit(), make_desk(settings_or_exit()), operator(organisation)
    reading = Reading("run line read", names={"run": run, "row": row})
    found = read_recorded(
        door, caller, lambda work: (evidence.evidence_of(work, desk, caller, run, row), reading)
    )
    shown = evidence_document(caller, service.key_of(desk, caller), found)
    typer.echo(shown.model_dump_json(indent=2, by_alias=True))


@app.command("match")
def match_line(
    run: RunId,
    row: Row,
    approval: Annotated[str, typer.Argument(help="The approval's reference.")],
    commissioner: Payer,
    reason: Why,
) -> None:
    """Match a line to an approval by hand; it counts from the next run on."""
    _decide(operator(commissioner), run, row, DecisionKind.MATCH, approval, reason)


@app.command("override")
def override_line(
    run: RunId,
    row: Row,
    commissioner: Payer,
    reason: Why,
    accept: Annotated[bool, typer.Option("--accept/--query", help="The whole amount.")],
) -> None:
    """Accept or query a line by hand; it counts from the next run on."""
    kind = DecisionKind.ACCEPT if accept else DecisionKind.QUERY
    _decide(operator(commissioner), run, row, kind, None, reason)


@app.command("undo")
def undo(
    decision: Annotated[str, typer.Argument(help="The decision's id.")],
    commissioner: Payer,
    reason: Why,
) -> None:
    """Undo one decision by hand; every other one stays."""
    door, caller = door_or_exit(), operator(commissioner)
    done(lambda: door.transact(lambda work: deciding_lines.undo(work, caller, decision, reason)))
    typer.echo(f"Decision {decision} is undone. Reconcile the file again.")


def _decide(
    caller: Caller, run: str, row: int, kind: DecisionKind, approval: str | None, reason: str
) -> None:
    door, desk = door_or_exit(), make_desk(settings_or_exit())
    seen: Any = done(
        lambda: door.read(
            lambda work: deciding_lines.look(work, desk, caller, run, row, kind, approval)
        )
    )
    made = done(lambda: deciding_lines.draft(desk, caller, seen, row, kind, approval))
    kept, _ = done(
        lambda: door.transact(
            lambda work: deciding_lines.decide(work, caller, seen, row, made, reason)
        )
    )
    typer.echo(f"Decision {kept.id}: {kind.value}. Reconcile the file again to count it.")
