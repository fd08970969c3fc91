"""The outcomes of a run as one Parquet file: a row a line, amounts as exact text."""

import datetime as dt
import io
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from app.reconciliation.model import (
    ContractLine,
    LineKind,
    LineOutcome,
    MatchedLine,
    Test,
    TestResult,
)
from app.reference_data.drugs import Recognition

_TEXT = (
    "content_hash",
    "kind",
    "drug",
    "drug_product",
    "supplied_on",
    "recognised_by",
    "outcome",
    "accepted",
    "queried",
    "provider",
    "reference",
    "treatment_id",
    "found_by",
    "tests",
    "reason",
    "remedy",
    "proposed_commissioner",
)
SCHEMA = pa.schema([("row", pa.int64()), *((name, pa.string()) for name in _TEXT)])


#: Rows that are written together, so that what is read of a large file is a part of it.
ROWS_TOGETHER: Final = 32_768


def to_parquet(matched: Sequence[MatchedLine]) -> bytes:
    """The outcomes as the bytes of a Parquet file; the same outcomes give the same bytes."""
    out = io.BytesIO()
    pq.write_table(_table(matched), out, compression="zstd")
    return out.getvalue()


def write_parquet(matched: Iterable[Sequence[MatchedLine]], path: Path) -> None:
    """The same of many lines, some at a time, into a file."""
    write_tables(map(_table, matched), path)


def write_tables(tables: Iterable[pa.Table], path: Path) -> None:
    """The same of rows that are columns already, some at a time."""
    waiting: list[pa.Table] = []
    with pq.ParquetWriter(path, SCHEMA, compression="zstd") as writer:
        for some in tables:
            waiting.append(some)
            if sum(map(len, waiting)) >= ROWS_TOGETHER:
                writer.write_table(pa.concat_tables(waiting), row_group_size=ROWS_TOGETHER)
                waiting = []
        if waiting:
            writer.write_table(pa.concat_tables(waiting), row_group_size=ROWS_TOGETHER)


def _table(matched: Sequence[MatchedLine]) -> pa.Table:
    columns: dict[str, list[Any]] = {name: [] for name in SCHEMA.names}
    for item in matched:
        for name, value in values_of(item).items():
            columns[name].append(value)
    return pa.table(columns, schema=SCHEMA)


def from_parquet(data: bytes, lines: Sequence[ContractLine]) -> tuple[MatchedLine, ...]:
    """The outcomes beside the lines of the submission that they belong to.

    Raises ValueError when the two are not of one file.
    """
    rows = pq.read_table(io.BytesIO(data)).to_pylist()
    if [r["content_hash"] for r in rows] != [line.content_hash for line in lines]:
        raise ValueError("the stored outcomes are not of this submission")
    return tuple(_matched(row, line) for row, line in zip(rows, lines, strict=True))


def outcomes_among(path: Path, lines: Sequence[ContractLine]) -> tuple[MatchedLine, ...]:
    """The outcomes of some lines of the submission, in their order; others are not held.

    Raises ValueError where the file does not hold each of them.
    """
    wanted = pa.array([line.row for line in lines], pa.int64())
    rows: dict[int, dict[str, Any]] = {}
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches():
            found = batch.filter(pc.is_in(batch.column("row"), value_set=wanted))
            rows |= {row["row"]: row for row in found.to_pylist()}
    for line in lines:
        if line.row not in rows or rows[line.row]["content_hash"] != line.content_hash:
            raise ValueError("the stored outcomes are not of this submission")
    return tuple(_matched(rows[line.row], line) for line in lines)


def outcome_of(row: dict[str, Any], line: ContractLine) -> MatchedLine:
    """A row of a file of outcomes beside its line."""
    return _matched(row, line)


#: A line's key (`line_keys`), and of its supply: treatment, provider, day, row and outcome.
ChargedSupply = tuple[str, str, str, dt.date, int, LineOutcome]
_ASKED = (
    *("row", "content_hash", "kind", "outcome", "provider", "treatment_id"),
    *("supplied_on", "accepted", "queried"),
)


def charged_supplies(data: bytes) -> list[ChargedSupply] | None:
    """The charged supplies of a drug that were matched to a treatment, read without their lines.

    A line's accepted and queried amounts make up its total (`MatchedLine`), so it is charged where
    they do. None where the outcomes do not say when a line was supplied, as the first did not.
    """
    file = pq.ParquetFile(io.BytesIO(data))
    if not set(_ASKED) <= set(file.schema_arrow.names):
        return None
    columns = file.read(columns=list(_ASKED)).to_pydict()
    seen: Counter[str] = Counter()
    found = []
    for row, content, kind, outcome, provider, treatment, day, accepted, queried in zip(
        *(columns[name] for name in _ASKED), strict=True
    ):
        seen[content] += 1
        charge = Decimal(accepted) + Decimal(queried)
        if not is_charged(kind, outcome, provider, treatment, day, charge):
            continue
        found.append(
            (
                f"{content}.{seen[content]}",
                treatment,
                provider,
                dt.date.fromisoformat(day),
                row,
                LineOutcome(outcome),
            )
        )
    return found


def is_charged(
    kind: str,
    outcome: str,
    provider: str | None,
    treatment: str | None,
    day: dt.date | None,
    charge: Decimal,
) -> bool:
    """Whether a line charges for a drug's supply that was matched to a treatment."""
    if treatment is None or provider is None or day is None or kind != LineKind.DRUG:
        return False
    return outcome != LineOutcome.DUPLICATE_LINE and charge > 0


def says_when_supplied(path: Path) -> bool:
    """Whether a file of outcomes says when a line was supplied, as the first did not."""
    return set(_ASKED) <= set(pq.read_schema(path).names)


def values_of(item: MatchedLine) -> dict[str, Any]:
    """A line's row in a file of outcomes."""
    tests = [[test.name, test.result.value, test.detail] for test in item.tests]
    return {
        "row": item.line.row,
        "content_hash": item.line.content_hash,
        "kind": item.kind.value,
        "drug": item.recognition.drug,
        "drug_product": item.recognition.product,
        "supplied_on": _iso(item.line.supply_date),
        "recognised_by": item.recognition.how,
        "outcome": item.outcome.value,
        "accepted": str(item.accepted),
        "queried": str(item.queried),
        "provider": item.provider,
        "reference": item.reference,
        "treatment_id": item.treatment_id,
        "found_by": item.found_by,
        "tests": json.dumps(tests, ensure_ascii=False),
        "reason": item.reason,
        "remedy": item.remedy,
        "proposed_commissioner": item.proposed_commissioner,
    }


def _iso(day: dt.date | None) -> str | None:
    return None if day is None else day.isoformat()


def _matched(row: dict[str, Any], line: ContractLine) -> MatchedLine:
    return MatchedLine(
        line=line,
        kind=LineKind(row["kind"]),
        recognition=Recognition(
            drug=row["drug"],
            product=row["drug_product"],
            how=row["recognised_by"],
            strength=None,
            form=None,
            pack=None,
            words=(),
            suggestion=None,
            conflict=False,
            candidates=(),
            reason="",
        ),
        outcome=LineOutcome(row["outcome"]),
        accepted=Decimal(row["accepted"]),
        queried=Decimal(row["queried"]),
        provider=row["provider"],
        reference=row["reference"],
        treatment_id=row["treatment_id"],
        found_by=row["found_by"],
        tests=tuple(
            Test(name, TestResult(result), detail)
            for name, result, detail in json.loads(row["tests"])
        ),
        reason=row["reason"],
        remedy=row["remedy"],
        proposed_commissioner=row.get("proposed_commissioner"),  # runs before have none
    )
