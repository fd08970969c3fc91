"""Claiming a treatment on pages: what is told, to whom, and that a wrong guess learns nothing."""

import html
import re

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from httpx2 import Response

from app.approvals.claiming import CLAIMED
from app.approvals.erasing import erase_patient
from app.db import tables
from app.reference_data.nhs_number import test_number as invented_nhs_number
from tests.functional.conftest import ADMINISTRATOR
from tests.functional.web.conftest import Enter, Person
from tests.functional.web.forms import ANSWERS, sent
from tests.functional.web.test_break_glass_pages import BORN, number_of

AT = "/claims/adalimumab-ra-severe"
REASON = "Moved here; seen in our clinic today."
NOBODY = invented_nhs_number(777)
_CLAIMED = tables.audit_event.c.action == CLAIMED


def claim(person: Person, number: str, at: str = AT, **changes: str) -> Response:
    typed = BORN | {"nhs_number": number, "care_reason": REASON}
    return person.send(at, at, **(typed | changes))


def plain(reply: Response) -> str:
    """A page without its forms' secrets, which differ each time."""
    return re.sub(r'value="[^"]*"', "", html.unescape(reply.text))


def claims_told(application: FastAPI) -> int:
    query = sa.select(sa.func.count()).select_from(tables.audit_event).where(_CLAIMED)

    def count(work: object) -> int:
        with work.beyond_scope():  # type: ignore[attr-defined]
            found: int = work.connection.execute(query).scalar_one()  # type: ignore[attr-defined]
        return found

    return int(application.state.door.read(count))


@pytest.mark.parametrize("who", ["demo2-clinician", "demo2-pharmacist"])
def test_the_claimant_is_told_approval_dates_and_baseline_and_no_more(
    enter: Enter, who: str
) -> None:
    owner, other = enter("demo1-clinician"), enter(who)
    request, treatment = sent(owner, ANSWERS)
    number = number_of(owner, request)
    reference = re.findall(r"PA[0-9A-Z]{13}", owner.get(f"/treatments/{treatment}").text)[0]
    assert 'href="/claims"' in other.get("/patients").text
    found = re.findall(r'href="(/claims/[^"]+)"', other.get("/claims?q=humira+rheumatoid").text)
    assert len(found) == 1, "a drug for an indication stands there once, whatever its policies"
    assert "holds a live approval" in claim(other, number, at=found[0]).text
    reply = claim(other, number)
    assert reply.status_code == 200, reply.text
    for words in (reference, "Not recorded yet", "DAS28", "6.0", "ask it for a transfer"):
        assert words in reply.text, words
    for hidden in (request, treatment, "DEMO1", "DEMQ1", "methotrexate", number, "1 February"):
        assert hidden not in reply.text, hidden
    for path in (f"/treatments/{treatment}", f"/requests/{request}"):
        assert other.get(path).status_code == 404


def test_the_holder_is_told_on_the_treatments_page_and_nobody_else(enter: Enter) -> None:
    owner, other = enter("demo1-clinician"), enter("demo2-clinician")
    request, treatment = sent(owner, ANSWERS)
    said, at = "says that it now cares for this patient", f"/treatments/{treatment}"
    listed = "Treatments of yours that another hospital claimed"
    assert said not in owner.get(at).text
    assert f"{listed} (0)" in owner.get("/").text
    claim(other, number_of(owner, request))
    claim(other, number_of(owner, request))  # again: it is one claim still
    row = owner.get("/").text.partition(f"{listed} (1)")[2].partition("</table>")[0]
    assert f'href="{at}"' in row
    assert "DEMO2" in row
    assert f"{listed} (0)" in enter("demo2-clinician").get("/").text, "the claimant's own"
    assert listed not in enter("demq1-commissioner").get("/").text
    assert re.search(rf"\(DEMO2\) {said}", owner.get(at).text)
    assert said in enter("demo1-delegate").get(at).text
    for who in ("demq1-commissioner", "demo1-auditor"):
        assert said not in enter(who).get(at).text, who


def test_who_is_not_known_and_a_birth_date_that_does_not_fit_are_answered_alike(
    enter: Enter, application: FastAPI
) -> None:
    owner, other = enter("demo1-clinician"), enter("demo2-clinician")
    number = number_of(owner, sent(owner, ANSWERS)[0])
    wrong_day = claim(other, number, **{"birth_date-day": "2"})
    nobody = claim(other, NOBODY)
    not_this = claim(other, number, at="/claims/adalimumab-as")
    assert wrong_day.status_code == nobody.status_code == 200
    assert plain(wrong_day) == plain(nobody)
    assert "No other hospital's live approval is known" in plain(nobody)
    assert wrong_day.headers.keys() == nobody.headers.keys()
    assert "No other hospital's live approval is known" in plain(not_this)
    assert claims_told(application) == 0


def test_a_second_click_is_told_the_same_and_the_holder_is_told_once(
    enter: Enter, application: FastAPI
) -> None:
    owner, other = enter("demo1-clinician"), enter("demo2-clinician")
    number = number_of(owner, sent(owner, ANSWERS)[0])
    once = "5e0c2c59-3c0c-4a57-9d55-1f7d7bb6a0e1"
    first, second = (claim(other, number, once=once) for _ in range(2))
    assert "holds a live approval" in first.text
    assert plain(first) == plain(second)
    assert claims_told(application) == 1
    assert claim(other, NOBODY, once=once).status_code == 412, "the form with other values"


def test_an_erasure_takes_the_stored_reply_with_it(enter: Enter, application: FastAPI) -> None:
    owner, other = enter("demo1-clinician"), enter("demo2-clinician")
    request, treatment = sent(owner, ANSWERS)
    once = "5e0c2c59-3c0c-4a57-9d55-1f7d7bb6a0e1"
    number = number_of(owner, request)
    assert "holds a live approval" in claim(other, number, once=once).text
    of = sa.select(tables.treatment.c.patient_id).where(tables.treatment.c.id == treatment)

    def erase(work: object) -> None:
        with work.beyond_scope():  # type: ignore[attr-defined]
            patient = work.connection.execute(of).scalar_one()  # type: ignore[attr-defined]
            erase_patient(work, ADMINISTRATOR, patient, "Asked for.")  # type: ignore[arg-type]

    application.state.door.transact(erase)
    again = claim(other, number, once=once)
    assert again.status_code == 412
    assert "DAS28" not in again.text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"nhs_number": "999 000 0011"}, "The last digit checks the others"),
        ({"nhs_number": "<b>1</b>"}, "Enter the 10 digits"),
        ({"birth_date-month": "13"}, "Enter the date of birth"),
        ({"care_reason": "   "}, "Say how your hospital cares"),
    ],
)
def test_what_is_missing_is_told_beside_what_was_typed(
    enter: Enter, application: FastAPI, changes: dict[str, str], said: str
) -> None:
    owner, other = enter("demo1-clinician"), enter("demo2-clinician")
    number = number_of(owner, sent(owner, ANSWERS)[0])
    reply = claim(other, number, **changes)
    assert reply.status_code == 422
    assert said in reply.text
    assert ("care_reason" in changes) or REASON in reply.text
    assert claims_told(application) == 0


@pytest.mark.usefixtures("held_clock")
def test_guesses_are_few_and_then_refused_even_where_they_are_right(
    enter: Enter, application: FastAPI
) -> None:
    owner, other = enter("demo1-clinician"), enter("demo2-clinician")
    number = number_of(owner, sent(owner, ANSWERS)[0])
    for _ in range(application.state.settings.guesses_per_hour):
        assert claim(other, number, **{"birth_date-day": "3"}).status_code == 200
    reply = claim(other, number)
    assert reply.status_code == 429
    assert "too many patients" in reply.text
    assert number not in reply.text
    assert claims_told(application) == 0


@pytest.mark.parametrize(
    "who", ["demo2-delegate", "demq1-commissioner", "demp1-panel-member", "demo1-auditor"]
)
def test_others_are_offered_none(enter: Enter, who: str) -> None:
    person = enter(who)
    assert 'href="/claims"' not in person.get("/patients").text
    for path in ("/claims", AT):
        assert person.get(path).status_code == 403
    assert person.send("/", AT, **BORN).status_code == 403


def test_a_first_request_for_a_patient_of_another_hospital_leads_to_the_claim(
    enter: Enter,
) -> None:
    owner, other = enter("demo1-clinician"), enter("demo2-clinician")
    number = number_of(owner, sent(owner, ANSWERS)[0])
    begin = "/start/adalimumab-ra-severe"
    born = {f"patient.{name}": value for name, value in BORN.items()}
    fields = {"patient.nhs_number": number, "patient.local_id": "H1", "patient.sex": "female"}
    reply = other.send(begin, begin, **fields, **born)
    shown = other.get(str(reply.headers["location"])).text
    assert "exists at another provider" in shown
    assert f'href="{AT}"' in shown


def test_letters_that_nothing_has_find_nothing(enter: Enter) -> None:
    person = enter("demo1-clinician")
    assert "0 treatments found" in person.get("/claims?q=zzzz").text
    assert "treatments found" not in person.get("/claims?q=a").text
    assert person.get("/claims/no-such-policy").status_code == 404
