"""Organisations that a body names: known, open, and of the right kind."""

import datetime as dt

from app.approvals.errors import DetailsNotAccepted
from app.reference_data.organisations import load_organisations


def commissioner_code(code: str, field: str, on: dt.date) -> str:
    """The commissioner's code; DetailsNotAccepted when it is unknown or closed on the day."""
    return _code(code, field, on, "commissioner")


def provider_code(code: str, field: str, on: dt.date) -> str:
    """The trust's code, a site's folded to its trust; DetailsNotAccepted as above."""
    return _code(load_organisations().fold(code, on), field, on, "provider")


def _code(code: str, field: str, on: dt.date, kind: str) -> str:
    found = load_organisations().find(code, on)
    if found is None:
        raise DetailsNotAccepted(
            field,
            f"No {kind} with that code is open on {on:%-d %B %Y}. Check the code; if the "
            "organisation merged, use the code of the one that follows it.",
        )
    if found.kind != kind:
        raise DetailsNotAccepted(
            field, f"That is the code of a {found.kind}, not of a {kind}. Check the code."
        )
    return found.code
