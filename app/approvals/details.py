"""What a request says beside its answers: checked against the policy's terms, kept as JSON."""

import datetime as dt
from decimal import Decimal
from typing import Any

from app.approvals.errors import DetailsNotAccepted
from app.approvals.model import RequestDetails
from app.policy import Kind, PolicyVersion
from app.reference_data.drugs import load_drugs

#: What each kind cannot do without.
NEEDED: dict[Kind, tuple[str, ...]] = {
    Kind.INITIATION: (),
    Kind.CONTINUATION: (),
    Kind.SWITCH: ("product", "from_day"),
    Kind.DOSE_CHANGE: ("dose", "from_day"),
    Kind.TRANSFER: ("to_provider", "from_day"),
    Kind.PAUSE: ("from_day",),
    Kind.RESUME: ("from_day",),
    Kind.STOP: ("from_day", "stop_reason"),
}

#: A change may be recorded this long before it takes effect.
DAYS_AHEAD = 366


def check_details(
    details: RequestDetails, kind: Kind, version: PolicyVersion, today: dt.date
) -> None:
    """Raise DetailsNotAccepted naming the first field to mend."""
    for name in NEEDED[kind]:
        if getattr(details, name) is None:
            raise DetailsNotAccepted(f"details.{name}", f"A {kind} needs '{name}'. Give it.")
    if details.product is not None:
        check_product(details.product, version, listed=kind is not Kind.SWITCH)
    if details.dose is not None and details.dose.amount <= 0:
        raise DetailsNotAccepted("details.dose.amount", "The dose must be greater than zero.")
    if details.from_day is not None and details.from_day > today + dt.timedelta(days=DAYS_AHEAD):
        raise DetailsNotAccepted(
            "details.from_day", "That day is more than a year ahead: check it."
        )
    if kind is Kind.STOP and details.from_day is not None and details.from_day > today:
        raise DetailsNotAccepted(
            "details.from_day", "A stop is recorded once it has happened: that day is ahead."
        )
    if (
        details.to_day is not None
        and details.from_day is not None
        and (details.to_day < details.from_day)
    ):
        raise DetailsNotAccepted("details.to_day", "The last day is before the first one.")


def check_product(product: str, version: PolicyVersion, *, listed: bool) -> None:
    """Raise DetailsNotAccepted unless it is a product of the drug and, if `listed`, of the policy.

    A switch may name a product that the policy does not list: it is referred, not refused.
    """
    known = load_drugs().keys().get(version.drug, frozenset())
    if product not in known:
        raise DetailsNotAccepted(
            "details.product",
            f"No product of {version.drug} has that key. Known: {', '.join(sorted(known))}.",
        )
    if listed and version.approval.products and product not in version.approval.products:
        raise DetailsNotAccepted(
            "details.product",
            "The policy does not fund that product. It funds: "
            f"{', '.join(version.approval.products)}.",
        )


def details_to_json(details: RequestDetails) -> dict[str, Any]:
    """The details as plain JSON, without what was not given."""
    plain: dict[str, Any] = {
        "product": details.product,
        "route_of_administration": details.route_of_administration,
        "supplying_providers": list(details.supplying_providers) or None,
        "funding_origin": details.funding_origin.value,
        "from_day": _day(details.from_day),
        "to_day": _day(details.to_day),
        "to_provider": details.to_provider,
        "stop_reason": details.stop_reason.value if details.stop_reason else None,
        "note": details.note,
    }
    if details.dose is not None:
        plain["dose"] = {
            "amount": _amount(details.dose.amount),
            "unit": details.dose.unit,
            "every_days": details.dose.every_days,
        }
    return {name: value for name, value in plain.items() if value is not None}


def _day(day: dt.date | None) -> str | None:
    return day.isoformat() if day else None


def _amount(amount: Decimal) -> str:
    return format(amount, "f")
