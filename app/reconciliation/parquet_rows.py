"""Rows of text cells out of a Parquet file: the column names first. Raises UnreadableSubmission."""

import datetime as dt
import io
from collections.abc import Iterator
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from app.reconciliation.decode import MAX_CELL, MAX_COLUMNS
from app.reconciliation.errors import SubmissionTooLarge, UnreadableSubmission
from app.workbooks import cell_text

MOST_CELLS = 60_000_000
MOST_TEXT = 1 << 30  # characters, over all cells
_BATCH = 8_192
_BROKEN = (pa.ArrowException, OSError, ValueError, KeyError, EOFError, MemoryError)


def parquet_rows(data: bytes) -> list[tuple[str, ...]]:
    """The rows, at most MOST_CELLS cells; numbers as they are stored, days and instants as ISO."""
    try:
        schema = pq.ParquetFile(io.BytesIO(data)).schema_arrow
        # Kept as dictionaries, a text that stands in a million rows is held once.
        texts = [f.name for f in schema if pa.types.is_string(f.type)]
        file = pq.ParquetFile(io.BytesIO(data), read_dictionary=texts)
        _check_shape(file)
        return [tuple(schema.names), *_rows(file)]
    except _BROKEN:
        raise UnreadableSubmission(
            "The Parquet file cannot be read",
            "it is damaged, cut short or encrypted",
            "Write it again, or send it as CSV",
        ) from None


def _check_shape(file: pq.ParquetFile) -> None:
    columns = len(file.schema_arrow)
    if columns > MAX_COLUMNS or file.metadata.num_rows * columns > MOST_CELLS:
        raise SubmissionTooLarge(
            "The file is too large",
            f"it has over {MOST_CELLS:,} cells or over {MAX_COLUMNS} columns",
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


def _rows(file: pq.ParquetFile) -> Iterator[tuple[str, ...]]:
    room = MOST_TEXT
    for batch in file.iter_batches(batch_size=_BATCH):
        columns = []
        for column in batch.columns:
            room -= _length(column)
            if room < 0:
                raise SubmissionTooLarge(
                    "The file is too large",
                    f"its cells hold over {MOST_TEXT >> 20} million characters",
                    "Send each month as a file of its own",
                )
            columns.append(_texts(column))
        yield from zip(*columns, strict=True)


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
    return [_text(value) for value in column.to_pylist()]


def _text(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)  # whole numbers are stored whole, however long
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, dt.datetime) and value.tzinfo is not None:
        return value.isoformat()
    return cell_text(value)
