"""A trust checks a planned supply and a draft file on a page, before it invoices."""

import csv
import io
import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from app.auth.model import Role
from app.reference_data.nhs_number import test_number as invented_nhs_number
from tests.functional.approvals.api import Api, good, initiation
from tests.functional.approvals.scene import SUBMISSION_ROW
from tests.functional.desk.conftest import Browser, Sit
from tests.functional.desk.test_desk import as_csv, bare

PAGE = "/supply-check"
TYPED = {
    "nhs_number": invented_nhs_number(1),
    "birth_date-day": "1",
    "birth_date-month": "1",
    "birth_date-year": "1970",
    "drug": "Humira 40mg pen",
    "supply_date-day": "15",
    "supply_date-month": "6",
    "supply_date-year": "2026",
    "quantity": "2",
    "unit": "pen",
    "total": "352.14",
    "commissioner": "DEMQ1",
}
_C = Role.CLINICIAN


@pytest.fixture(autouse=True)
def approval(people: Mapping[str, Api]) -> Any:
    return good(people["clinician"].post("/v1/requests", initiation(1)), 201)


def ask(browser: Browser, **changes: str) -> str:
    reply = browser.send(PAGE, PAGE, **(TYPED | changes))
    assert reply.status_code == 200, bare(reply.text)
    return bare(reply.text)


def drop(browser: Browser, content: bytes, name: str = "draft.csv") -> Any:
    form = browser.form(PAGE, f"{PAGE}/files")
    return browser.post(f"{PAGE}/files", form, files={"file": (name, content, "text/csv")})


def test_a_planned_supply_is_told_what_will_come_of_it(sit: Sit, approval: Any) -> None:
    browser = sit("DEMO1", Role.DELEGATE)
    covered = ask(browser)
    assert "It would not be challenged" in covered
    assert approval["approval"]["reference"] in covered
    assert "Its continuation is due by" in covered
    unknown = ask(browser, nhs_number=invented_nhs_number(9))
    assert "It would be challenged" in unknown
    assert "No approval" in unknown
    assert "What to do: Submit a request" in unknown
    assert "Would be queried £352.14" in unknown
    overdue = browser.send(PAGE, PAGE, **(TYPED | {"supply_date-year": "2028"}))
    assert "Submit the continuation request" in overdue.text
    assert f'href="/treatments/{approval["treatment_id"]}"' in overdue.text
    assert 'value="Humira 40mg pen"' in overdue.text, "what was typed stands there still"


@pytest.mark.parametrize("name", ["vat_charged", "homecare"])
def test_each_question_of_yes_or_no_has_both_answers(sit: Sit, name: str) -> None:
    page = sit("DEMO1", Role.DELEGATE).get(PAGE).text
    assert re.findall(rf'name="{name}" type="radio" value="(\w+)"', page) == ["yes", "no"]


def test_what_is_known_of_a_treatment_stands_in_the_form(sit: Sit, approval: Any) -> None:
    at = f"{PAGE}?treatment={approval['treatment_id']}"
    shown = sit("DEMO1", _C).get(at).text
    assert f'href="{at}"' in sit("DEMO1", _C).get(f"/treatments/{approval['treatment_id']}").text
    for known in ("H000001", "1970", "dalimumab", "DEMQ1"):
        assert known in shown, known
    for browser in (sit("DEMO2", _C), sit("DEMO2", Role.PHARMACIST)):
        assert browser.get(at).status_code == 404
    assert sit("DEMO1", _C).get(f"{PAGE}?treatment=1").status_code == 400


def test_of_another_trusts_approval_is_told_that_there_is_one_and_no_more(
    sit: Sit, approval: Any
) -> None:
    other = sit("DEMO2", Role.PHARMACIST)
    assert "not at your organisation" not in other.send(PAGE, PAGE, **TYPED).text
    told = other.send(PAGE, PAGE, care_reason="Taken over in June", **TYPED)
    assert "not at your organisation" in told.text
    for secret in (approval["approval"]["reference"], approval["treatment_id"], "DEMO1"):
        assert secret not in told.text
    asked = ask(
        sit("DEMO2", Role.PHARMACIST), care_reason="Taken over in June", **{"birth_date-day": "2"}
    )
    assert "not at your organisation" not in asked


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"nhs_number": ""}, "Enter the NHS number, or the hospital number."),
        ({"nhs_number": "999 000 0011"}, "The last digit checks the others."),
        ({"supply_date-month": "13"}, "Enter the day of the supply"),
        ({"quantity": "two"}, "Enter a number above zero"),
        ({"total": "-3"}, "Enter an amount above zero"),
        ({"drug": ""}, "Enter the drug"),
        ({"drug": '"><script>alert(1)</script>'}, "Enter the drug"),
        ({"drug": "=cmd|' /C calc'!A0"}, "Enter the drug"),
        ({"reference": "PA'; DROP TABLE approval"}, "Enter letters and digits"),
    ],
)
def test_what_cannot_be_read_is_told_at_its_field(
    sit: Sit, changes: dict[str, str], said: str
) -> None:
    reply = sit("DEMO1", _C).send(PAGE, PAGE, **(TYPED | changes))
    assert reply.status_code == 422
    assert said in reply.text
    assert "There is a problem" in reply.text
    assert "<script>alert" not in reply.text


def test_a_draft_file_comes_back_with_its_remedies_and_nothing_is_accepted(
    sit: Sit, people: Mapping[str, Api], rows: Callable[[], dict[str, int]]
) -> None:
    browser = sit("DEMO1", Role.DELEGATE)
    before = rows()
    unknown = SUBMISSION_ROW | {"NHS NUMBER": invented_nhs_number(800), "TOTAL COST": "120.50"}
    kept = drop(browser, as_csv(SUBMISSION_ROW, unknown)).headers["location"]
    shown = bare(browser.get(kept).text)
    assert "1 line of 2 would be challenged" in shown
    assert "Queried £120.50" in shown
    assert "Accepted £300.00" in shown
    assert "Submit a request for this treatment" in shown
    assert invented_nhs_number(800) not in browser.get(kept).text
    taken = browser.get(f"{kept}/checked.csv")
    assert taken.headers["content-disposition"] == 'attachment; filename="checked.csv"'
    first, second = csv.DictReader(io.StringIO(taken.text))
    assert (first["ASSENT OUTCOME"], second["ASSENT OUTCOME"]) == ("matched", "no approval")
    assert first["ASSENT LINE REFERENCE"].startswith("PA")
    assert second["ASSENT REMEDY"]
    changed = {name for name, count in rows().items() if count != before[name]}
    assert changed <= {"audit_event", "audit_payload", "session", "person", "rate_bucket"}
    assert good(people["pharmacist"].get("/v1/submissions"))["submissions"] == []
    assert browser.send(kept, f"{kept}/discard").headers["location"] == PAGE
    assert browser.get(kept).status_code == 404


def test_a_draft_is_nobody_elses_and_never_waits_to_be_accepted(sit: Sit) -> None:
    kept = drop(sit("DEMO1", Role.PHARMACIST), as_csv(SUBMISSION_ROW)).headers["location"]
    name = kept.rsplit("/", 1)[1]
    stranger = sit("DEMO2", Role.PHARMACIST)
    assert stranger.get(kept).status_code == 404
    assert stranger.get(f"{kept}/checked.csv").status_code == 404
    assert stranger.post(f"{kept}/discard", stranger.form(PAGE, PAGE)).status_code == 303
    owner = sit("DEMO1", Role.PHARMACIST)
    assert owner.get(kept).status_code == 200, "a stranger discards nothing"
    assert owner.get(f"/submissions/uploads/{name}").status_code == 404


@pytest.mark.parametrize("content", [b"", b"\x00\x01", b"just one line of words"])
def test_a_file_that_cannot_be_read_is_told_on_the_page(sit: Sit, content: bytes) -> None:
    reply = drop(sit("DEMO1", _C), content)
    assert reply.status_code == 422
    assert "There is a problem" in reply.text


def test_another_trusts_lines_are_refused(sit: Sit) -> None:
    reply = drop(sit("DEMO2", Role.PHARMACIST), as_csv(SUBMISSION_ROW))
    assert reply.status_code == 422
    assert "name another provider" in reply.text


@pytest.mark.parametrize(
    ("role", "at", "status"),
    [
        (Role.CLINICIAN, "DEMO1", 200),
        (Role.DELEGATE, "DEMO1", 200),
        (Role.PHARMACIST, "DEMO1", 200),
        (Role.COMMISSIONER, "DEMQ1", 403),
        (Role.PANEL_MEMBER, "DEMP1", 403),
        (Role.AUDITOR, "DEMO1", 403),
        (Role.INVOICE_VALIDATION, "DEMQ1", 403),
    ],
)
def test_the_page_is_the_care_teams(sit: Sit, role: Role, at: str, status: int) -> None:
    browser = sit(at, role)
    assert browser.get(PAGE).status_code == status
    form = browser.form("/") | TYPED
    assert browser.post(PAGE, form).status_code == status
    if status == 200:
        assert 'href="/supply-check"' in browser.get("/").text
        assert browser.post(PAGE, TYPED | {"csrf": "another"}).status_code == 403
