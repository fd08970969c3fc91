"""The names that no drug was recognised in, by what they cost, with the drugs they may mean.

A likeness only suggests: a person decides, and a second one agrees.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, NamedTuple

from rapidfuzz import fuzz, process

from app.reconciliation.kept_answers import KeptAnswers
from app.reference_data.drugs import DrugDictionary
from app.reference_data.recognition import Lexicon
from app.reference_data.text import words_of

_LEAST_LIKENESS = 70.0
_SHORTEST = 4
MOST_SUGGESTED = 3
#: Of so many names it is kept what they are like.
_NAMES_KEPT: Final = 1_000
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


class Charged(NamedTuple):
    """Lines in which no drug was recognised: the name that they state, and their cost if legible"""

    name: str
    total: Decimal | None
    lines: int = 1


def names_of(charged: Iterable[Charged], dictionary: DrugDictionary) -> tuple[UnknownName, ...]:
    """The names of these lines, the costliest first; one row a name, however cased.

    A name that `dictionary` by now knows is left out.
    """
    lines: dict[str, list[Charged]] = defaultdict(list)
    for each in charged:
        lines[spelling_of(each.name)].append(each)
    known = {
        words
        for words, items in lines.items()
        if dictionary.recognise(None, items[0].name, None).drug is not None
    }
    likenesses = _likenesses_of(dictionary.lexicon)
    rows = [_row(w, items, likenesses) for w, items in lines.items() if w and w not in known]
    return tuple(sorted(rows, key=lambda row: (-row.total, row.words)))


def veiled(name: str) -> str:
    """A name to show, without any long number."""
    return _LONG_NUMBER.sub("…", name)


def spelling_of(name: str) -> str:
    """A name as it is compared: its words in lower case, parted by single spaces."""
    return " ".join(words_of(name))


def phrases_of(lexicon: Lexicon) -> Mapping[str, str]:
    """The names of several words, each with its drug."""
    return {
        " ".join(synonym.words): synonym.drug
        for group in lexicon.by_first_word.values()
        for synonym in group
        if len(synonym.words) > 1
    }


@dataclass(frozen=True, slots=True)
class _Likenesses:
    """What names are like in one lexicon: its phrases, and the suggestions of the last names."""

    lexicon: Lexicon
    phrases: Mapping[str, str]
    found: KeptAnswers[tuple[Suggestion, ...]]

    def of(self, words: str) -> tuple[Suggestion, ...]:
        """The suggestions for a name: they depend on nothing else."""
        return self.found.of(words, lambda: suggestions_for(words, self.lexicon, self.phrases))


_LAST: list[_Likenesses] = []


def _likenesses_of(lexicon: Lexicon) -> _Likenesses:
    """Those of a lexicon, of which a process has one: the last is kept."""
    last = _LAST[-1:]
    if last and last[0].lexicon is lexicon:
        return last[0]
    made = _Likenesses(lexicon, phrases_of(lexicon), KeptAnswers(_NAMES_KEPT))
    _LAST[:] = [made]
    return made


def _row(words: str, items: list[Charged], likenesses: _Likenesses) -> UnknownName:
    example = min(item.name for item in items)
    return UnknownName(
        words=veiled(words),
        example=veiled(example),
        lines=sum(each.lines for each in items),
        total=sum((item.total or ZERO for item in items), ZERO),
        suggestions=likenesses.of(words),
    )


def suggestions_for(
    name: str, lexicon: Lexicon, phrases: Mapping[str, str]
) -> tuple[Suggestion, ...]:
    """Drugs with a name like one of the words, or like the words together; the likest first."""
    words = [w for w in words_of(name) if w.isalpha() and w not in lexicon.noise]
    best: dict[str, float] = {}

    def note(drug: str, score: float) -> None:
        best[drug] = max(score, best.get(drug, 0.0))

    singles = lexicon.single_words
    for word in (w for w in words if len(w) >= _SHORTEST):
        for found, score, _ in process.extract(
            word, singles.keys(), scorer=fuzz.ratio, score_cutoff=_LEAST_LIKENESS
        ):
            note(singles[found], score)
    text = " ".join(words_of(name))
    for found, score, _ in process.extract(
        text, phrases.keys(), scorer=fuzz.partial_ratio, score_cutoff=_LEAST_LIKENESS + 10
    ):
        note(phrases[found], score)
    ranked = sorted(best.items(), key=lambda pair: (-pair[1], pair[0]))
    return tuple(Suggestion(drug, int(score)) for drug, score in ranked[:MOST_SUGGESTED])
