"""How the pages say days, instants, sums and NHS numbers, in English."""

import datetime as dt
import re
from decimal import Decimal
from zoneinfo import ZoneInfo

from app.reference_data.nhs_number import format_nhs_number

_LONDON = ZoneInfo("Europe/London")
#: A day as the engines of reconciliation write it into a reason.
_SLASHED = re.compile(r"(?<![\d/'\"])([0-3]\d)/([01]\d)/(\d{4})(?![\d/'\"])")
_UNITS = {
    "1": "",
    "10*9/L": "× 10⁹/L",
    "cells/uL": "cells/microlitre",
    "ug/L": "micrograms/L",
    "umol/L": "micromol/L",
}


def day_words(day: dt.date | str | None) -> str:
    """A day as "5 June 2026"; an ISO text is taken too, and nothing is "not known"."""
    if day is None or day == "":
        return "not known"
    if isinstance(day, str):
        day = dt.date.fromisoformat(day)
    return f"{day.day} {day:%B %Y}"


def with_days_in_words(text: str) -> str:
    """A sentence with each of its days as "5 June 2026"; what is quoted stays as it was stated."""
    return _SLASHED.sub(_slashed, text)


def _slashed(found: re.Match[str]) -> str:
    day, month, year = (int(part) for part in found.groups())
    try:
        return day_words(dt.date(year, month, day))
    except ValueError:
        return found.group()


def instant_words(instant: dt.datetime) -> str:
    """An instant as London's clocks showed it, such as "5 June 2026 at 2:05pm"."""
    local = instant.astimezone(_LONDON)
    hour = local.hour % 12 or 12
    return f"{local.day} {local:%B %Y} at {hour}:{local:%M}{'am' if local.hour < 12 else 'pm'}"


def pounds(amount: Decimal | str | None) -> str:
    """A sum as "£1,234.56", with a minus sign before the pound sign; nothing is "not stated"."""
    if amount is None:
        return "not stated"
    exact = Decimal(amount)
    return f"{'−' if exact < 0 else ''}£{abs(exact):,.2f}"


def number_words(number: int | Decimal) -> str:
    """A number with commas."""
    return f"{number:,}"


def duration_words(minutes: int) -> str:
    """So many minutes as whole hours where they are that: "4 hours", "90 minutes"."""
    hours, rest = divmod(minutes, 60)
    return counted(minutes, "minute") if rest else counted(hours, "hour")


def kilobytes(size: int) -> str:
    """The size of a file of so many bytes, at least "1 KB"."""
    return f"{max(round(size / 1024), 1):,} KB"


def nhs_words(nhs_number: str | None) -> str:
    """An NHS number as it is read out, 3-3-4."""
    return "none" if not nhs_number else format_nhs_number(nhs_number)


def counted(number: int, one: str, many: str = "") -> str:
    """A number with its noun: "1 line", "2 lines"."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def amount_words(value: object, unit: str | None) -> str:
    """A value with its unit as people write it: "6 × 10⁹/L", "5%", "40 mg"."""
    said = unit_words(unit)
    return f"{value}{said}" if said == "%" else f"{value} {said}".rstrip()


def unit_words(unit: str | None) -> str:
    """A unit of UCUM as people write it. Micro is spelt out: "u" and "µ" are misread as milli."""
    return _UNITS.get(unit or "", unit or "")


def first_upper(text: str) -> str:
    """The text with its first letter as a capital; the others stay as they are."""
    return text[:1].upper() + text[1:]
