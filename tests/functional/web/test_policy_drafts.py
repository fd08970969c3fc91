"""Drafts in the browser: written, checked, published by another author; hostile text."""

import re
import time
from pathlib import Path

import pytest
from fastapi import FastAPI

from app.db.transaction import Database
from app.db.work import Moment, Work
from app.handlers import make_handlers
from app.work import run_next
from tests.functional.web.conftest import Enter, Person

FOLDER = Path(__file__).parents[3] / "policies" / "rheumatology" / "adalimumab-ra-severe"
BEFORE = (FOLDER / "2016-01-26.1.yaml").read_text(encoding="utf-8")
NEXT = BEFORE.replace("correction: 1", "correction: 2")
NUMBER = "2016-01-26.2"
_ONCE = re.compile(r'name="once" value="([^"]+)"')
OVERLAY = """
policy: adalimumab-ra-severe
language: 2
commissioner: {code}
in_force: {{from: 2027-03-01}}
what_changed: A second line.
sources: {{local: {{title: Made up for tests}}}}
questions: {{first_line_failed: {{type: boolean, label: The first line failed}}}}
start:
  - id: LOCAL
    text: The first line failed
    met_when: first_line_failed
    source: local
    evidence: verified
"""


def send(person: Person, page: str, action: str, **fields: str):  # type: ignore[no-untyped-def]
    once = _ONCE.findall(person.get(page).text)[-1]
    return person.send(page, action, once=once, **fields)


def begun(person: Person, text: str) -> str:
    reply = send(person, "/policy-drafts", "/policy-drafts", text=text)
    assert reply.status_code == 303, reply.text[-3000:]
    return str(reply.headers["location"])


def work_off(application: FastAPI) -> None:
    """Do what waits for the worker."""
    state = application.state
    while run_next(state.door, make_handlers(state.desk)):
        pass


def test_it_takes_two_authors_to_publish_and_the_text_never_changes_after(
    enter: Enter, application: FastAPI
) -> None:
    one, two = enter("demq1-policy-author"), enter("demq1-policy-author-2")
    at = begun(one, NEXT)
    shown = one.get(at).text
    assert "Checked: no fault" in shown, shown[shown.find("checked") :][:2000]
    assert send(one, at, f"{at}/ask").status_code == 303
    own = send(one, at, f"{at}/publish")
    assert own.status_code == 403
    assert "you made it yourself" in own.text
    early = send(two, at, f"{at}/publish")
    assert early.status_code == 422
    assert "not been proved yet" in early.text
    work_off(application)
    shown = two.get(at).text
    assert "Run by z3" in shown
    done = send(two, at, f"{at}/publish")
    assert done.headers["location"] == at, done.text
    assert "Its text never changes." in two.get(at).text
    at_library = f"/library/adalimumab-ra-severe/{NUMBER}"
    assert two.get(at_library).status_code == 200
    assert enter("demo1-clinician").get(at_library).status_code == 200
    for step, fields in (("", {"text": NEXT + "# more\n"}), ("/return", {}), ("/discard", {})):
        late = send(two, at_library, f"{at}{step}", version="3", **fields)
        assert late.status_code == 409, (step, late.status_code)
    # The same number with another text is a fault.
    again = begun(one, NEXT.replace("what_changed:", "what_changed: Another."))
    assert "fault" in one.get(again).text
    payer = enter("demq1-commissioner")
    assert "Propose to adopt this version" in payer.get(at_library).text


def test_whoever_wrote_last_is_not_the_second_person(enter: Enter) -> None:
    one, two = enter("demq1-policy-author"), enter("demq1-policy-author-2")
    at = begun(one, NEXT)
    saved = send(two, at, at, text=NEXT + "\n# Looked through.\n")
    assert saved.status_code == 303
    assert send(one, at, f"{at}/ask").status_code == 303
    assert send(two, at, f"{at}/publish").status_code == 403
    assert send(one, at, f"{at}/publish").status_code == 403


def test_a_change_takes_the_request_for_publication_back(enter: Enter) -> None:
    one, two = enter("demq1-policy-author"), enter("demq1-policy-author-2")
    at = begun(one, NEXT)
    assert send(one, at, f"{at}/ask").status_code == 303
    assert send(one, at, at, text=NEXT + "\n# One more word.\n").status_code == 303
    assert send(two, at, f"{at}/publish").status_code == 409


def test_every_fault_is_told_at_once_with_its_line_and_the_draft_is_kept(enter: Enter) -> None:
    author = enter("demq1-policy-author")
    broken = NEXT.replace("mechanism: prior_approval", "mechanism: by_magic").replace(
        "source: ", "source: no_such_", 1
    )
    at = begun(author, broken)
    shown = author.get(at).text
    assert "faults to mend" in shown
    assert len(re.findall(r"<strong>Line \d+</strong>", shown)) >= 2
    assert "by_magic" in shown
    assert "Ask for publication" not in shown
    refused = send(author, at, f"{at}/ask")
    assert refused.status_code == 422
    assert "still has faults" in refused.text


def test_two_who_save_at_once_lose_nothing(enter: Enter) -> None:
    one, two = enter("demq1-policy-author"), enter("demq1-policy-author-2")
    at = begun(one, NEXT)
    assert send(two, at, at, text=NEXT + "# theirs\n").status_code == 303
    late = send(one, at, at, text=NEXT + "# mine\n", version="1")
    assert late.status_code == 409
    assert "# mine" in late.text
    assert "# theirs" in one.get(at).text


def test_another_organisation_finds_no_draft(enter: Enter) -> None:
    at = begun(enter("demq1-policy-author"), NEXT)
    other = enter("demq2-policy-author")
    assert (
        "adalimumab"
        not in other.get("/policy-drafts").text.partition("<main")[2].split("Begin a draft")[0]
    )
    assert other.get(at).status_code == other.get(f"{at}/reading").status_code == 404
    for step in ("", "/ask", "/publish", "/return", "/proofs", "/discard"):
        fields = {} if step else {"text": NEXT}
        reply = send(other, "/policy-drafts", f"{at}{step}", version="1", **fields)
        assert reply.status_code == 404, step


@pytest.mark.parametrize("who", ["demq1-commissioner", "demo1-clinician", "demq1-auditor"])
def test_only_a_policy_author_writes(enter: Enter, who: str) -> None:
    at = begun(enter("demq1-policy-author"), NEXT)
    assert enter(who).get(at).status_code == 403
    assert enter(who).get("/policy-drafts").status_code == 403


def test_an_overlay_is_published_by_its_own_commissioner_only(enter: Enter) -> None:
    one, two = enter("demq1-policy-author"), enter("demq1-policy-author-2")
    at = begun(one, OVERLAY.format(code="DEMQ2"))
    assert "Checked: no fault" in one.get(at).text, one.get(at).text[-6000:]
    assert send(one, at, f"{at}/ask").status_code == 303
    refused = send(two, at, f"{at}/publish")
    assert refused.status_code == 403
    assert "another commissioner" in refused.text
    at = begun(one, OVERLAY.format(code="DEMQ1"))
    assert send(one, at, f"{at}/ask").status_code == 303
    assert send(two, at, f"{at}/publish").status_code == 303
    assert "A second line." in one.get("/library/adalimumab-ra-severe/2016-01-26.1").text


def test_a_draft_begins_from_a_version_or_from_nothing(enter: Enter) -> None:
    author = enter("demq1-policy-author")
    version = "/library/adalimumab-ra-severe/2016-01-26.1"
    reply = send(author, version, "/policy-drafts", **{"from": "adalimumab-ra-severe@2016-01-26.1"})
    shown = author.get(reply.headers["location"]).text
    assert "is in the library already with this very text" in shown
    blank = send(
        author, "/policy-drafts", "/policy-drafts", drug="adalimumab", indication="Test disease"
    )
    assert blank.status_code == 303, blank.text
    assert "adalimumab" in author.get(blank.headers["location"]).text
    empty = send(author, "/policy-drafts", "/policy-drafts", text="  ")
    assert empty.status_code == 422
    assert "There is no text" in empty.text


def test_a_draft_is_read_as_text_and_forms_with_what_changes(enter: Enter) -> None:
    author = enter("demq1-policy-author")
    text = NEXT.replace("what_changed:", "what_changed: Ours;", 1)
    at = begun(author, text)
    shown = author.get(f"{at}/reading").text
    for words in (
        "nothing is decided by it",
        "What changes from 2016-01-26.1",
        "Criteria to start",
    ):
        assert words in shown, words


def test_the_worked_cases_of_the_version_before_are_decided_under_the_draft(
    enter: Enter,
) -> None:
    author = enter("demq1-policy-author")
    same = author.get(f"{begun(author, NEXT)}/reading").text
    assert "under this draft" in same
    assert "all come out as before" in same
    other = NEXT.replace("das28_at_start > 5.1", "das28_at_start > 9.1")
    shown = author.get(f"{begun(author, other)}/reading").text
    assert re.search(r"[1-9]\d* would come out otherwise", shown)
    assert "Outcome: expected approved, got criteria not met" in shown


LAUGHS = "a: &a [x, x, x]\n" + "\n".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 9)}]" for n in range(9)
)
HOSTILE = {
    "nested": "policy: " + "[" * 50_000,
    "braces": "{" * 2_000 + "}" * 2_000,
    "a billion laughs": LAUGHS,
    "a tag": "policy: !!python/object/apply:os.system ['true']",
    "five megabytes": "policy: " + "x" * 5_000_000,
    "many keys": "\n".join(f"key{n}: {n}" for n in range(25_000)),
    "a NUL": "policy: a\x00b",
    "markup": "policy: <script>alert(1)</script>\ntitle: </textarea><b>",
    "an expression": NEXT.replace("met_when: ", "met_when: " + "(" * 300, 1),
    "cases": "cases:\n  - name: a\n",
    "not one document": "a: 1\n---\nb: 2\n",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_is_told_off_plainly_and_soon(enter: Enter, name: str) -> None:
    author = enter("demq1-policy-author")
    began = time.process_time()
    reply = send(author, "/policy-drafts", "/policy-drafts", text=HOSTILE[name])
    shown = author.get(reply.headers["location"]) if reply.status_code == 303 else reply
    assert time.process_time() - began < 5
    assert shown.status_code in (200, 422), shown.status_code
    assert "to mend" in shown.text or "was not kept" in shown.text
    assert "<script>alert" not in shown.text
    assert len(shown.text) < 1_500_000


def test_a_file_that_is_no_text_is_told_off(enter: Enter) -> None:
    author = enter("demq1-policy-author")
    page = author.get("/policy-drafts").text
    reply = author.http.post(
        "/policy-drafts",
        data={
            "csrf": re.findall(r'name="csrf" value="([^"]+)"', page)[-1],
            "once": _ONCE.findall(page)[-1],
        },
        files={"file": ("policy.yaml", b"\xff\xfe\x00policy", "text/yaml")},
    )
    assert reply.status_code == 422
    assert "plain text in UTF-8" in reply.text


def test_both_names_and_every_step_stand_on_record(
    enter: Enter, database: Database, moment: Moment
) -> None:
    one, two = enter("demq1-policy-author"), enter("demq1-policy-author-2")
    at = begun(one, OVERLAY.format(code="DEMQ1"))
    send(one, at, f"{at}/ask")
    send(two, at, f"{at}/publish")

    def read(work: Work) -> tuple[tuple[str, ...], set[str]]:
        ask = work.connection.exec_driver_sql
        row = ask("SELECT version, published_by, seconded_by FROM publication").one()
        return tuple(row), set(ask("SELECT action FROM audit_event").scalars())

    row, actions = database.read(read, moment=moment, scope="*")
    assert row == (
        "overlay-DEMQ1-2027-03-01",
        "Policy author of DEMQ1 (demonstration)",
        "Second policy author of DEMQ1 (demonstration)",
    )
    assert {"write policy draft", "ask to publish policy", "policy overlay published"} <= actions
