"""An urgent start that an office authorised before the form."""

import datetime as dt
from dataclasses import replace

import pytest

from app.approvals.details import details_from_json, details_to_json
from app.approvals.emergency import check_emergency
from app.approvals.errors import DetailsNotAccepted
from app.approvals.model import EmergencyStart, RequestDetails
from app.policy import Kind

NOW = dt.datetime(2026, 6, 15, 11, 0, tzinfo=dt.UTC)
NIGHT = dt.datetime(2026, 6, 12, 3, 20, tzinfo=dt.UTC)
URGENT = EmergencyStart("consultant haematologist on call", "the panel's emergency line", NIGHT)
FIRST_DOSE = dt.date(2026, 6, 12)


def test_an_urgent_start_that_fits_is_accepted() -> None:
    details = RequestDetails(emergency=URGENT)
    check_emergency(details, Kind.INITIATION, "urgent", FIRST_DOSE, NOW)
    check_emergency(details, Kind.CONTINUATION, "urgent", None, NOW)
    check_emergency(RequestDetails(), Kind.STOP, None, None, NOW)


@pytest.mark.parametrize(
    ("changes", "kind", "reason", "field", "says"),
    [
        ({}, Kind.DOSE_CHANGE, "urgent", "details.emergency", "not an urgent start"),
        ({}, Kind.INITIATION, None, "retrospective_reason", "one of the policy's reasons"),
        ({"role": " "}, Kind.INITIATION, "urgent", "details.emergency.role", "1 to 80"),
        ({"office": "x" * 81}, Kind.INITIATION, "urgent", "details.emergency.office", "1 to 80"),
        (
            {"at": NIGHT.replace(tzinfo=None)},
            Kind.INITIATION,
            "urgent",
            "details.emergency.at",
            "offset",
        ),
        (
            {"at": NOW + dt.timedelta(seconds=1)},
            Kind.INITIATION,
            "urgent",
            "details.emergency.at",
            "still ahead",
        ),
        # 23:30 UTC is half past midnight of the next day in London: after the first dose.
        (
            {"at": dt.datetime(2026, 6, 12, 23, 30, tzinfo=dt.UTC)},
            Kind.INITIATION,
            "urgent",
            "details.emergency.at",
            "after the first dose",
        ),
    ],
)
def test_one_that_does_not_fit_says_why(
    changes: dict[str, object], kind: Kind, reason: str | None, field: str, says: str
) -> None:
    details = RequestDetails(emergency=replace(URGENT, **changes))  # type: ignore[arg-type]
    with pytest.raises(DetailsNotAccepted, match=says) as refused:
        check_emergency(details, kind, reason, FIRST_DOSE, NOW)
    assert refused.value.field == field


def test_it_comes_back_from_json_as_it_was() -> None:
    summer = replace(URGENT, at=NIGHT.astimezone(dt.timezone(dt.timedelta(hours=1))))
    details = RequestDetails(registry_id="IGD 12/3-4", emergency=summer)
    plain = details_to_json(details)
    assert plain["emergency"]["at"] == "2026-06-12T03:20:00Z"
    assert details_from_json(plain) == replace(details, emergency=URGENT)
