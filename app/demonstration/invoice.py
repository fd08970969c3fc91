"""Clean lines: what each hospital would charge if nobody ever made a slip.

Lines come from supplies alone. An approval is known here only by its reference, as far as the
hospital was told it and writes it on the line.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from app.demonstration.chance import Chance
from app.demonstration.clinic import Course, Illness
from app.demonstration.habits import Content, Form, Habits, Identity
from app.demonstration.people import Person, emergency_id
from app.demonstration.prices import DELIVERY, PACKS, VAT, supplier_price
from app.demonstration.spellings import spelling
from app.demonstration.supplies import Supply

#: Element names of the data dictionary, version 3, in its order. The ten optional columns of
#: additional detail are left out, as most feeds leave them empty.
HEADER: Final = (
    "FINANCIAL MONTH",
    "FINANCIAL YEAR",
    "DATE AND TIME DATA SET CREATED",
    "ORGANISATION IDENTIFIER (CODE OF PROVIDER)",
    "ORGANISATION SITE IDENTIFIER (OF TREATMENT)",
    "ORGANISATION IDENTIFIER (GP PRACTICE RESPONSIBILITY)",
    "ORGANISATION IDENTIFIER (RESIDENCE RESPONSIBILITY)",
    "ORGANISATION IDENTIFIER (CODE OF COMMISSIONER)",
    "GENERAL MEDICAL PRACTICE CODE (PATIENT REGISTRATION)",
    "WITHHELD IDENTITY REASON",
    "NHS NUMBER",
    "LOCAL PATIENT IDENTIFIER (EXTENDED)",
    "PERSON BIRTH DATE",
    "AGE AT ACTIVITY DATE (CONTRACT MONITORING)",
    "PERSON STATED GENDER CODE",
    "ETHNIC CATEGORY",
    "ACTIVITY TREATMENT FUNCTION CODE",
    "CLINICAL INTERVENTION DATE (DRUG DISPENSED)",
    "THERAPEUTIC INDICATION CODE (SNOMED CT)",
    "HIGH COST TARIFF EXCLUDED DRUG CODE (SNOMED CT DM+D)",
    "DM+D TAXONOMY CODE",
    "DRUG NAME",
    "ROUTE OF ADMINISTRATION (SNOMED CT DM+D)",
    "DRUG STRENGTH",
    "DRUG VOLUME",
    "DRUG PACK SIZE",
    "DRUG QUANTITY OR WEIGHT PROPORTION",
    "UNIT OF MEASUREMENT (SNOMED CT DM+D)",
    "DISPENSING ROUTE",
    "PROVIDER REFERENCE NUMBER",
    "COMMISSIONED SERVICE CATEGORY CODE",
    "POINT OF DELIVERY CODE",
    "UNIT PRICE (SUPPLIER)",
    "UNIT PRICE (COMMISSIONER)",
    "HOME DELIVERY CHARGE",
    "VALUE ADDED TAX CHARGED INDICATOR",
    "TOTAL COST",
)
(
    MONTH, YEAR, CREATED, PROVIDER, SITE, GP_BOARD, HOME_BOARD, COMMISSIONER, PRACTICE, WITHHELD,
    NHS, LOCAL, BIRTH, AGE, GENDER, ETHNIC, SPECIALTY, DATE, INDICATION, CODE, TAXONOMY, DRUG,
    ROUTE, STRENGTH, VOLUME, SIZE, QUANTITY, UNIT, DISPENSING, REFERENCE, CATEGORY, POINT,
    PRICE_SUPPLIER, PRICE, HOME, VAT_CHARGED, TOTAL,
) = HEADER  # fmt: skip
_PENNY: Final = Decimal("0.01")
_CATEGORIES: Final = {"DEMQ1": "", "DEMQ2": "21"}  # 21: specialised
_SMALL_SITE: Final = 0.3

#: Reference told to the hospital: from which day it counts, and the reference.
Told = Mapping[int, Sequence[tuple[dt.date, str]]]
Line = dict[str, str]


@dataclass(frozen=True, slots=True)
class Charge:
    """A clean line with what it charges for, before anybody's slips."""

    line: Line
    day: dt.date
    provider: str
    drug: str
    course: Course | None = None
    itemised: bool = False  # a funding letter asks for quantity, unit and price


def charge_for(supply: Supply, habits: Habits, told: Told, draw: Chance) -> Charge:
    """The line that charges a supply."""
    pack, course = PACKS[supply.pack], supply.course
    net = supplier_price(pack, supply.product)
    if habits.content is Content.INDIVIDUAL and draw.below(0.3):
        net *= Decimal("1.08")  # the price agreed for this patient was not passed on
    vat = not supply.homecare and habits.content is not Content.INDIVIDUAL
    price = (net * (VAT if vat else 1)).quantize(_PENNY, ROUND_HALF_UP)
    delivery = DELIVERY if supply.homecare else Decimal(0)
    line = {
        **about_patient(supply, habits, draw),
        INDICATION: indication(course),
        CODE: pack.code,
        TAXONOMY: "20",
        DRUG: spelling(draw, pack, supply.product),
        ROUTE: pack.route,
        STRENGTH: pack.strength,
        VOLUME: pack.volume,
        SIZE: pack.size,
        QUANTITY: str(supply.count),
        UNIT: pack.unit,
        DISPENSING: "4" if supply.homecare else draw.one_of(("1", "2", "2")),
        REFERENCE: _reference(supply, told),
        POINT: "DRUG",
        PRICE_SUPPLIER: f"{net:.4f}",
        PRICE: f"{price:.2f}",
        HOME: f"{delivery:.2f}",
        VAT_CHARGED: "Y" if vat else "N",
        TOTAL: f"{price * supply.count + delivery:.2f}",
    }
    itemised = habits.content is Content.INDIVIDUAL
    return Charge(line, supply.day, supply.provider, pack.drug, course, itemised)


def about_patient(supply: Supply, habits: Habits, draw: Chance) -> Line:
    """What a line says of organisation, patient and day."""
    course, person, day = supply.course, supply.course.person, supply.day
    line = {
        **about_hospital(supply.provider, course.payer(day), day, draw),
        **identity_cells(person, supply.provider, day, draw),
        SPECIALTY: course.service.specialty,
    }
    if habits.identity is Identity.NO_NUMBER:
        line[NHS] = ""
    if habits.identity is Identity.LATER and habits.form is not Form.NEVER and draw.below(0.5):
        line[LOCAL] = emergency_id(person, supply.provider)
    return line


def identity_cells(person: Person, provider: str, day: dt.date, draw: Chance) -> Line:
    """What a line says of who the patient is."""
    return {
        PRACTICE: person.practice,
        NHS: person.nhs_number,
        LOCAL: person.local_ids[provider],
        BIRTH: person.birth_date.isoformat(),
        AGE: str((day - person.birth_date).days // 365),
        GENDER: "2" if person.sex == "female" else "1",
        ETHNIC: draw.one_of(("A", "A", "A", "Z", "99")),
    }


def about_hospital(provider: str, commissioner: str, day: dt.date, draw: Chance) -> Line:
    """What a line says of who charges whom, and when."""
    begins = day.year if day.month >= 4 else day.year - 1
    small = draw.below(_SMALL_SITE)
    return {
        MONTH: str((day.month - 4) % 12 + 1),
        YEAR: f"{begins}{(begins + 1) % 100:02d}",
        PROVIDER: provider,
        SITE: f"{provider}{'02' if small else '01'}",
        GP_BOARD: "DEMQ1",
        HOME_BOARD: "DEMQ1",
        COMMISSIONER: commissioner,
        DATE: day.isoformat(),
        CATEGORY: _CATEGORIES[commissioner],
    }


def indication(course: Course) -> str:
    """The code of what is treated; some clinics always use a near one."""
    near = course.illness in (Illness.RA, Illness.RRMS, Illness.ITP) and course.number % 11 == 5
    return course.service.also_coded if near else course.service.snomed


def _reference(supply: Supply, told: Told) -> str:
    """The newest reference that the hospital had been told by the day of the supply."""
    known = [ref for day, ref in told.get(supply.course.number, ()) if day <= supply.day]
    return known[-1] if known else ""
