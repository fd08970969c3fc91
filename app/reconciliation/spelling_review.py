"""The names that no drug was recognised in, by what they cost, with the drugs they may mean.

A likeness only suggests: a person decides, and a second one agrees.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from rapidfuzz import fuzz, process

from app.reconciliation.model import LineKind, MatchedLine
from app.reference_data.drugs import DrugDictionary
from app.reference_data.text import words_of

_LEAST_LIKENESS = 70.0
_SHORTEST = 4
MOST_SUGGESTED = 3
#: A long number in a name may be somebody's, so it is not shown.
_LONG_NUMBER = re.compile(r"[0-9](?:[ -]?[0-9]){6,}")
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A drug that a name may mean, and how alike it is to one of its names (0 to 100)."""

    drug: str
    score: int


@dataclass(frozen=True, slots=True)
class UnknownName:
    """A name in no drug's table: one way it is written, its lines and their cost in pounds."""

    words: str
    example: str
    lines: int
    total: Decimal
    suggestions: tuple[Suggestion, ...]


def names_to_review(
    matched: Iterable[MatchedLine], dictionary: DrugDictionary
) -> tuple[UnknownName, ...]:
    """The unrecognised names of some lines, the costliest first; one row a name, however cased.

    A name that `dictionary` by now knows is left out, as are rows whose cells are shifted.
    """
    lines: dict[str, list[MatchedLine]] = defaultdict(list)
    for item in matched:
        name = item.line.drug_name
        if item.kind is LineKind.UNKNOWN and name and not item.line.shifted:
            lines[spelling_of(name)].append(item)
    known = {
        words
        for words, items in lines.items()
        if dictionary.recognise(None, items[0].line.drug_name, None).drug is not None
    }
    rows = [_row(w, items, dictionary) for w, items in lines.items() if w and w not in known]
    return tuple(sorted(rows, key=lambda row: (-row.total, row.words)))


def spelling_of(name: str) -> str:
    """A name as it is compared: its words in lower case, parted by single spaces."""
    return " ".join(words_of(name))


def _row(words: str, items: list[MatchedLine], dictionary: DrugDictionary) -> UnknownName:
    example = min(item.line.drug_name or "" for item in items)
    return UnknownName(
        words=_LONG_NUMBER.sub("…", words),
        example=_LONG_NUMBER.sub("…", example),
        lines=len(items),
        total=sum((item.line.total_cost or ZERO for item in items), ZERO),
        suggestions=suggestions_for(words, dictionary),
    )


def suggestions_for(name: str, dictionary: DrugDictionary) -> tuple[Suggestion, ...]:
    """Drugs with a name like one of the words, or like the words together; the likest first."""
    lexicon = dictionary.lexicon
    words = [w for w in words_of(name) if w.isalpha() and w not in lexicon.noise]
    best: dict[str, float] = {}

    def note(drug: str, score: float) -> None:
        best[drug] = max(score, best.get(drug, 0.0))

    singles = lexicon.single_words
    for word in (w for w in words if len(w) >= _SHORTEST):
        for found, score, _ in process.extract(
            word, list(singles), scorer=fuzz.ratio, score_cutoff=_LEAST_LIKENESS
        ):
            note(singles[found], score)
    phrases = {
        " ".join(s.words): s.drug
        for group in lexicon.by_first_word.values()
        for s in group
        if len(s.words) > 1
    }
    text = " ".join(words_of(name))
    for found, score, _ in process.extract(
        text, list(phrases), scorer=fuzz.partial_ratio, score_cutoff=_LEAST_LIKENESS + 10
    ):
        note(phrases[found], score)
    ranked = sorted(best.items(), key=lambda pair: (-pair[1], pair[0]))
    return tuple(Suggestion(drug, int(score)) for drug, score in ranked[:MOST_SUGGESTED])
