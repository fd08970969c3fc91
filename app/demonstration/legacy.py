"""What happened to the patients of the older system's export: they too were supplied.

The export (`examples/blueteq_export.csv`) is a file of invented approvals that the importer reads.
Here it only says who was treated with what, and what reference the hospital was told then.
"""

import csv
import datetime as dt
import io
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Final

from app.approvals.model import StopReason
from app.demonstration.clinic import DELEGATED, SERVICES, Course, Ending, Illness
from app.demonstration.invoice import Told
from app.demonstration.organisations import PRACTICES, PROVIDERS
from app.demonstration.people import Person

_FIRST_NUMBER: Final = 8_001
_FORMS: Final[Mapping[str, Illness]] = {
    "rheumatoid": Illness.RA,
    "natalizumab": Illness.RRMS,
    "obeticholic": Illness.PBC,
}
_DOSES: Final[Mapping[Illness, tuple[int, int]]] = {
    Illness.RA: (40, 14),
    Illness.RRMS: (300, 28),
    Illness.PBC: (5, 1),
}
_NOT_GIVEN: Final = ("not started", "declined", "rejected")


def legacy_courses(export: bytes, delegated_on: dt.date) -> tuple[tuple[Course, ...], Told]:
    """The courses of the export's patients, and the older references that hospitals write."""
    courses: list[Course] = []
    told: dict[int, tuple[tuple[dt.date, str], ...]] = {}
    for row in csv.DictReader(io.StringIO(export.decode("utf-8-sig"))):
        illness = _illness(row["Form name"])
        provider = row["Trust code"]
        if illness is None or provider not in PROVIDERS or _was_not_given(row["Status"]):
            continue
        number = _FIRST_NUMBER + len(courses)
        course = _course(number, row, illness, provider)
        if course.service.drug == DELEGATED:
            course = replace(course, delegated_on=delegated_on)
        courses.append(course)
        told[number] = ((course.decided_on, row["Blueteq ID"]),)
    return tuple(courses), told


def _course(number: int, row: Mapping[str, str], illness: Illness, provider: str) -> Course:
    approved = _day(row["Date approved"])
    amount, every = _DOSES[illness]
    hospital_number = row["Hospital No"]
    return Course(
        number=number,
        person=Person(
            number=number,
            nhs_number=row["NHS No"].replace(" ", ""),
            birth_date=_day(row["DoB"]),
            sex="female",
            practice=PRACTICES[number % len(PRACTICES)],
            local_ids=dict.fromkeys(PROVIDERS, hospital_number),
        ),
        illness=illness,
        provider=provider,
        product=_product(row["Drug"], illness),
        decided_on=approved,
        first_dose=_day(row["Start date"]) if row["Start date"] else approved,
        amount=Decimal(amount),
        every_days=every,
        homecare=illness is Illness.RA,
        ending=Ending(_day(row["End date"]), StopReason.OTHER) if row["End date"] else None,
    )


def _illness(form: str) -> Illness | None:
    return next((i for word, i in _FORMS.items() if word in form.casefold()), None)


def _was_not_given(status: str) -> bool:
    return any(word in status.casefold() for word in _NOT_GIVEN)


def _product(drug: str, illness: Illness) -> str:
    products = SERVICES[illness].products
    named = [product for product in products if product in drug.casefold()]
    return named[0] if named else next(iter(products))


def _day(text: str) -> dt.date:
    day, month, year = text.split("/")
    return dt.date(int(year), int(month), int(day))
