"""Hostile text in the boxes that search for a drug: shown as words, or refused in words."""

import re
from html import unescape

import pytest

from tests.functional.web.conftest import Enter
from tests.functional.web.test_hostile_input import HOSTILE, SCRIPT

WHO = "demo1-clinician"
#: Pages with a search box → where it sends its words.
BOXES = {"/": "/start", "/start": "/start", "/library": "/library", "/claims": "/claims"}
SHORT = {kind: value for kind, value in HOSTILE.items() if len(value) <= 100}
LIMIT = "takes 100 at most"


@pytest.fixture(autouse=True)
def long_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client of the tests sends addresses as long as anybody could type them."""
    monkeypatch.setattr("httpx2._urlparse.MAX_URL_LENGTH", 1 << 20)


@pytest.mark.parametrize("at", ["/start", "/library", "/claims", "/"])
@pytest.mark.parametrize("kind", SHORT)
def test_hostile_words_are_words_to_look_for(enter: Enter, at: str, kind: str) -> None:
    shown = enter(WHO).http.get(at, params={"q": SHORT[kind]})
    assert shown.status_code == 200
    assert SCRIPT not in shown.text
    assert "<h1" in shown.text
    if at != "/":  # home has a box, and reads no words itself
        (box,) = re.findall(r'<input[^>]*id="q"[^>]*>', shown.text)
        (value,) = re.findall(r'value="([^"]*)"', box)
        assert unescape(value) == SHORT[kind]


@pytest.mark.parametrize("at", ["/start", "/library", "/claims"])
@pytest.mark.parametrize("length", [101, 60_000, 100_000])
def test_a_search_that_is_too_long_is_told_its_limit_and_what_to_do(
    enter: Enter, at: str, length: int
) -> None:
    person = enter(WHO)
    refused = person.http.get(at, params={"q": "x" * length})
    assert refused.status_code == 400
    assert "drug, brand or indication" in refused.text
    assert f"{length:,} characters" in refused.text
    assert LIMIT in refused.text
    assert "Go back, shorten it, and search again." in refused.text
    assert "x" * 101 not in refused.text, "what was typed is not sent back at length"
    assert person.http.get(at, params={"q": "x" * 100}).status_code == 200


def test_home_reads_no_words_however_long(enter: Enter) -> None:
    shown = enter(WHO).http.get("/", params={"q": "x" * 100_000})
    assert shown.status_code == 200
    assert "xxx" not in shown.text


def test_another_fault_of_the_address_is_not_told_as_a_long_search(enter: Enter) -> None:
    refused = enter(WHO).get("/library?page=0&q=ada")
    assert refused.status_code == 400
    assert "The address of this page cannot be read" in refused.text
    assert LIMIT not in refused.text


@pytest.mark.parametrize("at", [*BOXES, "/back-entry"])
def test_no_box_takes_more_than_a_search_does(enter: Enter, at: str) -> None:
    boxes = re.findall(r'<input[^>]*name="q"[^>]*>', enter(WHO).get(at).text)
    typed = [each for each in boxes if 'type="hidden"' not in each]
    assert typed
    for box in typed:
        assert 'maxlength="100"' in box
