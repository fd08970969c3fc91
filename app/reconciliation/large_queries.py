"""Questions about a large run's two files, asked in DuckDB, which holds neither in memory.

The file of rows has what each line states, the file of outcomes what it came to; both are in the
order of the submission and are joined by its row. Amounts are text in them and are summed exactly.
"""

import datetime as dt
from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa

from app.reconciliation.engines.limits import ZERO, exact
from app.reconciliation.errors import RunNotFound, StoredFileDamaged
from app.reconciliation.files import state_of
from app.reconciliation.kept_answers import KeptAnswers
from app.reconciliation.large_fits import STATED, conditions
from app.reconciliation.line_columns import lines_of
from app.reconciliation.line_filter import EVERY_LINE, LineFilter
from app.reconciliation.model import ContractLine, LineKind, MatchedLine
from app.reconciliation.outcome_files import outcome_of
from app.reconciliation.slices import Fold
from app.reconciliation.spelling_review import Charged
from app.reference_data.pseudonyms import PseudonymKey

Connection = duckdb.DuckDBPyConnection

_AMOUNT: Final = "CAST({} AS DECIMAL(38, 8))"
QUERIED: Final = _AMOUNT.format("queried")
ACCEPTED: Final = _AMOUNT.format("accepted")
#: What a line states, without its cells as they came, which nothing here looks at.
_STATES: Final = "* REPLACE (CAST([] AS VARCHAR[]) AS raw)"
#: Rows that are named one by one.
_FEW: Final = 1_000


_SAME: Final = ("content_hash", "nhs_number", "id", "reference", "treatment")
#: The lines that share anything with those that are sought already, or an approval reached.
_BEARING: Final = (
    "CREATE OR REPLACE TEMP TABLE sought AS WITH near AS "
    "(SELECT known.* FROM known SEMI JOIN sought USING (row)) "
    "SELECT DISTINCT row FROM (SELECT row FROM sought UNION ALL "
    "SELECT row FROM known SEMI JOIN reached USING (treatment) UNION ALL "
    + " UNION ALL ".join(f"SELECT row FROM known SEMI JOIN near USING ({name})" for name in _SAME)
    + ") LIMIT {most}"
)


#: What lines are compared by: the patient that each names, its content and its reference.
_COMPARED: Final = (
    "CREATE OR REPLACE TEMP VIEW compared AS SELECT read.row, read.content_hash, read.reference, "
    "read.shifted, read.total_cost, {number} AS nhs_number, {id} AS id FROM read {named}"
)
_HIDDEN_TOGETHER: Final = 10_000
_SOME_TO_HIDE: Final = "SELECT text FROM to_hide WHERE number > $1 AND number <= $1 + $2"
_HIDDEN: Final = (
    "LEFT JOIN hidden_nhs_number AS n ON n.text = read.nhs_number "
    "LEFT JOIN hidden_local_patient_id AS l ON l.text = read.local_patient_id"
)
#: As `pseudonymised.as_pseudonyms`: a line whose number and pseudonym differ names nobody.
_NOT_TWO: Final = "CASE WHEN n.hidden <> nullif(read.nhs_pseudonym, '') THEN NULL ELSE {} END"
_BY_NUMBER: Final = _NOT_TWO.format("coalesce(n.hidden, nullif(read.nhs_pseudonym, ''))")
_BY_ID: Final = _NOT_TWO.format("coalesce(l.hidden, nullif(read.local_pseudonym, ''))")


@dataclass(frozen=True, slots=True)
class Figures:
    """How many lines, and the pounds accepted and queried of them."""

    lines: int
    accepted: Decimal
    queried: Decimal


#: Of the files that were asked about last: what fits together, the names that
#: nobody knows, and what lines state of month and commissioner.
_FIGURES: Final[KeptAnswers[Figures]] = KeptAnswers(1_000)
_UNKNOWN: Final[KeptAnswers[tuple[Charged, ...]]] = KeptAnswers(20)
_STATED: Final[KeptAnswers[list[tuple[Any, ...]]]] = KeptAnswers(100)
#: Each sum that is queried, the largest first: its texts in the file, and of how many lines.
Sums = tuple[tuple[Decimal, tuple[str, ...], int], ...]
_SUMS: Final[KeptAnswers[Sums]] = KeptAnswers(50)
#: Of more sums than this none is kept, and lines are found in their order without them.
_MOST_SUMS: Final = 20_000


@dataclass(slots=True)
class Reading:
    """A database on the two files, and which lines are asked for: at first every one."""

    connection: Connection
    about: Hashable
    _fits: str = "TRUE"
    _values: tuple[str, ...] = ()
    _asked: LineFilter = EVERY_LINE
    _compares: bool = False

    @classmethod
    def of(cls, connection: Connection, rows: Path, outcomes: Path) -> "Reading":
        """The same of these files."""
        _lay(connection, "stored", rows)
        connection.execute("CREATE TEMP VIEW read AS FROM stored WHERE why_skipped IS NULL")
        _lay(connection, "came_to", outcomes)
        return cls(connection, (state_of(rows), state_of(outcomes)))

    def compare_by(self, key: PseudonymKey | None) -> None:
        """Compare patients by their pseudonyms under the key, as lines do that state these; without
        one by their numbers."""
        if key is None:
            return
        self._hold_hidden("nhs_number", key.of_nhs_number)
        self._hold_hidden("local_patient_id", key.of_local_id)
        self._compare(_BY_NUMBER, _BY_ID, _HIDDEN)

    def _compare(self, number: str, id_: str, named: str) -> None:
        self.connection.execute(_COMPARED.format(number=number, id=id_, named=named))
        self._compares = True

    def _compare_by_something(self) -> None:
        if not self._compares:
            self._compare("nhs_number", "local_patient_id", "")

    def _hold_hidden(self, column: str, of: Callable[[str], str]) -> None:
        """Hold each text of a column with its pseudonym, some at a time."""
        table = f"hidden_{column}"
        self.connection.execute(f"CREATE TEMP TABLE {table} (text VARCHAR, hidden VARCHAR)")
        # Numbered: what is temporary is seen by this connection alone, which keeps one result.
        self.connection.execute(
            "CREATE OR REPLACE TEMP TABLE to_hide AS SELECT row_number() OVER () AS number, text "
            f"FROM (SELECT DISTINCT {column} AS text FROM read WHERE {column} <> '')"
        )
        begin = 0
        while texts := [text for (text,) in self._all(_SOME_TO_HIDE, [begin, _HIDDEN_TOGETHER])]:
            begin += _HIDDEN_TOGETHER
            hidden = pa.table({"text": texts, "hidden": [of(text) for text in texts]})
            self.connection.register("hidden_here", hidden)
            self.connection.execute(f"INSERT INTO {table} FROM hidden_here")
            self.connection.unregister("hidden_here")

    def narrow(self, asked: LineFilter, fold: Fold | None = None) -> None:
        """Ask for lines that have all of these in common; by commissioner it takes the fold."""

        def stated(name: str, columns: str) -> list[tuple[Any, ...]]:
            about = (self.about, name)
            return _STATED.of(about, lambda: self._all(f"SELECT DISTINCT {columns} FROM read"))

        self._fits, self._values = conditions(self.connection, stated, asked, fold)
        self._asked = asked

    def figures(self, also: str = "TRUE") -> Figures:
        """Lines and pounds, exact, of what is asked for and fits a condition of ours `also`."""
        about = (self.about, self._fits, self._values, self._asked, also)
        return _FIGURES.of(about, lambda: self._figures(also))

    def _figures(self, also: str) -> Figures:
        (row,) = self._all(
            f"SELECT count(*), sum({ACCEPTED}), sum({QUERIED}) FROM came_to "
            f"WHERE {self._fits} AND ({also})",
            self._values,
        )
        lines, accepted, queried = row
        return Figures(lines, exact(accepted or ZERO), exact(queried or ZERO))

    def queried_by_slice(self) -> Iterator[tuple[tuple[Any, ...], int, int]]:
        """What lines state of their slice (as `slice_stated` takes it), how many do, and of how
        many of them something is queried."""
        for *stated, lines, queried in self._all(
            f"SELECT read.provider, commissioner, {STATED}, count(*), "
            f"count(*) FILTER (WHERE {QUERIED} <> 0) "
            "FROM read INNER JOIN came_to USING (row) GROUP BY ALL"
        ):
            yield tuple(stated), lines, queried

    def rows_after(self, after: int, limit: int, *, by_queried: bool) -> list[int]:
        """The next rows of the file among what is asked for; 0 begins with the first."""
        begins, values, order = "row > ?", [after], "row"
        if by_queried:
            stake = None if not after else self._queried(after)
            begins, values = self._behind(stake, after, limit)
            order = f"{QUERIED} DESC, row"
        found = self._all(
            f"SELECT row FROM came_to WHERE {self._fits} AND {begins} ORDER BY {order} LIMIT ?",
            [*self._values, *values, limit],
        )
        return [row for (row,) in found]

    def _queried(self, row: int) -> Decimal:
        found = self._all("SELECT queried FROM came_to WHERE row = ?", [row])
        if not found:
            raise RunNotFound("line of this run")
        return Decimal(found[0][0])

    def _behind(self, stake: Decimal | None, after: int, limit: int) -> tuple[str, list[Any]]:
        """A condition on lines behind one in the order of what is queried, which leaves `limit` of
        them or all there are: only those of the next sums, by their texts, need be put in order."""
        begins, values = "TRUE", list[Any]()
        if stake is not None:
            begins = f"({QUERIED} < ? OR ({QUERIED} = ? AND row > ?))"
            values = [stake, stake, after]
        about = (self.about, self._fits, self._values, self._asked)
        sums = _SUMS.of(about, self._sums)
        if not sums:
            return begins, values
        texts: list[str] = []
        same: tuple[str, ...] = ()
        for amount, told, lines in sums:
            if stake is not None and amount > stake:
                continue
            texts += told
            if amount == stake:  # of whose lines some lie before
                same = told
            else:
                limit -= lines
            if limit <= 0:
                break
        # As constants they tell DuckDB what it need not look at.
        begins = _one_of("queried", texts)
        if same:
            begins += f" AND (row > ? OR NOT {_one_of('queried', same)})"
            return begins, [*texts, after, *same]
        return begins, texts

    def _sums(self) -> Sums:
        """Empty where there are too many."""
        told = self._all(
            f"SELECT queried, count(*) FROM came_to WHERE {self._fits} GROUP BY queried LIMIT ?",
            [*self._values, _MOST_SUMS + 1],
        )
        if len(told) > _MOST_SUMS:
            return ()
        texts: dict[Decimal, list[str]] = {}
        lines: Counter[Decimal] = Counter()
        for text, count in told:
            amount = Decimal(text)
            texts.setdefault(amount, []).append(text)
            lines[amount] += count
        return tuple(
            (each, tuple(texts[each]), lines[each]) for each in sorted(texts, reverse=True)
        )

    def rows_where(self, also: str) -> list[int]:
        """Every row of what is asked for that fits a condition of ours, in order."""
        query = f"SELECT row FROM came_to WHERE {self._fits} AND ({also}) ORDER BY row"
        return [row for (row,) in self._all(query, self._values)]

    def lines(self, rows: Sequence[int]) -> list[MatchedLine]:
        """The lines of these rows of the file, in the order in which they are named, without cells.

        Raises RunNotFound where there is none of a row, StoredFileDamaged where the two files are
        not of one submission.
        """
        if not rows:
            return []
        if len(rows) <= _FEW:  # as constants they tell which parts of the files need not be read
            return self._lines(f"row IN ({', '.join(str(int(row)) for row in rows)})", rows)
        self.connection.register("asked_for", pa.table({"row": pa.array(rows, pa.int64())}))
        lines = self._lines("row IN (SELECT asked_for.row FROM asked_for)", rows)
        self.connection.unregister("asked_for")
        return lines

    def _lines(self, condition: str, rows: Sequence[int]) -> list[MatchedLine]:
        stated = lines_of(
            self.connection.sql(f"SELECT {_STATES} FROM read WHERE {condition}").to_arrow_table()
        )
        told = self.connection.sql(f"SELECT * FROM came_to WHERE {condition}").to_arrow_table()
        by_row = {line.row: line for line in stated}
        came_to = {each["row"]: each for each in told.to_pylist()}
        if not set(rows) <= set(came_to):
            raise RunNotFound("line of this run")
        for row in rows:
            if row not in by_row or by_row[row].content_hash != came_to[row]["content_hash"]:
                raise StoredFileDamaged("not of this submission")
        return [outcome_of(came_to[row], by_row[row]) for row in rows]

    def named(self, rows: Sequence[int]) -> set[tuple[str | None, dt.date | None]]:
        """The hospital numbers with birth dates that the lines of these rows state."""
        query = "SELECT DISTINCT local_patient_id, birth_date FROM read SEMI JOIN named USING (row)"
        self.connection.register("named", pa.table({"row": pa.array(rows, pa.int64())}))
        found = set(self._all(query)) if rows else set()
        self.connection.unregister("named")
        return found

    def stating_both_signs(self) -> list[ContractLine]:
        """The lines of sums that a patient's lines state as charged and as given back, in order."""
        self._compare_by_something()
        amount = _AMOUNT.format("total_cost")
        rows = self.connection.sql(
            f"WITH stated AS (SELECT row, nhs_number, id, {amount} AS total "
            "FROM compared WHERE NOT shifted AND total_cost IS NOT NULL), back AS (SELECT DISTINCT "
            "nhs_number, id, -total AS total FROM stated WHERE total < 0), signed AS (SELECT row "
            "FROM stated SEMI JOIN back ON back.total = abs(stated.total) "
            "AND back.nhs_number IS NOT DISTINCT FROM stated.nhs_number "
            "AND back.id IS NOT DISTINCT FROM stated.id) "
            f"SELECT {_STATES} FROM read SEMI JOIN signed USING (row) ORDER BY row"
        ).to_arrow_table()
        return lines_of(rows)

    def related(self, row: int, treatments: Collection[str], most: int) -> list[ContractLine]:
        """The lines that may bear on a row's: by content, patient, reference or approval, and those
        that bear on these, in order. More than `most` are not read: then one more is given."""
        self._compare_by_something()
        self.connection.execute(
            "CREATE TEMP TABLE known AS "
            "SELECT compared.row, compared.content_hash, nhs_number, id, "
            "compared.reference, came_to.treatment_id AS treatment "
            "FROM compared INNER JOIN came_to USING (row)"
        )
        self.connection.execute(
            "CREATE TEMP TABLE sought AS SELECT row FROM known WHERE row = ?", [row]
        )
        told = pa.table({"treatment": pa.array(sorted(treatments), pa.string())})
        self.connection.register("reached", told)
        count = -1
        while (now := self._count_sought()) not in (count, most + 1):
            count = now
            self.connection.execute(_BEARING.format(most=most + 1))
        rows = [n for (n,) in self._all("SELECT row FROM sought ORDER BY row")]
        return [item.line for item in self.lines(rows)]

    def _count_sought(self) -> int:
        return int(self._all("SELECT count(*) FROM sought")[0][0])

    def key(self, row: int) -> str:
        """The key (`line_keys`) of the line of a row."""
        found = self._all("SELECT content_hash FROM came_to WHERE row = ?", [row])
        if not found:
            raise RunNotFound("line of this run")
        return self.key_of(row, found[0][0])

    def key_of(self, row: int, content: str) -> str:
        """The same, of a line whose content is known."""
        counted = "SELECT count(*) FROM came_to WHERE content_hash = ? AND row <= ?"
        return f"{content}.{self._all(counted, [content, row])[0][0]}"

    def keys(self, rows: Sequence[int]) -> list[str]:
        """The keys of the lines of some rows."""
        wanted = pa.table({"row": pa.array(rows, pa.int64())})
        self.connection.register("keyed", wanted)
        found = dict(
            self._all(
                "WITH content AS (SELECT DISTINCT content_hash FROM came_to SEMI JOIN keyed "
                "USING (row)), numbered AS (SELECT row, content_hash, row_number() OVER "
                "(PARTITION BY content_hash ORDER BY row) AS number FROM came_to "
                "SEMI JOIN content USING (content_hash)) "
                "SELECT row, content_hash || '.' || number FROM numbered SEMI JOIN keyed "
                "USING (row)"
            )
        )
        self.connection.unregister("keyed")
        if not set(rows) <= set(found):
            raise RunNotFound("line of this run")
        return [found[row] for row in rows]

    def unrecognised(self) -> Sequence[Charged]:
        """The names of lines that charge for nothing known, each with its lines and their cost."""
        return _UNKNOWN.of(self.about, lambda: tuple(self._unrecognised()))

    def _unrecognised(self) -> Iterator[Charged]:
        query = (
            "SELECT drug_name, count(*), "
            f"sum({_AMOUNT.format('total_cost')}) FROM read "
            "SEMI JOIN (SELECT row FROM came_to WHERE kind = ?) AS unknown USING (row) "
            "WHERE drug_name <> '' AND NOT shifted GROUP BY drug_name ORDER BY min(row)"
        )
        for name, lines, total in self._all(query, [LineKind.UNKNOWN.value]):
            yield Charged(name, None if total is None else exact(total), lines)

    def _all(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self.connection.execute(query, list(values)).fetchall()


def _one_of(column: str, values: Collection[str]) -> str:
    return f"{column} IN ({', '.join('?' * len(values))})" if values else "FALSE"


def _lay(connection: Connection, name: str, path: Path) -> None:
    """Lay a file before the connection alone."""
    quoted = str(path).replace("'", "''")
    connection.execute(f"CREATE TEMP VIEW {name} AS FROM read_parquet('{quoted}')")
