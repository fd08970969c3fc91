"""Many lines of earlier submissions: laid by on the disk, and counted there by the SQL steps.

The rows that bear on the submission are written into a folder of the run, their drug, time and
provider worked out as for a submission's own (`line_sql`), and counted (`engines.before_sql`). Only
those that the steps do not know are read into memory, for the plain functions.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from app.reconciliation.classify import may_be_fee
from app.reconciliation.earlier_rows import (
    DAY,
    SAME_SLICE,
    WANTED,
    Connection,
    Looking,
    Names,
    Other,
    hold,
    hold_stands,
    names_of,
    says_early,
    view,
)
from app.reconciliation.engines.before import EarlierFile, what_stands_before
from app.reconciliation.engines.before_sql import ROWS, Laid, count_before, place_of
from app.reconciliation.engines.duckdb import database, opened
from app.reconciliation.engines.index import Folder, index_snapshot, local_keys
from app.reconciliation.engines.line_sql import Reference, hold_lines
from app.reconciliation.engines.open_charges import Bearing
from app.reconciliation.engines.packed import pack
from app.reconciliation.engines.table_columns import AMOUNT
from app.reconciliation.line_columns import READ, lines_of
from app.reconciliation.model import ContractLine, Coverage, Earlier, Snapshot
from app.reconciliation.pseudonymised import as_pseudonyms, with_hidden_names
from app.reconciliation.scratch import scratch
from app.reconciliation.slices import slice_of

_BATCH: Final = 50_000
_KEPT: Final = ("file", "stands", "hidden")
#: A quantity of more places than the tables hold is left to the plain functions.
_ODD: Final = "coalesce(length(rtrim(split_part(quantity, '.', 2), '0')) > 8, FALSE)"
_ROWS: Final = f"""
SELECT
    CAST({{file}} AS BIGINT) AS file,
    CAST({{file}} AS BIGINT) * {ROWS} + told.row AS pos,
    stands.provider IS NOT NULL AS stands,
    {{hidden}} AS hidden,
    {_ODD} AS odd,
    told.row, told.why_skipped, told.content_hash, told.shifted,
    {", ".join(f"told.{name}" for name in READ if name != "quantity")},
    CASE WHEN NOT {_ODD} THEN told.quantity END AS quantity
FROM (SELECT *, {DAY} AS day FROM other WHERE {WANTED}) AS told
LEFT JOIN stands ON {SAME_SLICE}
"""


def many_before(
    connection: Connection,
    by: Looking,
    others: Sequence[Other],
    snapshot: Snapshot,
    names: Names,
) -> Earlier:
    """What the wanted lines of these say, most of which are never in memory.

    `connection` holds `wanted`, `by_hand` and the view `own`. Raises NotTabular where the snapshot
    holds a number that the tables do not.
    """
    assert by.machine.spill_to is not None
    with scratch(by.machine.spill_to) as folder:
        hidden = [_lay(connection, by, n, other, folder) for n, other in enumerate(others)]
        own = folder / "own.parquet"
        connection.execute(f"COPY (SELECT content_hash FROM own) TO '{own}' (FORMAT parquet)")
        seen = _Seen(by, snapshot, folder)
        laid = Laid(folder / "lines", folder / "flagged.parquet", own)
        _prepare(by, seen, sorted(set(zip((x.layout for x in others), hidden, strict=True))), laid)
        _flag(by, seen, names, laid)
        with_spacing = says_early(snapshot)
        with opened(by.machine) as running:
            counted, apart = count_before(running, laid, seen.by_way, with_spacing=with_spacing)
        files = _files(connection, by, seen, others, hidden, apart)
        contents = contents_stated(connection, files)
        bearing = Bearing(contents, names.credited, names.fees, with_spacing)
        return what_stands_before(files, bearing, by.dictionary, by.organisations, counted)


def contents_stated(connection: Connection, files: Sequence[EarlierFile]) -> frozenset[str]:
    """Which of their contents the submission states too."""
    hold(connection, "read", "content_hash", {x.content_hash for f in files for x in f.lines})
    rows = connection.sql(
        "SELECT DISTINCT content_hash FROM own "
        "WHERE content_hash IN (SELECT read.content_hash FROM read)"
    ).fetchall()
    return frozenset(digest for (digest,) in rows)


# --- the rows -------------------------------------------------------------------------------------


def _lay(connection: Connection, by: Looking, file: int, other: Other, folder: Path) -> bool:
    """Write a file's wanted rows below the folder; whether they are compared by pseudonym."""
    view(connection, "other", other.source)
    hold_stands(connection, other, cache(by.organisations.fold))
    keyed = connection.sql(
        f"SELECT count(*) FROM other WHERE ({WANTED}) "
        "AND (nhs_pseudonym <> '' OR local_pseudonym <> '')"
    ).fetchall()
    hidden = by.key is not None and keyed[0][0] > 0
    rows = _ROWS.format(file=file, hidden=hidden)
    path = _of(folder, other.layout, hidden) / f"{file}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    if not hidden:
        connection.execute(f"COPY ({rows}) TO '{path}' (FORMAT parquet)")
        return False
    assert by.key is not None
    reader = connection.sql(rows).to_arrow_reader(_BATCH)
    with pq.ParquetWriter(path, reader.schema) as out:
        for batch in reader:
            out.write_table(with_hidden_names(pa.Table.from_batches([batch]), by.key))
    return True


def _of(folder: Path, layout: str, hidden: bool) -> Path:
    """Where rows of a layout lie: by its digest, since a layout may have any name, or none."""
    named = hashlib.sha256(layout.encode()).hexdigest()[:16]
    return folder / "rows" / named / ("pseudonyms" if hidden else "numbers")


def _all(folder: Path) -> str:
    """The laid rows of all files, as DuckDB reads them."""
    return f"read_parquet('{folder}/rows/*/*/*.parquet')"


class _Seen:
    """The snapshot as earlier lines see it: of its coverages, those that one of them may name."""

    def __init__(self, by: Looking, snapshot: Snapshot, folder: Path) -> None:
        self._by, self._snapshot, self.folder = by, snapshot, folder
        with database(by.machine) as connection:
            rows = connection.sql(
                "SELECT DISTINCT unnest([nhs_number, local_patient_id]) AS name "
                f"FROM {_all(folder)}"
            ).fetchall()
        self._names = {name for (name,) in rows if name}
        self._references = {each.approval_reference for each in snapshot.decisions} - {None}
        self.by_way = cache(self._by_way)
        self.index = cache(lambda hidden: index_snapshot(self.by_way(hidden)))

    def _by_way(self, hidden: bool) -> Snapshot:
        seen = self._snapshot
        if hidden:
            assert self._by.key is not None
            _, seen = as_pseudonyms((), seen, self._by.key)
        return replace(seen, coverages=pack(filter(self._may_be_named, seen.coverages)))

    def _may_be_named(self, coverage: Coverage) -> bool:
        return (
            coverage.nhs_number in self._names
            or any(local in self._names for _, local in local_keys(coverage.local_ids))
            or coverage.approval_reference in self._references
        )


def _prepare(by: Looking, seen: _Seen, kinds: Iterable[tuple[str, bool]], laid: Laid) -> None:
    """Write what the steps read of the rows, for each layout and way of comparing."""
    laid.rows.mkdir()
    fold = Folder(by.organisations)
    for number, (layout, hidden) in enumerate(kinds):
        rows = _of(seen.folder, layout, hidden)
        with database(by.machine) as connection:
            connection.read_parquet(str(rows / "*.parquet")).create_view("stored")
            snapshot = replace(seen.by_way(hidden), layout=layout)
            known = Reference(snapshot, seen.index(hidden), by.dictionary, fold)
            hold_lines(connection, known, rows, _KEPT)
        (rows / "line.parquet").rename(laid.rows / f"{number}.parquet")


# --- what is left to the plain functions ----------------------------------------------------------


def _flag(by: Looking, seen: _Seen, names: Names, laid: Laid) -> None:
    """Write the `pos` of lines that the plain functions match: decided by hand, given back by a
    credit of the submission, of a patient whose fees it states, or of a number too long."""
    snapshot = seen.by_way(False)
    decided = {each.line_key.partition(".")[0] for each in snapshot.decisions}
    amounts = {
        "name": pa.array([name for name, _ in names.credited], pa.string()),
        "amount": pa.array([amount for _, amount in names.credited], AMOUNT),
    }
    with database(by.machine) as connection:
        connection.execute(f"CREATE VIEW laid AS FROM {_all(seen.folder)}")
        hold(connection, "decided", "content_hash", decided)
        connection.register("credited", pa.table(amounts))
        hold(connection, "linked", "name", _linked(connection, by, snapshot, names))
        connection.execute(f"COPY ({_FLAGGED}) TO '{laid.flagged}' (FORMAT parquet)")


_FLAGGED: Final = """
SELECT pos FROM laid WHERE odd
UNION
SELECT pos FROM laid SEMI JOIN decided USING (content_hash)
UNION
SELECT told.pos
FROM (
    SELECT pos, CAST(total_cost AS DECIMAL(38, 8)) AS amount,
        unnest([nhs_number, local_patient_id, reference]) AS name
    FROM laid
    WHERE total_cost IS NOT NULL
) AS told
SEMI JOIN credited ON credited.name = told.name AND credited.amount = told.amount
UNION
SELECT pos FROM laid SEMI JOIN linked ON linked.name = laid.nhs_number
UNION
SELECT pos FROM laid SEMI JOIN linked ON linked.name = laid.local_patient_id
UNION
SELECT pos FROM laid SEMI JOIN linked ON linked.name = laid.reference
"""


def _linked(connection: Connection, by: Looking, snapshot: Snapshot, names: Names) -> set[str]:
    """All names of the patients whose fees count, and of all whose lines or approvals share one.

    A fee is paid for by an accepted supply, which depends on what else its approval is used for;
    and a credit of a fee that finds none looks for another charge. So nothing is left out that is
    linked by a patient's name or an approval. Empty where no fee counts.
    """
    if not names.fees:
        return set()
    said = connection.sql(
        "SELECT drug_name, nhs_number, local_patient_id, reference FROM laid "
        "WHERE starts_with(total_cost, '-')"
    ).fetchall()
    linked = {*names.fees, *(n for row in said if may_be_fee(row[0]) for n in row[1:] if n)}
    approvals = _approval_names(by, snapshot)
    while True:
        hold(connection, "known", "name", linked)
        rows = connection.sql(_NAMED_WITH).fetchall()
        connection.execute("DROP TABLE known")
        more = {name for (name,) in rows if name} - linked
        more |= {n for each in approvals if not each.isdisjoint(linked | more) for n in each}
        if more <= linked:
            return linked
        linked |= more


_NAMED_WITH: Final = """
SELECT DISTINCT unnest([nhs_number, local_patient_id, reference]) AS name
FROM laid
WHERE nhs_number IN (SELECT known.name FROM known)
    OR local_patient_id IN (SELECT known.name FROM known)
    OR reference IN (SELECT known.name FROM known)
"""


def _approval_names(by: Looking, snapshot: Snapshot) -> list[set[str]]:
    """All by which lines may name the patients of each approval."""
    found: dict[str | None, set[str]] = defaultdict(set)
    alone = []
    for coverage in snapshot.coverages:
        its = names_of(by, coverage)
        if coverage.approval_reference is None:
            alone.append(its)
        else:
            found[coverage.approval_reference] |= its
    return [*found.values(), *alone]


def _files(
    connection: Connection,
    by: Looking,
    seen: _Seen,
    others: Sequence[Other],
    hidden: Sequence[bool],
    apart: Iterable[int],
) -> list[EarlierFile]:
    """The lines that are told apart, file by file, as the plain functions compare them."""
    rows: dict[int, list[int]] = defaultdict(list)
    for pos in apart:
        file, row = place_of(pos)
        rows[file].append(row)
    return [
        _file(by, seen, other, keyed, _read(connection, other, rows.get(n, ())))
        for n, (other, keyed) in enumerate(zip(others, hidden, strict=True))
    ]


def _read(connection: Connection, other: Other, rows: Sequence[int]) -> Sequence[ContractLine]:
    if not rows:
        return ()
    view(connection, "other", other.source)
    connection.register("apart", pa.table({"row": pa.array(rows, pa.int64())}))
    found = connection.sql("SELECT * FROM other SEMI JOIN apart USING (row) ORDER BY row")
    return lines_of(found.to_arrow_table())


def _file(
    by: Looking, seen: _Seen, other: Other, hidden: bool, lines: Sequence[ContractLine]
) -> EarlierFile:
    fold = cache(by.organisations.fold)
    standing = frozenset(line.row for line in lines if slice_of(line, fold) in other.keys)
    snapshot = replace(seen.by_way(hidden), layout=other.layout)
    if hidden:
        assert by.key is not None
        nothing = replace(snapshot, coverages=(), pending=())
        lines, _ = as_pseudonyms(lines, nothing, by.key)
    return EarlierFile(lines, standing, snapshot)
