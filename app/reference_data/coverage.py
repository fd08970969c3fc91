"""How well the dictionary covers a list of names: for review, and for finding missing synonyms."""

import datetime as dt
from collections import Counter
from collections.abc import Iterable
from typing import TypedDict

from app.reference_data.drugs import DrugDictionary
from app.reference_data.kinds import kind_words

_WORDS_SHOWN = 50


class CoverageReport(TypedDict):
    """Counts of names; they add up: recognised + ambiguous + suggested + marked + unknown = names.

    `marked` names hold no known drug but words of a line kind (a fee, a device). `unknown_words`
    are the commonest words of the unknown names, the first places to look for a missing synonym.
    """

    names: int
    recognised: int
    ambiguous: int
    suggested: int
    marked: int
    unknown: int
    by_drug: dict[str, int]
    unknown_words: dict[str, int]


def coverage_report(
    names: Iterable[str], dictionary: DrugDictionary, on: dt.date | None = None
) -> CoverageReport:
    """What the dictionary makes of each name, counted."""
    outcome: Counter[str] = Counter()
    by_drug: Counter[str] = Counter()
    unknown_words: Counter[str] = Counter()
    for name in names:
        found = dictionary.recognise(None, name, on)
        if found.drug is not None:
            outcome["recognised"] += 1
            by_drug[found.drug] += 1
        elif found.candidates:
            outcome["ambiguous"] += 1
        elif found.suggestion is not None:
            outcome["suggested"] += 1
        elif kind_words(name, on):
            outcome["marked"] += 1
        else:
            outcome["unknown"] += 1
            unknown_words.update(set(found.words))
    return CoverageReport(
        names=outcome.total(),
        recognised=outcome["recognised"],
        ambiguous=outcome["ambiguous"],
        suggested=outcome["suggested"],
        marked=outcome["marked"],
        unknown=outcome["unknown"],
        by_drug=dict(by_drug.most_common()),
        unknown_words=dict(unknown_words.most_common(_WORDS_SHOWN)),
    )
