"""What the SQL steps look at. Whatever else the rules come to look at sends a submission to the
plain engine whole, until the steps look at it too: a rule is never left out in silence.
"""

from collections.abc import Iterable, Sequence
from dataclasses import MISSING, Field, fields
from typing import Any

from app.reconciliation.engines.prepare import Prepared
from app.reconciliation.model import Coverage, Snapshot
from app.reconciliation.period import Period


class NotTabular(Exception):
    """The tables cannot hold a number's every digit, or something new that the rules look at."""


_KNOWN: dict[type, frozenset[str]] = {
    Snapshot: frozenset(
        {
            *("coverages", "pending", "policies", "as_at", "decisions", "terms", "layout"),
            *("earlier", "heirs"),
        }
    ),
    Prepared: frozenset({"line", "recognition", "kind", "period", "provider", "commissioner"}),
    Period: frozenset({"first", "last", "basis", "means", "after_stop", "after_death"}),
    Coverage: frozenset(
        {
            *("treatment_id", "approval_reference", "drug", "indication_key", "from_", "to"),
            *("provider", "commissioner", "status", "legacy_references", "nhs_number"),
            *("local_ids", "birth_date", "indication_snomed", "grace_to", "supplying_providers"),
            *("products", "product", "interchangeable", "funding_origin", "late", "under_query"),
            *("continuation_due", "continuation_submitted", "unit_price_cap", "price_unit"),
            *("quantity_cap", "quantity_unit", "paused", "max_supply_days", "dose_limits"),
            *("stopped", "died_on", "route", "start_by", "first_dose"),
            # The rules look at none of these when they match; worklists do.
            *("pattern", "doses", "best_value", "product_reason"),
        }
    ),
}


def check_known(prepared: Sequence[Prepared], snapshot: Snapshot) -> None:
    """Raise NotTabular where a field that the steps do not look at says anything."""
    _check(Snapshot, (snapshot,))
    _check(Coverage, snapshot.coverages)
    _check(Prepared, prepared)
    _check(Period, (item.period for item in prepared if item.period is not None))


def _check(kind: type, items: Iterable[Any]) -> None:
    new = [field for field in fields(kind) if field.name not in _KNOWN[kind]]
    if new and any(getattr(item, f.name) != _default(f) for item in items for f in new):
        raise NotTabular


def _default(field: Field[Any]) -> Any:
    return field.default if field.default is not MISSING else None
