"""A file of any size to its Parquet file of rows, as `read_submission` reads it, and not held.

Two passes: the first takes the cells apart, keeps them in a file that has no name and asks of
them what must be known of the whole (how its dates are written); the second reads them, some
thousand rows at a time. Peak memory does not grow with the file, but for a workbook's.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, cast

import pyarrow as pa
import pyarrow.parquet as pq

from app.reconciliation.engines.progress import PartOf, unwatched
from app.reconciliation.find_table import Most, find_table
from app.reconciliation.intake import BodyReader, Witness, check_filled, layout_note
from app.reconciliation.line_columns import SCHEMA, FileFacts
from app.reconciliation.read_chunk import ChunkReader
from app.reconciliation.source import Source

_ROWS = 32_768  # read at a time, and the size of a row group
_TEXT = 32 << 20  # characters of them
_IN_MEMORY = 16 << 20  # bytes of cells; beyond, they lie on the disk until they are read
_CELLS = pa.schema([("raw", pa.list_(pa.string()))])

Row = tuple[str, ...]


def read_columns(
    source: Source,
    file_name: str,
    out: BinaryIO,
    *,
    scratch: Path | None = None,
    reference_headers: Sequence[str] = (),
    most: Most | None = None,
    rows_read: PartOf = unwatched,
) -> FileFacts:
    """Write the rows to `out` and return what the file says beside them.

    `scratch`: the folder in which cells wait between the two passes, in a file without a name that
    is gone when the process is; without it they wait in memory. Raises UnreadableSubmission.
    """
    found = find_table(source, file_name, reference_headers, most or Most())
    rows = iter(found.rows)
    *preamble, header = islice(rows, found.position + 1)
    witness = Witness(found.header)
    with _place(scratch) as waiting:
        of = _keep(rows, witness, cast(BinaryIO, waiting))
        check_filled(witness)
        rows_read(0, of)
        facts = FileFacts(
            sha256=source.sha256(),
            header=header,
            layout=found.header.layout,
            encoding=found.encoding,
            delimiter=found.delimiter or ",",
            preamble=tuple(preamble),
            columns=found.header.columns,
            notes=(*found.notes, *witness.notes()),
            lines=0,
            skipped=0,
        )
        read = BodyReader(header, found.header, found.delimiter, witness)

        def tell(done: int) -> None:
            rows_read(done, of)

        return _write(cast(BinaryIO, waiting), ChunkReader(read), facts, out, tell)


def _place(scratch: Path | None) -> SpooledTemporaryFile[bytes]:
    """Cells are patients' data: they lie in the folder that was named, or on no disk."""
    if scratch is None:
        return SpooledTemporaryFile(0)
    return SpooledTemporaryFile(_IN_MEMORY, dir=str(scratch))


def _keep(rows: Iterator[Row], witness: Witness, waiting: BinaryIO) -> int:
    """Lay the cells by, a chunk after the other; returns how many rows there are."""
    count = 0
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with pa.ipc.new_file(waiting, _CELLS, options=options) as writer:
        for chunk in _chunks(rows):
            witness.look_at(chunk)
            count += len(chunk)
            writer.write_batch(pa.record_batch([pa.array(chunk, _CELLS.field(0).type)], _CELLS))
    waiting.seek(0)
    return count


def _chunks(rows: Iterable[Row]) -> Iterator[list[Row]]:
    chunk: list[Row] = []
    room = _TEXT
    for row in rows:
        chunk.append(row)
        room -= sum(map(len, row))
        if room <= 0 or len(chunk) == _ROWS:
            yield chunk
            chunk, room = [], _TEXT
    if chunk:
        yield chunk


def _write(
    waiting: BinaryIO,
    read: ChunkReader,
    facts: FileFacts,
    out: BinaryIO,
    tell: Callable[[int], None],
) -> FileFacts:
    cells = pa.ipc.open_file(waiting)
    row, skipped = 1, 0
    months: set[tuple[str | None, int | None]] = set()
    with pq.ParquetWriter(out, SCHEMA, compression="zstd") as writer:
        for number in range(cells.num_record_batches):
            raw = cells.get_batch(number).column(0)
            batch = read(row, raw)
            row += len(raw)
            skipped += batch.column("pos").null_count
            months |= _months(batch)
            writer.write_batch(batch)
            tell(row - 1)
        facts = replace(
            facts,
            notes=(*facts.notes, *layout_note(facts.layout, months)),
            lines=row - 1 - skipped,
            skipped=skipped,
        )
        writer.add_key_value_metadata(facts.as_metadata())
    return facts


def _months(batch: pa.RecordBatch) -> set[tuple[str | None, int | None]]:
    """The months that lines of the batch state."""
    stated = pa.table({name: batch.column(name) for name in ("financial_year", "financial_month")})
    distinct = stated.group_by(stated.column_names).aggregate([]).to_pydict()
    return set(zip(distinct["financial_year"], distinct["financial_month"], strict=True))
