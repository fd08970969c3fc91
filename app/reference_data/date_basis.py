"""What the date of a line tells of. What a commissioner allows after a stop is a supply term."""

import datetime as dt
from dataclasses import dataclass
from functools import lru_cache

from app.reference_data.data_files import Row, in_force, read_rows

_COLUMNS = (
    *("layout", "dispensing_route", "commissioner", "date", "means"),
    *("from", "to", "demonstration", "source"),
)
#: Which of a line's dates a row is about.
SUPPLIED, DELIVERED, INVOICED = "supply", "delivery", "invoice"


@dataclass(frozen=True, slots=True)
class DateBasis:
    """A dated row; an empty layout, route or commissioner stands for any."""

    layout: str
    dispensing_route: str
    commissioner: str
    date: str
    means: str
    from_: dt.date | None
    to: dt.date | None
    demonstration: bool
    source: str


#: Where no row is in force: the date is taken as it stands.
AS_STATED = DateBasis("", "", "", "", "dated", None, None, False, "no row")


def date_basis(
    layout: str,
    dispensing_route: str | None,
    commissioner: str | None,
    on: dt.date,
    date: str = SUPPLIED,
) -> DateBasis:
    """The row that fits best on a day: the commissioner's, then the route's, then the layout's.

    `date` says of which of the line's dates.
    """
    said = (layout, (dispensing_route or "").strip(), commissioner or "")
    rows = [row for row in load_date_basis() if row.date == date]
    fitting = [row for row in rows if _fits(row, said) and _holds(row, on)]
    return max(fitting, key=_closeness, default=AS_STATED)


def _holds(row: DateBasis, on: dt.date) -> bool:
    return in_force(row.from_, row.to, on)


def _fits(row: DateBasis, said: tuple[str, str, str]) -> bool:
    wanted = (row.layout, row.dispensing_route, row.commissioner)
    return all(each in ("", got) for each, got in zip(wanted, said, strict=True))


def _closeness(row: DateBasis) -> tuple[bool, bool, bool]:
    return bool(row.commissioner), bool(row.dispensing_route), bool(row.layout)


@lru_cache(maxsize=1)
def load_date_basis() -> tuple[DateBasis, ...]:
    """The packaged rows. Raises ReferenceDataFault where one is at fault or repeated."""
    rows: list[DateBasis] = []
    for row in read_rows("date_basis.csv", _COLUMNS):
        basis = _basis(row)
        if basis.date not in (SUPPLIED, DELIVERED, INVOICED):
            raise row.fault(f"date {basis.date} is unknown", "Use supply, delivery or invoice")
        if any(_key(basis) == _key(other) for other in rows):
            raise row.fault("a row before says the same layout, route and commissioner", "Keep one")
        rows.append(basis)
    return tuple(rows)


def _key(basis: DateBasis) -> tuple[object, ...]:
    who = (basis.layout, basis.dispensing_route, basis.commissioner)
    return *who, basis.date, basis.from_


def _basis(row: Row) -> DateBasis:
    return DateBasis(
        layout=row.text("layout"),
        dispensing_route=row.text("dispensing_route"),
        commissioner=row.text("commissioner"),
        date=row.required("date"),
        means=row.required("means"),
        from_=row.day("from"),
        to=row.day("to"),
        demonstration=row.flag("demonstration"),
        source=row.required("source"),
    )
