"""The service's own stored requests as a table of forms, and the spend of their approvals."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import ColumnElement, and_, func, select

from app.approvals.answering import context_from_json, read_answers
from app.approvals.errors import AnswersNotAccepted
from app.approvals.lifecycle import ApprovalState
from app.authoring.errors import BenchRefused
from app.authoring.replay.forms import Forms, as_table, table_forms
from app.authoring.replay.run import decide_row
from app.db import tables
from app.db.work import Work
from app.policy import Kind, PolicyVersion
from app.reconciliation.errors import StoredFileDamaged
from app.reconciliation.files import FileStore
from app.reconciliation.service import OUTCOMES
from app.reconciliation.standing_order import standing_last


@dataclass(frozen=True, slots=True)
class Stored:
    """Requests as forms; `unreadable` are ids whose answers the version's form would not take."""

    forms: Forms
    unreadable: tuple[str, ...]
    waived: tuple[str, ...]


def stored_forms(
    work: Work,
    version: PolicyVersion,
    kind: Kind,
    first: dt.date,
    last: dt.date,
    outcomes: Sequence[Path | bytes] = (),
    *,
    of: ColumnElement[bool] | None = None,
    before: PolicyVersion | None = None,
) -> Stored:
    """The latest answers of the requests under the version's policy, by day of the decision.

    With an overlay on the version, only requests that its commissioner pays for: it decides for
    nobody else. `of`: only requests for which this holds. The outcome is the policy's own last
    decision, or what `before` says of the answers that its own form takes. Requests with waived or
    overridden criteria are named apart: what people decided is not the version's to say.
    """
    spent = spend_by_reference(outcomes)
    rows: list[dict[str, Any]] = []
    unreadable: list[str] = []
    waived: list[str] = []
    for found in _rows(work, version, kind, first, last, of):
        if found.waived or found.overridden:
            waived.append(found.id)
            continue
        row = _row(version, kind, found)
        earlier = row if before is None else _row(before, kind, found)
        if row is None or earlier is None:
            unreadable.append(found.id)
            continue
        if before is not None:
            row["outcome"] = decide_row(before, kind, earlier).outcome.value
        rows.append({**row, "spend": spent.get(found.reference or "", Decimal(0))})
    return Stored(table_forms(version, as_table(version, rows)), tuple(unreadable), tuple(waived))


def _rows(
    work: Work,
    version: PolicyVersion,
    kind: Kind,
    first: dt.date,
    last: dt.date,
    of: ColumnElement[bool] | None,
) -> Iterator[Any]:
    request, revision = tables.request.c, tables.request_revision.c
    decision, approval, patient = tables.decision.c, tables.approval.c, tables.patient.c
    newest = (
        select(decision.request_id, func.max(decision.number).label("number"))
        .where(decision.made_by == "policy")
        .group_by(decision.request_id)
        .subquery()
    )
    quoted = (
        select(approval.reference)
        .where(approval.request_id == request.id, approval.state != ApprovalState.DOSES_GIVEN)
        .order_by(approval.issued_at.desc(), approval.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    query = (
        select(
            request.id,
            revision.answers,
            revision.context,
            decision.outcome,
            decision.waived,
            decision.overridden,
            quoted.label("reference"),
            func.coalesce(patient.linked_to, patient.id).label("person"),
        )
        .join(tables.treatment, tables.treatment.c.id == request.treatment_id)
        .join(tables.patient, patient.id == tables.treatment.c.patient_id)
        .join(
            tables.request_revision,
            and_(revision.request_id == request.id, revision.revision == request.revision),
        )
        .join(newest, newest.c.request_id == request.id)
        .join(
            tables.decision,
            and_(decision.request_id == request.id, decision.number == newest.c.number),
        )
        .where(
            request.policy == version.policy,
            request.kind == kind.value,
            request.decision_to_treat >= first,
            request.decision_to_treat <= last,
            request.treatment_id.not_in(select(tables.retention_end.c.treatment_id)),
        )
        .order_by(request.id)
    )
    if version.overlay is not None:
        query = query.where(request.commissioner == version.overlay.commissioner)
    if of is not None:
        query = query.where(of)
    return iter(work.connection.execute(query))


def _row(version: PolicyVersion, kind: Kind, found: Any) -> dict[str, Any] | None:
    """One stored request as a typed row; None where the version's form would refuse an answer.

    Answers to questions that the version does not ask are left out: it would not look at them.
    """
    context, read_on = context_from_json(found.context)
    asked = {n for n, question in version.questions.items() if kind in question.kinds}
    raw = {name: answer for name, answer in found.answers.items() if name in asked}
    try:
        answers = read_answers(
            version, kind, raw, decision_to_treat=context.decision_to_treat, today=read_on
        )
    except AnswersNotAccepted:
        return None
    values = {
        name: list(a.value) if isinstance(a.value, tuple) else a.value
        for name, a in answers.items()
    }
    return {
        **values,
        "id": found.id,
        "person": found.person,
        "outcome": found.outcome,
        "kind": kind.value,
        "decision_to_treat": context.decision_to_treat,
        "first_dose": context.first_dose,
        "birth_date": context.birth_date,
        "sex": context.sex,
    }


def latest_outcomes(
    work: Work, files: FileStore, organisation: str | None = None
) -> tuple[bytes, ...]:
    """The outcomes of the run that stands for every submission, as Parquet, in the runs' order.

    Of those whose files are kept; with an organisation, only of its own submissions. Raises
    BenchRefused where a file is gone or is not the one that was stored.
    """
    run = tables.reconciliation_run.c
    query = select(run.submission_id, run.organisation, run.outcomes_file, run.outcomes_sha256)
    kept = tables.submission.c
    query = (
        query.join(tables.submission, kept.id == run.submission_id)
        .where(kept.ended_at.is_(None))
        .order_by(*standing_last(tables.reconciliation_run))
    )
    if organisation is not None:
        query = query.where(run.organisation == organisation)
    rows = work.connection.execute(query)
    newest = {row.submission_id: row for row in rows}
    try:
        return tuple(
            files.read(row.organisation, OUTCOMES, row.outcomes_file, row.outcomes_sha256)
            for row in newest.values()
        )
    except StoredFileDamaged:
        raise BenchRefused(
            "The outcomes of a reconciliation run are gone or damaged, so the spend cannot be "
            "told. Restore the files from the backup, or give --outcomes."
        ) from None


def spend_by_reference(outcomes: Sequence[Path | bytes]) -> dict[str, Decimal]:
    """The money accepted on invoice lines in pounds, by approval reference, out of runs' outcomes.

    A supply that stands in several runs (a month sent again, or matched by provider and
    commissioner alike) counts once, with the most that a single run accepted of it, also where it
    was sent again at another price. A supply is the approval, the provider, the kind of line, the
    product and the day; what has no day is known by its line's content, so that at another price
    it counts again.
    """
    most: dict[tuple[str, ...], Decimal] = {}
    for number, each in enumerate(outcomes):
        for key, accepted in _accepted(each, number).items():
            most[key] = max(accepted, most.get(key, accepted))
    total: dict[str, Decimal] = {}
    for (reference, *_), accepted in most.items():
        total[reference] = total.get(reference, Decimal(0)) + accepted
    return total


def _accepted(outcomes: Path | bytes, number: int) -> dict[tuple[str, ...], Decimal]:
    """What one run accepted, by reference and supply."""
    source = io.BytesIO(outcomes) if isinstance(outcomes, bytes) else outcomes
    table: pa.Table = pq.read_table(source)
    found: dict[tuple[str, ...], Decimal] = {}
    for row in table.to_pylist():
        if row["reference"] is None or not row["accepted"]:
            continue
        key = (row["reference"], *_supply(row, number))
        found[key] = found.get(key, Decimal(0)) + Decimal(row["accepted"])
    return found


def _supply(row: Mapping[str, Any], number: int) -> tuple[str, ...]:
    """What tells one supply of an approval from another; a file without hashes is taken whole."""
    if row.get("supplied_on") is not None:
        names = ("supplied_on", "provider", "kind", "drug_product", "drug")
        return tuple(row.get(name) or "" for name in names)
    return (row.get("content_hash") or f"file {number}",)
