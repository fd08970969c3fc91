"""What a request says beside its answers: checked against the policy's terms, kept as JSON."""

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from app.approvals.errors import DetailsNotAccepted
from app.approvals.model import (
    Dose,
    EmergencyStart,
    FundingOrigin,
    PaperForm,
    RequestDetails,
    StopReason,
)
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
REGISTRY_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9/ .-]{0,39}")
ORGANISATION_CODE = re.compile(r"[A-Z0-9]{3,9}")
LONGEST_UNIT = 20
LONGEST_ROUTE = 40
LARGEST_AMOUNT = Decimal(10_000_000)
DECIMALS = 8


def check_details(
    details: RequestDetails, kind: Kind, version: PolicyVersion, today: dt.date
) -> None:
    """Raise DetailsNotAccepted naming the first field to mend."""
    for name in NEEDED[kind]:
        if getattr(details, name) is None:
            raise DetailsNotAccepted(f"details.{name}", f"A {kind} needs '{name}'. Give it.")
    if details.product is not None:
        check_product(details.product, version, listed=kind is not Kind.SWITCH)
    if details.dose is not None:
        _check_dose(details.dose)
    _check_codes(details)
    if details.registry_id is not None and not REGISTRY_ID.fullmatch(details.registry_id):
        raise DetailsNotAccepted(
            "details.registry_id",
            "Give the registry's own number as it shows it: letters, digits, '/', '.' and '-', "
            "at most 40 characters.",
        )
    _check_reasons(details, version, today)
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


def _check_dose(dose: Dose) -> None:
    check_amount("details.dose.amount", dose.amount)
    if not 1 <= len(dose.unit) <= LONGEST_UNIT:
        raise DetailsNotAccepted("details.dose.unit", "Give the dose's unit, e.g. mg.")
    if dose.every_days is not None and not 1 <= dose.every_days <= DAYS_AHEAD:
        raise DetailsNotAccepted(
            "details.dose.every_days", f"Give the interval as 1 to {DAYS_AHEAD} days."
        )


def check_amount(field: str, amount: Decimal) -> None:
    """Raise DetailsNotAccepted unless the amount is above zero and fits the store exactly."""
    if not amount.is_finite() or amount <= 0:
        raise DetailsNotAccepted(field, "Give an amount greater than zero.")
    if amount >= LARGEST_AMOUNT or amount != round(amount, DECIMALS):
        raise DetailsNotAccepted(
            field, f"Give an amount under {LARGEST_AMOUNT:,} with at most {DECIMALS} decimals."
        )


def check_commissioner(code: str) -> None:
    """Raise DetailsNotAccepted unless it has the shape of an organisation's code."""
    if not ORGANISATION_CODE.fullmatch(code):
        raise DetailsNotAccepted(
            "commissioner", "Give the organisation's code: 3 to 9 capital letters and digits."
        )


def _check_reasons(details: RequestDetails, version: PolicyVersion, today: dt.date) -> None:
    """A product that is not best value needs a reason; keys must be those of the policy."""
    best = version.approval.best_value
    first = best.on(today) if best is not None else ()
    reasons = best.reasons if best is not None else {}
    if details.product_reason is not None and details.product_reason not in reasons:
        raise DetailsNotAccepted(
            "details.product_reason",
            f"The policy has no reason of that key. Its reasons: {_listed(reasons)}.",
        )
    is_other = details.product is not None and bool(first) and details.product not in first
    if is_other and details.product_reason is None:
        raise DetailsNotAccepted(
            "details.product_reason",
            f"The policy asks for {' or '.join(first)} first. Name one of them, or give the "
            f"reason for another product: {_listed(reasons)}.",
        )
    grounds = {key for each in version.approval.escalations for key in each.grounds}
    if details.dose_ground is not None and details.dose_ground not in grounds:
        raise DetailsNotAccepted(
            "details.dose_ground",
            f"The policy has no ground of that key. Its grounds: {_listed(grounds)}.",
        )


def _listed(keys: Iterable[str]) -> str:
    return ", ".join(sorted(keys)) or "none"


def _check_codes(details: RequestDetails) -> None:
    for provider in (details.to_provider, *details.supplying_providers):
        if provider is not None and not ORGANISATION_CODE.fullmatch(provider):
            name = "to_provider" if provider == details.to_provider else "supplying_providers"
            raise DetailsNotAccepted(
                f"details.{name}",
                "Give the organisation's code: 3 to 9 capital letters and digits.",
            )
    if details.route_of_administration and len(details.route_of_administration) > LONGEST_ROUTE:
        raise DetailsNotAccepted(
            "details.route_of_administration", f"Give at most {LONGEST_ROUTE} characters."
        )


def check_product(product: str, version: PolicyVersion, *, listed: bool) -> None:
    """Raise DetailsNotAccepted unless it is a product of the drug and, if `listed`, of the policy.

    A switch may name a product that the policy does not list: it is referred, not refused.
    """
    known = load_drugs().products_of(version.drug)
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
        "funding_origin": details.funding_origin.value if details.funding_origin else None,
        "from_day": _day(details.from_day),
        "to_day": _day(details.to_day),
        "to_provider": details.to_provider,
        "stop_reason": details.stop_reason.value if details.stop_reason else None,
        "note": details.note,
        "registry_id": details.registry_id,
        "emergency": _emergency_to_json(details.emergency),
        "paper": _paper_to_json(details.paper),
        "product_reason": details.product_reason,
        "dose_ground": details.dose_ground,
        "switching_from": details.switching_from,
        "started_under": details.started_under.value if details.started_under else None,
        "started_on": _day(details.started_on),
    }
    if details.dose is not None:
        plain["dose"] = {
            "amount": _amount(details.dose.amount),
            "unit": details.dose.unit,
            "every_days": details.dose.every_days,
        }
    return {name: value for name, value in plain.items() if value is not None}


def details_from_json(stored: Mapping[str, Any]) -> RequestDetails:
    """The details again from what is stored of a request."""
    dose = stored.get("dose")
    stop_reason = stored.get("stop_reason")
    return RequestDetails(
        product=stored.get("product"),
        route_of_administration=stored.get("route_of_administration"),
        dose=Dose(Decimal(dose["amount"]), dose["unit"], dose.get("every_days")) if dose else None,
        supplying_providers=tuple(stored.get("supplying_providers") or ()),
        funding_origin=FundingOrigin(stored["funding_origin"])
        if stored.get("funding_origin")
        else None,
        from_day=_read_day(stored.get("from_day")),
        to_day=_read_day(stored.get("to_day")),
        to_provider=stored.get("to_provider"),
        stop_reason=StopReason(stop_reason) if stop_reason else None,
        note=stored.get("note"),
        registry_id=stored.get("registry_id"),
        emergency=_emergency_from_json(stored.get("emergency")),
        paper=_paper_from_json(stored.get("paper")),
        product_reason=stored.get("product_reason"),
        dose_ground=stored.get("dose_ground"),
        switching_from=stored.get("switching_from"),
        started_under=FundingOrigin(stored["started_under"])
        if stored.get("started_under")
        else None,
        started_on=_read_day(stored.get("started_on")),
    )


def _emergency_to_json(emergency: EmergencyStart | None) -> dict[str, Any] | None:
    """The urgent start as plain JSON, its time in UTC."""
    if emergency is None:
        return None
    return {"role": emergency.role, "office": emergency.office, "at": _utc(emergency.at)}


def _paper_to_json(paper: PaperForm | None) -> dict[str, Any] | None:
    """The paper form's signature as plain JSON, its time in UTC."""
    if paper is None:
        return None
    signed_at = _utc(paper.signed_at)
    found = {"signed_by": paper.signed_by, "signed_at": signed_at, "reason": paper.reason}
    return found if paper.reference is None else found | {"reference": paper.reference}


def _paper_from_json(stored: Mapping[str, Any] | None) -> PaperForm | None:
    """The paper form's signature again from what is stored."""
    if not stored:
        return None
    signed_at = dt.datetime.fromisoformat(stored["signed_at"])
    return PaperForm(stored["signed_by"], signed_at, stored["reason"], stored.get("reference"))


def _utc(instant: dt.datetime) -> str:
    return instant.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")


def _emergency_from_json(stored: Mapping[str, Any] | None) -> EmergencyStart | None:
    """The urgent start again from what is stored."""
    if not stored:
        return None
    at = dt.datetime.fromisoformat(stored["at"])
    return EmergencyStart(stored["role"], stored["office"], at)


def _read_day(text: str | None) -> dt.date | None:
    return dt.date.fromisoformat(text) if text else None


def _day(day: dt.date | None) -> str | None:
    return day.isoformat() if day else None


def _amount(amount: Decimal) -> str:
    return format(amount, "f")
