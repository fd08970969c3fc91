"""Rows of text cells out of a Parquet file: the column names first. Raises UnreadableSubmission."""

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from itertools import chain

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from app.reconciliation.decode import MAX_CELL, MAX_COLUMNS
from app.reconciliation.errors import SubmissionTooLarge, UnreadableSubmission
from app.reconciliation.source import Source
from app.workbooks import cell_text

MOST_CELLS = 60_000_000
MOST_TEXT = 1 << 30  # characters, over all cells
_BATCH = 8_192
_BROKEN = (pa.ArrowException, OSError, ValueError, KeyError, EOFError, MemoryError)


def open_parquet(
    source: Source, most_cells: int = MOST_CELLS
) -> tuple[tuple[str, ...], Iterator[tuple[str, ...]]]:
    """The column names, and the rows with the names first, as they are read.

    Numbers come as they are stored, days and instants as ISO.
    """
    try:
        with source.open() as file:
            schema = pq.ParquetFile(file).schema_arrow
            _check_shape(pq.ParquetFile(file), most_cells)
    except _BROKEN:
        raise _broken() from None
    # Kept as dictionaries, a text that stands in a million rows is held once.
    texts = [f.name for f in schema if pa.types.is_string(f.type)]
    names = tuple(schema.names)
    return names, chain([names], _rows(source, texts, most_cells))


def _broken() -> UnreadableSubmission:
    return UnreadableSubmission(
        "The Parquet file cannot be read",
        "it is damaged, cut short or encrypted",
        "Write it again, or send it as CSV",
    )


def _check_shape(file: pq.ParquetFile, most_cells: int) -> None:
    columns = len(file.schema_arrow)
    if columns > MAX_COLUMNS or file.metadata.num_rows * columns > most_cells:
        raise SubmissionTooLarge(
            "The file is too large",
            f"it has over {most_cells:,} cells or over {MAX_COLUMNS} columns",
            "Send each month as a file of its own",
        )
    for number, field in enumerate(file.schema_arrow, start=1):
        _check_type(number, field.type)


def _check_type(number: int, kind: pa.DataType) -> None:
    """Only what has one reading as text. A 32-bit number has six digits, too few for pounds."""
    inner = kind.value_type if pa.types.is_dictionary(kind) else kind
    short = pa.types.is_float16(inner) or pa.types.is_float32(inner)
    plain = pa.types.is_primitive(inner) or pa.types.is_decimal(inner) or pa.types.is_null(inner)
    text = pa.types.is_string(inner) or pa.types.is_large_string(inner)
    if short or not (plain or text):
        raise UnreadableSubmission(
            f"Column {number} of the file is of a type that is not read",
            f"it is {inner}, which is not text, a whole or decimal number, a day or an instant",
            "Write it as text or as a decimal and send the file again",
        )


def _rows(source: Source, texts: list[str], most_cells: int) -> Iterator[tuple[str, ...]]:
    room = MOST_TEXT * max(1, most_cells // MOST_CELLS)
    try:
        with source.open() as opened:
            file = pq.ParquetFile(opened, read_dictionary=texts)
            for batch in file.iter_batches(batch_size=_BATCH):
                for column in batch.columns:
                    room -= _length(column)
                _check_room(room)
                yield from zip(*map(_texts, batch.columns), strict=True)
    except _BROKEN:
        raise _broken() from None


def _check_room(room: int) -> None:
    if room < 0:
        raise SubmissionTooLarge(
            "The file is too large",
            f"its cells hold over {MOST_TEXT >> 20} million characters",
            "Send each month as a file of its own",
        )


def _length(column: pa.Array) -> int:
    """How many bytes of text a column's cells hold, told before they are laid out."""
    values = column.dictionary if pa.types.is_dictionary(column.type) else column
    if not (pa.types.is_string(values.type) or pa.types.is_large_string(values.type)):
        return 0
    lengths = pc.binary_length(values)
    if (pc.max(lengths).as_py() or 0) > 4 * MAX_CELL:
        raise UnreadableSubmission(
            "A cell of the file is far too long",
            f"it holds over {MAX_CELL:,} characters",
            "Mend it",
        )
    if values is not column:
        lengths = pc.take(lengths, column.indices)
    return int(pc.sum(lengths).as_py() or 0)


def _texts(column: pa.Array) -> list[str]:
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("us", column.type.tz), safe=False)
    if pa.types.is_dictionary(column.type) and len(column.dictionary) <= len(column):
        texts = [_text(value) for value in column.dictionary.to_pylist()]
        empty = _text(None)
        return [empty if at is None else texts[at] for at in column.indices.to_pylist()]
    return [_text(value) for value in column.to_pylist()]


def _text(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)  # whole numbers are stored whole, however long
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, dt.datetime) and value.tzinfo is not None:
        return value.isoformat()
    return cell_text(value)
