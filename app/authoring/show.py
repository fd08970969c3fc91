"""A policy version for people to read: Markdown, HTML or PDF, with its form."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec

from app.authoring.blocks import as_html, as_typst, blocks_of, markdown
from app.authoring.errors import BenchRefused
from app.policy import Notice, PolicyVersion

FORMATS = ("md", "html", "pdf")


def show(version: PolicyVersion, form: str, notices: Iterable[Notice] = ()) -> bytes:
    """The version in one of `FORMATS`, with the safety notices that hold for it.

    Raises BenchRefused for another format, or for a PDF where the extra `pdf` is not installed.
    """
    blocks = blocks_of(version, notices)
    match form:
        case "md":
            return markdown(blocks).encode()
        case "html":
            return as_html(version.title, blocks).encode()
        case "pdf":
            return as_pdf(as_typst(version.title, blocks))
        case _:
            raise BenchRefused(f"There is no format {form}. Use one of: {', '.join(FORMATS)}.")


def sets_pdfs() -> bool:
    """Whether the extra `pdf` is installed."""
    return find_spec("typst") is not None


def as_pdf(text: str) -> bytes:
    """A Typst document as PDF. Raises BenchRefused without the extra `pdf`."""
    try:
        import typst
    except ImportError:
        raise BenchRefused(
            "PDFs need the extra `pdf` (package typst): pip install 'assent[pdf]'. "
            "Or ask for html, and print it."
        ) from None
    made: bytes = typst.compile(text.encode())
    return made
