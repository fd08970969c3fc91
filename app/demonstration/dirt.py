"""Spoiling clean lines as real ones are spoilt.

Rates are those measured on released lines of English hospitals (OpenSAFELY, 2019/20: missing drug
code 43.5%, indication 68.3%, route 41.8%, strength 31.4%, volume 60.8%, pack size 24.7%, quantity
7.4% and a third of the rest not figures, unit 77.7%, dispensing route 24.6%, drug name 1.4%) and
the forms of dates and money seen in a London feed. Each invented trust has ways of its own; over
the three the rates come out about so.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from app.demonstration import invoice as cell
from app.demonstration.chance import Chance
from app.demonstration.clinic import Illness
from app.demonstration.invoice import Charge, Line

_EXCEL_DAY_ZERO: Final = dt.date(1899, 12, 30)


@dataclass(frozen=True, slots=True)
class Ways:
    """How one trust's systems write lines. Shares are of its lines, 0 to 1."""

    created: str
    date: Callable[[dt.date], str]
    other_date: Callable[[dt.date], str]  # in one line of twelve
    no_code: float
    no_indication: float
    no_unit: float
    spaced_numbers: float
    pounds: float
    site_as_provider: float


def _iso(day: dt.date) -> str:
    return day.isoformat()


def _uk(day: dt.date) -> str:
    return f"{day:%d/%m/%Y}"


def _serial(day: dt.date) -> str:
    return str((day - _EXCEL_DAY_ZERO).days)


def _named(day: dt.date) -> str:
    return f"{day:%d-%b-%y}"


WAYS: Final[Mapping[str, Ways]] = {
    "DEMO1": Ways("09:14:07", _iso, _uk, 0.32, 0.60, 0.60, 0.05, 0.10, 0.05),
    "DEMO2": Ways("17:40:51", _uk, _named, 0.47, 0.72, 0.86, 0.45, 0.50, 0.25),
    "DEMO3": Ways("23:05:30", _serial, _named, 0.60, 0.78, 0.98, 0.15, 0.20, 0.40),
}
_MISSING: Final[Mapping[str, float]] = {
    cell.SPECIALTY: 0.06,
    cell.ROUTE: 0.418,
    cell.STRENGTH: 0.314,
    cell.VOLUME: 0.35,  # many have none to state
    cell.SIZE: 0.247,
    cell.DISPENSING: 0.246,
    cell.HOME: 0.038,
    cell.AGE: 0.029,
    cell.ETHNIC: 0.2,
    cell.PRACTICE: 0.02,
    cell.COMMISSIONER: 0.012,
    cell.BIRTH: 0.015,
    cell.PRICE_SUPPLIER: 0.04,
    cell.DRUG: 0.014,
}
_WORDS: Final[Mapping[Illness, tuple[str, ...]]] = {
    Illness.RA: ("RA", "Rheumatoid arthritis", "RHEUM", "Rheumatology - RA"),
    Illness.RRMS: ("MS", "RRMS", "Multiple Sclerosis", "RES MS"),
    Illness.PBC: ("PBC", "Primary biliary cholangitis", "primary biliary cirrhosis"),
    Illness.ITP: ("ITP", "Immune thrombocytopenia", "ITP acute - urgent"),
    Illness.PSA: ("PsA",),
    Illness.CIDP: ("CIDP",),
}
_JUNK_REFERENCES: Final = ("PO{n:06d}", "HC-{n:05d}", "INV{n:06d}", "BLQ-{n:06d}", "see email")


def spoil(charge: Charge, draw: Chance, day: dt.date) -> Line:
    """The line as it is sent."""
    ways = WAYS[charge.provider]
    line = {name: charge.line.get(name, "") for name in cell.HEADER}
    line[cell.CREATED] = f"{day.isoformat()}T{ways.created}"
    _omit(line, charge, ways, draw)
    _spoil_identity(line, ways, draw)
    _spoil_days(line, charge, ways, draw)
    _spoil_indication(line, charge, draw)
    _spoil_amounts(line, charge, ways, draw)
    _spoil_reference(line, draw)
    if draw.below(ways.site_as_provider):
        line[cell.PROVIDER] = line[cell.SITE]
    if draw.below(0.04):
        line[cell.PROVIDER] = line[cell.PROVIDER].lower()
    return line


def _omit(line: Line, charge: Charge, ways: Ways, draw: Chance) -> None:
    shares = {**_MISSING, cell.CODE: ways.no_code, cell.INDICATION: ways.no_indication}
    if not charge.itemised:
        shares |= {cell.UNIT: ways.no_unit, cell.QUANTITY: 0.074, cell.PRICE: 0.03}
    for name, share in shares.items():
        if draw.below(share):
            line[name] = ""
    if not line[cell.CODE]:
        line[cell.TAXONOMY] = ""
    elif draw.below(0.12):
        line[cell.CODE] = f"LOC{draw.between(1000, 9999)}"  # a pharmacy system's own
    if draw.below(0.02):
        line[cell.DRUG] = f"  {line[cell.DRUG]} "
    line[cell.DRUG] = line[cell.DRUG][:50] if draw.below(0.3) else line[cell.DRUG]


def _spoil_identity(line: Line, ways: Ways, draw: Chance) -> None:
    number = line[cell.NHS]
    if draw.below(0.007):
        for name in (cell.NHS, cell.LOCAL, cell.BIRTH, cell.PRACTICE, cell.AGE):
            line[name] = ""
        line[cell.WITHHELD] = draw.one_of(("01", "02", "03", "3", "97"))
    elif draw.below(0.02):
        line[cell.NHS] = ""  # the hospital number stands alone
    elif number and draw.below(0.008):
        line[cell.NHS] = number[:-1] + str((int(number[-1]) + 1) % 10)
    elif number and draw.below(0.004):
        line[cell.NHS] = f"{number[0]}.{number[1:3]}E+09"
        line[cell.LOCAL] = "" if draw.below(0.5) else line[cell.LOCAL]
    elif number and draw.below(ways.spaced_numbers):
        line[cell.NHS] = f"{number[:3]} {number[3:6]} {number[6:]}"
    if draw.below(0.03):
        line[cell.LOCAL] = ""


def _spoil_days(line: Line, charge: Charge, ways: Ways, draw: Chance) -> None:
    write = ways.other_date if draw.below(1 / 12) else ways.date
    line[cell.DATE] = write(charge.day)
    if draw.below(0.006):
        line[cell.DATE] = draw.one_of(("", "TBC", "31/02/2026", f"{charge.day:%B %Y}"))
    if line[cell.BIRTH]:
        line[cell.BIRTH] = ways.date(dt.date.fromisoformat(line[cell.BIRTH]))
    year = line[cell.YEAR]
    if draw.below(0.3):
        line[cell.YEAR] = draw.one_of((f"{year[:4]}/{year[4:]}", f"{year[:4]}-{year[4:]}"))
    if draw.below(0.002):
        line[cell.MONTH] = draw.one_of(("110", "400"))
    elif draw.below(0.05):
        line[cell.MONTH] = f"M{int(line[cell.MONTH]):02d}"


def _spoil_indication(line: Line, charge: Charge, draw: Chance) -> None:
    if line[cell.INDICATION] and charge.course is not None and draw.below(0.6):
        line[cell.INDICATION] = draw.one_of(_WORDS[charge.course.illness])


def _spoil_amounts(line: Line, charge: Charge, ways: Ways, draw: Chance) -> None:
    for name in (cell.PRICE, cell.TOTAL, cell.HOME):
        if line[name] and draw.below(ways.pounds):
            line[name] = pounds(line[name])
    if draw.below(0.003):
        line[cell.TOTAL] = draw.one_of(("TBC", ""))
    elif line[cell.TOTAL].startswith("-"):
        line[cell.TOTAL] = f"({line[cell.TOTAL].removeprefix('-')})"
    if charge.itemised or not line[cell.QUANTITY]:
        return
    if draw.below(0.33):
        count, unit = line[cell.QUANTITY], charge.line.get(cell.UNIT) or "unit"
        line[cell.QUANTITY] = draw.one_of((f"{count} {unit}s", f"{count} x {unit}", f"{count}u"))


def _spoil_reference(line: Line, draw: Chance) -> None:
    if draw.below(0.025):
        line[cell.REFERENCE] = draw.one_of(_JUNK_REFERENCES).format(n=draw.between(1, 99_999))
    elif not draw.below(0.04):
        line[cell.REFERENCE] = ""
    elif draw.below(0.2):
        line[cell.REFERENCE] = line[cell.REFERENCE].lower()


def pounds(amount: str) -> str:
    """An amount as a spreadsheet writes it: £1,234.56."""
    whole, _, pence = amount.removeprefix("-").partition(".")
    sign = "-" if amount.startswith("-") else ""
    return f"{sign}£{int(whole):,}.{pence}"
