"""What was worked out of a staged file is kept beside it: whose it is, as of when, until when."""

import csv
import datetime as dt
import io
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from app.auth.model import Role
from app.db.tables import audit_event, audit_payload
from app.db.transaction import Database
from app.db.work import Moment
from app.reconciliation import kept_results
from app.reconciliation.staging import forget_staged
from app.reference_data.nhs_number import test_number as invented_nhs_number
from tests.functional.approvals.api import Api, Clock, good, initiation
from tests.functional.approvals.scene import SUBMISSION_ROW
from tests.functional.approvals.scene import upload as send_api
from tests.functional.desk.conftest import Browser, Sit
from tests.functional.desk.test_checks import PAGE, drop
from tests.functional.desk.test_desk import as_csv, bare, upload

PHARMACIST, CLINICIAN, PAYER = Role.PHARMACIST, Role.CLINICIAN, Role.COMMISSIONER
OTHERS_LINE = SUBMISSION_ROW | {"ORGANISATION IDENTIFIER (CODE OF PROVIDER)": "DEMO2"}
ELSEWHERE = "not at your organisation"


def checked(browser: Browser, *rows: Mapping[str, str]) -> str:
    return str(drop(browser, as_csv(*rows)).headers["location"])


def results_in(application: FastAPI) -> list[Path]:
    return sorted(application.state.desk.files.folder.glob("*/*-results/*"))


def unknown(count: int) -> list[dict[str, str]]:
    return [
        SUBMISSION_ROW | {"NHS NUMBER": invented_nhs_number(700 + n), "TOTAL COST": f"{100 + n}.00"}
        for n in range(count)
    ]


def test_a_check_tells_what_stood_when_it_was_made_until_it_is_made_again(
    sit: Sit, people: Mapping[str, Api], clock: Clock
) -> None:
    browser = sit("DEMO1", PHARMACIST)
    kept = checked(browser, SUBMISSION_ROW)
    before = bare(browser.get(kept).text)
    assert "1 line of 1 would be challenged" in before
    good(people["clinician"].post("/v1/requests", initiation(1)), 201)
    clock.instant += dt.timedelta(minutes=12)
    after = bare(browser.get(kept).text)
    assert "1 line of 1 would be challenged" in after
    said = re.search(r"when you checked it, ([^.]+)\.", after)
    assert said is not None
    assert said.group(1) in before, "it says of when it is, not of when it is looked at"
    assert "came or changed since are not in it" in after
    (line,) = csv.DictReader(io.StringIO(browser.get(f"{kept}/checked.csv").text))
    assert line["ASSENT OUTCOME"] == "no approval", "the file is of the same check as the page"
    assert browser.send(kept, f"{kept}/check").headers["location"] == kept
    now = bare(browser.get(kept).text)
    assert "Nothing of 1 line would be challenged" in now
    assert said.group(1) not in now
    (line,) = csv.DictReader(io.StringIO(browser.get(f"{kept}/checked.csv").text))
    assert line["ASSENT OUTCOME"] == "matched"


@pytest.mark.parametrize(
    ("role", "name"), [(CLINICIAN, ""), (Role.DELEGATE, ""), (PHARMACIST, "a colleague")]
)
def test_a_check_is_shown_to_whoever_made_it_in_their_role_and_to_nobody_else(
    sit: Sit, people: Mapping[str, Api], role: Role, name: str
) -> None:
    good(people["clinician"].post("/v1/requests", initiation(1)), 201)
    kept = checked(sit("DEMO2", PHARMACIST), OTHERS_LINE)
    assert ELSEWHERE in bare(sit("DEMO2", PHARMACIST).get(kept).text)
    other = sit("DEMO2", role, name)
    shown = other.get(kept)
    assert shown.status_code == 200
    assert "Check this file" in shown.text
    for secret in (ELSEWHERE, "would be challenged", "draft.csv", "300.00"):
        assert secret not in shown.text, secret
    taken = other.get(f"{kept}/checked.csv")
    assert (taken.status_code, taken.headers["location"]) == (303, kept)
    other.send(kept, f"{kept}/check")
    assert ELSEWHERE in bare(other.get(kept).text), "asked in their own name, and on record"
    stranger = sit("DEMO1", PHARMACIST)
    assert stranger.get(kept).status_code == 404
    form = stranger.form(PAGE, PAGE)
    assert stranger.post(f"{kept}/check", form).status_code == 404
    assert sit("DEMQ1", PAYER).get(kept).status_code == 403


def test_one_person_in_two_roles_has_two_checks(sit: Sit, application: FastAPI) -> None:
    browser = sit("DEMO1", PHARMACIST, "Both")
    kept = checked(browser, SUBMISSION_ROW)
    (of_one,) = results_in(application)
    other = sit("DEMO1", CLINICIAN, "Both")
    assert "Check this file" in other.get(kept).text
    # Whoever copies the result to where the other role's would lie gets no further.
    other.send(kept, f"{kept}/check")
    (of_other,) = set(results_in(application)) - {of_one}
    of_other.write_bytes(of_one.read_bytes())
    assert "Check this file" in other.get(kept).text


def test_the_result_goes_with_its_file(sit: Sit, application: FastAPI) -> None:
    browser, colleague = sit("DEMO1", PHARMACIST), sit("DEMO1", CLINICIAN)
    kept = checked(browser, SUBMISSION_ROW)
    colleague.send(kept, f"{kept}/check")
    other = checked(browser, *unknown(1))
    assert len(results_in(application)) == 3
    browser.send(kept, f"{kept}/discard")
    assert len(results_in(application)) == 1, "everybody's result of the file that was erased"
    assert colleague.get(kept).status_code == 404
    assert browser.get(other).status_code == 200
    files, now = application.state.desk.files, dt.datetime.now(dt.UTC)
    assert forget_staged(files, now) == 0
    assert len(results_in(application)) == 1
    (waits,) = files.folder.glob("*/checked/*")
    old = (now - dt.timedelta(hours=25)).timestamp()
    os.utime(waits, (old, old))
    assert forget_staged(files, now) == 1
    assert results_in(application) == [], "a newer result does not outlive an old file"
    assert browser.get(other).status_code == 404


def test_a_result_without_its_file_is_shown_to_nobody(sit: Sit, application: FastAPI) -> None:
    browser = sit("DEMO1", PHARMACIST)
    kept = checked(browser, SUBMISSION_ROW)
    (waits,) = application.state.desk.files.folder.glob("*/checked/*")
    waits.unlink()
    assert browser.get(kept).status_code == 404
    assert browser.get(f"{kept}/checked.csv").status_code == 404


@pytest.mark.parametrize("damage", [b"", b"0" * 84, b"x" * 200])
def test_a_damaged_result_counts_as_none(sit: Sit, application: FastAPI, damage: bytes) -> None:
    browser = sit("DEMO1", PHARMACIST)
    kept = checked(browser, SUBMISSION_ROW)
    (result,) = results_in(application)
    result.write_bytes(damage)
    assert "Check this file" in browser.get(kept).text
    browser.send(kept, f"{kept}/check")
    assert "would be challenged" in browser.get(kept).text


def test_an_altered_line_of_a_result_is_never_shown(sit: Sit, application: FastAPI) -> None:
    browser = sit("DEMO1", PHARMACIST)
    kept = checked(browser, *unknown(1))
    (result,) = results_in(application)
    data = result.read_bytes()
    assert b'"no approval"' in data
    at = data.rindex(b'"100.00"')
    result.write_bytes(data[:at] + b'"900.00"' + data[at + 8 :])
    reply = browser.get(kept)
    assert reply.status_code == 500
    assert "900.00" not in reply.text


def test_after_an_objection_nothing_that_was_told_of_others_is_shown_again(
    sit: Sit, people: Mapping[str, Api], clock: Clock
) -> None:
    begun = good(people["clinician"].post("/v1/requests", initiation(1)), 201)
    browser = sit("DEMO2", PHARMACIST)
    kept = checked(browser, OTHERS_LINE)
    alone = checked(sit("DEMO1", PHARMACIST), SUBMISSION_ROW)
    assert ELSEWHERE in bare(browser.get(kept).text)
    clock.instant += dt.timedelta(minutes=10)
    treatment = good(people["clinician"].get(f"/v1/treatments/{begun['treatment_id']}"))
    at = f"/v1/patients/{treatment['patient']['id']}/objection"
    good(people["clinician"].post(at, {"reason": "Said so in clinic."}))
    assert "Check this file" in browser.get(kept).text
    assert browser.get(f"{kept}/checked.csv").status_code == 303
    clock.instant += dt.timedelta(minutes=10)
    browser.send(kept, f"{kept}/check")
    shown = bare(browser.get(kept).text)
    assert "would be challenged" in shown
    assert ELSEWHERE not in shown
    told_nothing = sit("DEMO1", PHARMACIST).get(alone)
    assert "would be challenged" in told_nothing.text, "it told of nobody elsewhere"


def test_a_hundred_lines_are_on_a_page_and_all_are_in_the_file(sit: Sit) -> None:
    browser = sit("DEMO1", PHARMACIST)
    kept = checked(browser, *unknown(230))
    seen: list[str] = []
    at = kept
    for expected in ("1 to 100 of 230", "101 to 200 of 230", "201 to 230 of 230"):
        text = browser.get(at).text
        assert expected in bare(text)
        seen += re.findall(r"app-row-head\">(\d+)</th>", text)
        following = re.search(r'href="([^"]+)">Next lines', text)
        at = kept if following is None else following.group(1)
    assert at == kept, "the last page leads to no other"
    assert len(set(seen)) == len(seen) == 230
    assert len(list(csv.DictReader(io.StringIO(browser.get(f"{kept}/checked.csv").text)))) == 230
    for after in ("230", "50", "1000000"):
        assert browser.get(f"{kept}?after={after}").status_code == 200
    assert browser.get(f"{kept}?after=-1").status_code == 400


def test_each_showing_is_on_record_under_its_check(
    sit: Sit, database: Database, moment: Moment
) -> None:
    browser = sit("DEMO1", PHARMACIST)
    kept = checked(browser, SUBMISSION_ROW)
    browser.get(kept)
    browser.get(f"{kept}/checked.csv")
    e, p = audit_event.c, audit_payload.c
    query = (
        sa.select(e.action, p.body)
        .join(audit_payload, p.id == e.payload_id)
        .where(e.action.in_(["checked file read", "supplies checked before invoicing"]))
        .order_by(e.id)
    )
    rows = database.read(lambda work: work.connection.execute(query).all(), moment=moment)
    assert [row.action for row in rows] == [
        "supplies checked before invoicing",
        "checked file read",
        "checked file read",
    ]
    named = [re.findall(r'"check": ?"([^"]+)"', str(row.body).replace("'", '"')) for row in rows]
    assert named[0] == named[1] == named[2] != []


# --- a few statements for all ---------------------------------------------------------------------


@contextmanager
def counted(database: Database) -> Iterator[list[str]]:
    sent: list[str] = []

    def note(*said: Any) -> None:
        sent.append(str(said[2]))

    sa.event.listen(database.engine, "before_cursor_execute", note)
    yield sent
    sa.event.remove(database.engine, "before_cursor_execute", note)


def test_a_check_of_many_asks_no_more_often_than_one_of_few(
    people: Mapping[str, Api], database: Database
) -> None:
    """Through the API as on the page; before, each patient took several statements."""
    counts = []
    for many in (5, 60):
        rows = [
            OTHERS_LINE | {"NHS NUMBER": invented_nhs_number(n + 1), "TOTAL COST": f"{n + 1}.00"}
            for n in range(many)
        ]
        if many == 5:
            for n in range(60):
                good(people["clinician"].post("/v1/requests", initiation(n + 1)), 201)
        with counted(database) as sent:
            reply = send_api(people["other pharmacist"], "/v1/submission-checks", as_csv(*rows))
        assert reply.text.count(ELSEWHERE) == many
        counts.append(len(sent))
    assert counts[1] <= counts[0] + 2, counts


def test_a_page_of_a_checked_file_matches_nothing_anew(
    sit: Sit, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = sit("DEMO1", PHARMACIST)
    kept = checked(browser, *unknown(3))

    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("a page is not the place to match a file")

    monkeypatch.setattr("app.reconciliation.service.match", never)
    monkeypatch.setattr("app.reconciliation.checking_supplies.read_draft", never)
    for at in (kept, f"{kept}/checked.csv"):
        with counted(database) as sent:
            assert browser.get(at).status_code == 200
        assert len(sent) < 30, sent


# --- what an upload would change ------------------------------------------------------------------


def accept(browser: Browser, waits: str) -> None:
    form = browser.form(waits, f"{waits}/accept")
    assert browser.post(f"{waits}/accept", form).status_code == 303


def priced(*totals: int) -> bytes:
    return as_csv(*(SUBMISSION_ROW | {"TOTAL COST": f"{total}.00"} for total in totals))


def test_a_preview_is_read_as_it_was_kept_while_nothing_changed(
    sit: Sit, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = sit("DEMQ1", PAYER)
    waits = str(upload(browser, priced(300)).headers["location"])

    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("a page is not the place to read a file")

    with monkeypatch.context() as patched:
        patched.setattr("app.reconciliation.service.read_own", never)
        patched.setattr("app.reconciliation.service.preview_submission", never)
        assert "First statement" in browser.get(waits).text
    colleague = sit("DEMQ1", Role.INVOICE_VALIDATION)
    assert "First statement" in colleague.get(waits).text, "worked out anew for another person"
    assert sit("DEMQ2", PAYER).get(waits).status_code == 404


def test_a_preview_never_tells_of_what_is_gone(sit: Sit) -> None:
    """Another file is accepted while this one waits; and this one is accepted elsewhere."""
    browser = sit("DEMQ1", PAYER)
    waits = str(upload(browser, priced(300, 301)).headers["location"])
    assert "First statement" in browser.get(waits).text
    accept(browser, str(upload(browser, priced(250), "first.csv").headers["location"]))
    shown = bare(browser.get(waits).text)
    assert "First statement" not in shown
    assert "Replaces what stands" in shown
    assert "£250.00" in shown
    again = str(upload(browser, priced(300, 301), "again.csv").headers["location"])
    assert again != waits
    assert "received before" not in browser.get(again).text
    accept(browser, waits)
    assert "received before" in browser.get(again).text
    assert "Says what stands" in browser.get(again).text


def test_the_rows_of_a_preview_come_a_hundred_a_page(sit: Sit, application: FastAPI) -> None:
    browser = sit("DEMQ1", PAYER)
    accept(browser, str(upload(browser, priced(*range(1000, 1150))).headers["location"]))
    waits = str(upload(browser, priced(*range(2000, 2150)), "new.csv").headers["location"])
    first = browser.get(waits).text
    assert "1 to 100 of 150" in bare(first)
    following = re.search(r'href="([^"]+)">Next rows', first)
    assert following is not None
    second = browser.get(following.group(1)).text
    assert "101 to 150 of 150" in bare(second)
    assert [text.count("Changed</td>") for text in (first, second)] == [100, 50]
    assert "Next rows" not in second
    assert len(results_in(application)) == 1, "an accepted file leaves no result"
    browser.send(waits, f"{waits}/discard")
    assert results_in(application) == []


def test_a_result_of_other_rules_counts_as_none(sit: Sit, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = sit("DEMO1", PHARMACIST)
    kept = checked(browser, SUBMISSION_ROW)
    monkeypatch.setattr(kept_results, "RULES_VERSION", "other")
    assert "Check this file" in browser.get(kept).text
