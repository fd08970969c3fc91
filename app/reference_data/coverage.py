"""How well the dictionary knows a list of names: for an analyst, and to find missing synonyms.

Only the packaged dictionary is asked, on no day in particular: a row of any date counts.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from app.reference_data.drugs import DrugDictionary, Recognition
from app.reference_data.kinds import kind_in
from app.reference_data.recognition import find_hits
from app.reference_data.text import words_of

ZERO = Decimal(0)
_WORDS_SHOWN = 20
_SHORTEST_WORD = 3


class Came(StrEnum):
    """What a name came to; the first four are recognised."""

    CODE = "dm+d or SNOMED CT code"
    NAME = "name in the table"
    BRAND = "brand in the table"
    MISSPELLING = "misspelling in the table"
    SEVERAL = "several drugs, so none"
    CONFLICT = "code and name disagree, so none"
    SUGGESTED = "not recognised, a drug is suggested"
    MARKED = "not recognised, words of a fee, device or the like"
    UNKNOWN = "unknown"


RECOGNISED = (Came.CODE, Came.NAME, Came.BRAND, Came.MISSPELLING)
_BASES = {"name": Came.NAME, "brand": Came.BRAND, "misspelling": Came.MISSPELLING}


class Named(NamedTuple):
    """One name of the list: how many lines state it, and what they charge in pounds."""

    name: str
    code: str = ""
    lines: int = 1
    pounds: Decimal = ZERO


@dataclass(slots=True)
class Share:
    """Different names, their lines and pounds."""

    names: int = 0
    lines: int = 0
    pounds: Decimal = ZERO

    def add(self, named: Named) -> None:
        """Count one name more."""
        self.names += 1
        self.lines += named.lines
        self.pounds += named.pounds


@dataclass(frozen=True, slots=True)
class Unknown:
    """A name that no drug was recognised in, and the drug that it may mean."""

    named: Named
    came: Came
    suggestion: str | None


@dataclass(frozen=True, slots=True)
class Coverage:
    """Each name counted once in `came`, which adds up to `all`.

    `unknown_words` are the commonest words, of three letters or more, of unknown names: the first
    places to look for a missing synonym. `parsed` counts, of recognised names, those that also
    state a product, strength, form or pack. `not_recognised` has the dearest first, then the most
    frequent, then by name.
    """

    all: Share
    recognised: Share
    came: dict[Came, Share]
    parsed: dict[str, int]
    by_drug: dict[str, Share]
    unknown_words: dict[str, int]
    not_recognised: tuple[Unknown, ...] = field(repr=False)


def coverage_of(listed: Iterable[Named], dictionary: DrugDictionary) -> Coverage:
    """What the dictionary makes of each different name and code of a list."""
    every, known = Share(), Share()
    came = {each: Share() for each in Came}
    parsed = dict.fromkeys(("product", "strength", "form", "pack"), 0)
    by_drug: dict[str, Share] = {}
    others: list[Unknown] = []
    words: Counter[str] = Counter()
    for named in _merged(listed):
        found = dictionary.recognise(named.code or None, named.name, None)
        way = _came(found, named.name, dictionary)
        every.add(named)
        came[way].add(named)
        if found.drug is None:
            others.append(Unknown(named, way, found.suggestion))
            if way is Came.UNKNOWN:
                words.update({word for word in found.words if len(word) >= _SHORTEST_WORD})
            continue
        known.add(named)
        by_drug.setdefault(found.drug, Share()).add(named)
        for part in parsed:
            parsed[part] += getattr(found, part) is not None
    left = tuple(sorted(others, key=_dearest))
    common = dict(sorted(words.items(), key=lambda pair: (-pair[1], pair[0]))[:_WORDS_SHOWN])
    return Coverage(every, known, came, parsed, by_drug, common, left)


def _merged(listed: Iterable[Named]) -> list[Named]:
    """One row for each name and code, exactly as written, with what its rows add up to."""
    rows: dict[tuple[str, str], Named] = {}
    for each in listed:
        key = each.name, each.code
        held = rows.get(key)
        rows[key] = each if held is None else held._replace(
            lines=held.lines + each.lines, pounds=held.pounds + each.pounds
        )  # fmt: skip
    return list(rows.values())


def _came(found: Recognition, name: str, dictionary: DrugDictionary) -> Came:
    if found.drug is not None:
        return Came.CODE if found.how == "code" else _by_table(name, dictionary)
    if found.conflict:
        return Came.CONFLICT
    if found.candidates:
        return Came.SEVERAL
    if found.suggestion is not None:
        return Came.SUGGESTED
    told = kind_in(name, None, with_drug=False)
    return Came.MARKED if told else Came.UNKNOWN


def _by_table(name: str, dictionary: DrugDictionary) -> Came:
    """By what sort of synonym: a name that also holds a brand was recognised by its name."""
    hits = find_hits(dictionary.lexicon, dictionary.lexicon.cut(name), None)
    bases = {hit.synonym.basis for hit in hits}
    return next(_BASES[basis] for basis in _BASES if basis in bases)


def _dearest(unknown: Unknown) -> tuple[Decimal, int, tuple[str, ...], str]:
    named = unknown.named
    return -named.pounds, -named.lines, words_of(named.name), named.name
