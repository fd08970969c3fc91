"""The files that the trusts send in the year, in the order of their days.

One trust sends spreadsheets, one changes its columns in the middle of the year, one sends the whole
year to date in its December and March files: what stands in closed months then corrects them.
"""

import csv
import datetime as dt
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import xlsxwriter

from app.demonstration import invoice as cell
from app.demonstration.chance import chance
from app.demonstration.dirt import WAYS
from app.demonstration.invoice import HEADER, Line
from app.demonstration.organisations import COMMISSIONERS, ICB, PROVIDERS, SPECIALISED
from app.demonstration.submission import footer, legible, slip
from app.demonstration.year.calendar import Month
from app.demonstration.year.claims import Claim, Version
from app.reconciliation.slice_store import MonitoringFigure
from app.reconciliation.slices import SliceKey

FLEX, FREEZE, CORRECTION, TO_DATE = "flex", "freeze", "correction", "year to date"
#: No file: the trust states that the month, which had lines, has none.
EMPTY: Final = "empty"
_CORRECTED_AFTER: Final = dt.timedelta(days=35)
#: The trust that sends cumulative files, and in which months.
_CUMULATIVE: Final = ("DEMO3", (9, 12))
#: The trust that restates its whole year once it is closed.
_AT_THE_END: Final = "DEMO2"
#: A row slips in this final file, so that its slice does not tie to the stated total.
_SLIPPED: Final = ("DEMO1", SPECIALISED, 11)
#: The stated total of this slice leaves the home deliveries out.
WITHOUT_DELIVERY: Final = ("DEMO2", ICB, 8)
_SPREADSHEETS: Final = "DEMO1"
_OTHER_COLUMNS: Final = ("DEMO2", 7)
_RENAMED: Final[Mapping[str, str]] = {
    cell.MONTH: "Fin Month", cell.YEAR: "Fin Year", cell.PROVIDER: "Provider Code",
    cell.SITE: "Site Code", cell.COMMISSIONER: "Commissioner Code", cell.NHS: "NHS No",
    cell.LOCAL: "Hospital Number", cell.BIRTH: "DOB", cell.DATE: "Date Dispensed",
    cell.INDICATION: "Therapeutic Indication", cell.CODE: "DM+D Code",
    cell.DRUG: "Drug Description", cell.QUANTITY: "Qty", cell.UNIT: "UOM",
    cell.REFERENCE: "Provider Ref Number", cell.POINT: "POD", cell.PRICE: "Unit Price",
    cell.PRICE_SUPPLIER: "Supplier Unit Price", cell.HOME: "Home Delivery Cost",
    cell.VAT_CHARGED: "VAT Indicator", cell.TOTAL: "Total Price",
}  # fmt: skip
Row = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sent:
    """A file as it was sent. `months` are those that it is about."""

    day: dt.date
    provider: str
    payer: str
    stage: str
    months: tuple[int, ...]
    name: str
    data: bytes


def files_of(claims: Sequence[Claim], months: Sequence[Month], seed: int) -> tuple[Sent, ...]:
    """Every file of the year, in the order in which they were sent."""
    found: list[Sent] = []
    for provider in PROVIDERS:
        for payer in COMMISSIONERS:
            own = [c for c in claims if (c.provider, c.payer) == (provider, payer)]
            found += _Sender(provider, payer, tuple(own), tuple(months), seed).files()
    order = {FREEZE: 0, EMPTY: 0, FLEX: 1, TO_DATE: 2, CORRECTION: 3}
    return tuple(sorted(found, key=lambda sent: (sent.day, order[sent.stage], sent.name)))


@dataclass(frozen=True, slots=True)
class _Sender:
    """One trust's files for one payer."""

    provider: str
    payer: str
    claims: tuple[Claim, ...]
    months: tuple[Month, ...]
    seed: int

    def files(self) -> Iterator[Sent]:
        trust, when = _CUMULATIVE
        for month in self.months:
            yield from self._file(month, month.flex, FLEX, self._first(month.number))
            if self.provider == trust and month.number in when:
                yield from self._to_date(month, month.freeze)
                continue
            final = _stated(month.number, (c.freeze for c in self.claims))
            yield from self._file(month, month.freeze, FREEZE, final)
            if self.provider == _SPREADSHEETS and self._is_corrected(month.number):
                later = _stated(month.number, (c.later for c in self.claims))
                yield from self._file(month, month.freeze + _CORRECTED_AFTER, CORRECTION, later)
        if self.provider == _AT_THE_END:
            yield from self._to_date(self.months[-1], self.months[-1].freeze + _CORRECTED_AFTER)

    def _first(self, number: int) -> list[Line]:
        """The first file of a month, with what was moved into it from an earlier one by then."""
        found = []
        for claim in self.claims:
            into = claim.freeze is not None and claim.freeze.month == number
            before = claim.flex is not None and claim.flex.month < number
            if claim.flex is not None and claim.flex.month == number:
                found.append(claim.flex.line)
            elif claim.freeze is not None and into and before:
                found.append(claim.freeze.line)
        return found

    def _is_corrected(self, number: int) -> bool:
        return any(
            c.later != c.freeze and number in {v.month for v in (c.later, c.freeze) if v}
            for c in self.claims
        )

    def _to_date(self, month: Month, day: dt.date) -> Iterator[Sent]:
        """Every month up to this one; those that are closed by then as they stand since."""
        lines: list[Line] = []
        for each in self.months[: month.number]:
            closed = each.freeze < day
            lines += _stated(each.number, (c.later if closed else c.freeze for c in self.claims))
        yield from self._file(month, day, TO_DATE, lines)

    def _file(
        self, month: Month, day: dt.date, stage: str, lines: Sequence[Line]
    ) -> Iterator[Sent]:
        if not lines:
            if stage == FREEZE and self._first(month.number):
                name = f"{month.year}-M{month.number:02d}-{self.provider}-{self.payer}-{EMPTY}"
                yield Sent(day, self.provider, self.payer, EMPTY, (month.number,), name, b"")
            return
        sheet = self.provider == _SPREADSHEETS and stage == FREEZE
        name = "-".join(
            (month.year, f"M{month.number:02d}", self.provider, self.payer, stage.replace(" ", "-"))
        ) + (".xlsx" if sheet else ".csv")
        header, rows = self._rows(month, day, stage, lines, name)
        data = _as_sheet(header, rows, day) if sheet else _as_csv(header, rows)
        first = 1 if stage == TO_DATE else month.number
        about = tuple(range(first, month.number + 1))
        yield Sent(day, self.provider, self.payer, stage, about, name, data)

    def _rows(
        self, month: Month, day: dt.date, stage: str, lines: Sequence[Line], name: str
    ) -> tuple[Row, list[Row]]:
        created = f"{day.isoformat()}T{WAYS[self.provider].created}"
        stated = [{**line, cell.CREATED: created} for line in lines]
        trust, since = _OTHER_COLUMNS
        if self.provider == trust and month.number >= since:
            return _other_columns(stated)
        draw = chance(self.seed, f"year furniture {name}")
        slipped = set()
        if stage == FLEX and draw.below(0.1):
            slipped = {draw.between(0, len(stated) - 1)}
        elif stage == FREEZE and (self.provider, self.payer, month.number) == _SLIPPED:
            slipped = {0}
        rows = [tuple(line[column] for column in HEADER) for line in stated]
        rows = [slip(row) if place in slipped else row for place, row in enumerate(rows)]
        if draw.below(0.2):
            rows.insert(len(rows) // 2, ("",) * len(HEADER))
        return HEADER, [*rows, footer(stated)]


def _stated(number: int, versions: Iterable[Version | None]) -> list[Line]:
    return [v.line for v in versions if v is not None and v.month == number]


def _other_columns(lines: Sequence[Line]) -> tuple[Row, list[Row]]:
    """The same cells under names of the trust's own, in the order of these names."""
    columns = sorted(HEADER, key=lambda column: _RENAMED.get(column, column).casefold())
    header = tuple(_RENAMED.get(column, column) for column in columns)
    return header, [tuple(line[column] for column in columns) for line in lines]


def _as_csv(header: Row, rows: Sequence[Row]) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue().encode()


def _as_sheet(header: Row, rows: Sequence[Row], day: dt.date) -> bytes:
    """A workbook of text cells; its date is the file's, so that it is the same each time."""
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True, "strings_to_numbers": False})
    book.set_properties({"created": dt.datetime.combine(day, dt.time())})
    sheet = book.add_worksheet("DrPLCM")
    for number, row in enumerate([header, *rows]):
        for place, text in enumerate(row):
            sheet.write_string(number, place, text)
    book.close()
    return out.getvalue()


# --- what the Aggregate Contract Monitoring set states --------------------------------------------


def figures_of(claims: Sequence[Claim], months: Sequence[Month]) -> tuple[MonitoringFigure, ...]:
    """The stated total of each slice, added up by the trust from its own rows as they stand."""
    year = months[0].year
    totals: dict[SliceKey, Decimal] = {}
    for claim in claims:
        stands = _sent_last(claim)
        if stands is None:
            continue
        key = SliceKey(claim.provider, claim.payer, year, stands.month)
        amount = legible(stands.line[cell.TOTAL])
        if (key.provider, key.commissioner, key.financial_month) == WITHOUT_DELIVERY:
            amount -= legible(stands.line[cell.HOME])
        totals[key] = totals.get(key, Decimal(0)) + amount
    source = "demonstration: invented stated total"
    return tuple(MonitoringFigure(key, totals[key], source) for key in sorted(totals))


def _sent_last(claim: Claim) -> Version | None:
    """The line as the trust's last file states it; the last of a cumulative sender closes March."""
    trust, when = _CUMULATIVE
    months = {version.month for version in (claim.freeze, claim.later) if version is not None}
    return claim.freeze if claim.provider == trust and max(when) in months else claim.later
