"""Which pages somebody looked at and which journeys were walked, over a whole run of these tests.

Each is noted in a file of the run, also where the tests are spread over processes; at the end
`conftest.py` fails a whole run that left out a page of the application, or a way of a journey.
"""

import re
from enum import StrEnum
from pathlib import Path
from typing import Final

from app.api.matrix_pages import PAGE_ROUTES

_GET: Final = "GET "


class How(StrEnum):
    """A way of looking at a page, which every page must have been looked at in."""

    WIDE = "by axe on a wide screen"
    PHONE = "by axe on a phone"
    KEYS = "by keyboard alone"


#: Addresses that answer with no page, and why. None of these is looked at.
NO_PAGE: Final[dict[str, str]] = {
    "/assets/{name:path}": "a file of styles, scripts or pictures",
    "/sign-in/start": "leads to the identity provider",
    "/sign-in/callback": "leads from the identity provider to the home page",
    "/drafts/{id}": "leads to the step where the draft stands",
    "/requests/{id}/decision.pdf": "a file",
    "/requests/{id}/attachments/{attachment}": "a file",
    "/supply-check/files/{name}/checked.csv": "a file",
    "/submissions/jobs/{job}/state": "asked by a script",
    "/submissions/runs/{run}/export": "a file",
    "/slices/deltas/export": "a file",
    "/hand-overs/{id}/state": "asked by a script",
    "/library/{policy}": "leads to the version that is in force",
}
PAGES: Final = tuple(
    route.removeprefix(_GET)
    for route in PAGE_ROUTES
    if route.startswith(_GET) and route.removeprefix(_GET) not in NO_PAGE
)
#: Pages that stand at another's address, by their heading: what is told instead of the page there.
INSTEAD: Final[dict[str, str]] = {
    "Wait a moment, then go on": "a step too many in a minute",
    "You were signed out before this was sent": "a form of a session that is over",
    "Part of this could not be taken": "a form of which a part cannot be taken",
}
_PATTERNS: Final = tuple(
    (re.compile(re.sub(r"\{\w+(:path)?\}", "[^/]+", page)), page)
    for page in sorted(PAGES, key=lambda page: page.count("{"))
)


def template_of(path: str) -> str | None:
    """The route that an address belongs to, of those that are pages; the plainest that fits."""
    return next((page for pattern, page in _PATTERNS if pattern.fullmatch(path)), None)


def note(folder: Path, path: str, heading: str, how: How) -> None:
    """Note that a page was looked at, in the file of the run."""
    template = INSTEAD.get(heading) or template_of(path.partition("?")[0])
    if template is not None:
        _write(folder / "looked", how, template)


def note_walk(folder: Path, what: str, way: str) -> None:
    """Note that a journey was walked to its end in a way."""
    _write(folder / "walked", what, way)


def walked(folder: Path) -> set[tuple[str, ...]]:
    """The journeys that were walked, each with its way."""
    return _read(folder / "walked")


def never(folder: Path) -> list[str]:
    """The pages that a run never looked at in some way, as lines."""
    looked = _read(folder / "looked")
    every = (*PAGES, *INSTEAD.values())
    return [f"{page}: never {how}" for page in every for how in How if (how, page) not in looked]


def _write(held: Path, *words: str) -> None:
    with held.open("a", encoding="utf-8") as file:
        file.write("\t".join(words) + "\n")  # one write of a line: processes share the file


def _read(held: Path) -> set[tuple[str, ...]]:
    lines = held.read_text(encoding="utf-8").splitlines() if held.exists() else []
    return {tuple(line.split("\t")) for line in lines}
