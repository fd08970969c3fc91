"""The terms of an approval as matching sees them: doses by phase, supplies, best-value products."""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from sqlalchemy import RowMapping

from app.approvals.phases import DatedPhase, dated_phases
from app.approvals.terms import interval_days
from app.reconciliation.model import BestValue, DoseLimit


def carried(terms: Mapping[str, Any], segment: RowMapping, clock: dt.date) -> dict[str, Any]:
    """What a coverage takes over from its approval's terms; `clock` starts the phases."""
    return {
        "pattern": terms.get("pattern") or "",
        "doses": terms.get("doses"),
        "max_supply_days": terms.get("max_supply_days"),
        "dose_limits": tuple(_dose_limits(terms, segment, clock)),
        "best_value": tuple(_best_value(terms)),
    }


def _dose_limits(
    terms: Mapping[str, Any], segment: RowMapping, clock: dt.date
) -> Iterable[DoseLimit]:
    """The largest doses over the segment's days; a higher dose approved on it stands instead."""
    phases = list(dated_phases(terms, clock))
    if not phases and terms.get("max_dose"):
        phases = [DatedPhase("", segment["from_day"], None, terms["max_dose"])]
    for phase in phases:
        over = phase.to_day is not None and phase.to_day < segment["from_day"]
        ahead = segment["to_day"] is not None and phase.from_day > segment["to_day"]
        if phase.max_dose is None or over or ahead:
            continue
        days = interval_days(phase.max_dose["per"])
        if days is None:
            continue
        dose = phase.max_dose
        amount = Decimal(dose["amount"])
        limit = DoseLimit(phase.from_day, phase.to_day, amount, dose["unit"], days, phase.name)
        yield _raised(limit, segment)


def _raised(limit: DoseLimit, segment: RowMapping) -> DoseLimit:
    amount, every = segment["dose_amount"], segment["dose_every_days"]
    if amount is None or every is None or segment["dose_unit"] != limit.unit:
        return limit
    if Decimal(amount) * limit.days <= limit.amount * every:
        return limit
    return replace(limit, amount=Decimal(amount), days=Decimal(every))


def _best_value(terms: Mapping[str, Any]) -> Iterable[BestValue]:
    for each in terms.get("best_value") or ():
        until = dt.date.fromisoformat(each["until"]) if each["until"] else None
        yield BestValue(each["product"], dt.date.fromisoformat(each["from"]), until)
