"""A large file is read by the worker: the page says how far it is, and leads to what it changes."""

import datetime as dt
import html
import os
import re
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from app.auth.model import Role
from app.db import tables
from app.db.transaction import Database
from app.db.work import Moment
from app.reconciliation import previewing, read_columns, service
from app.reconciliation.engines import progress
from app.reconciliation.staging import forget_staged
from app.web.cookies import SESSION
from app.work import Held
from tests.functional.approvals.scene import SUBMISSION_ROW
from tests.functional.desk.conftest import Browser, Sit
from tests.functional.desk.test_desk import as_csv, bare, upload, work_off
from tests.functional.test_bad_files import bomb

PAYER, PHARMACIST = Role.COMMISSIONER, Role.PHARMACIST
MAY = SUBMISSION_ROW | {
    "FINANCIAL MONTH": "2",
    "CLINICAL INTERVENTION DATE (DRUG DISPENSED)": "2026-05-10",
}
_BAR = re.compile(r'<progress [^>]*max="(\d+)" value="(\d+)"( hidden)?></progress>')


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every file is a large one, of which two rows are read together."""
    with monkeypatch.context() as patched:
        patched.setattr(previewing, "AT_ONCE_TEXT", 0)
        patched.setattr(previewing, "AT_ONCE_PACKED", 0)
        patched.setattr(read_columns, "_ROWS", 2)
        patched.setattr(progress, "LINES_BETWEEN", 1)
        yield


def priced(*totals: int) -> bytes:
    return as_csv(*(SUBMISSION_ROW | {"TOTAL COST": f"{total}.00"} for total in totals))


def sent(browser: Browser, content: bytes, name: str = "june.csv") -> str:
    reply = upload(browser, content, name)
    assert reply.status_code == 303
    return str(reply.headers["location"])


def led(browser: Browser, at: str) -> str:
    reply = browser.get(at)
    assert reply.status_code == 303, reply.text
    return str(reply.headers["location"])


def jobs_of(database: Database, moment: Moment) -> list[Any]:
    query = sa.select(tables.job).where(tables.job.c.kind == previewing.JOB)
    return list(database.read(lambda work: work.connection.execute(query).all(), moment=moment))


def staged(application: FastAPI) -> list[str]:
    folder = application.state.desk.files.folder
    return [path.parent.name for path in folder.glob("*/staged*/*")]


@pytest.mark.usefixtures("large")
def test_a_large_file_is_answered_before_it_is_read_and_its_page_tells_how_far_it_is(
    application: FastAPI, sit: Sit, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = sit("DEMQ1", PAYER)

    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("the upload is not the place to read a large file")

    content = as_csv(SUBMISSION_ROW, SUBMISSION_ROW | {"TOTAL COST": "301.00"}, MAY)
    with monkeypatch.context() as patched:
        patched.setattr("app.reconciliation.service.read_own", never)
        job = sent(browser, content)
        assert job.startswith("/submissions/jobs/")
        page = browser.get(job).text
        assert "Reading the file" in page
        assert "june.csv" in page
        assert "It waits for its turn." in page
        assert '<noscript><meta http-equiv="refresh"' in page
        assert _BAR.findall(page) == [("1", "0", " hidden")]
        # Whoever left the page finds it again.
        listed = browser.get("/submissions").text
        assert "Waits to be read" in listed
        (waits,) = re.findall(r'href="(/submissions/uploads/[0-9a-f]{64})"', listed)
        assert led(browser, waits) == job

    words, bars = [], []
    told = Held.progress

    def tell(held: Held, done: int, total: int | None) -> None:
        told(held, done, total)
        state = browser.get(f"{job}/state").json()
        words.append(state["words"].removeprefix("It is being worked on. "))
        page = browser.get(job).text
        assert state["words"] in bare(page)
        ((of, at, hidden),) = _BAR.findall(page)
        bars.append((int(at), int(of), bool(hidden)))
        assert (state["done"], state["of"], state["over"]) == (int(at), int(of), False)

    with monkeypatch.context() as patched:
        patched.setattr(Held, "progress", tell)
        work_off(application)
    assert bars == [(at, 6, False) for at in (0, 2, 3, 4, 6)]
    assert words == [
        "0 of 3 rows are read.",
        "2 of 3 rows are read.",
        "All its rows are read (3); they are being compared with what stands.",
        "All its rows are read (3); compared with what stands so far: 1.",
        "All its rows are read (3); compared with what stands so far: 3.",
    ]
    assert browser.get(f"{job}/state").json()["over"] is True
    assert led(browser, job) == waits
    shown = bare(browser.get(waits).text)
    assert "3 lines read" in shown
    assert shown.count("First statement") == 2
    assert "What it would change" in bare(browser.get("/submissions").text)
    run = browser.send(waits, f"{waits}/accept").headers["location"]
    assert "accepted yet" not in browser.get("/submissions").text
    work_off(application)
    assert led(browser, run).startswith("/submissions/runs/")


def test_small_files_are_answered_at_once_and_large_ones_are_not(sit: Sit) -> None:
    browser = sit("DEMQ1", PAYER)
    over = b" " * previewing.AT_ONCE_TEXT
    assert sent(browser, priced(300)).startswith("/submissions/uploads/")
    assert sent(browser, priced(300) + over).startswith("/submissions/jobs/")
    assert previewing.is_small(over)
    packed = b"PK\x03\x04" + over[: previewing.AT_ONCE_PACKED - 4]
    assert previewing.is_small(packed)
    assert not previewing.is_small(packed + b" ")
    assert not previewing.is_small(b"PAR1" + packed[4:] + b" ")


def test_a_small_file_that_is_compared_with_many_lines_is_a_large_one(
    application: FastAPI, sit: Sit, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = sit("DEMQ1", PAYER)
    first = sent(browser, priced(300, 301, 302))
    browser.send(first, f"{first}/accept")
    monkeypatch.setattr(previewing, "AT_ONCE_STANDING", 2)
    job = sent(browser, priced(300), "again.csv")
    work_off(application)
    assert "Replaces what stands" in browser.get(led(browser, job)).text
    # Of a month that nobody stated nothing need be read.
    assert sent(browser, as_csv(MAY), "may.csv").startswith("/submissions/uploads/")


BAD = {
    "unknown layout": ("letter.csv", b"Dear colleague,\nplease find enclosed.\n"),
    "zip bomb": ("lines.xlsx", bomb()),
    "another kind": ("lines.xlsx", as_csv(SUBMISSION_ROW)),
    "another provider": (
        "lines.csv",
        as_csv(SUBMISSION_ROW | {"ORGANISATION IDENTIFIER (CODE OF PROVIDER)": "DEMO2"}),
    ),
}


@pytest.mark.parametrize("wrong", BAD)
def test_what_is_wrong_with_a_large_file_is_said_as_of_a_small_one_and_it_is_erased(
    application: FastAPI, sit: Sit, monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    name, content = BAD[wrong]
    browser = sit("DEMO1", PHARMACIST)
    monkeypatch.setattr(previewing, "AT_ONCE_TEXT", len(content))
    monkeypatch.setattr(previewing, "AT_ONCE_PACKED", len(content))
    refused = upload(browser, content, name)
    assert refused.status_code == 422
    (words,) = re.findall(r'id="file-error">.*?</span>(.*?)</span>', refused.text)
    monkeypatch.setattr(previewing, "AT_ONCE_TEXT", 0)
    monkeypatch.setattr(previewing, "AT_ONCE_PACKED", 0)
    job = sent(browser, content, name)
    work_off(application)
    page = browser.get(job).text
    assert "The file was not taken" in page
    assert words in page
    assert 'href="/submissions">Send in a file' in page
    assert "data-follow" not in page
    assert 'http-equiv="refresh"' not in page
    state = browser.get(f"{job}/state").json()
    assert state["over"] is True
    assert staged(application) == []
    assert "not accepted yet" not in browser.get("/submissions").text


@pytest.mark.usefixtures("large")
def test_a_large_file_is_its_senders_and_their_organisations(
    application: FastAPI, sit: Sit, database: Database, moment: Moment
) -> None:
    browser = sit("DEMQ1", PAYER)
    job = sent(browser, priced(300))
    (queued,) = jobs_of(database, moment)
    waits = f"/submissions/uploads/{queued.payload['upload']}"
    assert "june" not in str(queued.payload), "a job is kept for good, and a file's name a day"
    colleague = sit("DEMQ1", Role.INVOICE_VALIDATION)
    for seen in ("before", "after"):
        for at in (job, f"{job}/state", waits):
            assert sit("DEMQ2", PAYER).get(at).status_code == 404, seen
            assert sit("DEMQ1", Role.POLICY_AUTHOR).get(at).status_code == 403, seen
        assert "june.csv" not in colleague.get("/submissions").text
        assert "june.csv" not in colleague.get(job).text
        work_off(application)
    assert led(colleague, job) == waits
    own = led(colleague, waits)
    assert own != job, "worked out in their own name"
    work_off(application)
    assert led(colleague, own) == waits
    assert "First statement" in colleague.get(waits).text
    assert sit("DEMQ1", PAYER).get(f"/submissions/jobs/{moment.day}").status_code in (400, 404)


@pytest.mark.usefixtures("large")
def test_sent_twice_it_is_read_once_and_a_page_that_loads_again_queues_nothing(
    application: FastAPI, sit: Sit, database: Database, moment: Moment
) -> None:
    browser = sit("DEMQ1", PAYER)
    job = sent(browser, priced(300))
    assert sent(browser, priced(300)) == job
    (queued,) = jobs_of(database, moment)
    waits = f"/submissions/uploads/{queued.payload['upload']}"
    assert {led(browser, waits) for _ in range(3)} == {job}
    work_off(application)
    assert "First statement" in browser.get(waits).text
    assert len(jobs_of(database, moment)) == 1


@pytest.mark.usefixtures("large")
def test_a_large_preview_that_tells_of_what_is_gone_is_worked_out_again_by_the_worker(
    application: FastAPI, sit: Sit
) -> None:
    browser = sit("DEMQ1", PAYER)
    first, second = (
        sent(browser, content, name)
        for content, name in ((priced(300, 301), "new.csv"), (priced(250), "first.csv"))
    )
    work_off(application)
    waits, other = led(browser, first), led(browser, second)
    assert "First statement" in browser.get(waits).text
    browser.send(other, f"{other}/accept")
    again = led(browser, waits)
    assert again.startswith("/submissions/jobs/")
    assert again != first
    work_off(application)
    assert led(browser, again) == waits
    assert "Replaces what stands" in browser.get(waits).text


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("how", ["a day old", "discarded"])
def test_a_file_that_is_gone_before_its_turn_is_told_so(
    application: FastAPI, sit: Sit, how: str
) -> None:
    browser = sit("DEMQ1", PAYER)
    job = sent(browser, priced(300))
    (waits,) = re.findall(
        r'href="(/submissions/uploads/[0-9a-f]{64})"', browser.get("/submissions").text
    )
    files = application.state.desk.files
    if how == "discarded":
        browser.post(f"{waits}/discard", browser.form("/submissions", "/submissions"))
    else:
        now = dt.datetime.now(dt.UTC)
        (path,) = files.folder.glob("*/staged/*")
        old = (now - dt.timedelta(hours=25)).timestamp()
        os.utime(path, (old, old))
        assert forget_staged(files, now) == 1
    assert staged(application) == []
    assert browser.get(waits).status_code == 404
    work_off(application)
    page = bare(browser.get(job).text)
    assert "The file was not taken" in page
    assert "The file waits no longer" in page
    assert "Send it in again." in page
    assert staged(application) == []
    # The same file sent in again is another job.
    again = sent(browser, priced(300))
    assert again != job
    work_off(application)
    assert "First statement" in browser.get(led(browser, again)).text


@pytest.mark.usefixtures("large")
def test_a_fault_of_the_service_leaves_the_file_and_sending_it_again_is_another_try(
    application: FastAPI, sit: Sit, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = sit("DEMQ1", PAYER)
    job = sent(browser, priced(300))

    def break_(*_: Any, **__: Any) -> None:
        raise RuntimeError("the disk is gone")

    with monkeypatch.context() as patched:
        patched.setattr("app.reconciliation.kept_previews.keep", break_)
        work_off(application)
    assert "through a fault of the service" in browser.get(job).text
    listed = browser.get("/submissions").text
    assert "Could not be read: see why" in listed
    (waits,) = re.findall(r'href="(/submissions/uploads/[0-9a-f]{64})"', listed)
    assert led(browser, waits) == job
    again = sent(browser, priced(300))
    assert again != job
    work_off(application)
    assert led(browser, again) == waits
    assert "First statement" in browser.get(waits).text


@pytest.mark.parametrize("most", [0, 1 << 20], ids=["before it is read", "after"])
def test_a_file_that_was_taken_away_is_not_listed(
    application: FastAPI, sit: Sit, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(previewing, "AT_ONCE_TEXT", most)
    browser = sit("DEMQ1", PAYER)
    sent(browser, priced(300))
    assert "june.csv" in browser.get("/submissions").text
    (path,) = application.state.desk.files.folder.glob("*/staged/*")
    path.unlink()
    assert "june.csv" not in browser.get("/submissions").text
    assert staged(application) == ["staged-results"]


def test_the_pages_script_is_told_where_to_go_or_what_is_wrong(sit: Sit) -> None:
    browser = sit("DEMQ1", PAYER)

    def by_script(content: bytes, name: str) -> Any:
        form = browser.form("/submissions", "/submissions")
        headers = {"Cookie": f"{SESSION}={browser.cookie}", "Accept": "application/json"}
        files = {"file": (name, content, "text/csv")}
        return browser.client.post("/submissions", data=form, files=files, headers=headers)

    good = by_script(priced(300), "june.csv")
    assert good.status_code == 200
    assert "First statement" in browser.get(good.json()["at"]).text
    name, letter = BAD["unknown layout"]
    bad = by_script(letter, name)
    assert (bad.status_code, list(bad.json())) == (422, ["wrong"])
    assert bad.json()["wrong"] in html.unescape(upload(browser, letter, name).text)
    assert by_script(b"", "june.csv").json() == {
        "wrong": "Choose a file: CSV, an Excel workbook (XLSX) or Parquet."
    }


def test_a_file_is_read_again_to_be_accepted_before_others_have_to_wait_for_it(
    application: FastAPI, sit: Sit, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = sit("DEMQ1", PAYER)
    waits = sent(browser, priced(300))
    form = browser.form(waits, f"{waits}/accept")
    read_own, times = service.read_own, []

    def outside(*given: Any, **named: Any) -> Any:
        application.state.door.transact(lambda _: times.append(1))  # refused inside another
        return read_own(*given, **named)

    monkeypatch.setattr(service, "read_own", outside)
    first = browser.post(f"{waits}/accept", form)
    assert (first.status_code, times) == (303, [1])
    again = browser.post(f"{waits}/accept", form)
    assert (again.headers["location"], times) == (first.headers["location"], [1])
    other = browser.form("/submissions", "/submissions") | {"once": application.state.door.new_id()}
    assert browser.post(f"{waits}/accept", other).status_code == 404
