"""Invented people. NHS numbers are of the range 999, which is never issued to a patient."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from app.demonstration.chance import Chance
from app.demonstration.organisations import PRACTICES, PROVIDERS
from app.reference_data.nhs_number import test_number

#: Where the demonstration's NHS numbers begin; others of the range are used by tests and examples.
FIRST_SEQUENCE: Final = 20_001
_MARKS: Final = {"DEMO1": "NB", "DEMO2": "EV", "DEMO3": "WM"}


@dataclass(frozen=True, slots=True)
class Person:
    """An invented patient: their number, and the hospital number that each trust gave them."""

    number: int
    nhs_number: str
    birth_date: dt.date
    sex: str
    practice: str
    local_ids: Mapping[str, str]


def make_person(draw: Chance, number: int, day: dt.date, ages: tuple[int, int]) -> Person:
    """The person of this number, of an age within these years on the day."""
    born = day - dt.timedelta(days=draw.between(ages[0] * 366, ages[1] * 365))
    return Person(
        number=number,
        nhs_number=test_number(FIRST_SEQUENCE + number),
        birth_date=born,
        sex=draw.one_of(("female", "male")),
        practice=draw.one_of(PRACTICES),
        local_ids={code: f"{_MARKS[code]}{400000 + number * 7}" for code in PROVIDERS},
    )


def emergency_id(person: Person, provider: str) -> str:
    """The hospital number of somebody whom the hospital does not yet know by name."""
    return f"{_MARKS[provider]}-UNK{person.number:04d}"
