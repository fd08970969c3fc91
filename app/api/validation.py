"""Pydantic's findings → the faults of a problem, in plain words and without the value.

Pydantic's own messages can repeat what was sent, which may be patient data; so only the wording
below, or a message of our own types (`value_error`), goes out.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from fastapi.exceptions import RequestValidationError

from app.api.documents import Document
from app.policy import named
from app.problems import HEADER_NOT_ACCEPTED, NOT_AS_DESCRIBED, DoorProblem, Fault

MAX_FAULTS = 50

#: Pydantic's error type → (what is wrong, how to mend it); `{name}` is filled from its context.
WORDS: dict[str, tuple[str, str]] = {
    "missing": ("is missing", "Add it"),
    "extra_forbidden": ("is not known here", "Check its spelling, or leave it out"),
    "string_type": ("is not text", "Send a string"),
    "string_too_short": ("is too short", "Send at least {min_length} characters"),
    "string_too_long": ("is too long", "Send at most {max_length} characters"),
    "string_pattern_mismatch": ("is not in the form expected", "Match the pattern {pattern}"),
    "int_type": ("is not a whole number", "Send a whole number"),
    "int_parsing": ("is not a whole number", "Send a whole number"),
    "int_from_float": ("is not a whole number", "Send a whole number"),
    "decimal_type": ("is not a number", 'Send a number, or a decimal in a string such as "6.4"'),
    "decimal_parsing": ("is not a number", 'Send a number, or a decimal in a string such as "6.4"'),
    "bool_type": ("is not true or false", "Send true or false, without quotes"),
    "bool_parsing": ("is not true or false", "Send true or false"),
    "date_type": ("is not a date", "Send a day as YYYY-MM-DD"),
    "date_parsing": ("is not a date", "Send a day as YYYY-MM-DD"),
    "date_from_datetime_parsing": ("is not a date", "Send a day as YYYY-MM-DD"),
    "uuid_parsing": ("is not a UUID", "Send a UUID, such as one from your own UUID library"),
    "enum": ("is not one of the values known", "Send one of {expected}"),
    "literal_error": ("is not one of the values known", "Send one of {expected}"),
    "list_type": ("is not a list", "Send a JSON array"),
    "dict_type": ("is not an object", "Send a JSON object"),
    "model_type": ("is not an object", "Send a JSON object"),
    "model_attributes_type": ("is not an object", "Send a JSON object"),
    "too_short": ("has too few items", "Send at least {min_length}"),
    "too_long": ("has too many items", "Send at most {max_length}"),
    "greater_than": ("is too small", "Send more than {gt}"),
    "greater_than_equal": ("is too small", "Send at least {ge}"),
    "less_than": ("is too large", "Send less than {lt}"),
    "less_than_equal": ("is too large", "Send at most {le}"),
}
OTHERWISE = ("is not as described", "See its description in /openapi.json")


def as_problem(error: RequestValidationError) -> DoorProblem:
    """The problem for a message that is not as described: 400 for headers, 422 for the rest."""
    found = error.errors()
    faults = tuple(_fault(item) for item in found[:MAX_FAULTS])
    in_headers = any(item["loc"] and item["loc"][0] == "header" for item in found)
    detail = " ".join(f"{fault.where} {fault.message}. {fault.mend}." for fault in faults[:3])
    return DoorProblem(
        HEADER_NOT_ACCEPTED if in_headers else NOT_AS_DESCRIBED, detail, faults=faults
    )


def _fault(item: Mapping[str, Any]) -> Fault:
    where = _where(item["loc"])
    context = item.get("ctx", {})
    if item["type"] == "value_error":  # raised by our own types, in our own words
        message, _, mend = str(context.get("error", "")).partition(". ")
        return Fault(where, message or OTHERWISE[0], mend.rstrip(".") or OTHERWISE[1])
    message, mend = WORDS.get(item["type"], OTHERWISE)
    return Fault(where, message, mend.format_map(_Missing(context)))


def _where(location: Sequence[str | int]) -> str:
    if location and location[0] == "header" and len(location) > 1:
        return f"The header {location[1]}"
    if location and location[0] != "body":  # the names of a route's own parameters
        return ".".join(str(part) for part in location)
    return ".".join(_name(part) for part in location) or "body"


def _name(part: str | int) -> str:
    """A part of a location. A key that a caller invented may hold a patient's number or name: it is
    shown only where it is one of our own or near one, so that a slip of the pen can be found.
    """
    return str(part) if isinstance(part, int) else named(part, _our_names())


@cache
def _our_names() -> frozenset[str]:
    """The names of every field that a body may have, and of the parts of a call around it."""
    found = {"body", "query", "path", "header", "cookie"}
    waiting = [Document]
    while waiting:
        kind = waiting.pop()
        waiting.extend(kind.__subclasses__())
        for name, field in kind.model_fields.items():
            found |= {name, field.alias or name, field.serialization_alias or name}
    return frozenset(found)


class _Missing(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return f"({key})"
