"""What a provider's claims mean here, on a day."""

import datetime as dt
from typing import Any

import pytest

from app.auth.model import Role
from app.auth.national import NationalRole, meanings, name_of, seats_from, subject_of
from app.auth.people import Seat
from app.settings import RoleMeaning

DAY = dt.date(2026, 6, 15)
KNOWN = (
    NationalRole("DOCTOR", Role.CLINICIAN, dt.date(2026, 1, 1), dt.date(2026, 6, 15)),
    NationalRole("DOCTOR", Role.DELEGATE, dt.date(2026, 6, 16)),
)
CLINICIAN = Seat("DEMO1", Role.CLINICIAN)


def role(code: Any = "DOCTOR", organisation: Any = "DEMO1", number: str = "1") -> dict[str, Any]:
    return {"role_code": code, "org_code": organisation, "person_roleid": number}


@pytest.mark.parametrize(
    ("claims", "day", "seats"),
    [
        ({"nhsid_nrbac_roles": [role()]}, DAY, {CLINICIAN}),
        ({"nhsid_nrbac_roles": [role(), role()]}, DAY, {CLINICIAN}),
        ({"nhsid_nrbac_roles": [role()]}, dt.date(2025, 12, 31), set()),
        ({"nhsid_nrbac_roles": [role()]}, dt.date(2026, 6, 16), {Seat("DEMO1", Role.DELEGATE)}),
        ({"nhsid_nrbac_roles": [role("PORTER")]}, DAY, set()),
        (
            {"nhsid_nrbac_roles": [role(), role(organisation="DEMO2", number="2")]},
            DAY,
            {CLINICIAN, Seat("DEMO2", Role.CLINICIAN)},
        ),
        (
            {"nhsid_nrbac_roles": [role(), role(number="2")], "selected_roleid": "3"},
            DAY,
            set(),
        ),
        ({"nhsid_nrbac_roles": [role()], "selected_roleid": "1"}, DAY, {CLINICIAN}),
        ({}, DAY, set()),
        ({"nhsid_nrbac_roles": "DOCTOR"}, DAY, set()),
        ({"nhsid_nrbac_roles": ["DOCTOR", None, role(organisation=7)]}, DAY, set()),
        ({"nhsid_nrbac_roles": [role(organisation="demo1; --")]}, DAY, set()),
        ({"nhsid_nrbac_roles": [role(code=["DOCTOR"])]}, DAY, set()),
    ],
)
def test_claims_give_the_seats_that_the_settings_say(
    claims: dict[str, Any], day: dt.date, seats: set[Seat]
) -> None:
    assert set(seats_from(claims, KNOWN, day)) == seats


@pytest.mark.parametrize(
    ("claims", "subject"),
    [
        ({"nhsid_useruid": "1", "sub": "2"}, "1"),
        ({"sub": "2"}, "2"),
        ({"nhsid_useruid": 1}, None),
        ({}, None),
    ],
)
def test_a_person_is_known_by_care_identity_s_own_id(claims: Any, subject: str | None) -> None:
    assert subject_of(claims) == subject


def test_a_name_is_optional() -> None:
    assert name_of({"name": " Dr Invented "}) == "Dr Invented"
    assert name_of({"name": ""}) == name_of({}) == "Name not given"


def test_a_meaning_must_be_a_role_of_ours() -> None:
    with pytest.raises(ValueError, match="ASSENT_NATIONAL_ROLES names an unknown role"):
        meanings([RoleMeaning(code="X", role="surgeon", from_day=DAY)])
