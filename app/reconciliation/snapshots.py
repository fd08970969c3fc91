"""What matching sees of approvals: one snapshot, taken in SQL within a scope, as frozen types."""

import datetime as dt
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import cache
from heapq import merge
from itertools import groupby
from operator import itemgetter
from typing import Any

from sqlalchemy import RowMapping

from app.approvals.doses_given import DosesGiven
from app.approvals.library import Library
from app.approvals.lifecycle import ApprovalState
from app.approvals.office import Office
from app.clock import london_day
from app.db.work import Work
from app.reconciliation.engines.index import Held
from app.reconciliation.engines.packed import pack
from app.reconciliation.model import Coverage, PendingRequest, Snapshot
from app.reconciliation.policies_held import policies_held
from app.reconciliation.scope import Scope
from app.reconciliation.snapshot_rows import (
    IN_SCOPE,
    Treatment,
    read_approvals,
    read_open_requests,
    read_overturned,
    read_segments,
    read_treatments,
    some_at_a_time,
)
from app.reconciliation.snapshot_terms import carried

#: Approvals that cover nothing any more, but explain to a reader why a line is not covered.
_UNDONE = frozenset(
    {ApprovalState.WITHDRAWN, ApprovalState.ENTERED_IN_ERROR, ApprovalState.NEVER_STARTED}
)
_ROLLING = "rolling"

Snomed = Callable[[str], str | None]


def take_snapshot(work: Work, office: Office, scope: Scope, as_at: dt.date) -> Snapshot:
    """Every coverage, waiting request and policy within the scope.

    Several queries make it up: `work` must be a `Database.read`, in which they see one state.
    """
    snomed = cache(lambda policy: _snomed(office.library_at(work), policy))
    pending: list[PendingRequest] = []

    def read() -> Iterator[Coverage]:
        for part in some_at_a_time(work, scope):
            treatments = read_treatments(work, part)
            yield from _coverages_of(work, part, treatments, snomed)
            pending.extend(
                _pending(row, treatments[row["treatment_id"]])
                for row in read_open_requests(work, part)
            )

    return Snapshot(
        coverages=pack(read()),
        pending=tuple(pending),
        policies=policies_held(work, office, scope.commissioner),
        as_at=as_at,
    )


def _coverages_of(
    work: Work, scope: Scope, treatments: Mapping[str, Treatment], snomed: Snomed
) -> Iterator[Coverage]:
    approvals = read_approvals(work, scope)
    for treatment_id, segments in read_segments(work, scope).items():
        yield from _of_treatment(treatments[treatment_id], segments, approvals, snomed)
    for approval in approvals.values():
        if approval[IN_SCOPE] and ApprovalState(approval["state"]) in _UNDONE:
            yield _undone(treatments[approval["treatment_id"]], approval, snomed)
    for row in read_overturned(work, scope):
        yield _not_paid(treatments[row["treatment_id"]], row, snomed)


def digest_of(snapshot: Snapshot) -> str:
    """A SHA-256 over the content of a snapshot, whatever its order and its day.

    It is over what each item says, in the order of these texts. Packed coverages are told one
    treatment at a time, which is that order unless ids have signs that sort before a quote.
    """
    terms = snapshot.terms
    known = (*terms.contracts, *terms.payers, *terms.spellings, *terms.prices, *terms.supplies)
    seen = (*snapshot.pending, *snapshot.policies, *known)
    before = snapshot.earlier
    earlier = (*before.used, *before.charges, *before.supplies, *before.spaced, *before.fees)
    stated = (f"stated={digest}" for digest in snapshot.earlier.stated)
    others = sorted((*map(_stable, (*seen, *earlier)), *stated))
    said = _digest_in_order(merge(_told_in_order(snapshot.coverages), others))
    if said is None:
        said = _digest_in_order(sorted((*map(_stable, snapshot.coverages), *others)))
    assert said is not None
    return said


def _told_in_order(coverages: Sequence[Coverage]) -> Iterator[str]:
    if not isinstance(coverages, Held):
        yield from sorted(map(_stable, coverages))
        return
    for _, its in groupby(coverages.told(_said), key=itemgetter(0)):
        yield from sorted(_together(Coverage.__name__, parts) for _, parts in its)


def _digest_in_order(parts: Iterable[str]) -> str | None:
    """The digest of the parts, one a line; None where they are not in order."""
    digest, before = hashlib.sha256(), ""
    for number, part in enumerate(parts):
        if part < before:
            return None
        digest.update(f"\n{part}".encode() if number else part.encode())
        before = part
    return digest.hexdigest()


def _stable(item: Any) -> str:
    values = (_said(name, getattr(item, name)) for name in item.__slots__)
    return _together(type(item).__name__, values)


def _said(name: str, value: Any) -> str:
    if isinstance(value, frozenset):
        value = sorted(value)
    return f"{name}={value!r}"


def _together(kind: str, said: Iterable[str]) -> str:
    return f"{kind}({', '.join(said)})"


def _of_treatment(
    treatment: Treatment,
    segments: Sequence[RowMapping],
    approvals: Mapping[str, RowMapping],
    snomed: Snomed,
) -> Iterable[Coverage]:
    """The coverages of a treatment's segments in scope; which is the last, all of them tell.

    Days before the NHS took over are among them, with their funding: a line on them is known to be
    nobody's to recover.
    """
    last = max(segment["to_day"] or dt.date.max for segment in segments)
    for segment in segments:
        if segment[IN_SCOPE]:
            is_last = (segment["to_day"] or dt.date.max) == last
            approval = approvals[segment["approval_id"]]
            yield from _coverages(treatment, segment, approval, is_last, snomed)


def _coverages(
    treatment: Treatment,
    segment: RowMapping,
    approval: RowMapping,
    is_last: bool,
    snomed: Snomed,
) -> Iterable[Coverage]:
    """The segment as one coverage; the days before a late form as another, marked late."""
    whole = _coverage(treatment, segment, approval, snomed)
    if is_last and treatment.row["stopped_on"] is not None and not _is_past(approval):
        whole = replace(whole, stopped=True)
    if is_last and _asks_for_continuation(treatment, segment, approval):
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
    early = replace(
        whole, to=before, grace_to=None, late=True, continuation_due=None, stopped=False
    )
    return (early, replace(whole, from_=form))


def _ran_its_time(treatment: Treatment, segment: RowMapping, approval: RowMapping) -> bool:
    """Whether the segment ends because its approval does.

    One that a switch, a transfer or a stop cut short ends for good: no grace follows it, and no
    continuation was due on its last day.
    """
    if _is_past(approval) or treatment.row["stopped_on"] is not None:
        return False
    return bool(segment["to_day"] == approval["covers_to"])


def _is_past(approval: RowMapping) -> bool:
    """Whether it pays for doses given and for nothing after its last day, whatever came then."""
    return ApprovalState(approval["state"]) is ApprovalState.DOSES_GIVEN


def _asks_for_continuation(treatment: Treatment, segment: RowMapping, approval: RowMapping) -> bool:
    """Whether a continuation is due at the segment's end: none is once one was refused."""
    if approval["terms"].get("pattern") != _ROLLING:
        return False
    if not _ran_its_time(treatment, segment, approval):
        return False
    refused, granted = treatment.refused_at, approval["submitted_at"]
    return refused is None or (granted is not None and refused < granted)


def _coverage(
    treatment: Treatment, segment: RowMapping, approval: RowMapping, snomed: Snomed
) -> Coverage:
    terms: dict[str, Any] = approval["terms"]
    row, identity = treatment.row, treatment.identity
    runs_on = _ran_its_time(treatment, segment, approval)
    grace = int(terms.get("grace_days") or 0) if runs_on else 0
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
        indication_snomed=snomed(row["policy"]),
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
        died_on=identity.died_on,
        route=segment["route"],
        start_by=approval["start_by"],
        first_dose=row["first_dose"],
        product_reason=approval["details"].get("product_reason") if approval["details"] else None,
        **caps,
        **carried(terms, segment, treatment.clock),
    )


def _undone(treatment: Treatment, approval: RowMapping, snomed: Snomed) -> Coverage:
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
        indication_snomed=snomed(row["policy"]),
        from_=approval["covers_from"],
        to=approval["covers_to"],
        provider=approval["provider"],
        commissioner=approval["commissioner"],
        status=_status(approval),
    )


def _not_paid(treatment: Treatment, row: RowMapping, snomed: Snomed) -> Coverage:
    """An urgent start that was overturned without paying for doses given: it only explains."""
    given = DosesGiven.from_json(row["doses_given"])
    who = "panel" if row["panel"] else "commissioner"
    identity = treatment.identity
    return Coverage(
        treatment_id=treatment.row["id"],
        approval_reference=None,
        nhs_number=identity.nhs_number,
        local_ids=identity.local_ids,
        birth_date=identity.birth_date,
        drug=treatment.row["drug"],
        indication_key=treatment.row["indication"],
        indication_snomed=snomed(treatment.row["policy"]),
        from_=given.from_day,
        to=given.to_day,
        provider=row["provider"],
        commissioner=row["commissioner"],
        status=f"not given: on {given.to_day:%d/%m/%Y} the {who} overturned the urgent start, and "
        f"does not pay for doses given from {given.from_day:%d/%m/%Y} on",
    )


def _status(approval: RowMapping) -> str:
    state = ApprovalState(approval["state"])
    if state is ApprovalState.UNDER_QUERY:
        return ApprovalState.LIVE.value
    return ApprovalState.ENDED.value if _is_past(approval) else state.value


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


def _snomed(library: Library, policy: str) -> str | None:
    if policy not in library.policies():
        return None
    return library.versions(policy)[-1].indication.snomed


def _pending(row: RowMapping, treatment: Treatment) -> PendingRequest:
    return PendingRequest(
        request_id=row["id"],
        nhs_number=treatment.identity.nhs_number,
        local_ids=treatment.identity.local_ids,
        drug=treatment.row["drug"],
        indication_key=treatment.row["indication"],
        provider=row["counterparty"] or row["provider"],
        submitted_on=london_day(row["submitted_at"]),
        kind=row["kind"],
        status=row["state"],
    )
