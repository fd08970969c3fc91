"""Lines that are no supply of a drug with a policy: fees, devices, credits, gifts, other drugs."""

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from app.demonstration.chance import Chance
from app.demonstration.clinic import SERVICES, Illness
from app.demonstration.invoice import (
    CODE,
    COMMISSIONER,
    DISPENSING,
    DRUG,
    HOME,
    INDICATION,
    PRICE,
    PRICE_SUPPLIER,
    QUANTITY,
    REFERENCE,
    ROUTE,
    SIZE,
    SPECIALTY,
    STRENGTH,
    TAXONOMY,
    TOTAL,
    UNIT,
    VAT_CHARGED,
    VOLUME,
    Charge,
    Line,
    about_hospital,
    identity_cells,
)
from app.demonstration.organisations import ICB, PROVIDERS
from app.demonstration.people import Person, make_person
from app.demonstration.spellings import load_spellings

#: Lines of each kind for a hundred supplies.
PER_HUNDRED: Final = {
    "fee": 6,
    "device": 2,
    "credit": 1,
    "free of charge": 2,
    "other": 2,
    "other drug": 6,
}
_POUNDS: Final = {
    "fee": (25, 95),
    "device": (4, 140),
    "credit": (90, 900),
    "free of charge": (0, 0),
    "other": (6, 260),
    "other drug": (45, 2600),
}
_STRANGERS: Final = 9_000  # numbers of people who appear on lines only
_BLANKS: Final = (
    INDICATION, CODE, TAXONOMY, ROUTE, STRENGTH, VOLUME, SIZE, UNIT, REFERENCE,
)  # fmt: skip


def make_extras(supplies: Sequence[Charge], draw: Chance, day: dt.date) -> list[Charge]:
    """Extra lines in proportion to the supplies, of the same days and hospitals."""
    found: list[Charge] = []
    for kind, share in PER_HUNDRED.items():
        for _ in range(len(supplies) * share // 100):
            found.append(_extra(kind, draw.one_of(supplies), draw, day, len(found)))
    return found


def _extra(kind: str, beside: Charge, draw: Chance, day: dt.date, number: int) -> Charge:
    amount = _amount(kind, draw)
    stranger = kind in ("other drug", "other") or beside.course is None
    line = _of_stranger(beside, draw, day, number) if stranger else dict(beside.line)
    line |= dict.fromkeys(_BLANKS, "")
    line |= {
        DRUG: _name(kind, beside, draw),
        QUANTITY: "1",
        DISPENSING: beside.line[DISPENSING],
        PRICE_SUPPLIER: f"{amount:.4f}",
        PRICE: f"{amount:.2f}",
        HOME: "0.00",
        VAT_CHARGED: "N",
        TOTAL: f"{amount:.2f}",
    }
    return Charge(line, beside.day, beside.provider, kind)


def _amount(kind: str, draw: Chance) -> Decimal:
    if kind == "free of charge" and draw.below(0.25):
        return Decimal(draw.between(300, 1200))  # charged although it was given
    pounds = Decimal(draw.between(*_POUNDS[kind])) + Decimal(draw.between(0, 99)) / 100
    if kind == "free of charge":
        return Decimal(0)
    return -pounds if kind == "credit" else pounds


def _name(kind: str, beside: Charge, draw: Chance) -> str:
    spellings = load_spellings()
    own = spellings.charges.get((kind, beside.drug), ())
    return draw.one_of(own or spellings.charges[kind, ""])


def _of_stranger(beside: Charge, draw: Chance, day: dt.date, number: int) -> Line:
    """Somebody who has none of the drugs with a policy."""
    person: Person = make_person(draw, _STRANGERS + number, day, (20, 90))
    provider = beside.provider if beside.provider in PROVIDERS else PROVIDERS[0]
    return {
        **beside.line,
        **about_hospital(provider, ICB, beside.day, draw),
        **identity_cells(person, provider, beside.day, draw),
        COMMISSIONER: ICB,
        SPECIALTY: draw.one_of([SERVICES[Illness.RA].specialty, "370", "301", "361", "303"]),
    }
