"""Templates: what they may use, and the page that comes of one.

Templates escape everything and decide nothing; what they show was worded before. The policy
allows scripts and styles of our own only, none inline; forms go to us, and on to the provider
when signing out.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import ChainableUndefined, ChoiceLoader, Environment, FileSystemLoader, PackageLoader

from app.web import words
from app.web.glass import open_glass
from app.web.menu import menu_of
from app.web.searching import LONGEST_SEARCH


@dataclass(frozen=True, slots=True)
class Column:
    """The head of a column; numbers stand at its right."""

    text: str
    numeric: bool


def columns(heads: Iterable[str]) -> tuple[Column, ...]:
    """The heads of a table; "#" before one says that its column is of numbers."""
    return tuple(Column(each.removeprefix("#"), each.startswith("#")) for each in heads)


_templates: Final = Environment(
    loader=ChoiceLoader(
        [
            FileSystemLoader(Path(__file__).parent / "templates"),
            PackageLoader("nhsuk_frontend_jinja"),
        ]
    ),
    autoescape=True,
    # The design system's macros look at parameters that were not given.
    undefined=ChainableUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters |= {
    "day": words.day_words,
    "instant": words.instant_words,
    "pounds": words.pounds,
    "number": words.number_words,
    "nhs": words.nhs_words,
    "first_upper": words.first_upper,
    "kilobytes": words.kilobytes,
    "columns": columns,
}
_templates.globals |= {"counted": words.counted, "longest_search": LONGEST_SEARCH}


def page(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """A page. `values` are escaped where the template shows them."""
    settings = request.app.state.settings
    session = values.get("session")
    text = _templates.get_template(template).render(
        demonstration=settings.demonstration,
        menu=menu_of(session, request.url.path),
        glass=open_glass(request, session),
        **({"session": None} | values),
    )
    headers = {
        "Content-Security-Policy": policy(request),
        # Under "no-referrer" browsers send "Origin: null" with our own forms, which we refuse.
        "Referrer-Policy": "same-origin",
    }
    return HTMLResponse(text, status, headers=headers)


def policy(request: Request) -> str:
    """The content security policy of a page."""
    issuer = urlsplit(request.app.state.settings.oidc_issuer)
    provider = f" {issuer.scheme}://{issuer.netloc}" if issuer.netloc else ""
    return (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
        "connect-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; "
        f"form-action 'self'{provider}"
    )
