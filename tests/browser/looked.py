"""Which pages somebody looked at, and how, over a whole run of these tests.

Every visitor notes it in a file of the run, also where the tests are spread over processes; at the
end `conftest.py` fails a whole run in which a page of the application was never looked at.
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
    "/role": "for a person of several roles, whom a provider knows: tests/oidc opens it",
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
    "/submissions/jobs/{job}": "leads on as soon as the job is done, which may be at once",
    "/linkage-proposals/{id}": "needs Splink, an extra: `desk.py` looks at it where it is there",
}
PAGES: Final = tuple(
    route.removeprefix(_GET)
    for route in PAGE_ROUTES
    if route.startswith(_GET) and route.removeprefix(_GET) not in NO_PAGE
)
_PATTERNS: Final = tuple(
    (re.compile(re.sub(r"\{\w+(:path)?\}", "[^/]+", page)), page)
    for page in sorted(PAGES, key=lambda page: page.count("{"))
)


def template_of(path: str) -> str | None:
    """The route that an address belongs to, of those that are pages; the plainest that fits."""
    return next((page for pattern, page in _PATTERNS if pattern.fullmatch(path)), None)


def note(folder: Path, path: str, how: How) -> None:
    """Note that a page was looked at, in the file of the run."""
    template = template_of(path.partition("?")[0])
    if template is not None:
        with (folder / "looked").open("a", encoding="utf-8") as file:
            file.write(f"{how}\t{template}\n")  # one write of a line: processes share the file


def never(folder: Path) -> list[str]:
    """The pages that a run never looked at in some way, as lines."""
    held = folder / "looked"
    lines = held.read_text(encoding="utf-8").splitlines() if held.exists() else []
    looked = {tuple(line.split("\t")) for line in lines}
    return [f"{page}: never {how}" for page in PAGES for how in How if (how, page) not in looked]
