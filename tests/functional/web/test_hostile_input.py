"""Hostile text in every field of every form that people can reach: refused or kept, never run.

Fields are those for typing, choices that were not offered, hidden ones, and names of files. The
pages are walked as a browser would, from each role's home. A form of a page that nobody reaches in
the walk has to be named in `NOT_REACHED`, and a field that is found and cannot be tried in
`NOT_TRIED`.
"""

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any, Final

import pytest
from fastapi import FastAPI

from app.api.matrix_pages import PAGE_ROUTES
from app.approvals.office import change_setting
from app.approvals.permissions import Action
from app.db.work import Work
from tests.functional.conftest import ADMINISTRATOR
from tests.functional.web.conftest import Enter, Person
from tests.functional.web.forms import ANSWERS, FORM, begun, sent
from tests.functional.web.hostile_scene import (
    PDF,
    set_administered,
    set_care,
    set_desk,
    set_person,
    set_policies,
)
from tests.functional.web.test_attachments import attach
from tests.rows import row_counts

SCRIPT = "<script>alert('assent')</script>"
HOSTILE: Final = {
    "a script": f"\"'>{SCRIPT}",
    "a formula": '=HYPERLINK("http://evil.example";"£")+cmd|\' /C calc\'!A0',
    "right-to-left marks": "\u202eDEVORPPA\u202c \u2067\u200f\ud7ff\U0001f9ea",
    "a NUL": "before\u0000after",
    "a template": "{{ 7*7 }}{% raw %}${7*7}",
    "another statement": "'; DROP TABLE request; --",
    "100,000 characters": "x" * 100_000,
}
#: What no page offers and none puts into a field itself: of choices and of what is hidden.
NOT_OFFERED: Final = {
    "all at once": f"\"'>{SCRIPT}=1+1|cmd \u202e\u200f {{{{ 7*7 }}}}'; DROP TABLE request; --",
    "a NUL": "before\u0000after",
    "100,000 characters": "x" * 100_000,
    "no number": "NaN",
    "a huge number": "9" * 400,
}
#: Hidden fields of every form, without which none is taken.
GUARDS: Final = frozenset({"csrf", "once", "version"})
FILE_NAMES: Final = {
    **{kind: f"{value}.pdf" for kind, value in HOSTILE.items() if len(value) < 1_000},
    "100,000 characters": f"{'x' * 100_000}.pdf",
    "the folder above": "../../../../etc/passwd",
    "another drive": "C:\\Windows\\..\\evil.pdf",
    "a name turned round": "letter\u202efdp.exe",
    "dots alone": "..",
    "lines": 'a.pdf"\r\nX-Evil: 1',
}
#: Links of many pages to what is walked from elsewhere: they would take the places of other pages.
_NO_PLACE: Final = ("/assets", "/openapi", "/sessions", "/start?treatment", "/worklists")
#: Tables whose rows come of being at a browser at all, and of words that are kept as they were
#: typed although they cannot be taken.
_OF_BROWSING: Final = frozenset(
    {"session", "rate_bucket", "audit_event", "audit_payload", "begun_answers"}
)
#: Forms that the walk does not reach → why. What has words in it is sent straight, below.
NOT_REACHED: Final[dict[str, str]] = {
    "POST /reminders": "only where a mail server is set; test_reminders.py sets one",
    "POST /reminders/end": "no field; only where a mail server is set",
    "POST /linkage-proposals/{id}/accept": "takes a model's search: test_hostile_words.py of the "
    "desk sends hostile words to it",
    "POST /linkage-proposals/{id}/refuse": "the same",
    "POST /requests/{id}/correct/confirm": "has the fields of the page before, which is reached",
    "POST /requests/{id}/escalate": "takes a policy with criteria that a panel may waive; it is "
    "the form of a withdrawal, which is reached",
    "POST /library/{policy}/{version}/end-adoption": "a day, as the adoption's form has; takes an "
    "adoption that a second person confirmed, which test_library.py ends",
    "POST /hand-overs": "has the fields of the page before, which is reached",
    "POST /requests/{id}/panel-overturn": "takes an urgent start that waits for a panel: "
    "test_overturning_pages.py sends hostile words to it",
    "POST /policy-drafts/{id}/publish": "no field; waits for proofs",
    "POST /submissions/runs/{run}/exports": "no field that is typed; only of a run that is not "
    "held in memory, which test_large_pages.py of the desk has",
}
#: Fields that the walk finds and the test cannot send, by route → why.
NOT_TRIED: Final[dict[tuple[str, str], str]] = {
    **{
        (f"POST /requests/{{id}}/{step}", name): "the approval above it on the page was taken by "
        "the words before, and the request waits no more"
        for step, names in (
            ("declare-interest", ("csrf", "once", "reason", "version")),
            ("panel-decline", ("csrf", "no_interest", "once", "reason", "version")),
            ("panel-return", ("csrf", "no_interest", "once", "reason", "version")),
        )
        for name in names
    },
    **{
        ("POST /drafts/{id}/{step}", f"a.loose_stools_per_day{part}"): "the page no longer asks "
        "for it once what was sent before is kept"
        for part in ("", ".on-day", ".on-month", ".on-year")
    },
}
#: Buttons without a field, which the words that are sent before may have taken away.
PASSING: Final = frozenset(
    {
        "POST /drug-names/{id}/accept",
        "POST /submissions/runs/{run}/challenges",
        "POST /hand-overs/{id}/confirm",
        "POST /hand-overs/{id}/decline",
        "POST /library/{policy}/{version}/changes/proofs",
    }
)
WALKERS: Final = (
    "demo1-clinician",
    "demo1-delegate",
    "demo2-pharmacist",
    "demo2-clinician",
    "demp1-panel-member",
    "demq1-commissioner",
    "demq2-commissioner",
    "demo1-auditor",
    "demq1-policy-author",
    "demo1-administrator",
    "demo1-administrator-2",
    "demo1-pharmacist",
    "demq1-invoice-validation",
    "demq1-commissioner-2",
    "demq1-policy-author-2",
)


@dataclass
class Form:
    """A form as a page holds it: what is sent where, and which fields are for typing."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)
    typed: list[str] = field(default_factory=list)
    chosen: list[str] = field(default_factory=list)  # selects, radios, boxes to tick, buttons
    hidden: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    multipart: bool = False


class Reader(HTMLParser):
    """The forms that post, and the links, of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.links: list[str] = []
        self._form: Form | None = None
        self._select = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "a" and given.get("href", "").startswith("/"):
            self.links.append(given["href"].partition("#")[0])
        elif tag == "form":
            posts = given.get("method") == "post"
            self._form = Form(given["action"]) if posts else None
            if self._form is not None:
                self._form.multipart = given.get("enctype") == "multipart/form-data"
            self.forms += [self._form] if self._form is not None else []
        elif self._form is not None:
            self._field(self._form, tag, given)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None

    def _field(self, form: Form, tag: str, given: dict[str, str]) -> None:
        name, kind = given.get("name", ""), given.get("type", "text")
        if tag == "select":
            self._select = name
            form.chosen.append(name)
        elif tag == "option":
            form.fields[self._select] = given.get("value", "")
        elif tag == "textarea":
            form.typed.append(name)
        elif tag == "input" and kind in ("text", "search", "number", "email", "tel"):
            form.fields[name] = given.get("value", "")
            form.typed.append(name)
        elif tag == "input" and kind == "file":
            form.files.append(name)
        elif tag == "input" and name and kind != "submit":
            kept = form.hidden if kind == "hidden" else form.chosen
            kept += [name] if name not in kept else []
            form.fields.setdefault(name, given.get("value", ""))
        elif tag == "button" and name:
            form.chosen.append(name)


def template_of(path: str) -> str:
    """The route of the matrix that an address belongs to."""
    for route in PAGE_ROUTES:
        method, template = route.split(" ")
        pattern = re.sub(r"\{\w+(:path)?\}", "[^/]+", template)
        if method == "POST" and re.fullmatch(pattern, path):
            if template == "/drafts/{id}/{step}" and path.rsplit("/", 1)[-1] in (
                "discard",
                "submit",
                "override",
            ):
                continue
            return route
    return f"POST {path}"


def walk(person: Person, known: list[str], most: int) -> Iterator[tuple[str, str]]:
    """The pages that somebody reaches from home, or from addresses that they know: address and
    text. Fourteen of each kind at most."""
    waiting, seen, kinds = [*known, "/"], {"/", *known}, dict[str, int]()
    while waiting and most:
        path = waiting.pop(0)
        kind = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "{}", path.partition("?")[0])
        if kinds.get(kind, 0) == 14:
            continue
        kinds[kind], most = kinds.get(kind, 0) + 1, most - 1
        reply = person.get(path)
        if reply.status_code == 303 and reply.headers["location"] not in seen:
            seen.add(reply.headers["location"])
            waiting.insert(0, reply.headers["location"])
        if reply.status_code != 200 or "html" not in reply.headers["content-type"]:
            continue
        yield path, reply.text
        links = [each for each in Reader(reply.text).links if each not in seen]
        seen.update(links)
        # What stands at the head of every page and has no field would take the place of a page.
        waiting += [each for each in links if not each.startswith(_NO_PLACE)]


def rows(application: FastAPI) -> dict[str, int]:
    def count(work: Work) -> dict[str, int]:
        counts = row_counts(work.connection)
        return {name: held for name, held in counts.items() if name not in _OF_BROWSING}

    found: dict[str, int] = application.state.door.read(count)
    return found


@pytest.fixture
def scene(enter: Enter, application: FastAPI) -> list[str]:
    """Something of each kind waits for somebody; the addresses of some of it."""

    def settle(work: Work) -> None:
        day = work.moment.day.replace(month=1, day=1)
        change_setting(work, "DEMQ1", "panel", "DEMP1", day, ADMINISTRATOR.id)
        change_setting(work, "DEMO2", "pharmacist_authorisation", True, day, ADMINISTRATOR.id)

    application.state.door.transact(settle)
    set_administered(enter, application)
    doctor, other = enter("demo1-clinician"), enter("demo2-clinician")
    known = [FORM, "/claims/adalimumab-ra-severe"]
    known += set_person(doctor)
    for person in (doctor, other):
        for answers in (
            ANSWERS,
            ANSWERS | {"screened": "no"},
            ANSWERS | {"das28_at_start": "3.0"},
        ):
            request, treatment = sent(person, answers)
            known += [f"/requests/{request}", f"/treatments/{treatment}"]
    draft = begun(doctor, "H000779", 60_003)
    known += set_care(enter, attach)
    number = re.findall(r"NHS number (\d{3} \d{3} \d{4})", doctor.get(known[3]).text)[0]
    known += set_desk(enter, application, number.replace(" ", ""))
    known += set_policies(enter)
    known.append(f"{known[4]}/patient")  # of whom nothing is on record yet
    return [*known, f"/drafts/{draft}/work-out/das28_at_start", f"/drafts/{draft}/check"]


def send(person: Person, form: Form, name: str, value: str) -> Any:
    fields = form.fields | {name: value}
    if form.multipart:  # with no file chosen, as a browser sends it
        empty = dict.fromkeys(form.files, ("", b"", "application/octet-stream"))
        if name in empty:
            empty[name] = (value, PDF, "application/pdf")
            del fields[name]
        return person.http.post(form.action, data=fields, files=empty)
    return person.http.post(form.action, data=fields)


def tries(form: Form) -> Iterator[tuple[str, dict[str, str]]]:
    """Each field of a form with what to put into it. What is likeliest to be taken comes last: a
    step that was taken is gone, with its form."""
    guards = [name for name in form.hidden if name in GUARDS]
    for name in guards:
        yield name, NOT_OFFERED
    for name in dict.fromkeys(form.chosen):
        yield name, {kind: value for kind, value in NOT_OFFERED.items() if "huge" not in kind}
    for name in form.files:
        yield name, FILE_NAMES
    for name in form.typed:
        yield name, HOSTILE
    for name in form.hidden:
        if name not in guards:
            yield name, NOT_OFFERED


def kind_of(name: str) -> str:
    """A field's name without what differs from policy to policy and from row to row."""
    for prefix in ("a.", "shown.", "waive.", "still.", "said."):
        if name.startswith(prefix):
            return f"{prefix}*"
    return re.sub(r"\d+", "0", name)


@pytest.mark.long
def test_hostile_text_in_any_field_is_refused_or_kept_and_never_run_or_half_stored(
    enter: Enter, application: FastAPI, scene: list[str]
) -> None:
    posted: set[str] = set()
    found: set[tuple[str, str]] = set()
    tried: set[tuple[str, str]] = set()
    for who in WALKERS:
        person = enter(who)
        for page, text in walk(person, scene, 84):
            for form in Reader(text).forms:
                route = template_of(form.action)
                if route in ("POST /sign-out", "POST /role"):
                    continue
                posted.add(route)
                for name, values in tries(form):
                    field_of = (route, name if name in form.typed else kind_of(name))
                    found.add(field_of)
                    if field_of not in tried and _try(
                        application, person, page, form, name, values
                    ):
                        tried.add(field_of)
    untried = found - tried
    assert untried == set(NOT_TRIED), "\n".join(map(str, sorted(untried ^ set(NOT_TRIED))))
    guarded = {name for name, action in PAGE_ROUTES.items() if isinstance(action, Action)}
    wanted = {name for name in guarded if name.startswith("POST ")} - set(NOT_REACHED) - PASSING
    assert wanted <= posted, sorted(wanted - posted)
    needless = set(NOT_REACHED) & posted
    assert not needless, f"take these from NOT_REACHED: {sorted(needless)}"


def formulas(text: str) -> list[str]:
    """The cells of a CSV file that a spreadsheet would work out; a negative number is none."""
    cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
    return [each for each in cells if re.match(r"[=+@\t\r]|-(?![0-9.]+$)", each)]


def test_what_is_taken_away_holds_no_formula(enter: Enter, scene: list[str]) -> None:
    payer, trust = enter("demq1-commissioner"), enter("demo1-pharmacist")
    run = next(each for each in scene if each.startswith("/submissions/runs/"))
    checked = next(each for each in scene if each.startswith("/supply-check/files/"))
    taken = {
        "a run": payer.get(f"{run}/export?format=csv"),
        "changes to closed months": payer.get("/slices/deltas/export?format=csv"),
        "a trust's own file": trust.get(f"{checked}/checked.csv"),
    }
    for name, reply in taken.items():
        assert reply.status_code == 200, name
        assert formulas(reply.text) == [], name
    assert "1+1|" in taken["a run"].text, "the hostile name is in it, as words"


def _try(
    application: FastAPI,
    person: Person,
    page: str,
    form: Form,
    name: str,
    values: dict[str, str],
) -> bool:
    """Send the form with each value in one field. Whether at least one was sent."""
    was_sent = False
    for kind, value in values.items():
        shown = person.get(page)
        fresh = [each for each in Reader(shown.text).forms if each.action == form.action]
        fresh = [each for each in fresh if name in (*each.fields, *each.files, *each.typed)] or [
            each for each in fresh if name in each.chosen
        ]
        if not fresh:
            break  # the step was taken by the text before: it was only text
        before, was_sent = rows(application), True
        reply = send(person, fresh[0], name, value)
        what = (page, form.action, name, kind, reply.status_code)
        assert reply.status_code < 500, what
        assert SCRIPT not in reply.text, what
        if reply.status_code == 303:
            led = person.get(reply.headers["location"].partition("#")[0])
            assert led.status_code < 500, what
            assert SCRIPT not in led.text, what
            continue
        if reply.headers["content-type"].startswith("text/csv"):
            assert formulas(reply.text) == [], what
            continue
        assert "<h1" in reply.text, what
        if reply.status_code >= 400:
            assert rows(application) == before, what
    return was_sent
