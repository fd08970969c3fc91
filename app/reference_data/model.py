"""Frozen types of this room: drugs, products, synonyms, recognitions."""

import datetime as dt
from dataclasses import dataclass
from typing import Literal

How = Literal["code", "synonym", "accepted", "none"]


@dataclass(frozen=True, slots=True)
class Product:
    """A brand of one drug. Dates are the days, both included, on which it may be named."""

    key: str
    name: str
    drug: str
    biosimilar: bool
    from_: dt.date | None
    to: dt.date | None


@dataclass(frozen=True, slots=True)
class Drug:
    """A drug known by name. `policy_family` is "none" where no policy is written for it."""

    key: str
    name: str
    policy_family: str
    snomed_codes: tuple[str, ...]
    products: tuple[Product, ...]


@dataclass(frozen=True, slots=True)
class Synonym:
    """Reviewed words that decide a drug, and its product where they name a brand.

    `any_order` words may stand anywhere in the text, the rest side by side. A text that holds one
    of `unless` silences the synonym; one of those ending in `*` stands for any ending.
    """

    words: tuple[str, ...]
    any_order: bool
    unless: frozenset[str]
    drug: str
    product: str | None
    from_: dt.date | None
    to: dt.date | None
    reviewed_on: dt.date
    basis: str

    def silenced_by(self, present: frozenset[str]) -> bool:
        """Whether one of a text's words silences this synonym."""
        if not self.unless:
            return False
        stems = tuple(word[:-1] for word in self.unless if word.endswith("*"))
        return not present.isdisjoint(self.unless) or any(w.startswith(stems) for w in present)


@dataclass(frozen=True, slots=True)
class CodedDrug:
    """What a dm+d or SNOMED CT code names, with where it was found and what to beware of."""

    code: str
    system: str
    term: str
    level: str
    drug: str
    product: str | None
    provenance: str
    caution: str


@dataclass(frozen=True, slots=True)
class AcceptedName:
    """The drug, and its product, that people took a whole name for, and the day they did."""

    drug: str
    product: str | None
    accepted_on: dt.date


@dataclass(frozen=True, slots=True)
class Recognition:
    """Which drug a line's code and name say, and how that was found.

    `drug` is None whenever `how` is "none". `suggestion` is a drug key for a person to look at and
    must never decide anything. `candidates` are the drugs named when there was more than one;
    `conflict` is True when code and name disagree. `words` are those left over in the name.
    """

    drug: str | None
    product: str | None
    how: How
    strength: str | None
    form: str | None
    pack: str | None
    words: tuple[str, ...]
    suggestion: str | None
    conflict: bool
    candidates: tuple[str, ...]
    reason: str
