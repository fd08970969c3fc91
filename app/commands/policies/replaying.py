"""`assent policies replay`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.exc import DBAPIError

from app.audit import Reading, record_reading
from app.authoring.errors import BenchRefused
from app.authoring.replay.forms import open_forms
from app.authoring.replay.run import Replay, replay
from app.authoring.replay.stored import Stored, latest_outcomes, stored_forms
from app.commands.at_the_line import administrator
from app.commands.doors import door_or_exit, settings_or_exit
from app.commands.policies.parts import (
    OVERLAY_HELP,
    VERSION_HELP,
    joined_library,
    plain_refusals,
    version_named,
    versions_with,
)
from app.db.work import Work
from app.policy import Kind, PolicyVersion
from app.reconciliation.files import FileStore

_KINDS = (Kind.INITIATION.value, Kind.CONTINUATION.value)


def replay_forms(
    version: Annotated[str, typer.Option(help=VERSION_HELP)],
    forms: Annotated[
        Path | None, typer.Option(help="A Parquet or CSV of forms; else the stored requests.")
    ] = None,
    against: Annotated[
        str | None, typer.Option(help="Compare with this version, not with what was recorded.")
    ] = None,
    overlay: Annotated[
        str | None,
        typer.Option(help=f"{OVERLAY_HELP} Only its commissioner's stored requests are decided."),
    ] = None,
    first: Annotated[
        dt.datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day decided.")
    ] = None,
    last: Annotated[
        dt.datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day decided.")
    ] = None,
    kind: Annotated[str, typer.Option(help=" or ".join(_KINDS))] = Kind.INITIATION.value,
    outcomes: Annotated[
        list[Path] | None, typer.Option(help="Outcomes of reconciliation, for the spend; else the newest runs' own.")
    ] = None,
    show: Annotated[int, typer.Option(help="How many changed forms to list.")] = 20,
) -> None:
    """Decide stored forms again under another version: who would change, by what, at what cost."""
    draft = version_named(version) if overlay is None else _with_overlay(version, overlay)
    before = version_named(against) if against is not None else None
    with plain_refusals():
        if kind not in _KINDS:
            raise BenchRefused(f"Criteria decide only: {' and '.join(_KINDS)}.")
        days = (_day(first, dt.date.min), _day(last, dt.date.max))
        if forms is not None:
            result = _from_file(forms, draft, before, Kind(kind), days)
        else:
            result = _from_store(draft, before, Kind(kind), days, tuple(outcomes or ()))
    for line in result.lines():
        typer.echo(line)
    for each in result.changed[:show]:
        typer.echo(f"  {each.id}: {each.before} → {each.after} by {', '.join(each.criteria)}")


def _with_overlay(named: str, overlay: str) -> PolicyVersion:
    """One version with an overlay; of a policy's key, the newest that the overlay may lie on."""
    found = versions_with(named, overlay, joined_library())
    if not found:
        typer.echo(f"{named}: the overlay lies on no version of it.", err=True)
        raise typer.Exit(2)
    return found[-1]


def _from_file(
    path: Path,
    draft: PolicyVersion,
    before: PolicyVersion | None,
    kind: Kind,
    days: tuple[dt.date, dt.date],
) -> Replay:
    others = () if before is None else (before,)
    found = open_forms(path, draft, *others).between(*days)
    return replay(found, draft, kind, before)


def _from_store(
    draft: PolicyVersion,
    before: PolicyVersion | None,
    kind: Kind,
    days: tuple[dt.date, dt.date],
    outcomes: tuple[Path, ...],
) -> Replay:
    files = FileStore(settings_or_exit().data_dir.resolve() / "files")

    def read(work: Work) -> tuple[Stored, int]:
        known: Sequence[Path | bytes] = outcomes or latest_outcomes(work, files)
        return stored_forms(work, draft, kind, *days, known, before=before), len(known)

    door = door_or_exit()
    try:
        stored, runs = door.read(read)
    except DBAPIError:
        raise BenchRefused(
            "The store of requests cannot be read. Check ASSENT_DATABASE_URL, and set the database "
            "up with `assent db upgrade`; or give --forms."
        ) from None
    for id_ in stored.unreadable:
        typer.echo(f"  {id_}: left out: an answer is not one that this version takes.", err=True)
    for id_ in stored.waived:
        typer.echo(f"  {id_}: left out: a criterion was waived or overridden.", err=True)
    if draft.overlay is not None:
        who = draft.overlay.commissioner
        typer.echo(
            f"With the overlay of {draft.overlay.layer}: only requests that {who} pays for.",
            err=True,
        )
    typer.echo(_whence(outcomes, runs), err=True)
    told = replay(stored.forms, draft, kind)  # the forms hold what the version before says
    # Whoever sees which requests would change has read of them, and is put on record.
    ids = sorted({*(each.id for each in told.changed), *stored.unreadable, *stored.waived})
    reading = Reading("policy replay read", names={"requests": ids})
    door.transact(lambda work: record_reading(work, administrator(), reading))
    return told


def _whence(outcomes: tuple[Path, ...], runs: int) -> str:
    if outcomes:
        return f"Spend: accepted lines of the {len(outcomes)} files given."
    if runs == 0:
        return (
            "No submission has been reconciled yet, so the money is not known and reads 0. "
            "`assent reconcile FILE` runs one; or give --outcomes."
        )
    return (
        f"Spend: accepted lines of the newest run of each submission ({runs}). A supply (an "
        "approval's product on a day) sent twice counts once, at the most that one run accepted; "
        "a line without a day counts again where its price changed."
    )


def _day(given: dt.datetime | None, otherwise: dt.date) -> dt.date:
    return otherwise if given is None else given.date()
