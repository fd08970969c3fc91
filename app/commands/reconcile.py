"""`assent reconcile FILE`: match a submission against the approvals and account for every pound."""

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from app.audit import Reading, record_reading
from app.auth.model import Caller, Role
from app.commands.at_the_line import acting_for
from app.commands.doors import door_or_exit, settings_or_exit
from app.commands.supplies import check_draft
from app.desk import make_desk
from app.reconciliation import (
    SubmissionTooLarge,
    TotalsDoNotTie,
    UnreadableSubmission,
    as_csv,
    as_json,
    as_text,
    returned_file,
)
from app.reconciliation.at_scale import MOST, ReconciledFile, reconcile_file
from app.reconciliation.decode import MAX_BYTES, check_size
from app.reconciliation.engines.choice import Engine
from app.reconciliation.engines.duckdb import told_when_out
from app.reconciliation.errors import (
    EngineRanOut,
    EnginesDisagree,
    RowsNotKept,
    SparkFailed,
    SparkUnavailable,
    StoredFileDamaged,
    TooManyLines,
)
from app.reconciliation.large_lines import open_large
from app.reconciliation.large_returned import write_returned
from app.reconciliation.line_columns import FileFacts, facts_told
from app.reconciliation.model import Skipped
from app.reconciliation.preview import Preview
from app.reconciliation.preview_report import preview_lines, stated_lines
from app.reconciliation.service import (
    ALL_ORGANISATIONS,
    Reconciled,
    preview_submission,
    read_own,
)
from app.reconciliation.slice_store import versions_of_submission

UNREADABLE, DOES_NOT_TIE, TOO_LARGE = 3, 4, 5


class Format(StrEnum):
    TEXT = "text"
    JSON = "json"
    CSV = "csv"


def run_reconcile(
    file: Annotated[
        Path, typer.Argument(help="The submission: CSV, XLSX or Parquet.", dir_okay=False)
    ],
    organisation: Annotated[
        str | None,
        typer.Option(
            help="Match against what this commissioner pays for (its ODS code); without it, "
            "against every approval in the database."
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Write the file back here, with the outcomes appended."
        ),
    ] = None,
    format: Annotated[Format, typer.Option(help="How to print the summary.")] = Format.TEXT,
    safe: Annotated[
        bool,
        typer.Option("--safe", help="Disarm original cells that a spreadsheet would run."),
    ] = False,
    engine: Annotated[
        Engine | None,
        typer.Option(help="What matches; all give the same. Without it, as the settings say."),
    ] = None,
    draft: Annotated[
        str | None,
        typer.Option(
            metavar="PROVIDER",
            help="Check a draft of this trust (its ODS code) before it is sent; nothing is stored.",
        ),
    ] = None,
    preview: Annotated[
        bool,
        typer.Option("--preview", help="Print row by row what the file would change; store none."),
    ] = False,
) -> None:
    """Reconcile a submission and print where every pound went.

    Exit code 0: reconciled (whatever was queried); 2: the call is wrong; 3: the file as a whole
    cannot be read; 4: the totals do not tie or the engine errs, and nothing was saved; 5: the file
    is too large, or memory or the disk did not suffice.
    """
    try:
        in_memory = draft is not None or preview
        check_size(file.stat().st_size, MAX_BYTES if in_memory else MOST.bytes)
        data = file.read_bytes() if in_memory else b""
    except SubmissionTooLarge as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(TOO_LARGE) from None
    except OSError as error:
        typer.echo(f"{file} cannot be opened ({error.strerror}). Check the path.", err=True)
        raise typer.Exit(2) from None
    if draft is not None:
        check_draft(data, file.name, draft, output)
        return
    try:
        if preview:
            typer.echo("\n".join(preview_lines(_previewed(data, file.name, organisation))))
            return
        result = _reconcile(file, organisation, engine)
    except (SubmissionTooLarge, TooManyLines, EngineRanOut) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(TOO_LARGE) from None
    except UnreadableSubmission as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(UNREADABLE) from None
    except SparkUnavailable as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    except (EnginesDisagree, SparkFailed, TotalsDoNotTie) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(DOES_NOT_TIE) from None
    typer.echo(_shown(result, format), nl=format is not Format.CSV)
    _tell_run(result)
    _tell_slices(result)
    if isinstance(result, ReconciledFile):
        typer.echo(result.run.summary["note"], err=True)
    if output is not None:
        reading = Reading("run file read", names={"run": result.run.id})
        caller = operator(organisation)
        door_or_exit().transact(lambda work: record_reading(work, caller.actor(), reading))
        _write_back(result, output, safe)


def _write_back(result: Reconciled | ReconciledFile, output: Path, safe: bool) -> None:
    """The file with identities, as the operator sent it; a large one part by part."""
    try:
        if isinstance(result, Reconciled):
            output.write_bytes(returned_file(result.submission, result.matched, safe=safe))
        else:
            desk, run = make_desk(settings_or_exit()), result.run
            opened = door_or_exit().read(lambda work: open_large(work, desk, run))
            with told_when_out():
                write_returned(opened, output, None, safe=safe)
    except (EngineRanOut, StoredFileDamaged, RowsNotKept, TotalsDoNotTie) as error:
        typer.echo(f"The run is saved, but no file was written. {error}", err=True)
        code = TOO_LARGE if isinstance(error, EngineRanOut) else DOES_NOT_TIE
        raise typer.Exit(code) from None
    except OSError as error:
        raise _not_written(output, error) from None
    typer.echo(f"The file, with the outcome of each line: {output}", err=True)


def _not_written(output: Path, error: OSError) -> typer.Exit:
    typer.echo(
        f"The run is saved, but {output} cannot be written ({error.strerror}). Check the path, and "
        "reconcile the file again: that changes nothing else.",
        err=True,
    )
    return typer.Exit(2)


def _previewed(data: bytes, name: str, organisation: str | None) -> Preview:
    desk, caller = make_desk(settings_or_exit()), operator(organisation)
    submission = read_own(desk, caller, data, name)
    return door_or_exit().read(lambda work: preview_submission(work, desk, caller, submission))


def operator(organisation: str | None) -> Caller:
    """The person at the command line, who acts for one commissioner or for all."""
    return acting_for(organisation or ALL_ORGANISATIONS, Role.COMMISSIONER)


def _reconcile(
    file: Path, organisation: str | None, engine: Engine | None
) -> Reconciled | ReconciledFile:
    settings = settings_or_exit()
    door = door_or_exit()
    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        progress.add_task(f"Reconciling {file.name}", total=None)
        desk = make_desk(settings)
        if engine is not None:
            desk = replace(desk, matching=replace(desk.matching, engine=engine))
        desk.matching.check_available()
        caller = operator(organisation)
        return reconcile_file(door.transact, desk, caller, file, read=door.read)


def _shown(result: Reconciled | ReconciledFile, format: Format) -> str:
    if format is Format.JSON:
        return as_json(result.summary, _facts(result), _skipped(result))
    if format is Format.CSV:
        return as_csv(result.summary)
    return as_text(result.summary)


def _facts(result: Reconciled | ReconciledFile) -> FileFacts:
    """What the file says beside its rows."""
    return result.facts if isinstance(result, ReconciledFile) else facts_told(result.submission)


def _skipped(result: Reconciled | ReconciledFile) -> Sequence[Skipped] | None:
    return None if isinstance(result, ReconciledFile) else result.submission.skipped


def _tell_run(result: Reconciled | ReconciledFile) -> None:
    facts = _facts(result)
    typer.echo(
        f"{facts.lines + facts.skipped} rows: {facts.lines} lines, {facts.skipped} skipped "
        f"(layout {facts.layout}, {facts.encoding}).",
        err=True,
    )
    for note in facts.notes:
        typer.echo(note, err=True)
    typer.echo(f"Run: {result.run.id}", err=True)
    if not result.is_new:
        typer.echo(
            "The same file was reconciled before against the same approvals: nothing changed.",
            err=True,
        )


def _tell_slices(result: Reconciled | ReconciledFile) -> None:
    """Whether what the file states is current, replaced since, or corrects closed months."""
    run = result.run
    stated = door_or_exit().read(
        lambda work: versions_of_submission(work, run.organisation, run.submission_id)
    )
    for line in stated_lines(stated):
        typer.echo(line, err=True)
