"""Answers to a panel and corrections are kept while they are typed, and go when they are sent."""

import html
import re
from collections.abc import Callable

import sqlalchemy as sa

from app.approvals.erasing import erase_patient
from app.db.tables import audit_payload, begun_answers, treatment
from app.db.transaction import Database
from app.db.work import Moment
from tests.functional.conftest import ADMINISTRATOR
from tests.functional.web.conftest import Enter, Person
from tests.functional.web.forms import ANSWERS, sent
from tests.functional.web.test_correcting import HIDDEN, LOW, SCORE, WHY

_FIELDS = re.compile(r'name="(csrf|version|kept)" value="([^"]*)"')
_SCORE = re.compile(r'id="a\.das28_at_start"[^>]*value="([^"]*)"')
UNANSWERED = {k: v for k, v in ANSWERS.items() if k != "das28_at_start"}


def tab(person: Person, at: str, score: str, **more: str) -> dict[str, str]:
    """The fields of a page as one tab holds it, with a score typed in."""
    fields = dict(_FIELDS.findall(person.get(at).text))
    return fields | SCORE | {"a.das28_at_start": score} | more


def score_in(text: str) -> str:
    found = _SCORE.search(text)
    return "" if found is None else found.group(1)


def rows(database: Database, moment: Moment) -> list[object]:
    query = sa.select(begun_answers.c.form)
    return database.read(lambda work: list(work.connection.scalars(query)), moment=moment)


def waiting(enter: Enter) -> tuple[Person, str, str]:
    """A request that waits for a score; whose it is, its page, and its treatment's id."""
    person = enter("demo1-clinician")
    request, of = sent(person, UNANSWERED)
    at = f"/requests/{request}"
    assert "Answer now" in person.get(at).text
    return person, at, of


def test_answers_are_saved_while_typed_and_found_on_another_computer(
    enter: Enter, database: Database, moment: Moment
) -> None:
    doctor, at, _ = waiting(enter)
    fields = tab(doctor, f"{at}/answers", "6.")
    saved = doctor.http.post(f"{at}/answers", data=fields | {"autosave": "yes"})
    assert saved.json() == {"version": 1}
    # The page that is open goes on from there, and saves again.
    more = fields | {"kept": "1", "a.das28_at_start": "6.2", "autosave": "yes"}
    assert doctor.http.post(f"{at}/answers", data=more).json() == {"version": 2}

    elsewhere = enter("demo1-clinician")
    assert "New answers were typed by you" in elsewhere.get(at).text
    found = elsewhere.get(f"{at}/answers").text
    assert score_in(found) == "6.2"
    assert "data-autosave" in found
    other = enter("demo1-pharmacist")
    for page in (at, f"{at}/answers"):
        shown = other.get(page).text
        assert "New answers" not in shown, "who may not send them"
        assert "6.2" not in shown
    assert enter("demo2-clinician").get(f"{at}/answers").status_code == 404

    done = elsewhere.http.post(f"{at}/answers", data=tab(elsewhere, f"{at}/answers", "6.2"))
    assert done.headers["location"] == at, done.text
    after = elsewhere.get(at).text
    assert "New answers" not in after
    assert rows(database, moment) == [], "gone after sending"


def test_of_two_tabs_neither_loses_what_the_other_saved(enter: Enter) -> None:
    doctor, at, _ = waiting(enter)
    page = f"{at}/answers"
    first, second = tab(doctor, page, "6.1"), tab(doctor, page, "7.3")
    assert doctor.http.post(page, data=first | {"autosave": "yes"}).status_code == 200
    assert doctor.http.post(page, data=second | {"autosave": "yes"}).status_code == 409
    assert score_in(doctor.get(page).text) == "6.1", "saving while typing writes over nothing"
    shown = doctor.http.post(page, data=second)
    assert shown.status_code == 409
    assert "changed in another tab" in shown.text
    assert score_in(shown.text) == "7.3", "what was typed is not lost"
    again = second | dict(_FIELDS.findall(shown.text))
    assert doctor.http.post(page, data=again).status_code == 303


def test_a_correction_is_kept_from_the_first_word_to_its_sending(
    enter: Enter, database: Database, moment: Moment
) -> None:
    doctor = enter("demo1-clinician")
    request, _ = sent(doctor, LOW)
    at = f"/requests/{request}"
    page = f"{at}/correct?question=das28_at_start"
    fields = tab(doctor, page, "6.2", reason="The score was")
    assert doctor.http.post(f"{at}/correct", data=fields | {"autosave": "yes"}).status_code == 200

    elsewhere = enter("demo1-clinician")
    (link,) = re.findall(r'href="([^"]+)">Go on with the new answers', elsewhere.get(at).text)
    assert html.unescape(link) == page
    shown = elsewhere.get(page).text
    assert (score_in(shown), "The score was" in shown) == ("6.2", True)
    chosen = elsewhere.get(f"{at}/correct").text
    assert "New answers were typed by you" in chosen
    assert re.search(r'id="q-das28_at_start"[^>]*checked', chosen)

    preview = elsewhere.http.post(f"{at}/correct", data=tab(elsewhere, page, "6.2", reason=WHY))
    assert preview.status_code == 200, preview.text
    assert len(rows(database, moment)) == 1, "saved on each submit, and not sent yet"
    fields = {k: html.unescape(v) for k, v in HIDDEN.findall(preview.text.split("data-once")[1])}
    done = elsewhere.http.post(f"{at}/correct/confirm", data=fields)
    assert done.headers["location"] == at, done.text
    assert rows(database, moment) == [], "gone after sending"


def test_what_was_typed_of_other_questions_stays_until_it_is_sent_or_put_away(
    enter: Enter, database: Database, moment: Moment
) -> None:
    doctor = enter("demo1-clinician")
    request, _ = sent(doctor, LOW)
    at = f"/requests/{request}"
    both = tab(doctor, f"{at}/correct?question=das28_at_start", "6.2") | {
        "shown.dose_mg": "1",
        "a.dose_mg": "41",
        "autosave": "yes",
    }
    assert doctor.http.post(f"{at}/correct", data=both).status_code == 200
    page = f"{at}/correct?question=das28_at_start"
    preview = doctor.http.post(f"{at}/correct", data=tab(doctor, page, "6.2", reason=WHY)).text
    fields = {k: html.unescape(v) for k, v in HIDDEN.findall(preview.split("data-once")[1])}
    assert doctor.http.post(f"{at}/correct/confirm", data=fields).status_code == 303
    assert rows(database, moment) == [{"shown.dose_mg": "1", "a.dose_mg": "41"}]
    page = f"{at}/correct?question=dose_mg"
    assert 'value="41"' in doctor.get(page).text
    away = doctor.send(page, f"{at}/correct", **{"shown.dose_mg": "1", "forget": "yes"})
    assert away.headers["location"] == at
    assert rows(database, moment) == []


def test_a_request_that_is_withdrawn_keeps_nothing_that_was_begun(
    enter: Enter, database: Database, moment: Moment
) -> None:
    doctor, at, _ = waiting(enter)
    doctor.http.post(f"{at}/answers", data=tab(doctor, f"{at}/answers", "6") | {"autosave": "yes"})
    assert len(rows(database, moment)) == 1
    assert doctor.send(at, f"{at}/withdraw", reason="Not needed.").status_code == 303
    assert rows(database, moment) == []
    assert "Why, as the provider says: Not needed." in doctor.get(at).text


def test_what_was_begun_is_erased_with_the_patient_and_no_event_tells_it(
    enter: Enter,
    database: Database,
    moment: Moment,
    ids: Callable[[], str],
    random_bytes: Callable[[int], bytes],
) -> None:
    doctor, at, of = waiting(enter)
    page = f"{at}/answers"
    doctor.http.post(page, data=tab(doctor, page, "6.213") | {"autosave": "yes"})
    assert len(rows(database, moment)) == 1
    told = sa.select(audit_payload.c.body)
    bodies = database.read(lambda work: list(work.connection.scalars(told)), moment=moment)
    assert not any("6.213" in str(body) for body in bodies)
    whose = sa.select(treatment.c.patient_id).where(treatment.c.id == of)
    patient = database.read(lambda work: work.connection.scalars(whose).one(), moment=moment)
    database.transact(
        lambda work: erase_patient(work, ADMINISTRATOR, patient, "Asked."),
        moment=moment,
        new_id=ids,
        random_bytes=random_bytes,
    )
    assert rows(database, moment) == []
