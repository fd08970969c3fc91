"""What matching sees of approvals: one snapshot, taken in SQL within a scope, as frozen types."""

import datetime as dt
import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, and_, select
from sqlalchemy.orm import aliased

from app.approvals.lifecycle import OPEN_STATES, ApprovalState, RequestState
from app.approvals.office import APPROVAL_NOT_REQUIRED, Office
from app.clock import london_day
from app.db import tables
from app.db.work import Work
from app.policy import PolicyVersion
from app.reconciliation.model import Coverage, PendingRequest, PolicyHeld, Snapshot

LocalIds = frozenset[tuple[str, str]]

#: Approvals that cover nothing any more, but explain to a reader why a line is not covered.
_UNDONE = frozenset(
    {ApprovalState.WITHDRAWN, ApprovalState.ENTERED_IN_ERROR, ApprovalState.NEVER_STARTED}
)
#: A continuation that came to this was submitted: the supply is outside the period, not overdue.
_REFUSED = frozenset({RequestState.CRITERIA_NOT_MET, RequestState.DECLINED})
_ROLLING = "rolling"


@dataclass(frozen=True, slots=True)
class _Identity:
    nhs_number: str | None
    birth_date: dt.date
    local_ids: LocalIds


@dataclass(frozen=True, slots=True)
class _Treatment:
    row: RowMapping
    identity: _Identity
    paused: tuple[tuple[dt.date, dt.date | None], ...]
    continuation_submitted: bool
    continuation_refused: bool


def take_snapshot(
    work: Work,
    office: Office,
    visible: ColumnElement[bool],
    as_at: dt.date,
    commissioner: str | None,
) -> Snapshot:
    """Every coverage, waiting request and policy that the scope may see.

    `visible` is a condition on `treatment` (`app.approvals.scope.visible_treatments`);
    `commissioner` is whose exemptions count, if the scope is a commissioner's.
    """
    treatments = _treatments(work, visible)
    coverages: list[Coverage] = []
    approvals = _approvals(work, visible)
    for treatment_id, segments in _segments(work, visible).items():
        treatment = treatments[treatment_id]
        last = max((s["to_day"] or dt.date.max for s in segments), default=None)
        for segment in segments:
            approval = approvals[segment["approval_id"]]
            is_last = (segment["to_day"] or dt.date.max) == last
            coverages.extend(_coverages(office, treatment, segment, approval, is_last))
    for approval in approvals.values():
        if ApprovalState(approval["state"]) in _UNDONE:
            coverages.append(_undone(office, treatments[approval["treatment_id"]], approval))
    return Snapshot(
        coverages=tuple(coverages),
        pending=_pending(work, visible, treatments),
        policies=_policies_held(work, office, commissioner),
        as_at=as_at,
    )


def digest_of(snapshot: Snapshot) -> str:
    """A SHA-256 over the content of a snapshot, whatever its order and its day."""
    parts = sorted(map(_stable, (*snapshot.coverages, *snapshot.pending, *snapshot.policies)))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _stable(item: Any) -> str:
    values = []
    for name in type(item).__slots__:
        value = getattr(item, name)
        if isinstance(value, frozenset):
            value = sorted(value)
        values.append(f"{name}={value!r}")
    return f"{type(item).__name__}({', '.join(values)})"


# --- reading ------------------------------------------------------------------------------------


def _treatments(work: Work, visible: ColumnElement[bool]) -> dict[str, _Treatment]:
    identities = _identities(work)
    pauses = _pauses(work, visible)
    waiting = _continuations(work, visible, OPEN_STATES)
    refused = _continuations(work, visible, _REFUSED)
    rows = work.connection.execute(select(tables.treatment).where(visible)).mappings()
    return {
        row["id"]: _Treatment(
            row,
            identities[row["patient_id"]],
            tuple(pauses[row["id"]]),
            row["id"] in waiting,
            row["id"] in refused,
        )
        for row in rows
    }


def _identities(work: Work) -> dict[str, _Identity]:
    """Each patient record with the NHS number and hospital numbers of the whole person."""
    own, canonical = tables.patient, aliased(tables.patient)
    people = list(
        work.connection.execute(
            select(
                own.c.id,
                own.c.linked_to,
                own.c.nhs_number,
                own.c.birth_date,
                canonical.c.nhs_number.label("canonical_number"),
            ).outerjoin_from(own, canonical, canonical.c.id == own.c.linked_to)
        ).mappings()
    )
    person = {row["id"]: row["linked_to"] or row["id"] for row in people}
    local: dict[str, set[tuple[str, str]]] = defaultdict(set)
    identifier = tables.patient_identifier.c
    for row in work.connection.execute(
        select(identifier.patient_id, identifier.organisation, identifier.local_id)
    ).mappings():
        local[person[row["patient_id"]]].add((row["organisation"], row["local_id"]))
    return {
        row["id"]: _Identity(
            row["nhs_number"] or row["canonical_number"],
            row["birth_date"],
            frozenset(local[person[row["id"]]]),
        )
        for row in people
    }


def _pauses(
    work: Work, visible: ColumnElement[bool]
) -> Mapping[str, list[tuple[dt.date, dt.date | None]]]:
    segment = tables.segment.c
    rows = work.connection.execute(
        select(segment.treatment_id, segment.from_day, segment.to_day)
        .join(tables.treatment, tables.treatment.c.id == segment.treatment_id)
        .where(and_(visible, segment.kind == "pause", segment.superseded_at.is_(None)))
        .order_by(segment.from_day)
    )
    found: dict[str, list[tuple[dt.date, dt.date | None]]] = defaultdict(list)
    for treatment_id, from_day, to_day in rows:
        found[treatment_id].append((from_day, to_day))
    return found


def _continuations(
    work: Work, visible: ColumnElement[bool], states: frozenset[RequestState]
) -> frozenset[str]:
    """The treatments with a continuation in one of these states."""
    request = tables.request.c
    rows = work.connection.execute(
        select(request.treatment_id)
        .join(tables.treatment, tables.treatment.c.id == request.treatment_id)
        .where(and_(visible, request.kind == "continuation", request.state.in_(sorted(states))))
    )
    return frozenset(rows.scalars())


def _approvals(work: Work, visible: ColumnElement[bool]) -> dict[str, RowMapping]:
    submitted = tables.request.c.submitted_at.label("submitted_at")
    rows = work.connection.execute(
        select(tables.approval, submitted)
        .join(tables.treatment, tables.treatment.c.id == tables.approval.c.treatment_id)
        .outerjoin(tables.request, tables.request.c.id == tables.approval.c.request_id)
        .where(visible)
    ).mappings()
    return {row["id"]: row for row in rows}


def _segments(work: Work, visible: ColumnElement[bool]) -> dict[str, list[RowMapping]]:
    segment = tables.segment.c
    rows = work.connection.execute(
        select(tables.segment)
        .join(tables.treatment, tables.treatment.c.id == segment.treatment_id)
        .where(
            and_(
                visible,
                segment.kind == "coverage",
                segment.approval_id.is_not(None),
                segment.superseded_at.is_(None),
            )
        )
        .order_by(segment.from_day, segment.id)
    ).mappings()
    found: dict[str, list[RowMapping]] = defaultdict(list)
    for row in rows:
        found[row["treatment_id"]].append(row)
    return found


# --- building -----------------------------------------------------------------------------------


def _coverages(
    office: Office,
    treatment: _Treatment,
    segment: RowMapping,
    approval: RowMapping,
    is_last: bool,
) -> Iterable[Coverage]:
    """The segment as one coverage; the days before a late form as another, marked late."""
    whole = _coverage(office, treatment, segment, approval)
    rolling = approval["terms"].get("pattern") == _ROLLING
    if is_last and rolling and not treatment.continuation_refused:
        whole = replace(
            whole,
            continuation_due=segment["to_day"],
            continuation_submitted=treatment.continuation_submitted,
        )
    if not approval["late"] or approval["submitted_at"] is None:
        return (whole,)
    form = london_day(approval["submitted_at"])
    before = form - dt.timedelta(days=1)
    if whole.from_ > before:
        return (whole,)
    if whole.to is not None and whole.to <= before:
        return (replace(whole, late=True),)
    early = replace(whole, to=before, grace_to=None, late=True, continuation_due=None)
    return (early, replace(whole, from_=form))


def _coverage(
    office: Office, treatment: _Treatment, segment: RowMapping, approval: RowMapping
) -> Coverage:
    terms: dict[str, Any] = approval["terms"]
    row, identity = treatment.row, treatment.identity
    grace = int(terms.get("grace_days") or 0)
    to = segment["to_day"]
    caps = _caps(segment, terms)
    return Coverage(
        treatment_id=row["id"],
        approval_reference=approval["reference"],
        legacy_references=(approval["legacy_reference"],) if approval["legacy_reference"] else (),
        nhs_number=identity.nhs_number,
        local_ids=identity.local_ids,
        birth_date=identity.birth_date,
        drug=row["drug"],
        indication_key=row["indication"],
        indication_snomed=_snomed(office, row["policy"]),
        from_=segment["from_day"],
        to=to,
        grace_to=to + dt.timedelta(days=grace) if to is not None and grace else None,
        provider=segment["provider"],
        supplying_providers=frozenset(segment["supplying_providers"]),
        commissioner=segment["commissioner"],
        products=frozenset(terms.get("products") or ()),
        product=segment["product"],
        interchangeable=bool(terms.get("interchangeable")),
        funding_origin=segment["funding_origin"],
        under_query=approval["state"] == ApprovalState.UNDER_QUERY,
        status=_status(approval),
        paused=treatment.paused,
        **caps,
    )


def _undone(office: Office, treatment: _Treatment, approval: RowMapping) -> Coverage:
    """An approval that was withdrawn, in error or never started: it only explains."""
    row, identity = treatment.row, treatment.identity
    return Coverage(
        treatment_id=row["id"],
        approval_reference=approval["reference"],
        legacy_references=(approval["legacy_reference"],) if approval["legacy_reference"] else (),
        nhs_number=identity.nhs_number,
        local_ids=identity.local_ids,
        birth_date=identity.birth_date,
        drug=row["drug"],
        indication_key=row["indication"],
        indication_snomed=_snomed(office, row["policy"]),
        from_=approval["covers_from"],
        to=approval["covers_to"],
        provider=approval["provider"],
        commissioner=approval["commissioner"],
        status=_status(approval),
    )


def _status(approval: RowMapping) -> str:
    state = ApprovalState(approval["state"])
    return ApprovalState.LIVE.value if state is ApprovalState.UNDER_QUERY else state.value


def _caps(segment: RowMapping, terms: Mapping[str, Any]) -> dict[str, Any]:
    """Price and quantity caps: the segment's own, else those of the approval's free terms."""
    if segment["unit_price_cap"] is not None or segment["quantity_cap"] is not None:
        source: Mapping[str, Any] = dict(segment)
    else:
        source = terms
    return {
        "unit_price_cap": _amount(source.get("unit_price_cap")),
        "price_unit": source.get("price_unit"),
        "quantity_cap": _amount(source.get("quantity_cap")),
        "quantity_unit": source.get("quantity_unit"),
    }


def _amount(value: Decimal | str | None) -> Decimal | None:
    return None if value is None else Decimal(value)


def _snomed(office: Office, policy: str) -> str | None:
    if policy not in office.library.policies():
        return None
    return office.library.versions(policy)[-1].indication.snomed


def _pending(
    work: Work, visible: ColumnElement[bool], treatments: Mapping[str, _Treatment]
) -> tuple[PendingRequest, ...]:
    request = tables.request
    rows = work.connection.execute(
        select(request)
        .join(tables.treatment, tables.treatment.c.id == request.c.treatment_id)
        .where(and_(visible, request.c.state.in_(sorted(OPEN_STATES))))
    ).mappings()
    return tuple(
        PendingRequest(
            request_id=row["id"],
            nhs_number=treatments[row["treatment_id"]].identity.nhs_number,
            local_ids=treatments[row["treatment_id"]].identity.local_ids,
            drug=treatments[row["treatment_id"]].row["drug"],
            indication_key=treatments[row["treatment_id"]].row["indication"],
            provider=row["counterparty"] or row["provider"],
            submitted_on=london_day(row["submitted_at"]),
            kind=row["kind"],
            status=row["state"],
        )
        for row in rows
    )


def _policies_held(work: Work, office: Office, commissioner: str | None) -> tuple[PolicyHeld, ...]:
    """Each policy version's time in force, less the times for which the commissioner exempts."""
    held: list[PolicyHeld] = []
    for policy in office.library.policies():
        versions = office.library.versions(policy)
        for version, following in zip(versions, (*versions[1:], None), strict=True):
            held.append(_held(version, following))
    setting = tables.organisation_setting.c
    for row in work.connection.execute(
        select(setting.value, setting.from_day, setting.to_day).where(
            and_(setting.setting == APPROVAL_NOT_REQUIRED, setting.organisation == commissioner)
        )
    ):
        for drug in row.value:
            exempt = PolicyHeld(drug, False, row.from_day, row.to_day, "")
            held = [part for one in held for part in _without(one, exempt)]
            held.append(exempt)
    return tuple(held)


def _without(held: PolicyHeld, exempt: PolicyHeld) -> Iterable[PolicyHeld]:
    """What is left of a policy's time when an exemption of its drug is cut out."""
    to, until = held.to or dt.date.max, exempt.to or dt.date.max
    if held.drug != exempt.drug or until < held.from_ or exempt.from_ > to:
        return (held,)
    left = []
    if held.from_ < exempt.from_:
        left.append(replace(held, to=exempt.from_ - dt.timedelta(days=1)))
    if until < to:
        left.append(replace(held, from_=until + dt.timedelta(days=1)))
    return left


def _held(version: PolicyVersion, following: PolicyVersion | None) -> PolicyHeld:
    to = following.in_force.from_ - dt.timedelta(days=1) if following else None
    return PolicyHeld(
        drug=version.drug,
        approval_required=version.mechanism != "notification",
        from_=version.in_force.from_,
        to=to,
        indication_key=version.indication.key,
    )
