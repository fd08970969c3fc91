"""The types of the fields that calls send, each with a JSON Schema that says exactly the same.

Models are strict, so nothing is converted in silence; these types name the few readings that are
wanted: a day from `YYYY-MM-DD`, an exact number from a JSON number or a decimal in a string.
"""

import datetime as dt
import re
from decimal import Decimal
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

DAY: Final = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")
EXACT: Final = re.compile("-?[0-9]{1,15}([.][0-9]{1,8})?")
LARGEST: Final = 10**15
#: Text without control characters (but line ends and tabs), as both databases can store it.
TEXT_PATTERN: Final = "^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]*$"


def _day(value: Any) -> dt.date:
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return value
    if isinstance(value, str) and DAY.fullmatch(value):
        try:
            return dt.date.fromisoformat(value)
        except ValueError:
            pass
    raise ValueError("is not a day of the calendar. Send a day as YYYY-MM-DD")


def _exact(value: Any) -> Decimal:
    is_number = isinstance(value, Decimal | int) and not isinstance(value, bool)
    is_text = isinstance(value, str) and EXACT.fullmatch(value) is not None
    if not is_number and not is_text:
        raise ValueError('is not a number. Send a number, or a decimal in a string such as "6.4"')
    number = Decimal(value)
    if abs(number) >= LARGEST:
        raise ValueError("is too large. Send a number under 1,000,000,000,000,000")
    return number


#: A Europe/London calendar day, as YYYY-MM-DD and in no other form.
Day = Annotated[
    dt.date, BeforeValidator(_day), WithJsonSchema({"type": "string", "format": "date"})
]


def _plain(number: Decimal) -> str:
    """The number with all its digits and no exponent; Python writes Decimal("0.00000000") 0E-8."""
    return format(number, "f")


#: An exact number: a JSON number, or a decimal in a string; always a string in an answer. Never a
#: float on the way.
ExactNumber = Annotated[
    Decimal,
    BeforeValidator(_exact),
    PlainSerializer(_plain, return_type=str),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "exclusiveMinimum": -LARGEST, "exclusiveMaximum": LARGEST},
                {"type": "string", "pattern": f"^{EXACT.pattern}$"},
            ]
        },
        mode="validation",
    ),
]

#: A line or a few of text that people wrote.
PlainText = Annotated[str, Field(min_length=1, max_length=2000, pattern=TEXT_PATTERN)]

#: An ODS code, or a demonstration organisation's.
OrganisationCode = Annotated[str, Field(pattern="^[A-Z0-9]{3,9}$", examples=["DEMO1"])]
