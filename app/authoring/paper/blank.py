"""A policy version's blank form as HTML or PDF."""

from __future__ import annotations

from app.authoring.errors import BenchRefused
from app.authoring.paper.page import as_page
from app.authoring.paper.sheet import sheets_of
from app.authoring.paper.typeset import as_typst
from app.authoring.show import as_pdf
from app.policy import PolicyVersion

FORMATS = ("html", "pdf")


def blank_form(version: PolicyVersion, form: str) -> bytes:
    """The blank form in one of `FORMATS`, A4.

    Raises BenchRefused for another format, for a PDF where the extra `pdf` is not installed, and
    for a policy that asks nothing.
    """
    sheets = sheets_of(version)
    if not sheets:
        raise BenchRefused(f"{version.policy} {version.version} asks nothing, so it has no form.")
    match form:
        case "html":
            return as_page(sheets).encode()
        case "pdf":
            return as_pdf(as_typst(sheets))
        case _:
            raise BenchRefused(f"There is no format {form}. Use one of: {', '.join(FORMATS)}.")
