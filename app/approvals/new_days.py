"""The days that an approval begins with: what its request asked for, else what was before."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from app.approvals import store
from app.approvals.coverage import Cover
from app.approvals.model import (
    ApprovalRecord,
    FundingOrigin,
    RequestRecord,
    SegmentRecord,
    TreatmentRecord,
)
from app.db.work import Work
from app.policy import Kind


@dataclass(frozen=True, slots=True)
class Caps:
    """What a commissioner pays at most, where its free terms say so."""

    unit_price: Decimal | None = None
    price_unit: str | None = None
    quantity: Decimal | None = None
    quantity_unit: str | None = None


def new_segment(
    work: Work,
    treatment: TreatmentRecord,
    request: RequestRecord,
    approval: ApprovalRecord,
    cover: Cover,
    caps: Caps | None,
) -> SegmentRecord:
    """The coverage segment: what the request asked for, else what the last segment had."""
    earlier = [s for s in store.segments_of(work, treatment.id) if s.kind == "coverage"]
    last = earlier[-1] if earlier and request.kind is not Kind.INITIATION else None
    asked = request.details
    amount, unit, every_days = _dose_of(asked.get("dose"), last)
    if caps is None:
        caps = _caps_of(last)
    return SegmentRecord(
        id=work.new_id(),
        treatment_id=treatment.id,
        approval_id=approval.id,
        request_id=request.id,
        kind="coverage",
        from_day=cover.from_day,
        to_day=cover.to_day,
        provider=treatment.provider,
        supplying_providers=asked.get("supplying_providers")
        or (last.supplying_providers if last else []),
        commissioner=request.commissioner,
        product=asked.get("product") or (last.product if last else None),
        route=asked.get("route_of_administration") or (last.route if last else None),
        dose_amount=amount,
        dose_unit=unit,
        dose_every_days=every_days,
        unit_price_cap=caps.unit_price,
        price_unit=caps.price_unit,
        quantity_cap=caps.quantity,
        quantity_unit=caps.quantity_unit,
        funding_origin=_funding(asked, last),
        recorded_at=work.moment.instant,
        superseded_at=None,
    )


def _dose_of(
    asked: dict[str, Any] | None, last: SegmentRecord | None
) -> tuple[Decimal | None, str | None, int | None]:
    """The whole dose that was asked for, else the whole of the last one: never parts of both."""
    if asked is not None:
        return store.decimal(asked["amount"]), asked["unit"], asked.get("every_days")
    if last is not None:
        return last.dose_amount, last.dose_unit, last.dose_every_days
    return None, None, None


def _caps_of(last: SegmentRecord | None) -> Caps:
    if last is None:
        return Caps()
    return Caps(last.unit_price_cap, last.price_unit, last.quantity_cap, last.quantity_unit)


def _funding(asked: dict[str, Any], last: SegmentRecord | None) -> FundingOrigin:
    """Who pays: what the request says, else as before, and for a first request the NHS."""
    if asked.get("funding_origin"):
        return FundingOrigin(asked["funding_origin"])
    return last.funding_origin if last else FundingOrigin.NHS
