"""Kept rows of earlier submissions where they lie, and which of them bear on a submission.

Of their lines only those are read whose patient the submission names and has an approval with a
cap on quantity, or a credit in it; those that state the same as one of its lines; and those that
people matched by hand to such an approval. Lines without a slice are never summed, so they do not
count here either.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, TypeAlias

import duckdb
import pyarrow as pa

from app.reconciliation.classify import may_be_fee
from app.reconciliation.engines.duckdb import Machine
from app.reconciliation.engines.index import local_keys
from app.reconciliation.engines.spacing import is_spaced
from app.reconciliation.engines.supply_terms import CHARGES
from app.reconciliation.files import FileStore
from app.reconciliation.model import Coverage, DecisionKind, Snapshot
from app.reconciliation.slices import Fold, SliceKey, slice_stated
from app.reconciliation.terms_model import SupplyTermKind
from app.reference_data.drugs import DrugDictionary
from app.reference_data.organisations import OrganisationDirectory
from app.reference_data.pseudonyms import PseudonymKey

Connection = duckdb.DuckDBPyConnection
Source: TypeAlias = str | Any  # the path of a Parquet file, or an Arrow table

#: Of more lines than these the plain functions match only what the steps do not know.
MOST_PLAIN: Final = 20_000


@dataclass(frozen=True, slots=True)
class Looking:
    """What reading earlier submissions needs beside the database.

    Of more than `most_plain` lines that bear on a submission, the SQL steps count what they use.
    """

    files: FileStore
    dictionary: DrugDictionary
    organisations: OrganisationDirectory
    machine: Machine
    key: PseudonymKey | None
    most_plain: int = MOST_PLAIN


@dataclass(frozen=True, slots=True)
class Other:
    """An earlier submission's rows, its layout, and its slices that stand."""

    source: Source
    layout: str
    keys: frozenset[SliceKey]


@dataclass(frozen=True, slots=True)
class Names:
    """What the submission's credits name, each with how much they give back, and whom its fees
    name, as far as either may be accepted."""

    credited: frozenset[tuple[str, Decimal]]
    fees: frozenset[str]


def view(connection: Connection, name: str, source: Source) -> None:
    """The lines of a submission under this name, in place of those before."""
    connection.execute(f"DROP VIEW IF EXISTS {name}")
    if isinstance(source, str):
        rows = f"read_parquet('{source}')"
    else:
        rows = f"{name}_rows"
        connection.register(rows, source)
    connection.execute(f"CREATE VIEW {name} AS SELECT * FROM {rows} WHERE why_skipped IS NULL")


def hold(connection: Connection, table: str, column: str, values: Iterable[str]) -> None:
    """Hold a table of one column of texts."""
    held = pa.table({column: pa.array(sorted(values), pa.string())})
    connection.register(f"{table}_held", held)
    connection.execute(f"CREATE TABLE {table} AS SELECT * FROM {table}_held")


# --- slices ---------------------------------------------------------------------------------------

_STATED: Final = (
    "provider, commissioner, financial_year, financial_month, "
    "CASE WHEN financial_year IS NULL OR financial_month IS NULL THEN supply_date END"
)
#: The day of a line that does not state its month, in which it stands.
DAY: Final = _STATED.rpartition(", ")[2]
_STANDS: Final = {
    **dict.fromkeys(("provider", "commissioner", "financial_year"), pa.string()),
    "financial_month": pa.int8(),
    "day": pa.date32(),
}
#: Joins `told`, with its `day`, to `stands`.
SAME_SLICE: Final = " AND ".join(
    f"stands.{name} IS NOT DISTINCT FROM told.{name}" for name in _STANDS
)


def slices_in(connection: Connection, name: str, fold: Fold) -> Mapping[tuple[Any, ...], SliceKey]:
    """What the lines of a view state of their slices → the slice."""
    said = connection.sql(f"SELECT DISTINCT {_STATED} FROM {name}").fetchall()
    found = ((each, slice_stated(each, fold)) for each in said)
    return {each: key for each, key in found if key is not None}


def hold_stands(connection: Connection, other: Other, fold: Fold) -> None:
    """Hold as `stands` what lines of `other`'s slices that stand state of their slice."""
    said = [each for each, key in slices_in(connection, "other", fold).items() if key in other.keys]
    columns = list(zip(*said, strict=True)) or [()] * len(_STANDS)
    pairs = zip(columns, _STANDS.values(), strict=True)
    arrays = [pa.array(column, kind) for column, kind in pairs]
    connection.register("stands", pa.Table.from_arrays(arrays, list(_STANDS)))


# --- whose lines bear on the submission -----------------------------------------------------------

#: All that a line names its patient or approval by; what one kind names may be another's: that
#: only reads a line more.
_NAMES: Final = "[nhs_number, nhs_pseudonym, local_patient_id, local_pseudonym, reference]"
_CREDITS: Final = "SELECT * FROM own WHERE starts_with(total_cost, '-')"


def hold_names(connection: Connection, by: Looking, snapshot: Snapshot) -> Names:
    """Hold as `wanted` the names whose lines are read, and as `by_hand` lines matched by hand."""
    early = says_early(snapshot)

    def capped() -> Iterator[Coverage]:  # one at a time: there may be millions
        return (
            each
            for each in snapshot.coverages
            if each.quantity_cap is not None or (early and is_spaced(each))
        )

    references = {each.approval_reference for each in capped()}
    hand = [
        each
        for each in snapshot.decisions
        if each.kind is DecisionKind.MATCH and each.approval_reference in references
    ]
    hold(connection, "by_hand", "content_hash", {x.line_key.partition(".")[0] for x in hand})
    named = {name for each in capped() for name in names_of(by, each)}
    hold(connection, "capped", "name", named)
    stated = _names(connection, "SELECT * FROM own", "name IN (SELECT capped.name FROM capped)")
    named_by_hand = {each.approval_reference for each in hand}
    credited = _credited(connection, by)
    fees = _of_fees(connection, by, snapshot)
    wanted = {name for name, _ in credited} | fees
    for coverage in capped():
        its = names_of(by, coverage)
        # By one name or another: an earlier line may state the number, this one the local id.
        if coverage.approval_reference in named_by_hand or not stated.isdisjoint(its):
            wanted |= its
    hold(connection, "wanted", "name", wanted)
    return Names(frozenset(credited), frozenset(fees))


def says_early(snapshot: Snapshot) -> bool:
    """Whether any commissioner agreed how early a supply may be."""
    return any(term.kind is SupplyTermKind.DAYS_EARLY for term in snapshot.terms.supplies)


def _of_fees(connection: Connection, by: Looking, snapshot: Snapshot) -> set[str]:
    """Whom the lines name that may be fees; nobody where no charge for one was agreed."""
    if not any(term.kind in CHARGES for term in snapshot.terms.supplies):
        return set()
    said = connection.sql("SELECT DISTINCT drug_name FROM own").fetchall()
    hold(connection, "fee_name", "drug_name", {name for (name,) in said if may_be_fee(name)})
    rows = connection.sql(
        "SELECT DISTINCT nhs_number, local_patient_id FROM own SEMI JOIN fee_name USING (drug_name)"
    ).fetchall()
    numbers = _forms(by, {number for number, _ in rows if number}, number=True)
    locals_ = _forms(by, {local for _, local in rows if local}, number=False)
    return {name for pair in numbers | locals_ for name in pair}


def names_of(by: Looking, coverage: Coverage) -> set[str]:
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


def _credited(connection: Connection, by: Looking) -> set[tuple[str, Decimal]]:
    """All that the credits name, in each form, with how much each gives back."""
    rows = connection.sql(
        f"SELECT DISTINCT total_cost, unnest({_NAMES}) AS name FROM ({_CREDITS})"
    ).fetchall()
    found = {(name, abs(Decimal(total))) for total, name in rows if name}
    if by.key is None:
        return found
    for column, hidden in (
        ("nhs_number", by.key.of_nhs_number),
        ("local_patient_id", by.key.of_local_id),
    ):
        rows = connection.sql(f"SELECT DISTINCT total_cost, {column} FROM ({_CREDITS})").fetchall()
        found |= {(hidden(name), abs(Decimal(total))) for total, name in rows if name}
    return found


def _names(connection: Connection, lines: str, where: str = "TRUE") -> set[str]:
    rows = connection.sql(
        f"SELECT DISTINCT name FROM (SELECT unnest({_NAMES}) AS name FROM ({lines})) "
        f"WHERE name IS NOT NULL AND {where}"
    ).fetchall()
    return {name for (name,) in rows}


def want_repeated(connection: Connection, others: Sequence[Other], fold: Fold) -> None:
    """Want the patients, too, of lines that stand and state the same as one of the submission's.

    A credit elsewhere may take such a line back; so for lines that were matched by hand.
    """
    connection.execute("CREATE TABLE standing (content_hash VARCHAR, names VARCHAR[])")
    for other in others:
        view(connection, "other", other.source)
        hold_stands(connection, other, fold)
        connection.execute(
            f"INSERT INTO standing SELECT told.content_hash, {_NAMES} "
            f"FROM (SELECT *, {DAY} AS day FROM other) AS told SEMI JOIN stands ON {SAME_SLICE}"
        )
    connection.execute(
        "INSERT INTO wanted SELECT DISTINCT name FROM (SELECT unnest(names) AS name FROM ("
        "SELECT names FROM standing SEMI JOIN own USING (content_hash) UNION ALL "
        "SELECT names FROM standing SEMI JOIN by_hand USING (content_hash))) "
        "WHERE name IS NOT NULL"
    )
    connection.execute("DROP TABLE standing")


REPEATED: Final = """
content_hash IN (SELECT own.content_hash FROM own)
    OR content_hash IN (SELECT by_hand.content_hash FROM by_hand)
"""
WANTED: Final = """
content_hash IN (SELECT by_hand.content_hash FROM by_hand)
    OR nhs_number IN (SELECT wanted.name FROM wanted)
    OR nhs_pseudonym IN (SELECT wanted.name FROM wanted)
    OR local_patient_id IN (SELECT wanted.name FROM wanted)
    OR local_pseudonym IN (SELECT wanted.name FROM wanted)
    OR reference IN (SELECT wanted.name FROM wanted)
"""


def with_lines(
    connection: Connection, others: Sequence[Other], where: str
) -> tuple[tuple[Other, int], ...]:
    """Those with a line that fits, and how many of them do: one look at all files, where most have
    none. Of rows in memory all are counted."""
    paths = sorted({each.source for each in others if isinstance(each.source, str)})
    found: dict[str, int] = {}
    if paths:
        every = ", ".join(f"'{path}'" for path in paths)
        rows = connection.sql(
            f"SELECT filename, count(*) FROM read_parquet([{every}], filename = true, "
            f"union_by_name = true) WHERE why_skipped IS NULL AND ({where}) GROUP BY filename"
        ).fetchall()
        found = dict(rows)
    counts = (
        found.get(each.source, 0) if isinstance(each.source, str) else len(each.source)
        for each in others
    )
    return tuple(
        (each, count)
        for each, count in zip(others, counts, strict=True)
        if count or not isinstance(each.source, str)
    )
