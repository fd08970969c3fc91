"""The demonstration's only source of chance: seeded, so that the same seed gives the same data.

Each use draws from a stream of its own, named for what it is for: adding a draw to one part
changes no other part.
"""

import random  # noqa: TID251 — seeded and passed in: invented data must be the same each time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

T = TypeVar("T")
SEED: Final = 20261102


@dataclass(frozen=True, slots=True)
class Chance:
    """A seeded stream of draws. It has a position, and so is not shared between uses."""

    generator: random.Random

    def below(self, share: float) -> bool:
        """True in this share of draws, 0 to 1."""
        return self.generator.random() < share

    def between(self, least: int, most: int) -> int:
        """A whole number, both ends included."""
        return self.generator.randint(least, most)

    def one_of(self, choices: Sequence[T]) -> T:
        """One of the choices, each as likely."""
        return self.generator.choice(choices)

    def weighted(self, weights: Mapping[T, int]) -> T:
        """One of the keys, as likely as its weight."""
        return self.generator.choices(list(weights), list(weights.values()))[0]

    def deck(self, counts: Mapping[T, int]) -> list[T]:
        """Each key as often as its count, shuffled: chance decides who, never how many."""
        cards = [key for key, count in counts.items() for _ in range(count)]
        self.generator.shuffle(cards)
        return cards

    def some(self, choices: Sequence[T], count: int) -> list[T]:
        """This many different choices, in the order in which they stood."""
        places = sorted(self.generator.sample(range(len(choices)), min(count, len(choices))))
        return [choices[place] for place in places]

    def new_id(self) -> str:
        """An identifier in the form of the service's own (UUID version 4, as text)."""
        return str(uuid.UUID(int=self.generator.getrandbits(128), version=4))

    def random_bytes(self, count: int) -> bytes:
        """Bytes that look random. They protect nothing: the demonstration has no secret."""
        return self.generator.randbytes(count)


def chance(seed: int, use: str) -> Chance:
    """The stream of draws for one use."""
    return Chance(random.Random(f"{seed}:{use}"))
