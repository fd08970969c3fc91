"""The demonstration year and its contract months. Every day in it is INVENTED.

No national days are packaged: flex, freeze and challenge days stand in each contract.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Final

from app.reconciliation.parse_dates import financial_period
from app.reconciliation.slice_store import ContractMonth

SOURCE: Final = "demonstration: invented days"
_DAY: Final = 20  # of the month after (flex), and of the month after that (freeze)
_TO_ANSWER: Final = dt.timedelta(days=21)


@dataclass(frozen=True, slots=True)
class Month:
    """A financial month, 1 is April, with the days on which it is sent and closed."""

    year: str
    number: int
    first: dt.date
    last: dt.date
    flex: dt.date
    freeze: dt.date
    challenge_by: dt.date

    @property
    def contract(self) -> ContractMonth:
        """The month as a commissioner's calendar holds it."""
        return ContractMonth(
            financial_year=self.year,
            financial_month=self.number,
            submission=self.flex - dt.timedelta(days=3),
            flex=self.flex,
            freeze=self.freeze,
            challenge_by=self.challenge_by,
            source=SOURCE,
        )


def named(begins: int) -> str:
    """The financial year as lines state it: 202526."""
    return f"{begins}{(begins + 1) % 100:02d}"


def months_of(begins: int) -> tuple[Month, ...]:
    """The twelve months of a financial year."""
    return tuple(_month(named(begins), number) for number in range(1, 13))


def _month(year: str, number: int) -> Month:
    first, last = financial_period(year, number)
    flex = _later(last, 1)
    freeze = _later(last, 2)
    return Month(year, number, first, last, flex, freeze, freeze + _TO_ANSWER)


def _later(last: dt.date, months: int) -> dt.date:
    place = last.year * 12 + last.month - 1 + months
    return dt.date(place // 12, place % 12 + 1, _DAY)
