"""The default meanings of national role codes, as docs/national-roles.md gives them."""

import datetime as dt
import json
import re
from pathlib import Path
from typing import Any

import pytest

from app.auth.model import Role
from app.auth.national import NationalRole, meanings, seats_from
from app.auth.people import Seat
from app.settings import RoleMeaning

PAGE = Path(__file__).parents[3] / "docs" / "national-roles.md"
TODAY = dt.date(2026, 11, 28)


def default() -> tuple[NationalRole, ...]:
    text = re.search(r"```json\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert text is not None
    return meanings([RoleMeaning.model_validate_json(json.dumps(e)) for e in json.loads(text[1])])


def claims(code: str) -> dict[str, Any]:
    return {"nhsid_nrbac_roles": [{"person_roleid": "1", "org_code": "DEMO1", "role_code": code}]}


@pytest.mark.parametrize(
    ("code", "role"),
    [
        ("S8000:G8000:R8000", Role.CLINICIAN),
        ("R8000", Role.CLINICIAN),
        ("S8000:G8000:R8001", Role.DELEGATE),
        ("S8000:G8000:R8003", None),
        ("R8000:G8000:S8000", None),
        ("S8000:G8000:R80001", None),
        ("XR8000", None),
    ],
)
def test_the_default_means_what_its_page_says(code: str, role: Role | None) -> None:
    expected = () if role is None else (Seat("DEMO1", role),)
    assert seats_from(claims(code), default(), TODAY) == expected
    assert seats_from(claims(code), default(), TODAY - dt.timedelta(days=1)) == ()


def test_a_meaning_of_the_whole_code_holds_for_that_one_only() -> None:
    whole = (NationalRole("S1:G1:R8000", Role.CLINICIAN, TODAY),)
    assert seats_from(claims("S1:G1:R8000"), whole, TODAY) == (Seat("DEMO1", Role.CLINICIAN),)
    assert seats_from(claims("S8000:G8000:R8000"), whole, TODAY) == ()
    assert seats_from(claims("R8000"), whole, TODAY) == ()
