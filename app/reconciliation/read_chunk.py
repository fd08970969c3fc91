"""Some thousand rows at a time to columns: each distinct text is parsed once and joined back.

The plain functions decide: those of `parse` for each distinct text of a column, and `BodyReader`
for each row that may be something else than a line under its headers. The rest is Arrow.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from app.reconciliation.intake import BodyReader
from app.reconciliation.line_columns import AMOUNTS, SCHEMA, batch_of, cell_of, type_of
from app.reconciliation.parse import clean
from app.reconciliation.read_line import (
    ABSENT,
    CONTRADICTED,
    DATED,
    FEWEST_WITNESSES,
    TYPED,
    Parsed,
    coalesced,
    together,
)

_REMEMBERED = 100_000  # texts of a column; beyond, all are forgotten
#: A field that is read into one of two.
_INTO = {"indication": ("indication_code", "indication_text")}


@dataclass(frozen=True, slots=True)
class _Column:
    """A column's distinct texts, the place of each row's among them, and what each is told of."""

    texts: list[str]
    places: pa.Array

    def spread(self, values: Sequence[Any], kind: pa.DataType) -> pa.Array:
        """What is said of each text, said of each row."""
        return pa.array(values, kind).take(self.places)


@dataclass(frozen=True, slots=True)
class _Field:
    """A field as read in every row of the chunk."""

    name: str
    column: _Column
    parsed: list[Parsed]


class ChunkReader:
    """Reads chunks of the rows below one header. It remembers texts: drop it with the file."""

    def __init__(self, read: BodyReader) -> None:
        self._read = read
        self._suspect = [_remembering(_suspect_at(read, i)) for i in range(len(read.names))]
        self._filled = _remembering(lambda text: bool(clean(text)))
        self._lines = 0

    def __call__(self, first: int, raw: pa.ListArray) -> pa.RecordBatch:
        """The rows in their order; the first of them is row `first` below the header."""
        columns = self._columns(raw)
        fields = [self._field(name, at, columns) for name, at in self._read.reader.columns.items()]
        suspect = self._suspects(raw, columns, fields)
        batch = self._vectorised(first, raw, fields)
        places = [i for i, held in enumerate(suspect.to_pylist()) if held]
        if places:
            told = [self._read(first + i, tuple(raw[i].as_py())) for i in places]
            whole = pa.concat_batches([batch.filter(pc.invert(suspect)), batch_of(told)])
            batch = whole.take(pc.sort_indices(whole.column("row")))
        return self._numbered(batch)

    def _columns(self, raw: pa.ListArray) -> list[_Column]:
        width = len(self._read.names)
        cells = pc.list_slice(raw, 0, width, return_fixed_size_list=True)
        return [
            _column(pa.repeat("", len(raw)) if i in self._read.own else pc.list_element(cells, i))
            for i in range(width)
        ]

    def _field(self, name: str, at: tuple[int, ...], columns: Sequence[_Column]) -> _Field:
        parse = self._read.reader.parsers[name]
        if len(at) == 1:
            column = columns[at[0]]
            return _Field(name, column, [parse(text) for text in column.texts])
        combined = _combined([columns[i] for i in at])
        stated = [coalesced(name, cells) for cells in combined.cells]
        parsed = [CONTRADICTED if text is None else parse(text) for text in stated]
        texts = [together(cells) for cells in combined.cells]
        return _Field(name, _Column(texts, combined.places), parsed)

    # --- which rows are read one by one ---

    def _suspects(
        self, raw: pa.ListArray, columns: Sequence[_Column], fields: Sequence[_Field]
    ) -> pa.Array:
        cells = pc.list_value_length(raw)
        narrow = pc.less(cells, self._read.reader.narrowest)
        found = pc.or_(narrow, pc.greater(cells, len(self._read.names)))
        for number, column in enumerate(columns):
            flags = [self._suspect[number](text) for text in column.texts]
            found = _or(found, column, flags)
        for field in fields:
            found = _or(found, field.column, [each is CONTRADICTED for each in field.parsed])
        found = pc.or_(found, self._blank(columns))
        wrong = [_wrong(field) for field in fields if field.name in TYPED]
        counted = [each for each in wrong if each is not None]
        if len(counted) >= FEWEST_WITNESSES:
            many = reduce(pc.add, counted)
            found = pc.or_(found, pc.greater_equal(many, FEWEST_WITNESSES))
        return found

    def _blank(self, columns: Sequence[_Column]) -> pa.Array:
        blank = None
        for column in columns:
            flags = [not self._filled(text) for text in column.texts]
            if not any(flags):
                return pa.repeat(False, len(column.places))
            here = column.spread(flags, pa.bool_())
            blank = here if blank is None else pc.and_(blank, here)
        return blank

    # --- all others ---

    def _vectorised(
        self, first: int, raw: pa.ListArray, fields: Sequence[_Field]
    ) -> pa.RecordBatch:
        count = len(raw)
        found: dict[str, pa.Array] = {}
        for field in fields:
            for name in _INTO.get(field.name, (field.name,)):
                found[name] = field.column.spread(_values(field, name), type_of(name))
        made = {
            "row": pa.array(range(first, first + count), pa.int64()),
            "content_hash": _hashes(fields, count),
            "raw": raw,
            "shifted": pa.repeat(False, count),
            **found,
            "faults": _faults(fields, count),
        }
        arrays = [made.get(f.name, pa.nulls(count, f.type)) for f in SCHEMA]
        return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)

    def _numbered(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The rows with the place of each line among the lines of the file."""
        lines = pc.is_null(batch.column("why_skipped"))
        places = pc.cumulative_sum(lines.cast(pa.int64()))
        held = pc.if_else(lines, pc.add(places, self._lines - 1), pa.scalar(None, pa.int64()))
        self._lines += pc.sum(lines).as_py() or 0
        return batch.set_column(SCHEMA.get_field_index("pos"), SCHEMA.field("pos"), held)


def _remembering(of: Callable[[str], bool]) -> Callable[[str], bool]:
    seen: dict[str, bool] = {}

    def told(text: str) -> bool:
        known = seen.get(text)
        if known is None:
            if len(seen) >= _REMEMBERED:
                seen.clear()
            known = seen[text] = of(text)
        return known

    return told


def _suspect_at(read: BodyReader, column: int) -> Callable[[str], bool]:
    return lambda text: read.is_suspect(column, text)


def _column(cells: pa.Array) -> _Column:
    encoded = cells.fill_null("").dictionary_encode()
    return _Column(encoded.dictionary.to_pylist(), encoded.indices)


@dataclass(frozen=True, slots=True)
class _Combined:
    """The distinct combinations of several columns' texts, and each row's among them."""

    cells: list[tuple[str, ...]]
    places: pa.Array


def _combined(columns: Sequence[_Column]) -> _Combined:
    first, *others = columns
    cells: list[tuple[str, ...]] = [(text,) for text in first.texts]
    places = first.places
    for column in others:
        size = len(column.texts)
        pairs = pc.add(pc.multiply(places.cast(pa.int64()), size), column.places.cast(pa.int64()))
        encoded = pairs.dictionary_encode()
        both = (divmod(pair, size) for pair in encoded.dictionary.to_pylist())
        cells = [(*cells[left], column.texts[right]) for left, right in both]
        places = encoded.indices
    return _Combined(cells, places)


def _or(found: pa.Array, column: _Column, flags: list[bool]) -> pa.Array:
    return pc.or_(found, column.spread(flags, pa.bool_())) if any(flags) else found


def _wrong(field: _Field) -> pa.Array | None:
    """1 in each row whose cell could not be read; None where there is no such row."""
    flags = [int(each.why is not None) for each in field.parsed]
    return field.column.spread(flags, pa.int8()) if any(flags) else None


def _values(field: _Field, name: str) -> list[Any]:
    values = [dict(each.values).get(name) if each.values else None for each in field.parsed]
    return [cell_of(name, value) for value in values] if name in AMOUNTS else values


def _hashes(fields: Sequence[_Field], count: int) -> pa.Array:
    """What each row says, in the order of `read_line`'s content hash, and its SHA-256."""
    undated = pa.repeat(True, count)
    for dated in (field for field in fields if field.name in DATED):
        lacks = dated.column.spread([not each.values for each in dated.parsed], pa.bool_())
        undated = pc.and_(undated, lacks)
    said = []
    for field in sorted(fields, key=lambda each: each.name):
        texts = [None if each is ABSENT else each.said for each in field.parsed]
        spread = field.column.spread(texts, pa.string())
        if field.name.startswith("financial_"):
            spread = pc.if_else(undated, spread, pa.scalar(None, pa.string()))
        said.append(spread)
    # Arrow leaves a row out whose every part is null: an empty first part keeps it, and the
    # separator behind that part is cut off again.
    joined = pc.binary_join_element_wise(pa.repeat("", count), *said, "\x1f", null_handling="skip")
    sha256 = hashlib.sha256
    texts = joined.cast(pa.binary()).to_pylist()
    return pa.array([sha256(text[1:]).hexdigest() for text in texts], pa.string())


def _faults(fields: Sequence[_Field], count: int) -> pa.Array:
    """What could not be read of each row, in the order of the fields."""
    found: list[list[Mapping[str, str]]] = [[] for _ in range(count)]
    for field in fields:
        told = {
            place: {"field": field.name, "raw": text, "why": each.why}
            for place, (text, each) in enumerate(zip(field.column.texts, field.parsed, strict=True))
            if each.why is not None
        }
        if told:
            for row, place in enumerate(field.column.places.to_pylist()):
                if place in told:
                    found[row].append(told[place])
    return pa.array(found, SCHEMA.field("faults").type)
