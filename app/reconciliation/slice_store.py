"""The SQL of slices, their versions, calendar and stated totals, each within one organisation."""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, RowMapping, Table, and_, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from app.db import tables
from app.db.work import Work
from app.reconciliation.slices import SliceKey
from app.reconciliation.standing_order import standing_last

STATEMENT, CORRECTION = "statement", "correction"


@dataclass(frozen=True, slots=True)
class SliceVersion:
    """What one submission states for a slice.

    `lines` and `total` are all that it states. For a correction `lines_more` and `total_more` are
    its signed difference to what stood before, and `cites` is the frozen statement.
    """

    id: str
    organisation: str
    slice_id: str
    number: int
    kind: str
    submission_id: str
    cites: str | None
    lines: int
    total: Decimal
    lines_more: int
    total_more: Decimal
    accepted_at: dt.datetime
    accepted_by: str


@dataclass(frozen=True, slots=True)
class CorrectedLine:
    """A line that a correction takes away or adds, with the outcome that it cites."""

    id: str
    organisation: str
    version_id: str
    sign: int
    submission_id: str
    row: int
    amount: Decimal
    run_id: str | None = None
    outcome: str | None = None
    accepted: Decimal | None = None
    queried: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Head:
    """A slice: its current statement, and the newest version of any kind."""

    id: str
    key: SliceKey
    current: SliceVersion | None
    newest: SliceVersion | None


class Period(NamedTuple):
    """A financial year and month."""

    financial_year: str
    financial_month: int


@dataclass(frozen=True, slots=True)
class ContractMonth:
    """The days of a contract month; what is not known is None. `source` says who set them."""

    financial_year: str
    financial_month: int
    submission: dt.date | None
    flex: dt.date | None
    freeze: dt.date | None
    challenge_by: dt.date | None
    source: str


@dataclass(frozen=True, slots=True)
class MonitoringFigure:
    """What the Aggregate Contract Monitoring set states for a slice, in pounds."""

    key: SliceKey
    amount: Decimal
    source: str


@dataclass(frozen=True, slots=True)
class SliceOutcome:
    """What a run accepted and queried of a slice, in pounds.

    `not_testable` is what it accepted of lines with a test that could not be made; `untested` the
    same for each test, where a line with two counts in both. None: the run is of before.
    """

    key: SliceKey
    lines: int
    total: Decimal
    accepted: Decimal
    queried: Decimal
    not_testable: Decimal | None = None
    untested: Mapping[str, str] | None = None


def _is(table: Table, organisation: str, key: SliceKey) -> ColumnElement[bool]:
    wanted = {"organisation": organisation, **key._asdict()}
    return and_(*(table.c[name] == value for name, value in wanted.items()))


def _key(row: RowMapping) -> SliceKey:
    return SliceKey(*(row[name] for name in SliceKey._fields))


def _version(row: RowMapping) -> SliceVersion:
    return SliceVersion(**{name: row[name] for name in SliceVersion.__slots__})


# --- slices ---------------------------------------------------------------------------------------


def locked_head(work: Work, organisation: str, key: SliceKey) -> Head:
    """The slice, made where it is new, and held until the transaction ends."""
    dialect = postgresql if work.on_postgres else sqlite
    head = tables.slice_head
    work.connection.execute(
        dialect.insert(head)
        .values(id=work.new_id(), organisation=organisation, **key._asdict())
        .on_conflict_do_nothing()
    )
    work.connection.execute(select(head.c.id).where(_is(head, organisation, key)).with_for_update())
    (found,) = heads(work, organisation, [key])
    return found


def heads(
    work: Work, organisation: str, keys: Iterable[SliceKey] | None = None
) -> tuple[Head, ...]:
    """The organisation's slices, or those of the keys that there are; in order of their keys."""
    head, wanted = tables.slice_head, None if keys is None else set(keys)
    rows = work.connection.execute(
        select(head).where(head.c.organisation == organisation, *_narrowed(wanted))
    ).mappings()
    found = [row for row in rows if wanted is None or _key(row) in wanted]
    versions = _versions(work, organisation, [row["id"] for row in found])
    made = [_head(row, versions.get(row["id"], [])) for row in found]
    return tuple(sorted(made, key=lambda each: each.key))


def _narrowed(wanted: set[SliceKey] | None) -> tuple[ColumnElement[bool], ...]:
    """Few keys are asked for by their years and providers; the rest is done in Python."""
    if wanted is None:
        return ()
    column = tables.slice_head.c
    return (
        column.financial_year.in_({key.financial_year for key in wanted}),
        column.provider.in_({key.provider for key in wanted}),
    )


def _head(row: RowMapping, versions: Sequence[SliceVersion]) -> Head:
    by_id = {version.id: version for version in versions}
    newest = max(versions, key=lambda version: version.number, default=None)
    current = row["current_version"]
    return Head(row["id"], _key(row), None if current is None else by_id[current], newest)


_AT_ONCE = 500  # ids in one statement


def _versions(
    work: Work, organisation: str, slice_ids: Sequence[str]
) -> dict[str, list[SliceVersion]]:
    column = tables.slice_version.c
    found: dict[str, list[SliceVersion]] = {}
    for at in range(0, len(slice_ids), _AT_ONCE):
        rows = work.connection.execute(
            select(tables.slice_version).where(
                column.organisation == organisation,
                column.slice_id.in_(slice_ids[at : at + _AT_ONCE]),
            )
        ).mappings()
        for version in map(_version, rows):
            found.setdefault(version.slice_id, []).append(version)
    return found


def stated_keys(
    work: Work, organisation: str, years: Iterable[tuple[str, str]]
) -> tuple[SliceKey, ...]:
    """The slices with a current statement of these providers and financial years."""
    wanted = set(years)
    column = tables.slice_head.c
    rows = work.connection.execute(
        select(tables.slice_head).where(
            column.organisation == organisation,
            column.current_version.is_not(None),
            column.provider.in_({provider for provider, _ in wanted}),
        )
    ).mappings()
    keys = map(_key, rows)
    return tuple(key for key in keys if (key.provider, key.financial_year) in wanted)


def add_version(work: Work, version: SliceVersion) -> None:
    """Store a version; a statement becomes the slice's current one."""
    work.connection.execute(insert(tables.slice_version).values(**asdict(version)))
    if version.kind == STATEMENT:
        column = tables.slice_head.c
        work.connection.execute(
            update(tables.slice_head)
            .where(column.organisation == version.organisation, column.id == version.slice_id)
            .values(current_version=version.id)
        )


def add_corrected_lines(work: Work, lines: Sequence[CorrectedLine]) -> None:
    """Store the lines of a correction."""
    if lines:
        work.connection.execute(insert(tables.slice_correction), [asdict(line) for line in lines])


def corrections_since(work: Work, organisation: str) -> Mapping[str, tuple[int, int, Decimal]]:
    """For each slice with corrections of its current statement: how many, lines and pounds more."""
    version, head = tables.slice_version, tables.slice_head
    rows = work.connection.execute(
        select(version.c.slice_id, version.c.lines_more, version.c.total_more)
        .join_from(version, head, head.c.current_version == version.c.cites)
        .where(version.c.organisation == organisation, version.c.kind == CORRECTION)
    )
    found: dict[str, tuple[int, int, Decimal]] = {}
    for slice_id, lines, total in rows:
        many, so_far, sum_ = found.get(slice_id, (0, 0, Decimal(0)))
        found[slice_id] = (many + 1, so_far + lines, sum_ + total)
    return found


def versions_of_submission(
    work: Work, organisation: str, submission_id: str
) -> tuple[tuple[SliceKey, SliceVersion, bool], ...]:
    """What a submission states, slice by slice, and whether that is the current statement."""
    version, head = tables.slice_version, tables.slice_head
    columns = [head.c[name] for name in (*SliceKey._fields, "current_version")]
    rows = work.connection.execute(
        select(version, *columns)
        .join_from(version, head, head.c.id == version.c.slice_id)
        .where(version.c.organisation == organisation, version.c.submission_id == submission_id)
    ).mappings()
    found = [(_key(row), _version(row), row["current_version"] == row["id"]) for row in rows]
    return tuple(sorted(found, key=lambda each: each[0]))


def corrected_lines(work: Work, organisation: str, version_id: str) -> tuple[CorrectedLine, ...]:
    """The lines of a correction, in order of their rows."""
    column = tables.slice_correction.c
    rows = work.connection.execute(
        select(tables.slice_correction)
        .where(column.organisation == organisation, column.version_id == version_id)
        .order_by(column.sign, column.row)
    ).mappings()
    return tuple(CorrectedLine(**row) for row in rows)


# --- calendar and stated totals -------------------------------------------------------------------


def calendar_of(work: Work, organisation: str) -> Mapping[Period, ContractMonth]:
    """The organisation's contract months, as set last."""
    table = tables.contract_month
    rows = work.connection.execute(
        select(table).where(table.c.organisation == organisation).order_by(table.c.number)
    ).mappings()
    months = (ContractMonth(**{n: row[n] for n in ContractMonth.__slots__}) for row in rows)
    return {Period(m.financial_year, m.financial_month): m for m in months}


def figures_of(work: Work, organisation: str) -> Mapping[SliceKey, MonitoringFigure]:
    """The organisation's stated totals, as set last."""
    table = tables.monitoring_figure
    rows = work.connection.execute(
        select(table).where(table.c.organisation == organisation).order_by(table.c.number)
    ).mappings()
    return {_key(row): MonitoringFigure(_key(row), row["amount"], row["source"]) for row in rows}


def set_month(work: Work, organisation: str, by: str, month: ContractMonth) -> None:
    """Set a contract month's days; what was set before stays on record."""
    period = {"financial_year": month.financial_year, "financial_month": month.financial_month}
    _add_next(work, tables.contract_month, organisation, by, period, asdict(month))


def set_figure(work: Work, organisation: str, by: str, figure: MonitoringFigure) -> None:
    """Set a slice's stated total; what was set before stays on record."""
    values = {"amount": figure.amount, "source": figure.source}
    key = figure.key._asdict()
    _add_next(work, tables.monitoring_figure, organisation, by, key, {**key, **values})


def _add_next(
    work: Work,
    table: Table,
    organisation: str,
    by: str,
    named: Mapping[str, Any],
    values: Mapping[str, Any],
) -> None:
    conditions = [table.c.organisation == organisation]
    conditions += [table.c[name] == value for name, value in named.items()]
    last = work.connection.execute(select(func.max(table.c.number)).where(*conditions)).scalar()
    work.connection.execute(
        insert(table).values(
            id=work.new_id(),
            organisation=organisation,
            number=(last or 0) + 1,
            set_at=work.moment.instant,
            set_by=by,
            **values,
        )
    )


# --- outcomes by slice ----------------------------------------------------------------------------

_FIGURES = ("lines", "total", "accepted", "queried", "not_testable", "untested")


def add_outcomes(
    work: Work, organisation: str, run_id: str, outcomes: Sequence[SliceOutcome]
) -> None:
    """Store what a run accepted and queried of each slice."""
    rows = [
        {
            "id": work.new_id(),
            "run_id": run_id,
            "organisation": organisation,
            **each.key._asdict(),
            **{name: getattr(each, name) for name in _FIGURES},
        }
        for each in outcomes
    ]
    if rows:
        work.connection.execute(insert(tables.slice_outcome), rows)


def standing_outcomes(work: Work, organisation: str) -> Mapping[tuple[str, SliceKey], SliceOutcome]:
    """By submission and slice, the outcome of the run that stands for the submission."""
    outcome, run = tables.slice_outcome, tables.reconciliation_run
    rows = work.connection.execute(
        select(outcome, run.c.submission_id)
        .join_from(outcome, run, run.c.id == outcome.c.run_id)
        .where(outcome.c.organisation == organisation)
        .order_by(*standing_last(run))
    ).mappings()
    return {(row["submission_id"], _key(row)): outcome_of(row) for row in rows}


def outcomes_of_run(work: Work, organisation: str, run_id: str) -> Mapping[SliceKey, SliceOutcome]:
    """What one run said of each slice."""
    column = tables.slice_outcome.c
    rows = work.connection.execute(
        select(tables.slice_outcome).where(
            column.organisation == organisation, column.run_id == run_id
        )
    ).mappings()
    return {_key(row): outcome_of(row) for row in rows}


def outcome_of(row: RowMapping) -> SliceOutcome:
    """A stored outcome of a slice."""
    return SliceOutcome(_key(row), *(row[n] for n in _FIGURES))


def versions_of(work: Work, organisation: str, slice_ids: Sequence[str]) -> set[str]:
    """Every version of these slices."""
    column = tables.slice_version.c
    found: set[str] = set()
    for at in range(0, len(slice_ids), _AT_ONCE):
        query = select(column.id).where(
            column.organisation == organisation,
            column.slice_id.in_(slice_ids[at : at + _AT_ONCE]),
        )
        found.update(work.connection.execute(query).scalars())
    return found


def counted_versions(work: Work, organisation: str, slice_ids: Sequence[str]) -> set[str]:
    """The current statements of these slices, and the corrections of them."""
    version, head = tables.slice_version, tables.slice_head
    found: set[str] = set()
    for at in range(0, len(slice_ids), _AT_ONCE):
        query = (
            select(version.c.id)
            .join_from(version, head, head.c.id == version.c.slice_id)
            .where(
                version.c.organisation == organisation,
                head.c.id.in_(slice_ids[at : at + _AT_ONCE]),
                head.c.current_version.in_((version.c.id, version.c.cites)),
            )
        )
        found.update(work.connection.execute(query).scalars())
    return found
