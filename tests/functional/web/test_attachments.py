"""Attachments of a request: who adds, reads and takes away, and what is no attachment."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from app.api.scanning import Scanner
from app.approvals.attachment_kinds import LARGEST, kind_of
from app.approvals.erasing import erase_patient
from app.db.tables import audit_event, audit_payload, request_attachment, treatment
from app.db.transaction import Database
from app.db.work import Moment
from tests.functional.conftest import ADMINISTRATOR
from tests.functional.web.conftest import Enter, Person
from tests.functional.web.forms import ANSWERS, sent

PDF = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\nstartxref\n9\n%%EOF\n"
PNG = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + b"\0" * 17 + b"\0\0\0\0IEND\xaeB`\x82"
JPEG = b"\xff\xd8\xff\xe0" + b"\0" * 20 + b"\xff\xd9"
LINK = re.compile(r'href="(/requests/[0-9a-f-]{36}/attachments/[0-9a-f-]{36})"')
LOW = ANSWERS | {"das28_at_start": "4.0"}


def attach(
    person: Person, request: str, data: bytes, *, name: str = "Jane Doe.pdf", **typed: str
) -> Any:
    at = f"/requests/{request}/attachments"
    shown = person.get(at).text
    form = dict(
        re.findall(r'name="(csrf|once)" value="([^"]+)"', shown[shown.index("multipart") :])
    )
    fields = {"title": "Clinic letter", "shared": "no"} | form | typed
    return person.http.post(at, data=fields, files={"file": (name, data, "application/pdf")})


def links(person: Person, request: str) -> list[str]:
    return LINK.findall(person.get(f"/requests/{request}").text)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (PDF, "application/pdf"),
        (PNG, "image/png"),
        (JPEG, "image/jpeg"),
        (b"", None),
        (b"%PDF-1.7 and no more", None),
        (PNG[:-1], None),
        (JPEG[:-1], None),
        (b"<html>%PDF-1.7 startxref %%EOF", None),
        (b"MZ" + PDF, None),
        (b"PK\x03\x04" + PNG, None),
        (b"GIF89a" + b"\0" * 20, None),
    ],
)
def test_a_kind_is_known_by_the_content(data: bytes, kind: str | None) -> None:
    assert kind_of(data) == kind


def test_a_file_is_attached_once_read_and_taken_away(
    enter: Enter, database: Database, moment: Moment
) -> None:
    person = enter("demo1-delegate")
    request, _ = sent(enter("demo1-clinician"), LOW)
    first = attach(person, request, PDF)
    assert first.headers["location"] == f"/requests/{request}/attachments", first.text
    again = person.http.post(f"/requests/{request}/attachments")
    assert again.status_code in (400, 403), "no form of ours"
    (link,) = links(person, request)
    taken = person.get(link)
    assert taken.content == PDF
    assert taken.headers["content-type"] == "application/pdf"
    assert taken.headers["content-disposition"] == 'attachment; filename="attachment-1.pdf"'
    assert taken.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in taken.headers["content-security-policy"]
    at = f"/requests/{request}/attachments"
    assert "Jane" not in person.get(at).text, "a file's name is not kept"
    no_reason = person.send(at, f"{link}/remove", reason=" ")
    assert no_reason.status_code == 422
    once = re.findall(r'name="once" value="([^"]+)"', person.get(at).text)[0]
    gone = person.send(at, f"{link}/remove", reason="It is another patient's.", once=once)
    assert gone.headers["location"] == at, gone.text
    assert person.get(link).status_code == 404
    assert links(person, request) == []
    row = _rows(database, moment)[0]
    assert (row.content, row.removed_why) == (None, "It is another patient's.")
    assert _actions(database, moment) == [
        "attachment added",
        "attachment read",
        "attachment taken away",
    ]


def test_a_double_click_attaches_once(enter: Enter, database: Database, moment: Moment) -> None:
    person = enter("demo1-clinician")
    request, _ = sent(person, LOW)
    at = f"/requests/{request}/attachments"
    form = dict(re.findall(r'name="(csrf|once)" value="([^"]+)"', person.get(at).text))
    fields = {"title": "Result", "shared": "yes"} | form
    for _ in range(2):
        reply = person.http.post(at, data=fields, files={"file": ("a.png", PNG, "image/png")})
        assert reply.status_code == 303
    other = person.http.post(at, data=fields, files={"file": ("a.jpg", JPEG, "image/jpeg")})
    assert other.status_code == 412
    assert len(_rows(database, moment)) == 1


@pytest.mark.parametrize(
    ("data", "typed", "said"),
    [
        (b"", {}, "Choose a file"),
        (b"<html><script>alert(1)</script>", {}, "not a whole PDF, PNG or JPEG"),
        (PDF.replace(b"%%EOF", b""), {}, "not a whole PDF, PNG or JPEG"),
        (b"%PDF-" + b"0" * LARGEST + PDF, {}, "larger than 5 MB"),
        (PDF, {"title": " "}, "Say what it is"),
        (PDF, {"title": "x" * 81}, "Say what it is"),
        (PDF, {"shared": "perhaps"}, "Say who may read it."),
    ],
    ids=range(7),
)
def test_what_is_no_attachment_is_told_on_the_page(
    enter: Enter,
    database: Database,
    moment: Moment,
    data: bytes,
    typed: dict[str, str],
    said: str,
) -> None:
    person = enter("demo1-clinician")
    request, _ = sent(person, LOW)
    reply = attach(person, request, data, **typed)
    assert reply.status_code == 422
    assert said in reply.text
    assert _rows(database, moment) == []


def test_what_a_scanner_knows_is_told_on_the_page_and_not_kept(
    enter: Enter,
    application: FastAPI,
    database: Database,
    moment: Moment,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    person = enter("demo1-clinician")
    request, _ = sent(person, LOW)
    application.state.scanner = Scanner("unix:/nowhere/clamd.ctl")
    silent = attach(person, request, PDF)
    assert silent.status_code == 503
    assert "could not be checked for malware" in silent.text
    monkeypatch.setattr(Scanner, "recognised", lambda _self, _data: "Eicar-Test")
    refused = attach(person, request, PDF)
    assert refused.status_code == 422
    assert "tell your organisation&#39;s security team" in refused.text
    assert _rows(database, moment) == []


def test_others_read_what_is_shared_and_only_that(enter: Enter) -> None:
    person = enter("demo1-clinician")
    request, _ = sent(person, LOW)
    title = '"><script>alert(1)</script>'
    assert attach(person, request, PDF, title="For us").status_code == 303
    assert attach(person, request, PNG, title=title, shared="yes").status_code == 303
    own, shared = links(person, request)
    assert "<script>alert(1)" not in person.get(f"/requests/{request}").text
    payer = enter("demq1-commissioner")
    assert links(payer, request) == [shared]
    assert payer.get(shared).content == PNG
    assert payer.get(own).status_code == 404
    assert payer.get(f"/requests/{request}/attachments").status_code == 403
    for who in ("demo2-clinician", "demq2-commissioner"):
        stranger = enter(who)
        assert stranger.get(own).status_code == stranger.get(shared).status_code == 404
    outsider = enter("demo2-clinician")
    assert outsider.get(f"/requests/{request}/attachments").status_code == 404
    form = {"csrf": re.findall(r'name="csrf" value="([^"]+)"', outsider.get("/").text)[0]}
    form |= {"once": "7f0c2c59-3c0c-4a57-9d55-1f7d7bb6a0e1", "title": "x", "shared": "no"}
    planted = outsider.http.post(
        f"/requests/{request}/attachments", data=form, files={"file": ("a.pdf", PDF)}
    )
    assert planted.status_code == 404
    assert outsider.http.post(f"{own}/remove", data=form | {"reason": "x"}).status_code == 404
    # Another request of the same trust is no way to a file.
    second, _ = sent(person, LOW)
    assert person.get(own.replace(request, second)).status_code == 404


def test_an_eleventh_file_is_refused(enter: Enter) -> None:
    person = enter("demo1-clinician")
    request, _ = sent(person, LOW)
    for _ in range(10):
        assert attach(person, request, PNG).status_code == 303
    assert "which is the most" in person.get(f"/requests/{request}/attachments").text


def test_erasing_a_patient_erases_what_was_attached(
    enter: Enter,
    database: Database,
    moment: Moment,
    ids: Callable[[], str],
    random_bytes: Callable[[int], bytes],
) -> None:
    person = enter("demo1-clinician")
    request, its_treatment = sent(person, LOW)
    assert attach(person, request, PDF).status_code == 303
    (link,) = links(person, request)
    query = sa.select(treatment.c.patient_id).where(treatment.c.id == its_treatment)
    patient = database.read(lambda work: work.connection.scalar(query), moment=moment)
    done = database.transact(
        lambda work: erase_patient(work, ADMINISTRATOR, patient, "Asked."),
        moment=moment,
        new_id=ids,
        random_bytes=random_bytes,
    )
    assert done.attachments == 1
    (row,) = _rows(database, moment)
    assert (row.content, row.title) == (None, "[erased]")
    assert person.get(link).status_code == 404


def test_the_log_holds_no_title(enter: Enter, database: Database, moment: Moment) -> None:
    person = enter("demo1-clinician")
    request, _ = sent(person, LOW)
    attach(person, request, PDF, title="Letter about Jane Doe")
    query = sa.select(audit_payload)
    rows = database.read(lambda work: work.connection.execute(query).all(), moment=moment)
    assert rows
    assert "Jane" not in str(rows)


def _rows(database: Database, moment: Moment) -> list[Any]:
    query = sa.select(request_attachment)
    return database.read(lambda work: list(work.connection.execute(query)), moment=moment)


def _actions(database: Database, moment: Moment) -> list[str]:
    query = (
        sa.select(audit_event.c.action)
        .where(audit_event.c.action.like("attachment%"))
        .order_by(audit_event.c.id)
    )
    found = database.read(lambda work: work.connection.execute(query).all(), moment=moment)
    return [row[0] for row in found]


def _over(person: Person, at: str, form: dict[str, str], **typed: str) -> Any:
    return person.http.post(
        at,
        data=form | typed,
        files={"file": ("a.pdf", bytes(65 << 20), "application/pdf")},
        headers={"referer": f"{person.http.base_url}{at[1:]}"},
    )


def test_a_form_whose_file_is_over_the_limit_comes_back_with_its_words(enter: Enter) -> None:
    person = enter("demo1-clinician")
    request, _ = sent(person, LOW)
    at = f"/requests/{request}/attachments"
    shown = person.get(at).text
    assert 'data-largest="5242880"' in shown, "where scripts run it is told before it is sent"
    assert shown.index('id="title"') < shown.index('id="file"'), "words are sent before the file"
    form = dict(re.findall(r'name="(csrf|once)" value="([^"]+)"', shown))
    reply = _over(person, at, form, title="Scan of 3 June", shared="yes")
    assert reply.status_code == 413
    assert "The file is over 5 MB. Choose a smaller one: nothing was sent." in reply.text
    assert 'value="Scan of 3 June"' in reply.text
    assert re.search(r'id="shared-yes"[^>]*checked', reply.text)
    assert links(person, request) == []
    # The page that came back sends it, with a smaller file.
    form = dict(re.findall(r'name="(csrf|once)" value="([^"]+)"', reply.text))
    done = person.http.post(
        at,
        data={"title": "Scan of 3 June", "shared": "yes"} | form,
        files={"file": ("a.pdf", PDF, "application/pdf")},
    )
    assert done.status_code == 303, done.text
    assert len(links(person, request)) == 1


def test_over_the_limit_another_session_is_shown_nothing_of_the_page(enter: Enter) -> None:
    person = enter("demo1-clinician")
    request, _ = sent(person, LOW)
    at = f"/requests/{request}/attachments"
    reply = _over(person, at, {"csrf": "another"}, title="Scan", shared="yes")
    assert reply.status_code == 403
    reply = _over(person, at, {}, title="Scan", shared="yes")
    assert reply.status_code == 413, "no form of ours"
    assert "most browsers still hold what you typed" in reply.text


@pytest.mark.parametrize(
    ("who", "at", "to"),
    [
        ("demq1-commissioner", "/submissions", "/submissions"),
        ("demo1-pharmacist", "/supply-check", "/supply-check/files"),
    ],
)
def test_a_file_of_lines_over_the_limit_is_told_on_its_own_page(
    enter: Enter, who: str, at: str, to: str
) -> None:
    person = enter(who)
    form = dict(re.findall(r'name="(csrf|once)" value="([^"]+)"', person.get(at).text))
    reply = _over(person, to, form)
    assert reply.status_code == 413
    assert "The file is over 64 MB. Choose a smaller one: nothing was sent." in reply.text
    assert 'id="file-error"' in reply.text, "on its own page, at its field"
