"""A mapping whose values are made when they are first asked for.

Most processes decide under a few versions of a library of hundreds, so a version's functions are
generated at its first decision and not while the library loads. Everything that a file could get
wrong has been checked by then: making a value needs nothing but what the checks left behind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from threading import Lock
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")
T = TypeVar("T")


class OnDemand(Mapping[K, V]):
    """Values by key, each made once by its maker, whichever thread asks first."""

    def __init__(self, makers: Mapping[K, Callable[[], V]]) -> None:
        self._makers = dict(makers)
        self._made: dict[K, V] = {}
        self._lock = Lock()

    def __getitem__(self, key: K) -> V:
        try:
            return self._made[key]
        except KeyError:
            return self._make(key)

    def _make(self, key: K) -> V:
        with self._lock:
            if key not in self._made:
                self._made[key] = self._makers[key]()
            return self._made[key]

    def __iter__(self) -> Iterator[K]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)


class Once(Generic[T]):
    """A value made at the first call, once, whichever thread asks first."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make: Callable[[], T] | None = make
        self._lock = Lock()

    def __call__(self) -> T:
        with self._lock:
            if self._make is not None:
                self._made = self._make()
                self._make = None  # what it held may go
            return self._made


class Later(Mapping[K, V]):
    """A mapping of which not even the keys are known before somebody looks into it."""

    def __init__(self, mapping: Callable[[], Mapping[K, V]]) -> None:
        self._mapping = mapping

    def __getitem__(self, key: K) -> V:
        return self._mapping()[key]

    def __iter__(self) -> Iterator[K]:
        return iter(self._mapping())

    def __len__(self) -> int:
        return len(self._mapping())
