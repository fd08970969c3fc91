"""What current slices of earlier submissions say that bears on a submission: read, then told.

Of their lines only those are read whose patient the submission names and has an approval with a
cap on quantity, or a credit in it; those that state the same as one of its lines; and those that
people matched by hand to such an approval. Lines without a slice are never summed, so they do not
count here either.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, localcontext
from functools import cache
from itertools import groupby
from typing import Any, Final, TypeAlias, TypeVar

import duckdb
import pyarrow as pa

from app.db.work import Work
from app.reconciliation import rows_store, store
from app.reconciliation.classify import may_be_fee
from app.reconciliation.earlier_store import Held, held_of, place_of, standing_before
from app.reconciliation.engines.before import Bearing, EarlierFile, what_stands_before
from app.reconciliation.engines.duckdb import Machine, database
from app.reconciliation.engines.index import local_keys
from app.reconciliation.engines.limits import EXACT_DIGITS
from app.reconciliation.engines.spacing import is_spaced
from app.reconciliation.engines.supply_terms import CHARGES
from app.reconciliation.errors import StoredFileDamaged
from app.reconciliation.files import FileStore
from app.reconciliation.line_columns import batch_of, lines_of
from app.reconciliation.model import (
    NO_EARLIER,
    ContractLine,
    Coverage,
    DecisionKind,
    Earlier,
    EarlierSpaced,
    EarlierSupply,
    Snapshot,
    UsedQuantity,
)
from app.reconciliation.pseudonymised import as_pseudonyms, names_pseudonyms
from app.reconciliation.slices import Fold, SliceKey, slice_of, slice_stated
from app.reconciliation.store import SubmissionRecord
from app.reconciliation.stored_lines import ROWS, stored_submission
from app.reconciliation.terms_model import SupplyTermKind
from app.reference_data.drugs import DrugDictionary
from app.reference_data.organisations import OrganisationDirectory
from app.reference_data.pseudonyms import PseudonymKey

Connection = duckdb.DuckDBPyConnection
Source: TypeAlias = str | Any  # the path of a Parquet file, or an Arrow table


@dataclass(frozen=True, slots=True)
class Looking:
    """What reading earlier submissions needs beside the database."""

    files: FileStore
    dictionary: DrugDictionary
    organisations: OrganisationDirectory
    machine: Machine
    key: PseudonymKey | None


@dataclass(frozen=True, slots=True)
class _Other:
    """An earlier submission, its rows, and its slices that stand."""

    record: SubmissionRecord
    source: Source
    keys: frozenset[SliceKey]


def earlier_for(work: Work, by: Looking, record: SubmissionRecord, snapshot: Snapshot) -> Earlier:
    """What stands before a submission; within `Database.read`, where all of it is of one state.

    A slice that the submission states itself is not among it, so neither a run that is made again
    nor a restatement counts itself.
    """
    assert record.number is not None
    place = place_of(work, record.organisation, record.id, record.number)
    before = [
        Held(record.organisation, *each)
        for each in standing_before(work, record.organisation, place)
    ]
    return _before(work, by, before, _source(work, by, record), snapshot) if before else NO_EARLIER


def earlier_of_draft(
    work: Work,
    looking: Callable[[str], Looking],
    provider: str,
    lines: Sequence[ContractLine],
    snapshot: Snapshot,
    *,
    restates: bool,
) -> Earlier:
    """What stands of a provider's own slices before lines that it has not sent yet.

    As its commissioners hold them, and as it holds them itself where those do not (ADR 64): read
    beyond scope, and only lines that name the provider. `looking` is how an organisation's are
    read. A draft file `restates` the slices that it states; a planned supply comes on top of them.
    """
    if not lines:
        return NO_EARLIER
    source = pa.Table.from_batches([batch_of(lines)])
    found = NO_EARLIER
    for organisation, held in groupby(held_of(work, provider), key=lambda each: each.organisation):
        with work.beyond_scope():
            said = _before(
                work, looking(organisation), list(held), source, snapshot, restates=restates
            )
        found = _together(found, said)
    return found


def _together(one: Earlier, other: Earlier) -> Earlier:
    """What two organisations' slices say, of which none is the other's."""
    used: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    with localcontext(prec=EXACT_DIGITS):
        for each in (*one.used, *other.used):
            used[each.approval_reference, each.unit] += each.quantity
    return Earlier(
        tuple(UsedQuantity(*key, quantity) for key, quantity in sorted(used.items())),
        one.charges + other.charges,
        one.stated | other.stated,
        one.supplies + tuple(_moved(each, len(one.charges)) for each in other.supplies),
        one.spaced + tuple(_moved(each, len(one.charges)) for each in other.spaced),
    )


S = TypeVar("S", EarlierSupply, EarlierSpaced)


def _moved(each: S, by: int) -> S:
    """The same with its charge after so many others."""
    return each if each.charge is None else replace(each, charge=each.charge + by)


def _before(
    work: Work,
    by: Looking,
    before: Sequence[Held],
    source: Source,
    snapshot: Snapshot,
    *,
    restates: bool = True,
) -> Earlier:
    """What these say that bears on the lines of `source`."""
    fold = cache(by.organisations.fold)
    with database(by.machine) as connection:
        _view(connection, "own", source)
        own = set(_slices(connection, "own", fold).values()) if restates else set()
        others = [
            _Other(found, _source(work, by, found), each.keys - own)
            for each in before
            if each.keys - own
            for found in (store.find_submission(work, each.organisation, each.submission),)
        ]
        if not others:
            return NO_EARLIER
        credited, fees = _hold_names(connection, by, snapshot)
        _want_repeated(connection, _with_lines(connection, others, _REPEATED), fold)
        wanted = _with_lines(connection, others, _WANTED)
        files = [_file(connection, by, snapshot, other, fold) for other in wanted]
        bearing = Bearing(_contents(connection, files), credited, fees, _says_early(snapshot))
    return what_stands_before(files, bearing, by.dictionary, by.organisations)


# --- rows -----------------------------------------------------------------------------------------


def _source(work: Work, by: Looking, record: SubmissionRecord) -> Source:
    """A submission's kept rows where they lie; where none are, its lines as such rows."""
    digest = rows_store.rows_of(work, record)
    if digest is not None:
        try:
            return str(by.files.path_of(record.organisation, ROWS, digest))
        except StoredFileDamaged:
            pass  # the bytes are read anew
    lines = stored_submission(by.files, record, None).lines
    return pa.Table.from_batches([batch_of(lines)])


def _view(connection: Connection, name: str, source: Source) -> None:
    """The lines of a submission under this name, in place of those before."""
    connection.execute(f"DROP VIEW IF EXISTS {name}")
    if isinstance(source, str):
        rows = f"read_parquet('{source}')"
    else:
        rows = f"{name}_rows"
        connection.register(rows, source)
    connection.execute(f"CREATE VIEW {name} AS SELECT * FROM {rows} WHERE why_skipped IS NULL")


def _with_lines(connection: Connection, others: Sequence[_Other], where: str) -> tuple[_Other, ...]:
    """Those with a line that fits: one look at all files, where most have none."""
    paths = sorted({each.source for each in others if isinstance(each.source, str)})
    found: set[str] = set()
    if paths:
        every = ", ".join(f"'{path}'" for path in paths)
        rows = connection.sql(
            f"SELECT DISTINCT filename FROM read_parquet([{every}], filename = true, "
            f"union_by_name = true) WHERE why_skipped IS NULL AND ({where})"
        ).fetchall()
        found = {path for (path,) in rows}
    return tuple(x for x in others if not isinstance(x.source, str) or x.source in found)


_STATED: Final = (
    "provider, commissioner, financial_year, financial_month, "
    "CASE WHEN financial_year IS NULL OR financial_month IS NULL THEN supply_date END"
)


def _slices(connection: Connection, view: str, fold: Fold) -> Mapping[tuple[Any, ...], SliceKey]:
    """What the lines of a view state of their slices → the slice."""
    said = connection.sql(f"SELECT DISTINCT {_STATED} FROM {view}").fetchall()
    found = ((each, slice_stated(each, fold)) for each in said)
    return {each: key for each, key in found if key is not None}


# --- whose lines bear on the submission -----------------------------------------------------------

#: All that a line names its patient or approval by; what one kind names may be another's: that
#: only reads a line more.
_NAMES: Final = "[nhs_number, nhs_pseudonym, local_patient_id, local_pseudonym, reference]"


def _hold_names(
    connection: Connection, by: Looking, snapshot: Snapshot
) -> tuple[frozenset[str], frozenset[str]]:
    """Hold the names whose lines are read, and lines by hand. Returns the names in credits and in
    fees, as far as these may be accepted."""
    early = _says_early(snapshot)
    capped = [
        each
        for each in snapshot.coverages
        if each.quantity_cap is not None or (early and is_spaced(each))
    ]
    references = {each.approval_reference for each in capped}
    hand = [
        each
        for each in snapshot.decisions
        if each.kind is DecisionKind.MATCH and each.approval_reference in references
    ]
    _hold(connection, "by_hand", "content_hash", {x.line_key.partition(".")[0] for x in hand})
    names = [_names_of(by, each) for each in capped]
    _hold(connection, "capped", "name", {name for each in names for name in each})
    stated = _names(connection, "SELECT * FROM own", "name IN (SELECT capped.name FROM capped)")
    named_by_hand = {each.approval_reference for each in hand}
    credited = _names(connection, "SELECT * FROM own WHERE starts_with(total_cost, '-')")
    credited |= {name for pair in _of_credits(connection, by) for name in pair}
    fees = _of_fees(connection, by, snapshot)
    wanted = credited | fees
    for coverage, its in zip(capped, names, strict=True):
        # By one name or another: an earlier line may state the number, this one the local id.
        if coverage.approval_reference in named_by_hand or not stated.isdisjoint(its):
            wanted |= its
    _hold(connection, "wanted", "name", wanted)
    return frozenset(credited), frozenset(fees)


def _says_early(snapshot: Snapshot) -> bool:
    return any(term.kind is SupplyTermKind.DAYS_EARLY for term in snapshot.terms.supplies)


def _of_fees(connection: Connection, by: Looking, snapshot: Snapshot) -> set[str]:
    """Whom the lines name that may be fees; nobody where no charge for one was agreed."""
    if not any(term.kind in CHARGES for term in snapshot.terms.supplies):
        return set()
    said = connection.sql("SELECT DISTINCT drug_name FROM own").fetchall()
    _hold(connection, "fee_name", "drug_name", {name for (name,) in said if may_be_fee(name)})
    rows = connection.sql(
        "SELECT DISTINCT nhs_number, local_patient_id FROM own SEMI JOIN fee_name USING (drug_name)"
    ).fetchall()
    numbers = _forms(by, {number for number, _ in rows if number}, number=True)
    locals_ = _forms(by, {local for _, local in rows if local}, number=False)
    return {name for pair in numbers | locals_ for name in pair}


def _names_of(by: Looking, coverage: Coverage) -> set[str]:
    """All by which a coverage's patient may be named in a line."""
    forms = _forms(by, {coverage.nhs_number} if coverage.nhs_number else (), number=True)
    forms |= _forms(by, {local for _, local in local_keys(coverage.local_ids)}, number=False)
    return {name for pair in forms for name in pair}


def _forms(by: Looking, names: Iterable[str], *, number: bool) -> set[tuple[str, str]]:
    """Each name with its pseudonym; with itself where there is no key."""
    if by.key is None:
        return {(name, name) for name in names}
    hidden = by.key.of_nhs_number if number else by.key.of_local_id
    return {(name, hidden(name)) for name in names}


def _of_credits(connection: Connection, by: Looking) -> set[tuple[str, str]]:
    rows = connection.sql(
        "SELECT DISTINCT nhs_number, local_patient_id FROM own WHERE starts_with(total_cost, '-')"
    ).fetchall()
    numbers = {number for number, _ in rows if number}
    locals_ = {local for _, local in rows if local}
    return _forms(by, numbers, number=True) | _forms(by, locals_, number=False)


def _names(connection: Connection, lines: str, where: str = "TRUE") -> set[str]:
    rows = connection.sql(
        f"SELECT DISTINCT name FROM (SELECT unnest({_NAMES}) AS name FROM ({lines})) "
        f"WHERE name IS NOT NULL AND {where}"
    ).fetchall()
    return {name for (name,) in rows}


def _hold(connection: Connection, table: str, column: str, values: Iterable[str]) -> None:
    held = pa.table({column: pa.array(sorted(values), pa.string())})
    connection.register(f"{table}_held", held)
    connection.execute(f"CREATE TABLE {table} AS SELECT * FROM {table}_held")


def _want_repeated(connection: Connection, others: Sequence[_Other], fold: Fold) -> None:
    """Want the patients, too, of lines that stand and state the same as one of the submission's.

    A credit elsewhere may take such a line back; so for lines that were matched by hand.
    """
    connection.execute("CREATE TABLE standing (content_hash VARCHAR, names VARCHAR[])")
    for other in others:
        _view(connection, "other", other.source)
        _hold_stands(connection, other, fold)
        connection.execute(
            f"INSERT INTO standing SELECT told.content_hash, {_NAMES} "
            f"FROM (SELECT *, {_DAY} AS day FROM other) AS told SEMI JOIN stands ON {_SAME_SLICE}"
        )
    connection.execute(
        "INSERT INTO wanted SELECT DISTINCT name FROM (SELECT unnest(names) AS name FROM ("
        "SELECT names FROM standing SEMI JOIN own USING (content_hash) UNION ALL "
        "SELECT names FROM standing SEMI JOIN by_hand USING (content_hash))) "
        "WHERE name IS NOT NULL"
    )
    connection.execute("DROP TABLE standing")


_STANDS: Final = {
    **dict.fromkeys(("provider", "commissioner", "financial_year"), pa.string()),
    "financial_month": pa.int8(),
    "day": pa.date32(),
}
_SAME_SLICE: Final = " AND ".join(
    f"stands.{name} IS NOT DISTINCT FROM told.{name}" for name in _STANDS
)


def _hold_stands(connection: Connection, other: _Other, fold: Fold) -> None:
    """Hold what lines of the slices that stand state of their slice."""
    said = [each for each, key in _slices(connection, "other", fold).items() if key in other.keys]
    columns = list(zip(*said, strict=True)) or [()] * len(_STANDS)
    pairs = zip(columns, _STANDS.values(), strict=True)
    arrays = [pa.array(column, kind) for column, kind in pairs]
    connection.register("stands", pa.Table.from_arrays(arrays, list(_STANDS)))


_DAY: Final = _STATED.rpartition(", ")[2]
_REPEATED: Final = """
content_hash IN (SELECT own.content_hash FROM own)
    OR content_hash IN (SELECT by_hand.content_hash FROM by_hand)
"""
_WANTED: Final = """
content_hash IN (SELECT by_hand.content_hash FROM by_hand)
    OR nhs_number IN (SELECT wanted.name FROM wanted)
    OR nhs_pseudonym IN (SELECT wanted.name FROM wanted)
    OR local_patient_id IN (SELECT wanted.name FROM wanted)
    OR local_pseudonym IN (SELECT wanted.name FROM wanted)
    OR reference IN (SELECT wanted.name FROM wanted)
"""


def _file(
    connection: Connection, by: Looking, snapshot: Snapshot, other: _Other, fold: Fold
) -> EarlierFile:
    """Its lines that are wanted, as the engine compares them."""
    _view(connection, "other", other.source)
    rows = connection.sql(f"SELECT * FROM other WHERE {_WANTED} ORDER BY row")
    lines = lines_of(rows.to_arrow_table())
    standing = frozenset(line.row for line in lines if slice_of(line, fold) in other.keys)
    seen = replace(snapshot, layout=other.record.layout)
    if by.key is not None and names_pseudonyms(lines):
        hidden, seen = as_pseudonyms(lines, seen, by.key)
        return EarlierFile(hidden, standing, seen)
    return EarlierFile(lines, standing, seen)


def _contents(connection: Connection, files: Sequence[EarlierFile]) -> frozenset[str]:
    """Which of their contents the submission states too."""
    _hold(connection, "read", "content_hash", {x.content_hash for f in files for x in f.lines})
    rows = connection.sql(
        "SELECT DISTINCT content_hash FROM own "
        "WHERE content_hash IN (SELECT read.content_hash FROM read)"
    ).fetchall()
    return frozenset(digest for (digest,) in rows)
