"""Hostile text in every part of every address that a page reads: in its query and in its path."""

import itertools
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final
from urllib.parse import quote

import pytest
from fastapi import FastAPI
from httpx2 import Response

from app.api.matrix_pages import PAGE_ROUTES
from app.approvals.permissions import TABLE, Action
from app.demonstration.organisations import only_in_the_browser, seats
from tests.functional.web.conftest import Enter, Person
from tests.functional.web.hostile_routes import (
    BY_HAND,
    READ_BY_HAND,
    parameters,
    queries,
    readers_of_queries,
    route_of,
)
from tests.functional.web.test_hostile_input import (
    HOSTILE,
    SCRIPT,
    WALKERS,
    formulas,
    rows,
    scene,
    walk,
)
from tests.functional.web.test_walls import NOWHERE, PARTS

__all__ = ["scene"]  # a fixture

ROOT: Final = Path(__file__).parents[3]
#: As an address has them: bytes that are no text are among them.
IN_ADDRESSES: Final = {
    **{kind: quote(value, safe="") for kind, value in HOSTILE.items()},
    "a lone surrogate": "%ED%A0%80",
    "bytes that are no text": "%FF%FE%C0%AF",
    "no number": "NaN",
    "infinity": "-Infinity",
    "a huge number": "9" * 400,
    "a huge number written short": "1e999999",
    "digits of another script": quote("٣²"),
    "a place of no list": "9_99999999T999999999999_zz",
    "another place of no list": "a~b~c",
    "nothing": "",
    "the folder above": "..%2F..%2Fetc%2Fpasswd",
}
#: What answers an address that is no page's: a page says each in words.
ANSWERS: Final = {200, 303, 400, 401, 403, 404, 409, 412, 413, 414, 422, 429}
#: Pages that read a query and that the walk does not open → why.
NOT_OPENED: Final[dict[str, str]] = {}
IN_A_BROWSER: Final = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
ROLES: Final = {
    seat.token.removeprefix("demo-"): seat.role for seat in (*seats(), *only_in_the_browser())
}


@pytest.fixture(autouse=True)
def long_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client of the tests sends addresses as long as anybody could type them."""
    monkeypatch.setattr("httpx2._urlparse.MAX_URL_LENGTH", 1 << 20)


def is_clear(reply: Response, what: tuple[str, ...]) -> None:
    """Whatever was sent, the answer is a page that runs none of it and says how to go on."""
    assert reply.status_code in ANSWERS, (*what, reply.status_code)
    assert SCRIPT not in reply.text, what
    assert "x" * 2_001 not in reply.text, (*what, "it is not sent back at length")
    kind = reply.headers.get("content-type", "")
    if reply.status_code == 303:
        assert reply.headers["location"].startswith(("/", "https://")), what
    elif reply.status_code >= 400:
        main = reply.text.partition("<main")[2].partition("</main>")[0]
        heading = re.search(r"<h1.*?</h1>", main, re.S)
        assert heading is not None, (*what, reply.text[:200])
        assert re.search(r">[^<]*\w", heading.group()), what
        assert "href=" in main or "<button" in main, (*what, "it says nothing of what to do next")
    elif kind.startswith("text/csv"):
        assert formulas(reply.text) == [], what
    elif kind.startswith("text/html"):
        assert "<h1" in reply.text, what


@pytest.fixture
def somebody(enter: Enter) -> Callable[[str], Person]:
    """Who may open a route, at a browser."""
    at_browsers: dict[str, Person] = {}

    def for_(route: str) -> Person:
        action = PAGE_ROUTES[route]
        may = TABLE[action] if isinstance(action, Action) else ROLES.values()
        who = next(each for each in WALKERS if ROLES[each] in may)
        return at_browsers.setdefault(who, at_browsers.get(who) or enter(who))

    return for_


def opened(enter: Enter, known: list[str]) -> dict[str, tuple[Person, str]]:
    """Route of a page -> somebody who can open it, and its address."""
    found: dict[str, tuple[Person, str]] = {}
    told = [each for each in known if re.fullmatch("/(requests|treatments)/[0-9a-f-]{36}", each)]
    for who in WALKERS:
        person = enter(who)
        more = [f"/audit{each}" for each in told] if who == "demo1-auditor" else []
        if who == "demo1-clinician":
            drafts = {each.split("/")[2] for each in known if each.startswith("/drafts/")}
            more += [f"/drafts/{each}/begun" for each in sorted(drafts)]
        at_once = [(each, "") for each in more]
        for path, text in (*walk(person, [*known, *more], 84), *at_once):
            for each in (path, *re.findall(r'href="(/[^"#]+)', text)):
                bare = each.partition("?")[0]
                route = route_of("GET", bare)
                if route and route not in found and person.get(bare).status_code in (200, 303):
                    found[route] = (person, bare)
    return found


@pytest.mark.long
def test_hostile_text_in_any_query_of_any_page(
    enter: Enter, application: FastAPI, scene: list[str], somebody: Callable[[str], Person]
) -> None:
    found, every = opened(enter, scene), queries(application)
    read = {route for route, names in every.items() if names}
    closed = {each for each in read - set(found) if "{" in each}
    assert closed == set(NOT_OPENED), sorted(closed ^ set(NOT_OPENED))
    before = rows(application)
    for route in sorted(read):
        person, at = found.get(route) or (somebody(route), address(route))
        for name, (kind, value) in itertools.product(sorted(every[route]), IN_ADDRESSES.items()):
            is_clear(person.get(f"{at}?{name}={value}"), (route, name, kind))
    assert rows(application) == before, "nothing is written of it"


@pytest.mark.long
def test_no_form_that_looks_something_up_has_a_field_that_is_not_tried(
    enter: Enter, application: FastAPI, scene: list[str]
) -> None:
    """What stands in the pages' own GET forms is among what their routes read."""
    every, seen = queries(application), set()
    for who in WALKERS:
        for path, text in walk(enter(who), scene, 84):
            for action, fields in looking_up(text):
                route = route_of("GET", action)
                assert route is not None, (path, action)
                seen.add(route)
                assert fields <= every[route], (path, action, fields - every[route])
    assert {"GET /library", "GET /minutes", "GET /challenges", "GET /reports/overrides"} <= seen


def looking_up(text: str) -> Iterator[tuple[str, set[str]]]:
    """The forms of a page that send nothing: where they lead, and the names of their fields."""
    for head, inside in re.findall(r"<form ([^>]*)>(.*?)</form>", text, re.S):
        if 'method="post"' not in head:
            (action,) = re.findall(r'action="([^"?]+)', head)
            yield action, set(re.findall(r'<(?:input|select|textarea)[^>]* name="([^"]+)"', inside))


@pytest.mark.long
def test_hostile_text_in_any_part_of_a_path(
    application: FastAPI, scene: list[str], somebody: Callable[[str], Person]
) -> None:
    every = parameters(application, "path")
    tokens = {route: csrf_of(somebody(route)) for route, names in every.items() if names}
    before = rows(application)
    for route, names in every.items():
        method = route.split(" ")[0]
        for name, (kind, value) in itertools.product(sorted(names), IN_ADDRESSES.items()):
            person, at = somebody(route), address(route, **{name: value})
            if method == "GET":
                reply = person.http.get(at, headers=IN_A_BROWSER)
            else:
                fields = {
                    "csrf": tokens[route],
                    "once": NOWHERE,
                    "version": "1",
                    "reason": "A reason.",
                }
                reply = person.http.post(at, data=fields, headers=IN_A_BROWSER)
            assert reply.status_code != 200 or method == "GET", (route, name, kind)
            if route != "GET /assets/{name:path}":  # of which nobody sees an answer as a page
                is_clear(reply, (route, name, kind))
    assert rows(application) == before, "nothing is written of it"


def csrf_of(person: Person) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', person.get("/").text)
    assert found is not None
    return found.group(1)


@pytest.mark.parametrize("path", ["/nothing-here", "/requests/a/b/c/d", "/drafts/a/b/c/d/e"])
def test_an_address_that_is_none_is_told_in_a_browser_by_a_page(enter: Enter, path: str) -> None:
    person = enter("demo1-clinician")
    told = person.http.get(path, headers=IN_A_BROWSER)
    assert told.status_code == 404
    assert "There is no page at this address" in told.text
    assert "Go back, and open the page by its link." in told.text
    for asked in ({}, {"accept": "application/json"}):
        assert person.http.get(path, headers=asked).json()["code"] == "no-such-address"
    api = person.http.get(f"/v1{path}", headers=IN_A_BROWSER)
    assert api.headers["content-type"].startswith("application/problem+json")


def test_what_a_form_is_sent_to_tells_whoever_opens_it_in_a_browser(enter: Enter) -> None:
    person = enter("demo1-clinician")
    at = f"/requests/{NOWHERE}/withdraw"
    told = person.http.get(at, headers=IN_A_BROWSER)
    assert (told.status_code, told.headers["allow"]) == (405, "POST")
    assert "This address takes what a form sends, and holds no page." in told.text
    assert person.get(at).json()["code"] == "method-not-allowed"


def address(route: str, **given: str) -> str:
    """An address of a route, where nothing is, with these parts."""
    parts = {"id": NOWHERE} | PARTS | given
    return re.sub(r"\{(\w+)(:path)?\}", lambda found: parts[found.group(1)], route.split(" ")[1])


def test_no_page_reads_a_query_in_secret() -> None:
    assert readers_of_queries(ROOT) == READ_BY_HAND, "say in BY_HAND what it reads"
    assert set(BY_HAND) <= set(PAGE_ROUTES)
