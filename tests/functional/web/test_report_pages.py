"""The reports of break-glass and of identities shown: for whom, of which days, and no patient."""

import datetime as dt
import re

import pytest
from fastapi import FastAPI

from app.auth.model import Role
from app.auth.store import register_caller
from app.clock import now
from app.reference_data.nhs_number import test_number as invented_nhs_number
from tests.functional.conftest import ADMINISTRATOR
from tests.functional.web.conftest import Enter
from tests.functional.web.forms import ANSWERS, sent
from tests.functional.web.test_break_glass_pages import declare, number_of

GLASS, SHOWN = "/reports/break-glass", "/reports/identifier-access"
NUMBER = invented_nhs_number(778)
WORDS = "Unconscious in the emergency department."


def days(first: dt.date, last: dt.date) -> str:
    parts = [
        f"{name}-{part}={getattr(day, part)}"
        for name, day in (("from", first), ("to", last))
        for part in ("day", "month", "year")
    ]
    return "?" + "&".join(parts)


def declared(enter: Enter, **changes: str) -> tuple[str, str]:
    """Somebody of DEMO2 opens what DEMO1 holds: the number of the patient and the record."""
    owner = enter("demo1-clinician")
    number = number_of(owner, sent(owner, ANSWERS)[0])
    opener = enter("demo2-clinician")
    status, record, text = declare(opener, number, **changes)
    assert status == 303, text
    opener.get(record)
    return number, record


def test_both_organisations_read_who_opened_what_and_why(enter: Enter) -> None:
    number, record = declared(enter)
    words = WORDS
    for who, own in (("demo1-auditor", False), ("demo2-auditor", True)):
        auditor = enter(who)
        assert f'href="{GLASS}"' in auditor.get("/").text
        shown = auditor.get(GLASS).text
        for text in ("1 declaration", "Emergency", words, "(DEMO2)", "Open", "read 1 time"):
            assert text in shown, (who, text)
        assert ("Of another organisation" in shown) is not own
        assert (f'action="{record}/end"' in shown) is own, "only one's own may be ended"
        assert number not in shown
        assert "1 February 1970" not in shown


def test_the_patients_own_number_is_hidden_in_the_words(enter: Enter) -> None:
    owner = enter("demo1-clinician")
    number = number_of(owner, sent(owner, ANSWERS)[0])
    bare = number.replace(" ", "")
    assert declare(enter("demo2-clinician"), number, words=f"She is {bare}.")[0] == 303
    for who in ("demo1-auditor", "demo2-auditor"):
        shown = enter(who).get(GLASS).text
        assert "She is" in shown
        assert bare not in shown
        assert number not in shown


def test_the_auditor_ends_an_access_of_the_own_organisation(enter: Enter) -> None:
    _, record = declared(enter)
    auditor = enter("demo2-auditor")
    reply = auditor.send(GLASS, f"{record}/end")
    assert (reply.status_code, reply.headers["location"]) == (303, GLASS)
    assert "Ended early" in auditor.get(GLASS).text
    assert enter("demo2-clinician").get(record).status_code in (404, 409, 410)


def test_the_auditor_of_the_holder_ends_nothing(enter: Enter) -> None:
    _, record = declared(enter)
    assert enter("demo1-auditor").send(GLASS, f"{record}/end").status_code == 404
    assert "Open" in enter("demo2-auditor").get(GLASS).text


@pytest.mark.parametrize("path", [GLASS, SHOWN])
def test_a_report_is_of_the_days_that_are_chosen(
    enter: Enter, application: FastAPI, path: str
) -> None:
    declared(enter)
    identities(enter, application)
    auditor = enter("demo2-auditor" if path == GLASS else "demq1-auditor")
    today = now().date()
    week = dt.timedelta(7)
    told = "(DEMO2)" if path == GLASS else "Searched by"
    assert told in auditor.get(path + days(today - week, today)).text
    assert told not in auditor.get(path + days(today - 2 * week, today - week)).text
    for wrong in (days(today, today - week), "?from-day=31&from-month=2&from-year=2026"):
        reply = auditor.get(path + wrong)
        assert reply.status_code == 422
        assert "There is a problem" in reply.text
        assert told not in reply.text


def system_of(application: FastAPI, organisation: str, role: Role) -> dict[str, str]:
    """The headers of a system that is registered now."""
    token = f"token-{organisation}-{role.name}"
    application.state.door.transact(
        lambda work: register_caller(
            work,
            ADMINISTRATOR,
            name=f"A system of {organisation}",
            kind="system",
            organisation=organisation,
            role=role,
            demonstration=True,
            token=token,
        )
    )
    return {
        "Authorization": f"Bearer {token}",
        "X-Request-ID": "5e0c2c59-3c0c-4a57-9d55-1f7d7bb6a0e1",
    }


def identities(enter: Enter, application: FastAPI) -> None:
    """Somebody who validates invoices looks for a patient by number, for a reason."""
    reply = enter("demq1-invoice-validation").http.post(
        "/v1/searches",
        json={"nhs_number": NUMBER, "reason": "Two lines."},
        headers=system_of(application, "DEMQ1", Role.INVOICE_VALIDATION),
    )
    assert reply.status_code == 200, reply.text


def test_both_the_payer_and_its_auditor_read_how_often_identities_were_shown(
    enter: Enter, application: FastAPI
) -> None:
    for who in ("demq1-commissioner", "demq1-auditor"):
        assert "It did not happen" in enter(who).get(SHOWN).text
    identities(enter, application)
    for who in ("demq1-commissioner", "demq1-auditor"):
        shown = enter(who).get(SHOWN).text
        assert re.search(r"Searched by a patient&#39;s number.*?>1<", shown, re.S), shown
        assert "A system of DEMQ1 (invoice validation)" in shown
        assert NUMBER not in shown
    for who in ("demq2-commissioner", "demo1-auditor"):
        assert "It did not happen" in enter(who).get(SHOWN).text, who


@pytest.mark.parametrize(
    ("who", "path"),
    [
        ("demo1-clinician", GLASS),
        ("demq1-commissioner", GLASS),
        ("demo1-administrator", GLASS),
        ("demo1-pharmacist", SHOWN),
        ("demq1-invoice-validation", SHOWN),
        ("demo1-administrator", SHOWN),
    ],
)
def test_others_read_no_report(enter: Enter, who: str, path: str) -> None:
    person = enter(who)
    assert person.get(path).status_code == 403
    assert path not in person.get("/").text
