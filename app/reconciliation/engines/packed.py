"""Many approvals held small: what coverages share is kept once, the rest as text, in order.

As objects, with an index by patient and reference, a coverage takes some 3 kB. Packed it takes
some 0.3 kB, and is made anew, equal in every field, whenever somebody asks for it by its place or
by a key; so whoever goes through all of them holds one at a time. Nothing is written to a disk.
"""

from __future__ import annotations

import datetime as dt
import json
from array import array
from bisect import bisect_left
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from itertools import groupby, islice
from operator import attrgetter, itemgetter
from typing import Any, Final, Generic, TypeVar, cast, overload

import pyarrow as pa
import pyarrow.compute as pc

from app.reconciliation.engines.index import (
    Held,
    LocalId,
    coverage_order,
    local_keys,
    references,
)
from app.reconciliation.model import Coverage

#: So many coverages are held as objects: what a trust's month is matched against stays as it was.
AS_OBJECTS: Final = 20_000
#: How many coverages' texts lie together.
TOGETHER: Final = 4_096
#: How many distinct values of a field are shared; one that comes after them is kept as it is.
SHARED: Final = 65_535
#: What hardly two coverages have in common. All other fields are shared.
_OWN: Final = ("treatment_id", "approval_reference", "legacy_references", "nhs_number", "local_ids")
_COMMON: Final = tuple(f.name for f in fields(Coverage) if f.name not in _OWN)
#: What is said of a coverage, its own first, in the order in which one is made of it.
_in_place: Final = itemgetter(*((*_OWN, *_COMMON).index(f.name) for f in fields(Coverage)))
#: Two of one of these that are equal are written alike.
_PLAIN: Final = frozenset({str, bool, int, type(None), dt.date})
_TEXT: Final = pa.large_string()
K = TypeVar("K", bound=Hashable)


def pack(coverages: Iterable[Coverage]) -> Sequence[Coverage]:
    """The coverages as a tuple as they come, or packed in `coverage_order` where they are many."""
    if isinstance(coverages, Packed):
        return coverages
    coming = iter(coverages)
    few = list(islice(coming, AS_OBJECTS + 1))
    if len(few) <= AS_OBJECTS:
        return tuple(few)
    packing = _Packing()
    for each in few:
        packing.add(each)
    few.clear()
    for each in coming:
        packing.add(each)
    return Packed(packing)


class _Field:
    """One field of all coverages: its distinct values, and which of them each coverage has."""

    def __init__(self, name: str) -> None:
        self.values: list[Any] = []
        self.codes = array("H")
        self.apart: dict[int, Any] = {}
        self._of = attrgetter(name)
        self._known: dict[tuple[type, Any], int] = {}

    def add(self, coverages: Sequence[Coverage]) -> None:
        """Those that come next."""
        values = list(map(self._of, coverages))
        # What tells a value from any that is written otherwise, though it be equal: 1.5 from 1.50.
        keys = [(kind := type(v), v if kind in _PLAIN else repr(v)) for v in values]
        first = len(self.codes)
        codes = list(map(self._known.get, keys))
        for place, code in enumerate(codes):
            if code is None:
                codes[place] = self._number(keys[place], values[place], first + place)
        self.codes.extend(cast(list[int], codes))

    def of(self, number: int) -> Any:
        """The value that a coverage has."""
        if number in self.apart:
            return self.apart[number]
        return self.values[self.codes[number]]

    def distinct(self) -> frozenset[Any]:
        return frozenset((*self.values, *self.apart.values()))

    def _number(self, key: tuple[type, Any], value: Any, number: int) -> int:
        if key not in self._known:
            if len(self.values) == SHARED:
                self.apart[number] = value
                return 0
            self._known[key] = len(self.values)
            self.values.append(value)
        return self._known[key]

    def whole(self) -> None:
        """Forget what only those needed that were to come."""
        self._known = {}


class _Keys:
    """A key's text and the number of the coverage that it leads to, as they come."""

    def __init__(self) -> None:
        self.parts: list[pa.Array] = []
        self.numbers = array("I")
        self._coming: list[str] = []

    def add(self, key: str, number: int) -> None:
        self._coming.append(key)
        self.numbers.append(number)

    def rest(self) -> None:
        """Hold what came as text, not as objects."""
        self.parts.append(pa.array(self._coming, _TEXT))
        self._coming.clear()

    def sorted_by(self, places: pa.Array) -> tuple[pa.Array, array[int]]:
        """The keys in order with the places of their coverages, those of one key in order too."""
        numbers = _arrow(self.numbers)
        table = pa.table(
            {"key": pa.chunked_array(self.parts, _TEXT), "place": places.take(numbers)}
        )
        table = table.take(pc.sort_indices(table, [("key", "ascending"), ("place", "ascending")]))
        self.parts.clear()
        return table.column("key").combine_chunks(), _numbers(table.column("place"))


class _Packing:
    """Takes coverages one by one, in any order."""

    def __init__(self) -> None:
        self.count = 0
        self.fields = {name: _Field(name) for name in _COMMON}
        self.texts: list[bytes] = []
        self.ends = array("I")
        self._text = bytearray()
        self._coming: list[Coverage] = []
        self.ids, self.stated = _Keys(), _Keys()
        self.days = array("i")
        self.nhs, self.local, self.references = _Keys(), _Keys(), _Keys()

    def add(self, each: Coverage) -> None:
        own = [getattr(each, name) for name in _OWN[:-1]]
        self._text += json.dumps([*own, sorted(each.local_ids)]).encode()
        self.ends.append(len(self._text))
        self._add_keys(each, self.count)
        self._coming.append(each)
        self.count += 1
        if self.count % TOGETHER == 0:
            self.rest()

    def _add_keys(self, each: Coverage, number: int) -> None:
        self.ids.add(each.treatment_id, number)
        self.stated.add(each.approval_reference or "", number)
        self.days.append(each.from_.toordinal())
        if each.nhs_number:
            self.nhs.add(each.nhs_number, number)
        for key in local_keys(each.local_ids):
            self.local.add(_of_local(key), number)
        for reference in references(each):
            self.references.add(reference, number)

    def rest(self) -> None:
        """Hold what came small."""
        for field in self.fields.values():
            field.add(self._coming)
        self._coming.clear()
        self.texts.append(bytes(self._text))
        self._text.clear()
        for keys in (self.ids, self.stated, self.nhs, self.local, self.references):
            keys.rest()


class Packed(Held):
    """Coverages in `coverage_order`, each made anew when it is asked for. Build with `pack`."""

    def __init__(self, packing: _Packing) -> None:
        packing.rest()
        self._fields = packing.fields
        for field in self._fields.values():
            field.whole()
        self._columns = [(field.values, field.codes) for field in self._fields.values()]
        self._apart = {n for field in self._fields.values() for n in field.apart}
        self._texts, self._ends = packing.texts, packing.ends
        self._numbers = self._in_order(packing)
        places = pc.sort_indices(_arrow(self._numbers)).cast(pa.uint32())
        self._by_nhs = _ByKey(self, *packing.nhs.sorted_by(places), str, str)
        self._by_local = _ByKey(self, *packing.local.sorted_by(places), _of_local, _local)
        self._by_reference = _ByKey(self, *packing.references.sorted_by(places), str, str)
        # Arrow keeps what it used for sorting, for later; here nothing of that size comes later.
        pa.default_memory_pool().release_unused()

    @property
    def by_nhs(self) -> Mapping[str, tuple[Coverage, ...]]:
        """As that of an index."""
        return self._by_nhs

    @property
    def by_local(self) -> Mapping[LocalId, tuple[Coverage, ...]]:
        """As that of an index."""
        return self._by_local

    @property
    def by_reference(self) -> Mapping[str, tuple[Coverage, ...]]:
        """As that of an index."""
        return self._by_reference

    def distinct(self, name: str) -> frozenset[Any]:
        """The values that a shared field has."""
        return self._fields[name].distinct()

    def that_state(self, name: str) -> Iterator[Coverage]:
        """Those of which a shared field says anything."""
        of = self._fields[name].of
        return (self._made(number) for number in self._numbers if of(number) is not None)

    def told(self, say: Callable[[str, Any], str]) -> Iterator[tuple[str, list[str]]]:
        """Of each in order its treatment and what is said of each field: a shared value's once."""
        said = {
            name: [say(name, value) for value in field.values]
            for name, field in self._fields.items()
        }
        columns = [(said[name], field.codes) for name, field in self._fields.items()]
        for number in self._numbers:
            own = self._own(number)
            of_own = [say(name, value) for name, value in zip(_OWN, own, strict=True)]
            shared = [texts[codes[number]] for texts, codes in columns]
            if number in self._apart:
                shared = [say(name, field.of(number)) for name, field in self._fields.items()]
            yield own[0], [*_in_place((*of_own, *shared))]

    def __len__(self) -> int:
        return len(self._numbers)

    def __iter__(self) -> Iterator[Coverage]:
        return map(self._made, self._numbers)

    @overload
    def __getitem__(self, place: int) -> Coverage: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Coverage]: ...
    def __getitem__(self, place: int | slice) -> Coverage | Sequence[Coverage]:
        if isinstance(place, slice):
            return tuple(map(self._made, self._numbers[place]))
        return self._made(self._numbers[place])

    def _made(self, number: int) -> Coverage:
        said = [values[codes[number]] for values, codes in self._columns]
        if number in self._apart:
            said = [field.of(number) for field in self._fields.values()]
        return Coverage(*_in_place((*self._own(number), *said)))

    def _own(self, number: int) -> tuple[Any, ...]:
        """What a coverage shares with hardly another, in the order of _OWN."""
        together, at = divmod(number, TOGETHER)
        begins = self._ends[number - 1] if at else 0
        text = self._texts[together][begins : self._ends[number]]
        treatment_id, reference, legacy, nhs_number, local_ids = json.loads(text)
        local = frozenset(map(tuple, local_ids))
        return treatment_id, reference, tuple(legacy), nhs_number, local

    def _in_order(self, packing: _Packing) -> array[int]:
        """The numbers by `coverage_order`: by ids and day, and the few that share these by all."""
        columns = {
            "id": pa.chunked_array(packing.ids.parts, _TEXT),
            "reference": pa.chunked_array(packing.stated.parts, _TEXT),
            "day": _arrow(packing.days),
        }
        table = pa.table(columns)
        order = pc.sort_indices(table, [(name, "ascending") for name in columns])
        numbers = _numbers(order)
        table = table.take(order)
        same = [
            pc.equal(column.slice(1), column.slice(0, len(column) - 1)) for column in table.columns
        ]
        alike = pc.indices_nonzero(pc.and_(same[0], pc.and_(same[1], same[2]))).to_pylist()
        for first, last in _runs(alike):
            tied = numbers[first : last + 2]
            by_all = sorted(tied, key=lambda number: coverage_order(self._made(number)))
            numbers[first : last + 2] = array("I", by_all)
        return numbers


class _ByKey(Mapping[K, tuple[Coverage, ...]], Generic[K]):
    """Key → its coverages, in order. Keys lie sorted as text."""

    def __init__(
        self,
        packed: Packed,
        keys: pa.Array,
        places: array[int],
        text_of: Callable[[K], str],
        key_of: Callable[[str], K],
    ) -> None:
        self._packed, self._keys, self._places = packed, keys, places
        self._text_of, self._key_of = text_of, key_of

    def __getitem__(self, key: K) -> tuple[Coverage, ...]:
        text, count = self._text_of(key), len(self._keys)
        first = end = bisect_left(range(count), text, key=self._at)
        while end < count and self._at(end) == text:
            end += 1
        if first == end:
            raise KeyError(key)
        return tuple(self._packed[place] for place in self._places[first:end])

    def __iter__(self) -> Iterator[K]:
        return (self._key_of(text) for text, _ in groupby(map(self._at, range(len(self._keys)))))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _at(self, place: int) -> str:
        text: str = self._keys[place].as_py()
        return text


def _of_local(key: LocalId) -> str:
    """A pair as one text; the length of its first part keeps two pairs apart."""
    organisation, local = key
    return f"{len(organisation)} {organisation}{local}"


def _local(text: str) -> LocalId:
    length, _, both = text.partition(" ")
    return both[: int(length)], both[int(length) :]


def _runs(places: Iterable[int]) -> Iterator[tuple[int, int]]:
    """The first and the last of each run of places that follow each other."""
    runs = groupby(enumerate(places), key=lambda pair: pair[1] - pair[0])
    for _, pairs in runs:
        run = [place for _, place in pairs]
        yield run[0], run[-1]


def _arrow(numbers: array[int]) -> pa.Array:
    kind = pa.uint32() if numbers.typecode == "I" else pa.int32()
    return pa.Array.from_buffers(kind, len(numbers), [None, pa.py_buffer(numbers)])


def _numbers(column: pa.Array | pa.ChunkedArray) -> array[int]:
    numbers = array("I")
    cast = column.cast(pa.uint32())
    for part in cast.chunks if isinstance(cast, pa.ChunkedArray) else [cast]:
        if len(part):
            begins, size = part.offset * numbers.itemsize, len(part) * numbers.itemsize
            numbers.frombytes(memoryview(part.buffers()[1])[begins : begins + size])
    return numbers
