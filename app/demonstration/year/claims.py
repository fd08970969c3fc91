"""What each trust claims for each supply of the year: first, in the final file, and after it.

Lines are spoilt as everywhere in the demonstration. What differs from one file to the next is what
differs in life: lines that come late or are withdrawn, prices put right, a line that belongs to
another month, a number that was traced. Nothing here looks at approvals or at outcomes.
"""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from app.demonstration import invoice as cell
from app.demonstration.chance import Chance, chance
from app.demonstration.clinic import DELEGATED, Course
from app.demonstration.dirt import spoil
from app.demonstration.extras import make_extras
from app.demonstration.habits import Habits
from app.demonstration.invoice import Charge, Line, Told, charge_for
from app.demonstration.organisations import ICB, SPECIALISED
from app.demonstration.submission import charges_between
from app.demonstration.supplies import supplies_of
from app.demonstration.year.calendar import Month
from app.reconciliation.parse_dates import financial_month_of

#: In this month one trust posted the board's lines to the wrong month: the final file has none.
EMPTIED: Final = ("DEMO3", ICB, 5)
#: The month in which one drug's commissioner changes, and who is slow to name the new one.
_DELEGATED_IN: Final = 7
_NAMES_OLD_ONCE, _NAMES_OLD_LONG, _LONG = "DEMO2", "DEMO3", (7, 8)
_PENNY: Final = Decimal("0.01")
#: What becomes of a line after its first file, in thousandths. The rest stays as it was.
_FATES: Final[Mapping[str, int]] = {
    "late": 60,
    "after the freeze": 8,
    "withdrawn": 15,
    "price put right": 30,
    "other month": 10,
    "price put right after the freeze": 9,
    "withdrawn after the freeze": 5,
}


@dataclass(frozen=True, slots=True)
class Version:
    """A line as one file states it; `month` is the financial month that it is billed in."""

    month: int
    line: Line


@dataclass(frozen=True, slots=True)
class Claim:
    """A line through its files: None where a file does not have it. `payer` is whom it is sent to.

    `later` is what the trust states once the month is closed.
    """

    provider: str
    payer: str
    flex: Version | None
    freeze: Version | None
    later: Version | None


def claims_of(
    courses: Sequence[Course],
    habits: Mapping[int, Habits],
    told: Told,
    months: Sequence[Month],
    *,
    seed: int,
) -> tuple[Claim, ...]:
    """Every line of the year, in the order of trust and day."""
    first, last = months[0].first, months[-1].last
    charges = charges_between(courses, habits, told, seed, first, last)
    charges += _handed_over(courses, habits, told, seed, first, last)
    charges += make_extras(charges, chance(seed, "year extras"), last)
    charges.sort(key=lambda charge: (charge.provider, charge.day))
    claims: list[Claim] = []
    for number, charge in enumerate(charges):
        draw = chance(seed, f"year line {number}")
        claims += _claims(charge, draw, _sent_on(charge, months))
    return tuple(_emptied(claim) for claim in claims)


def _handed_over(
    courses: Sequence[Course],
    habits: Mapping[int, Habits],
    told: Told,
    seed: int,
    first: dt.date,
    last: dt.date,
) -> list[Charge]:
    """After a move the hospital that was left supplies once more, as the new one does already."""
    found = []
    for course in courses:
        if course.move is None or not first <= course.move.day <= last:
            continue
        after = [s for s in supplies_of(course, last) if s.day >= course.move.day]
        if after and after[0].day + dt.timedelta(days=3) <= last:
            again = replace(
                after[0], provider=course.provider, day=after[0].day + dt.timedelta(days=3)
            )
            draw = chance(seed, f"year handed over {course.number}")
            found.append(charge_for(again, habits.get(course.number, Habits()), told, draw))
    return found


def _sent_on(charge: Charge, months: Sequence[Month]) -> dt.date:
    return months[financial_month_of(charge.day)[1] - 1].flex


def _claims(charge: Charge, draw: Chance, sent_on: dt.date) -> list[Claim]:
    """The claim of a charge, and at times the same line twice, or taken back."""
    month = financial_month_of(charge.day)[1]
    first = Version(month, spoil(charge, draw, sent_on))
    payer = charge.line[cell.COMMISSIONER]
    mended = Version(month, _mended(first.line, charge, draw))
    claim = Claim(charge.provider, payer, first, mended, mended)
    found = _payers(_through(claim, charge, draw), charge, month)
    if draw.below(0.012):  # sent twice: half of these are noticed before the freeze
        again = None if draw.below(0.5) else mended
        found.append(Claim(charge.provider, payer, first, again, again))
    if draw.below(0.012) and charge.course is not None:
        credit = Version(month, {**mended.line, cell.TOTAL: f"({charge.line[cell.TOTAL]})"})
        found.append(Claim(charge.provider, payer, None, credit, credit))
    return found


def _payers(claim: Claim, charge: Charge, month: int) -> list[Claim]:
    """After the delegation some go on naming the old payer for a while.

    One trust does so in its first file of the first month and sees it by the final one; another for
    two months, until it is told.
    """
    delegated = charge.drug == DELEGATED and claim.payer == ICB
    if delegated and claim.provider == _NAMES_OLD_ONCE and month == _DELEGATED_IN:
        return [
            replace(_to(claim, SPECIALISED), freeze=None, later=None), replace(claim, flex=None)
        ]  # fmt: skip
    if delegated and claim.provider == _NAMES_OLD_LONG and month in _LONG:
        return [_to(claim, SPECIALISED)]
    return [claim]


def _to(claim: Claim, payer: str) -> Claim:
    """The claim as it is sent to another payer."""

    def named(version: Version | None) -> Version | None:
        if version is None or not version.line[cell.COMMISSIONER]:
            return version
        return Version(version.month, {**version.line, cell.COMMISSIONER: payer})

    return Claim(claim.provider, payer, named(claim.flex), named(claim.freeze), named(claim.later))


def _through(claim: Claim, charge: Charge, draw: Chance) -> Claim:
    """What becomes of the line from file to file."""
    fate = draw.weighted({**_FATES, "": 1000 - sum(_FATES.values())})
    final = claim.freeze
    assert final is not None
    if fate == "late":
        return replace(claim, flex=None)
    if fate == "after the freeze":
        return replace(claim, flex=None, freeze=None)
    if fate == "withdrawn":
        return replace(claim, freeze=None, later=None)
    if fate == "withdrawn after the freeze":
        return replace(claim, later=None)
    if fate == "price put right":
        right = _repriced(final, charge, draw)
        return replace(claim, freeze=right, later=right)
    if fate == "price put right after the freeze":
        return replace(claim, later=_repriced(final, charge, draw))
    if fate == "other month" and final.month < 12:
        moved = _moved(final, final.month + 1)
        return replace(claim, freeze=moved, later=moved)
    return claim


def _emptied(claim: Claim) -> Claim:
    """The lines of the month that was posted wrongly stand in the next."""
    trust, payer, month = EMPTIED
    if (claim.provider, claim.payer) != (trust, payer):
        return claim

    def moved(version: Version | None) -> Version | None:
        there = version is not None and version.month == month
        return _moved(version, month + 1) if version is not None and there else version

    return replace(claim, freeze=moved(claim.freeze), later=moved(claim.later))


def _moved(version: Version, month: int) -> Version:
    return Version(month, {**version.line, cell.MONTH: str(month)})


def _repriced(version: Version, charge: Charge, draw: Chance) -> Version:
    """The price that the contract has: some percent lower, seldom higher."""
    line, factor = charge.line, Decimal(draw.one_of(("0.92", "0.95", "0.97", "1.04")))
    price = (Decimal(line[cell.PRICE]) * factor).quantize(_PENNY, ROUND_HALF_UP)
    total = price * int(line[cell.QUANTITY]) + Decimal(line[cell.HOME])
    return replace(
        version, line={**version.line, cell.PRICE: f"{price:.2f}", cell.TOTAL: f"{total:.2f}"}
    )


def _mended(line: Line, charge: Charge, draw: Chance) -> Line:
    """What somebody saw and put right before the final file."""
    found, clean = dict(line), charge.line
    sure: Mapping[str, Callable[[str], bool]] = {
        cell.COMMISSIONER: lambda text: not text,
        cell.MONTH: lambda text: text in ("110", "400"),
        cell.TOTAL: lambda text: text in ("", "TBC"),
        cell.DATE: lambda text: text in ("", "TBC"),
    }
    for name, wrong in sure.items():
        if wrong(found[name]):
            found[name] = clean[name]
    if not found[cell.NHS] and not found[cell.WITHHELD] and draw.below(0.4):
        found[cell.NHS] = clean[cell.NHS]
    if not found[cell.CODE] and clean.get(cell.CODE) and draw.below(0.08):
        found |= {cell.CODE: clean[cell.CODE], cell.TAXONOMY: clean[cell.TAXONOMY]}
    if clean.get(cell.INDICATION) and draw.below(0.05):
        found[cell.INDICATION] = clean[cell.INDICATION]
    return found
