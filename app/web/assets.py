"""The pages' own style sheet and script, and the design system's as they were brought at set-up."""

from pathlib import Path
from typing import Final

from fastapi import APIRouter, Response

from app.problems import NO_SUCH_ADDRESS, DoorProblem

router = APIRouter(include_in_schema=False)

_STATIC: Final = Path(__file__).parent / "static"
_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
#: Browsers may keep them for an hour; they say nothing about anybody.
_KEPT: Final = {"Cache-Control": "public, max-age=3600"}


def _read() -> dict[str, tuple[bytes, str]]:
    """Every file by its address; the folder is small and does not change while we serve."""
    found = {}
    for file in sorted(_STATIC.rglob("*")):
        if file.suffix in _TYPES:
            folder = "" if file.parent.name == "own" else f"{file.parent.name}/"
            found[f"{folder}{file.name}"] = (file.read_bytes(), _TYPES[file.suffix])
    return found


_FILES: Final = _read()


def are_complete() -> bool:
    """Whether the design system's files are there: they are brought at set-up."""
    return "nhsuk/nhsuk-frontend.min.css" in _FILES


@router.get("/assets/{name:path}")
def asset(name: str) -> Response:
    """One file. Open to anybody: the sign-in page needs it."""
    if name not in _FILES:
        raise DoorProblem(NO_SUCH_ADDRESS, "There is no such file among the pages' own.")
    content, kind = _FILES[name]
    return Response(content, media_type=kind, headers=_KEPT)
