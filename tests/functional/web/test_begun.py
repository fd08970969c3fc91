"""After the patient: what there is for them already, and which kind of request this is."""

import re

import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from app.approvals.office import APPROVAL_NOT_REQUIRED, change_setting
from app.auth.guesses import DEFAULT_LIMITS
from app.clock import london_day, now
from app.db.tables import audit_event
from app.db.transaction import Database
from app.db.work import Moment
from app.reference_data.nhs_number import format_nhs_number, test_number
from tests.functional.conftest import ADMINISTRATOR
from tests.functional.web.conftest import Enter, Person
from tests.functional.web.forms import ANSWERS, DAY, FORM, fill
from tests.functional.web.test_changes import forms
from tests.functional.web.test_home import INCOMPLETE

NUMBER = 60_950
PSA = "/start/adalimumab-psa"
TOLD = "told that an approval exists elsewhere"
CONTINUE = "Continue this treatment instead"


def begin(person: Person, form: str = FORM, year: str = "1970") -> str:
    """Begin a form for the patient of these tests; the draft's address."""
    reply = person.send(
        form,
        form,
        **{
            "patient.nhs_number": format_nhs_number(test_number(NUMBER)),
            "patient.local_id": "H009500",
            "patient.sex": "female",
            "patient.birth_date-day": "1",
            "patient.birth_date-month": "2",
            "patient.birth_date-year": year,
        },
    )
    assert reply.status_code == 303, reply.text
    at = str(reply.headers["location"])
    assert at.endswith("/begun")
    return at.removesuffix("/begun")


def asked(person: Person, answers: dict[str, str]) -> tuple[str, str]:
    """A whole first request for that patient: the addresses of the request and the treatment."""
    at = begin(person)
    fill(person, at.split("/")[2], answers)
    reply = person.send(f"{at}/check", f"{at}/submit")
    assert reply.status_code == 303, reply.text
    request = str(reply.headers["location"])
    found = re.search(r'href="(/treatments/[0-9a-f-]{36})"', person.get(request).text)
    assert found is not None
    return request, found.group(1)


def exempt(application: FastAPI, *drugs: str) -> None:
    """DEMQ1 pays for these drugs without prior approval."""
    day, by = london_day(now()), ADMINISTRATOR.id
    application.state.door.transact(
        lambda work: change_setting(work, "DEMQ1", APPROVAL_NOT_REQUIRED, [*drugs], day, by)
    )


def test_a_patient_of_whom_nothing_is_known_goes_straight_on(enter: Enter) -> None:
    person = enter("demo1-clinician")
    at = begin(person)
    assert person.get(f"{at}/begun").headers["location"] == f"{at}/treatment"


def test_a_live_treatment_makes_it_a_continuation(enter: Enter) -> None:
    person = enter("demo1-clinician")
    _, treatment = asked(person, ANSWERS)
    shown = person.get(f"{begin(person)}/begun").text
    assert "This is a continuation of a treatment that is approved already;" in shown
    assert "a change of its product is a product switch" in shown
    assert f'href="{treatment}"' in shown
    assert CONTINUE in shown
    assert re.search(r"Covered to \d+ \w+ 20\d\d\. Reference [0-9A-Z-]+\.", shown)
    # What stands there already is the way on, and a first request is still possible.
    assert "Go on with a first request" in shown
    onward = person.send(f"{begin(person)}/begun", f"{treatment}/requests")
    assert onward.status_code == 303
    assert onward.headers["location"].startswith("/drafts/")


def test_a_stopped_treatment_makes_it_a_restart(enter: Enter) -> None:
    person = enter("demo1-clinician")
    _, treatment = asked(person, ANSWERS)
    today = dict(re.findall(DAY, person.get(f"{begin(person)}/treatment").text))
    day = {
        f"from_day-{part}": today[f"decision_to_treat-{part}"] for part in ("day", "month", "year")
    }
    once = forms(person, treatment.split("/")[2])["stop"]
    fields = {"once": once, "kind": "stop", "stop_reason": "remission", **day}
    assert person.send(treatment, f"{treatment}/changes", **fields).status_code == 303
    shown = person.get(f"{begin(person)}/begun").text
    assert re.search(r"This is a restart after a stop on \d+ \w+ 20\d\d: it goes by a first", shown)
    assert re.search(r"Stopped on \d+ \w+ 20\d\d\.", shown)
    assert CONTINUE not in shown


def test_a_treatment_for_another_indication_leaves_it_a_first_request(enter: Enter) -> None:
    person = enter("demo1-clinician")
    _, treatment = asked(person, ANSWERS)
    shown = person.get(f"{begin(person, PSA)}/begun").text
    assert "This is a first request: what your organisation has on record" in shown
    assert "is for another indication." in shown
    assert f'href="{treatment}"' in shown


def test_a_request_that_waits_is_shown_and_named(enter: Enter) -> None:
    person = enter("demo1-clinician")
    request, _ = asked(person, INCOMPLETE)
    shown = person.get(f"{begin(person)}/begun").text
    assert "This has been asked for already: the request below waits" in shown
    assert f'href="{request}">Initiation, sent on ' in shown
    assert CONTINUE not in shown


def test_an_open_draft_for_the_same_patient_is_shown_to_its_own_organisation(
    enter: Enter,
) -> None:
    first = begin(enter("demo1-delegate"))
    person = enter("demo1-clinician")
    second = begin(person)
    shown = person.get(f"{second}/begun").text
    assert f'href="{first}">Draft: initiation, ' in shown
    assert "by a colleague" in shown
    assert f'href="{second}">Draft' not in shown
    other = enter("demo2-clinician")
    third = begin(other)
    assert other.get(f"{third}/begun").headers["location"] == f"{third}/treatment"


def test_an_approval_elsewhere_makes_it_a_transfer_in_and_nothing_more_is_told(
    enter: Enter, database: Database, moment: Moment
) -> None:
    owner = enter("demo1-clinician")
    request, treatment = asked(owner, ANSWERS)
    reference = re.search(r'app-reference">([^<]+)', owner.get(request).text)
    assert reference is not None
    other = enter("demo2-clinician")

    def told() -> int:
        query = sa.select(sa.func.count()).where(audit_event.c.action == TOLD)
        return int(
            database.read(lambda work: work.connection.execute(query).scalar_one(), moment=moment)
        )

    wrong = begin(other, year="1971")
    assert other.get(f"{wrong}/begun").headers["location"] == f"{wrong}/treatment"
    assert told() == 0

    shown = other.get(f"{begin(other)}/begun").text
    assert "This is a transfer in, if it is the same treatment: another provider holds" in shown
    assert told() == 1

    for theirs in (treatment, request, reference.group(1), "DEMO1"):
        assert theirs not in shown


@pytest.mark.usefixtures("held_clock")
def test_whoever_tries_birth_dates_is_told_nothing_more(enter: Enter) -> None:
    owner = enter("demo1-clinician")
    asked(owner, ANSWERS)
    other = enter("demo2-clinician")
    for nth in range(DEFAULT_LIMITS.person):  # each another guess: the same one costs nothing
        wrong = begin(other, year=str(1930 + nth))
        assert "transfer in" not in other.get(f"{wrong}/begun").text
    assert "transfer in" not in other.get(f"{begin(other)}/begun").text
    assert "transfer in" in enter("demo2-delegate").get(f"{begin(other)}/begun").text


@pytest.mark.parametrize("drug", ["adalimumab", "infliximab"])
def test_whom_the_payer_asks_for_no_approval_is_said_once_it_is_chosen(
    enter: Enter, application: FastAPI, drug: str
) -> None:
    exempt(application, drug)
    person = enter("demo1-clinician")
    at = begin(person)
    assert person.get(f"{at}/begun").headers["location"] == f"{at}/treatment", "nobody pays yet"
    fields = dict(re.findall(DAY, person.get(f"{at}/treatment").text))
    reply = person.send(f"{at}/treatment", f"{at}/treatment", commissioner="DEMQ1", **fields)
    needless = drug == "adalimumab"
    assert (reply.headers["location"] == f"{at}/begun?payer=chosen") == needless
    if not needless:
        return
    shown = person.get(f"{at}/begun?payer=chosen").text
    assert "Needs no approval. The commissioner pays for this drug without prior approval" in shown
    onward = re.search(r'href="([^"]+)">Go on with the form', shown)
    assert onward is not None
    assert onward.group(1) not in (f"{at}/begun", f"{at}/treatment", f"{at}/patient")
    assert person.get(onward.group(1)).status_code == 200
    again = person.send(f"{at}/treatment", f"{at}/treatment", commissioner="DEMQ1", **fields)
    assert "begun" not in again.headers["location"], "it is said once"


# --- before the patient: which drugs need an approval -------------------------------------------


@pytest.mark.parametrize(
    ("letters", "name", "said"),
    [
        ("adalimumab", "Adalimumab", "Needs an approval.</strong> A policy with criteria"),
        ("humira", "Adalimumab", "Needs an approval.</strong> A policy with criteria"),
        ("imatinib", "Imatinib", "Needs no approval.</strong> The policy asks for a notification"),
        (
            "aciclovir",
            "Aciclovir",
            "Whether it needs an approval is not known.</strong> The library holds no policy",
        ),
    ],
)
def test_the_start_says_of_a_drug_whether_it_needs_an_approval(
    enter: Enter, letters: str, name: str, said: str
) -> None:
    shown = enter("demo1-clinician").get(f"/start?q={letters}").text
    assert f'nhsuk-summary-list__key">{name}</dt>' in shown
    assert said in shown
    assert "As of today, whoever pays" in shown


def test_the_start_asks_the_payer_that_is_chosen(enter: Enter, application: FastAPI) -> None:
    exempt(application, "adalimumab", "aciclovir")
    person = enter("demo1-clinician")
    for drug in ("adalimumab", "aciclovir"):
        without = person.get(f"/start?q={drug}").text
        assert "pays for this drug without prior approval" not in without
        chosen = person.get(f"/start?q={drug}&payer=DEMQ1").text
        assert "Needs no approval.</strong> The commissioner pays for this drug" in chosen
        other = person.get(f"/start?q={drug}&payer=DEMQ2").text
        assert "pays for this drug without prior approval" not in other


def test_a_form_is_named_by_each_brand_that_the_letters_begin(enter: Enter) -> None:
    person = enter("demo1-clinician")
    assert "Adalimumab (Hukyndra, Hulio, Humira)." in person.get("/start?q=hu").text
    assert "Adalimumab (Humira)." in person.get("/start?q=hum").text
    assert "Adalimumab. " in person.get("/start?q=crohn").text


def test_letters_of_nothing_find_nothing(enter: Enter) -> None:
    shown = enter("demo1-clinician").get("/start?q=xqzz").text
    assert "No drug, brand or indication here has these letters" in shown
    assert "Is approval needed?" not in shown
