"""Correcting a request's answers from its page: chosen, foreseen, then done once."""

import html
import re

import pytest
import sqlalchemy as sa

from app.db.tables import audit_event, decision, request_revision
from app.db.transaction import Database
from app.db.work import Moment
from tests.functional.web.conftest import Enter, Person
from tests.functional.web.forms import ANSWERS, sent

HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)">')
LOW = ANSWERS | {"das28_at_start": "4.0"}
SCORE = {"shown.das28_at_start": "1", "a.das28_at_start": "6.2"}
WHY = "The score was copied from another visit."


def foresee(person: Person, request: str, **typed: str) -> tuple[str, dict[str, str]]:
    """The page that tells what a correction would change, and the fields of its form."""
    at = f"/requests/{request}/correct"
    question = next(each for each in typed if each.startswith("shown.")).removeprefix("shown.")
    reply = person.send(f"{at}?question={question}", at, **typed)
    assert reply.status_code == 200, reply.text
    text = reply.text
    fields = {k: html.unescape(v) for k, v in HIDDEN.findall(text[text.index("data-once") :])}
    return " ".join(re.sub(r"<[^>]*>", " ", text).split()), fields


def counts(database: Database, moment: Moment) -> list[int]:
    def read(work: object) -> list[int]:
        return [
            work.connection.execute(  # type: ignore[attr-defined]
                sa.select(sa.func.count()).select_from(table)
            ).scalar_one()
            for table in (decision, request_revision)
        ]

    return database.read(read, moment=moment)


def test_a_refused_request_is_corrected_after_seeing_what_comes_of_it(
    enter: Enter, database: Database, moment: Moment
) -> None:
    person = enter("demo1-clinician")
    request, treatment = sent(person, LOW)
    at = f"/requests/{request}"
    page = person.get(at).text
    assert f'href="{at}/correct?question=das28_at_start"' in page
    before = counts(database, moment)
    told, fields = foresee(person, request, **SCORE, reason=WHY)
    for words in ("4.0", "6.2", "Not met Met", "Criteria not met becomes Approved", WHY):
        assert words in told, words
    assert "An approval with its reference is given at once." in told
    assert "read in a report" in told
    assert "stop treatment" not in told.lower()
    assert counts(database, moment) == before, "nothing is kept of what was foreseen"
    assert "Criteria not met" in person.get(at).text
    first = person.http.post(f"{at}/correct/confirm", data=fields)
    assert first.headers["location"] == at, first.text
    again = person.http.post(f"{at}/correct/confirm", data=fields)
    assert again.headers["location"] == at, "a double click"
    assert counts(database, moment) == [each + 1 for each in before]
    shown = person.get(at).text
    assert re.search(r'class="app-reference">PA[0-9A-Z]{13}<', shown)
    assert treatment in shown
    assert _trail(database, moment, request).count("correction previewed") == 1


def test_correcting_an_approved_request_puts_its_approval_under_query(enter: Enter) -> None:
    person = enter("demo1-clinician")
    request, treatment = sent(person, ANSWERS)
    at = f"/requests/{request}"
    better = {"shown.das28_at_start": "1", "a.das28_at_start": "7.1"}
    told, _ = foresee(person, request, **better, reason=WHY)
    assert "The approval stays as it is." in told
    assert "No criterion comes out differently." in told
    worse = {"shown.das28_at_start": "1", "a.das28_at_start": "3.0"}
    told, fields = foresee(person, request, **worse, reason=WHY)
    assert re.search(
        r"The approval PA[0-9A-Z]{13} goes under query. It covers supplies as before", told
    )
    assert "Under query" not in person.get(f"/treatments/{treatment}").text
    assert person.http.post(f"{at}/correct/confirm", data=fields).status_code == 303
    assert "Under query" in person.get(f"/treatments/{treatment}").text


def test_an_answer_is_taken_back_and_the_request_waits_for_it(enter: Enter) -> None:
    person = enter("demo1-clinician")
    request, _ = sent(person, LOW)
    emptied = {"shown.das28_at_start": "1", "a.das28_at_start": ""}
    told, fields = foresee(person, request, **emptied, reason=WHY)
    assert "Not answered" in told
    assert "Missing then" in told
    at = f"/requests/{request}"
    assert person.http.post(f"{at}/correct/confirm", data=fields).status_code == 303
    assert "More information needed" in person.get(at).text
    # It waits for answers now: another one is changed without a reason.
    told, fields = foresee(person, request, **{"shown.screened": "1", "a.screened": "no"})
    assert "Why the answers are corrected" not in person.get(f"{at}/correct?question=screened").text
    assert person.http.post(f"{at}/correct/confirm", data=fields).status_code == 303
    told, fields = foresee(person, request, **SCORE)
    assert "People decide" in told


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (SCORE, "Say why the answers are corrected."),
        (SCORE | {"reason": "  "}, "Say why the answers are corrected."),
        (SCORE | {"a.das28_at_start": "4.0", "reason": WHY}, "The answers are as they were."),
        (SCORE | {"a.das28_at_start": "a lot", "reason": WHY}, "There is a problem"),
        (SCORE | {"a.das28_at_start": "99", "reason": WHY}, "There is a problem"),
        (SCORE | {"a.das28_at_start": "<b>6</b>", "reason": WHY}, "&lt;b&gt;6"),
    ],
)
def test_what_cannot_be_taken_is_told_and_nothing_changes(
    enter: Enter, typed: dict[str, str], said: str
) -> None:
    person = enter("demo1-clinician")
    request, _ = sent(person, LOW)
    at = f"/requests/{request}/correct"
    reply = person.send(f"{at}?question=das28_at_start", at, **typed)
    assert reply.status_code == 422, reply.text
    assert said in reply.text
    assert "Criteria not met" in person.get(f"/requests/{request}").text


def test_a_page_from_before_another_step_corrects_nothing(enter: Enter) -> None:
    person = enter("demo1-clinician")
    request, _ = sent(person, LOW)
    at = f"/requests/{request}"
    _, stale = foresee(person, request, **SCORE, reason=WHY)
    other = {"shown.screened": "1", "a.screened": "no"}
    _, fields = foresee(person, request, **other, reason=WHY)
    assert person.http.post(f"{at}/correct/confirm", data=fields).status_code == 303
    assert person.http.post(f"{at}/correct/confirm", data=stale).status_code == 412


def test_only_clinicians_of_the_own_trust_correct(enter: Enter) -> None:
    request, _ = sent(enter("demo1-clinician"), LOW)
    at = f"/requests/{request}"
    for who, status in {
        "demo2-clinician": 404,
        "demo1-delegate": 403,
        "demo1-pharmacist": 403,
        "demq1-commissioner": 403,
    }.items():
        other = enter(who)
        assert other.get(f"{at}/correct").status_code == status, who
        assert other.send("/", f"{at}/correct", **SCORE, reason=WHY).status_code == status, who
        assert other.send("/", f"{at}/enter-in-error", reason=WHY).status_code == status, who
        if status == 403:
            assert "/correct" not in other.get(at).text, who


def test_a_request_is_marked_as_entered_in_error(enter: Enter) -> None:
    person = enter("demo1-clinician")
    request, treatment = sent(person, ANSWERS)
    at = f"/requests/{request}"
    assert "goes under query" in person.get(at).text
    done = person.send(at, f"{at}/enter-in-error", reason="It was another patient.")
    assert done.headers["location"] == at
    shown = person.get(at).text
    assert "Entered in error" in shown
    assert "Why, as the provider says: It was another patient." in shown
    assert "Under query" in person.get(f"/treatments/{treatment}").text
    assert person.get(f"{at}/correct").headers["location"] == at


def test_one_more_row_of_a_list_sends_nothing(enter: Enter) -> None:
    person = enter("demo1-clinician")
    request, _ = sent(person, LOW)
    at = f"/requests/{request}/correct"
    rows = {"shown.csdmards": "1", "a.csdmards.0.drug": "methotrexate", "add": "csdmards"}
    shown = person.send(f"{at}?question=csdmards", at, **rows)
    assert shown.status_code == 200
    assert 'name="a.csdmards.1.drug"' in shown.text


def _trail(database: Database, moment: Moment, request: str) -> list[str]:
    query = sa.select(audit_event.c.action).where(audit_event.c.request_id == request)
    found = database.read(lambda work: work.connection.execute(query).all(), moment=moment)
    return [row[0] for row in found]
