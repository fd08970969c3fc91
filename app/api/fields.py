"""The fields that calls about approvals send: each with its pattern, length and example."""

import datetime as dt
from decimal import Decimal
from typing import Annotated, Any, Final

from fastapi import Path
from pydantic import AfterValidator, Field, WithJsonSchema

from app.api.types import Day, ExactNumber

EXAMPLE_ID: Final = "7f0c2c59-3c0c-4a57-9d55-1f7d7bb6a0e1"
ID_PATTERN: Final = "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
EARLIEST: Final = dt.date(1900, 1, 1)
LATEST: Final = dt.date(2199, 12, 31)
PLACES: Final = 8
_CONTROL: Final = "\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f\\u007f"
#: As TEXT_PATTERN, with one character at least that is no blank.
WORDS_PATTERN: Final = f"^[^{_CONTROL}]*[^{_CONTROL}\\s][^{_CONTROL}]*$"


def _plausible(day: dt.date) -> dt.date:
    if not EARLIEST <= day <= LATEST:
        raise ValueError("is not a day between 1900 and 2199. Check the year")
    return day


def _stored(number: Decimal) -> Decimal:
    exponent = number.normalize().as_tuple().exponent
    if isinstance(exponent, int) and exponent < -PLACES:
        raise ValueError(f"has over {PLACES} decimal places. Send at most {PLACES}")
    return number


def _positive(number: Decimal) -> Decimal:
    if number <= 0:
        raise ValueError("is not greater than zero. Send a number above zero")
    return number


#: A day that a rule can count from without leaving the calendar.
PlausibleDay = Annotated[
    Day,
    AfterValidator(_plausible),
    WithJsonSchema(
        {"type": "string", "format": "date", "pattern": "^(19|20|21)[0-9]{2}-[0-9]{2}-[0-9]{2}$"}
    ),
]
#: A number as exactly as the database keeps it.
StoredNumber = Annotated[ExactNumber, AfterValidator(_stored)]
#: An amount above zero, as exactly as the database keeps it.
Amount = Annotated[ExactNumber, AfterValidator(_stored), AfterValidator(_positive)]

ObjectId = Annotated[str, Field(pattern=ID_PATTERN, examples=[EXAMPLE_ID])]
IdPath = Annotated[
    str, Path(pattern=ID_PATTERN, description="The object's id", examples=[EXAMPLE_ID])
]
ReferencePath = Annotated[
    str,
    Path(
        pattern="^PA[0-9A-Z]{13}$",
        description="The approval reference, in upper case and without spaces",
        examples=["PA7Q2M9XK4T0WZ3"],
    ),
]

#: A key of the library or of reference data.
Key = Annotated[str, Field(pattern="^[a-z0-9]+([-_][a-z0-9]+)*$", max_length=60)]
PolicyField = Annotated[
    str,
    Field(
        pattern="^[a-z0-9]+(-[a-z0-9]+)*$",
        max_length=80,
        description="A policy's key, as the list of policies gives it",
        examples=["adalimumab-ra-severe"],
    ),
]
#: The organisation's own words for why it does something. Kept in the audit trail.
Reason = Annotated[str, Field(max_length=2000, pattern=WORDS_PATTERN)]
ShortText = Annotated[str, Field(max_length=40, pattern=WORDS_PATTERN)]
OfficeName = Annotated[str, Field(max_length=80, pattern=WORDS_PATTERN)]
#: A patient's number in a registry, as the registry shows it. No registry's own form is checked.
RegistryId = Annotated[
    str, Field(pattern="^[A-Za-z0-9][A-Za-z0-9/ .-]{0,39}$", examples=["IGD-000123"])
]
Unit = Annotated[str, Field(max_length=20, pattern=WORDS_PATTERN)]
NhsNumber = Annotated[
    str,
    Field(
        pattern="^[0-9]{3}[ -]?[0-9]{3}[ -]?[0-9]{4}$",
        description="Ten digits, together or as 3-3-4 with spaces or hyphens; the check digit must "
        "agree",
    ),
]
LocalId = Annotated[
    str,
    Field(
        pattern="^[A-Za-z0-9]([A-Za-z0-9/._ -]{0,18}[A-Za-z0-9])?$",
        description="The hospital number at your organisation",
        examples=["H000001"],
    ),
]
Practice = Annotated[str, Field(pattern="^[A-Z][0-9A-Z]{5}$", examples=["DEMG01"])]
CriterionId = Annotated[str, Field(pattern="^[A-Za-z0-9]+([._-][A-Za-z0-9]+)*$", max_length=40)]
QuestionName = Annotated[str, Field(pattern="^[A-Za-z_][A-Za-z0-9_]*$", max_length=60)]

_ANSWER_SCHEMA: Final[dict[str, Any]] = {
    "description": 'A bare value, or {"value": …, "unit": …, "measured_on": …, "origin": …}. null '
    "means not answered. A number is a JSON number or a decimal in a string; a list answer is an "
    "array of rows. The version's questions say which value, unit and range each takes."
}
AnswerValue = Annotated[Any, WithJsonSchema(_ANSWER_SCHEMA)]
#: Answers by question name. The policy room reads them and lists every fault.
Answers = Annotated[
    dict[Annotated[str, Field(max_length=80)], AnswerValue],
    Field(max_length=200, description="Answers by the name of the question"),
]
