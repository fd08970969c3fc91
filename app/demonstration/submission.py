"""The demonstration's submission: one cumulative file of the financial year to date."""

import csv
import datetime as dt
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from app.demonstration import invoice as cell
from app.demonstration.chance import Chance, chance
from app.demonstration.clinic import Course
from app.demonstration.dirt import spoil
from app.demonstration.extras import make_extras
from app.demonstration.habits import Habits
from app.demonstration.invoice import HEADER, Charge, Line, Told, charge_for
from app.demonstration.legacy import legacy_courses
from app.demonstration.periods import delegation_of, period_of
from app.demonstration.supplies import supplies_of

NAME: Final = "submission.csv"
Row = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Invoices:
    """The rows below the header; beside each the commissioner that it names, if it is a line."""

    rows: tuple[Row, ...]
    payers: tuple[str | None, ...]
    first: dt.date
    last: dt.date

    @property
    def whole(self) -> bytes:
        """The file as every trust's lines stand in it."""
        return as_csv(self.rows)

    def part(self, commissioner: str) -> bytes:
        """The lines that name this commissioner, as it would receive them."""
        return as_csv(
            [
                row
                for row, payer in zip(self.rows, self.payers, strict=True)
                if payer == commissioner
            ]
        )

    def excerpt(self, count: int) -> bytes:
        """About this many lines, taken evenly from the whole file."""
        step = max(1, len(self.rows) // count)
        return as_csv(self.rows[::step][:count])


def as_csv(rows: Sequence[Row]) -> bytes:
    """The header and the rows as CSV in UTF-8."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(HEADER)
    writer.writerows(rows)
    return out.getvalue().encode()


def submission_of(
    courses: Sequence[Course],
    habits: Mapping[int, Habits],
    told: Told,
    *,
    seed: int,
    day: dt.date,
    legacy: bytes | None = None,
) -> Invoices:
    """Every supply of the period charged, with the other lines and the slips of real files."""
    first, last = period_of(day)
    if legacy is not None:
        older, older_told = legacy_courses(legacy, delegation_of(day))
        courses, told = (*courses, *older), {**told, **older_told}
    charges = charges_between(courses, habits, told, seed, first, last)
    charges += make_extras(charges, chance(seed, "extras"), day)
    charges.sort(key=lambda charge: (charge.provider, charge.day))
    lines = _lines(charges, chance(seed, "dirt"), day)
    rows = _with_page_furniture(lines, chance(seed, "furniture"))
    payers = tuple(payer for _, payer in rows)
    return Invoices(tuple(row for row, _ in rows), payers, first, last)


def charges_between(
    courses: Sequence[Course],
    habits: Mapping[int, Habits],
    told: Told,
    seed: int,
    first: dt.date,
    last: dt.date,
) -> list[Charge]:
    """A clean line for every supply from the first day to the last."""
    found: list[Charge] = []
    for course in courses:
        own = habits.get(course.number, Habits())
        if own.waits_in_vain and not own.given_without_a_yes:
            continue  # nothing was given
        draw = chance(seed, f"charges {course.number}")
        found += [
            charge_for(supply, own, told, draw)
            for supply in supplies_of(course, last)
            if supply.day >= first
        ]
    return found


def _lines(charges: Sequence[Charge], draw: Chance, day: dt.date) -> list[Line]:
    """The lines as sent, with some sent twice and some taken back."""
    found: list[Line] = []
    for charge in charges:
        line = spoil(charge, draw, day)
        found.append(line)
        if draw.below(0.012):
            found.append(dict(line))
        if draw.below(0.012) and charge.course is not None:
            found.append({**line, cell.TOTAL: f"({charge.line[cell.TOTAL]})"})
    return found


def _with_page_furniture(lines: Sequence[Line], draw: Chance) -> list[tuple[Row, str | None]]:
    """The rows: the header again where files were joined, blanks, slipped cells and a footer."""
    slipped = set(draw.some(range(len(lines)), 3))
    blank = set(draw.some(range(len(lines)), 2))
    rows: list[tuple[Row, str | None]] = []
    trust = lines[0][cell.PROVIDER][:5].upper() if lines else ""
    for place, line in enumerate(lines):
        if line[cell.PROVIDER][:5].upper() != trust:
            trust = line[cell.PROVIDER][:5].upper()
            rows.append((HEADER, None))
        if place in blank:
            rows.append((("",) * len(HEADER), None))
        cells = tuple(line[name] for name in HEADER)
        payer = line[cell.COMMISSIONER] or None
        rows.append((slip(cells) if place in slipped else cells, payer))
    rows.append((footer(lines), None))
    return rows


def slip(cells: Row) -> Row:
    """An unquoted comma in the drug's name moves everything after it."""
    place = HEADER.index(cell.DRUG)
    return (*cells[:place], cells[place] or "Drug", "strength as labelled", *cells[place + 1 :])


def footer(lines: Sequence[Line]) -> Row:
    """The row under the lines that adds them up."""
    cells = dict.fromkeys(HEADER, "")
    cells[HEADER[0]] = "Total"
    cells[cell.TOTAL] = f"{sum((legible(line[cell.TOTAL]) for line in lines), Decimal(0)):.2f}"
    return tuple(cells[name] for name in HEADER)


def legible(amount: str) -> Decimal:
    """An amount of our own making again; what is none counts as nothing."""
    figures = amount.strip("()").replace("£", "").replace(",", "")
    if not figures or not figures.lstrip("-").replace(".", "").isdigit():
        return Decimal(0)
    return -Decimal(figures) if amount.startswith("(") else Decimal(figures)
