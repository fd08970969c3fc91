"""Lines as columns: the Parquet file of a submission's rows as they were read, and back.

One row of it is one row below the header: a line (`pos` counts them from 0), or one that was
skipped with its reason. Amounts are text, so that every digit comes back as it was written. What
the file says beside its rows stands in the Parquet file's own metadata.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from app.reconciliation.model import ContractLine, FieldFault, Skipped, Submission

#: Raise it whenever a cell comes to be read otherwise: what was stored before is made anew.
INTAKE_VERSION: Final = 3
_FACTS: Final = b"assent.submission"

_DAYS = frozenset({"birth_date", "supply_date", "delivery_date", "invoice_date"})
AMOUNTS: Final = frozenset(
    {"quantity", "unit_price_supplier", "unit_price", "home_delivery_charge", "total_cost"}
)
_APART = frozenset({"row", "content_hash", "raw", "shifted", "faults"})
#: The fields that a line's cells are read into, in the order of ContractLine.
READ: Final = tuple(f.name for f in fields(ContractLine) if f.name not in _APART)


def type_of(name: str) -> pa.DataType:
    """The type in which a field is stored."""
    if name in _DAYS:
        return pa.date32()
    if name == "financial_month":
        return pa.int8()
    return pa.bool_() if name == "vat_charged" else pa.string()


_COUNTS = frozenset({"lines", "skipped"})
_FAULT = pa.struct([(f.name, pa.string()) for f in fields(FieldFault)])
SCHEMA: Final = pa.schema(
    [
        ("row", pa.int64()),
        ("pos", pa.int64()),
        ("why_skipped", pa.string()),
        ("content_hash", pa.string()),
        ("raw", pa.list_(pa.string())),
        ("shifted", pa.bool_()),
        *((name, type_of(name)) for name in READ),
        ("faults", pa.list_(_FAULT)),
    ]
)


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What a file says beside its rows. `lines` and `skipped` count them."""

    sha256: str
    header: tuple[str, ...]
    layout: str
    encoding: str
    delimiter: str
    preamble: tuple[tuple[str, ...], ...]
    columns: Mapping[str, tuple[int, ...]]
    notes: tuple[str, ...]
    lines: int
    skipped: int

    def as_metadata(self) -> Mapping[bytes, bytes]:
        """The facts as the Parquet file keeps them."""
        body = {**asdict(self), "version": INTAKE_VERSION}
        return {_FACTS: json.dumps(body, ensure_ascii=False).encode()}


def facts_told(submission: Submission) -> FileFacts:
    """The facts of a submission that is held in memory."""
    kept = {f.name: getattr(submission, f.name) for f in fields(FileFacts) if f.name not in _COUNTS}
    return FileFacts(**kept, lines=len(submission.lines), skipped=len(submission.skipped))


def facts_of(file: pq.ParquetFile) -> FileFacts:
    """The facts that a stored file keeps. Raises KeyError or ValueError where it keeps none."""
    body = json.loads((file.metadata.metadata or {})[_FACTS])
    if body.pop("version") != INTAKE_VERSION:
        raise ValueError("the rows were read by another version of the intake")
    body["header"] = tuple(body["header"])
    body["preamble"] = tuple(map(tuple, body["preamble"]))
    body["columns"] = {name: tuple(at) for name, at in body["columns"].items()}
    return FileFacts(**{**body, "notes": tuple(body["notes"])})


def rows_carry_pseudonyms(path: Path) -> bool:
    """Whether a row of a stored file is known by a pseudonym."""
    names = ["nhs_pseudonym", "local_pseudonym"]
    with pq.ParquetFile(path) as file:
        return any(
            pc.any(pc.not_equal(column, "")).as_py()
            for batch in file.iter_batches(columns=names, use_threads=False)
            for column in batch.columns
        )


def cell_of(name: str, value: Any) -> Any:
    """A field's value as it is stored."""
    return f"{value:f}" if isinstance(value, Decimal) and name in AMOUNTS else value


def batch_of(told: Sequence[ContractLine | Skipped]) -> pa.RecordBatch:
    """Rows that were read one by one, without their `pos`."""
    columns: dict[str, list[Any]] = {name: [] for name in SCHEMA.names}
    for each in told:
        for name, value in _stored(each).items():
            columns[name].append(value)
    return pa.RecordBatch.from_pydict(columns, schema=SCHEMA)


def _stored(each: ContractLine | Skipped) -> dict[str, Any]:
    if isinstance(each, Skipped):
        kept = {"row": each.row, "why_skipped": each.why, "raw": each.raw}
        return {**dict.fromkeys(SCHEMA.names), **kept}
    return {
        **{name: cell_of(name, getattr(each, name)) for name in READ},
        "row": each.row,
        "pos": None,
        "why_skipped": None,
        "content_hash": each.content_hash,
        "raw": each.raw,
        "shifted": each.shifted,
        "faults": [asdict(fault) for fault in each.faults],
    }


def rows_in(file: pq.ParquetFile, batch_size: int = 8_192) -> Iterator[ContractLine | Skipped]:
    """The rows of a stored file in their order, a batch in memory at a time."""
    for batch in file.iter_batches(batch_size=batch_size):
        yield from _told(batch)


def lines_of(rows: pa.Table) -> list[ContractLine]:
    """The lines among some stored rows."""
    told = (each for batch in rows.to_batches() for each in _told(batch))
    return [each for each in told if isinstance(each, ContractLine)]


def _told(batch: pa.RecordBatch) -> Iterator[ContractLine | Skipped]:
    held = {name: batch.column(name).to_pylist() for name in SCHEMA.names if name != "pos"}
    for name in AMOUNTS:
        held[name] = [None if text is None else Decimal(text) for text in held[name]]
    raws = list(map(tuple, held["raw"]))
    faults = [tuple(FieldFault(**f) for f in each) if each else () for each in held["faults"]]
    values = zip(*(held[name] for name in READ), strict=True)
    apart = (held["row"], held["why_skipped"], held["content_hash"], raws, held["shifted"], faults)
    for read, row, why, digest, raw, shifted, wrong in zip(values, *apart, strict=True):
        if why is not None:
            yield Skipped(row, why, raw)
        else:
            named = dict(zip(READ, read, strict=True))
            yield ContractLine(row, digest, raw, shifted, faults=wrong, **named)


def submission_in(file: BinaryIO, file_name: str) -> Submission:
    """The whole submission of a stored file, in memory.

    Raises KeyError, ValueError or pyarrow's exceptions where it holds no such thing.
    """
    parquet = pq.ParquetFile(file)
    facts = facts_of(parquet)
    told = list(rows_in(parquet))
    return Submission(
        sha256=facts.sha256,
        file_name=file_name,
        header=facts.header,
        layout=facts.layout,
        encoding=facts.encoding,
        delimiter=facts.delimiter,
        preamble=facts.preamble,
        lines=tuple(each for each in told if isinstance(each, ContractLine)),
        skipped=tuple(each for each in told if isinstance(each, Skipped)),
        columns=facts.columns,
        notes=facts.notes,
    )
