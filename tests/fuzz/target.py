"""What a reader is to the fuzz run, and how spoilt input for one is made."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tests.fuzz.mutate import spoil, spoil_bytes


@dataclass(frozen=True)
class Target:
    """A reader with a maker of cases. `read` raises AssertionError where its answer is unsound."""

    name: str
    make: Callable[[random.Random], Any]
    read: Callable[[Any], object]
    allowed: tuple[type[Exception], ...] = ()
    weight: float = 1.0  # share of the cases: less for slow readers


def texts(seeds: Sequence[str], words: Sequence[str] = ()) -> Callable[[random.Random], str]:
    """Spoilt texts."""
    return lambda draw: spoil(draw, seeds, words)


def files(seeds: Sequence[bytes]) -> Callable[[random.Random], bytes]:
    """Files spoilt as bytes, or as the text they hold."""
    decoded = [seed.decode("utf-8", "replace") for seed in seeds]

    def make(draw: random.Random) -> bytes:
        if draw.random() < 0.5:
            return spoil_bytes(draw, seeds)
        return spoil(draw, decoded).encode("utf-8", "surrogatepass")

    return make


def shown(case: Any) -> str:
    """A case as Python writes it, cut to what a screen holds."""
    text = repr(case)
    return text if len(text) < 2000 else f"{text[:2000]}… ({len(text)} characters)"
