"""Hostile text in every text field of every form that people can reach: refused or kept, never run.

The pages are walked as a browser would, from each role's home. A form of a page that nobody
reaches in the walk has to be named in `NOT_REACHED`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any, Final

import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from app.api.matrix_pages import PAGE_ROUTES
from app.approvals.office import change_setting
from app.approvals.permissions import Action
from app.auth.clients import register_client
from app.auth.model import Role
from app.db.tables import metadata
from app.db.work import Work
from tests.functional.conftest import ADMINISTRATOR
from tests.functional.web.conftest import Enter, Person
from tests.functional.web.forms import ANSWERS, FORM, begun, sent

SCRIPT = "<script>alert('assent')</script>"
HOSTILE: Final = {
    "a script": f"\"'>{SCRIPT}",
    "a formula": '=HYPERLINK("http://evil.example";"£")+cmd|\' /C calc\'!A0',
    "right-to-left marks": "\u202eDEVORPPA\u202c \u2067\u200f\u0000\ud7ff\U0001f9ea",
    "a template": "{{ 7*7 }}{% raw %}${7*7}",
    "another statement": "'; DROP TABLE request; --",
    "100,000 characters": "x" * 100_000,
}
#: Tables whose rows come of being at a browser at all.
_PASSING: Final = frozenset({"session", "rate_bucket", "audit_event", "audit_payload"})
#: Forms that stand on pages of submissions, runs and their lines: the desk's own tests fill them.
NOT_REACHED: Final = frozenset(
    f"POST {path}"
    for path in (
        "/submissions",
        "/submissions/uploads/{name}/accept",
        "/submissions/uploads/{name}/discard",
        "/submissions/{submission}/runs",
        "/submissions/runs/{run}/identities",
        "/submissions/runs/{run}/challenges",
        "/submissions/runs/{run}/lines/{row}/match",
        "/submissions/runs/{run}/lines/{row}/override",
        "/line-decisions/{id}/undo",
        "/challenges/{id}/raise",
        "/challenges/{id}/answer",
        "/challenges/{id}/uphold",
        "/challenges/{id}/withdraw",
        "/challenges/{id}/credit",
        "/drug-names",
        "/drug-names/{id}/accept",
        "/drug-names/{id}/withdraw",
        # These stand behind an act that the walk does not do: a draft of a policy, a proposal, a
        # file that was attached or checked, a declaration, a preview.
        "/adoptions/{id}/confirm",
        "/adoptions/{id}/decline",
        "/break-glass/{id}/end",
        "/drafts/{id}/work-out/{question}",
        "/library/{policy}/{version}/replay",
        "/library/{policy}/{version}/end-adoption",
        "/linkage-proposals/{id}/accept",
        "/linkage-proposals/{id}/refuse",
        "/policy-drafts/{id}",
        "/policy-drafts/{id}/ask",
        "/policy-drafts/{id}/discard",
        "/policy-drafts/{id}/proofs",
        "/policy-drafts/{id}/publish",
        "/policy-drafts/{id}/replay",
        "/policy-drafts/{id}/return",
        "/requests/{id}/attachments/{attachment}/remove",
        "/requests/{id}/correct/confirm",
        "/requests/{id}/refuse-funding",
        "/submissions/runs/{run}/links",
        "/supply-check/files/{name}/discard",
    )
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
)


@dataclass
class Form:
    """A form as a page holds it: what is sent where, and which fields are for typing."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)
    typed: list[str] = field(default_factory=list)


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
        elif tag == "option":
            form.fields[self._select] = given.get("value", "")
        elif tag == "textarea":
            form.typed.append(name)
        elif tag == "input" and kind in ("text", "search", "number", "email", "tel"):
            form.fields[name] = given.get("value", "")
            form.typed.append(name)
        elif tag == "input" and kind != "submit" and name:
            form.fields.setdefault(name, given.get("value", ""))


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
    text. Six of each kind at most."""
    waiting, seen, kinds = [*known, "/"], {"/", *known}, dict[str, int]()
    while waiting and most:
        path = waiting.pop(0)
        kind = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "{}", path.partition("?")[0])
        if kinds.get(kind, 0) == 6:
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
        waiting += [each for each in links if not each.startswith(("/assets", "/openapi"))]


def rows(application: FastAPI) -> dict[str, int]:
    def count(work: Work) -> dict[str, int]:
        return {
            table.name: work.connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0
            for table in metadata.sorted_tables
            if table.name not in _PASSING
        }

    found: dict[str, int] = application.state.door.read(count)
    return found


@pytest.fixture
def scene(enter: Enter, application: FastAPI) -> list[str]:
    """Something of each kind waits for somebody; the addresses of some of it."""

    def settle(work: Work) -> None:
        day = work.moment.day.replace(month=1, day=1)
        change_setting(work, "DEMQ1", "panel", "DEMP1", day, ADMINISTRATOR.id)
        change_setting(work, "DEMO2", "pharmacist_authorisation", True, day, ADMINISTRATOR.id)
        register_client(
            work,
            ADMINISTRATOR,
            name="A system",
            role=Role.CLINICIAN,
            organisations=["DEMO1"],
            scopes=["read"],
        )

    application.state.door.transact(settle)
    doctor, other = enter("demo1-clinician"), enter("demo2-clinician")
    known = [FORM]
    for person in (doctor, other):
        for answers in (
            ANSWERS,
            ANSWERS | {"screened": "no"},
            ANSWERS | {"das28_at_start": "3.0"},
        ):
            request, treatment = sent(person, answers)
            known += [f"/requests/{request}", f"/treatments/{treatment}"]
    begun(doctor, "H000779", 60_003)
    return known


def send(person: Person, form: Form, name: str, value: str) -> Any:
    return person.http.post(form.action, data=form.fields | {name: value})


def test_hostile_text_in_any_field_is_refused_or_kept_and_never_run_or_half_stored(
    enter: Enter, application: FastAPI, scene: list[str]
) -> None:
    posted: set[str] = set()
    tried: set[tuple[str, str]] = set()
    for who in WALKERS:
        person = enter(who)
        for page, text in walk(person, scene, 60):
            for form in Reader(text).forms:
                route = template_of(form.action)
                if route in ("POST /sign-out", "POST /role"):
                    continue
                posted.add(route)
                for name in form.typed:
                    if (route, name) not in tried:
                        tried.add((route, name))
                        _try(application, person, page, form, name)
    assert len(tried) > 30, sorted(tried)
    guarded = {name for name, action in PAGE_ROUTES.items() if isinstance(action, Action)}
    wanted = {name for name in guarded if name.startswith("POST ")} - NOT_REACHED
    steps = {"POST /requests/{id}/consent", "POST /requests/{id}/refuse-consent"}
    assert wanted - posted <= steps | NEEDS_MORE, sorted(wanted - posted - steps - NEEDS_MORE)


#: Forms that a page shows only after what the walk does not do.
NEEDS_MORE: Final = frozenset(
    f"POST {path}"
    for path in (
        "/drafts/{id}/override",
        "/drafts/{id}/submit",
        "/requests/{id}/answers",
        "/requests/{id}/escalate",
        "/requests/{id}/fund",
        "/reminders",
        "/reminders/end",
        "/administration/proposals/{id}/confirm",
        "/administration/proposals/{id}/decline",
        "/administration/people/{id}/withdraw-role",
        "/administration/systems/{id}/remove-key",
        "/administration/tokens/{id}/revoke",
    )
)


def _try(application: FastAPI, person: Person, page: str, form: Form, name: str) -> None:
    for kind, value in HOSTILE.items():
        shown = person.get(page)
        fresh = [each for each in Reader(shown.text).forms if each.action == form.action]
        if not fresh:
            return  # the step was taken by the text before: it was only text
        before = rows(application)
        reply = send(person, fresh[0], name, value)
        what = (page, form.action, name, kind, reply.status_code)
        assert reply.status_code < 500, what
        assert SCRIPT not in reply.text, what
        if reply.status_code == 303:
            led = person.get(reply.headers["location"].partition("#")[0])
            assert led.status_code < 500, what
            assert SCRIPT not in led.text, what
            continue
        assert "<h1" in reply.text, what
        if reply.status_code >= 400:
            assert rows(application) == before, what
