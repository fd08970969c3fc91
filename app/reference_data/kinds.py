"""Words in a drug's name that tell the kind of a line: fee, device, credit, free of charge.

The words alone do not settle a line's kind: a name may hold a drug, a fee word and "FOC" at once.
Reconciliation weighs them against the drug, the cost and the quantity.
"""

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, cast

from app.reference_data.data_files import Row, in_force, read_rows
from app.reference_data.text import with_lost_spaces, words_of

MarkerKind = Literal["fee", "device", "credit", "free of charge", "note"]

_KINDS = frozenset({"fee", "device", "credit", "free of charge", "note"})
_COLUMNS = ("phrase", "marker", "line_kind", "from", "to", "reviewed_on")


@dataclass(frozen=True, slots=True)
class KindPhrase:
    """Words that give a marker over the days, both included; no marker only silences others."""

    words: tuple[str, ...]
    marker: str | None
    from_: dt.date | None
    to: dt.date | None


@dataclass(frozen=True, slots=True)
class KindWords:
    """The reviewed table: phrases by first word, and what kind of line each marker tells of."""

    by_first_word: Mapping[str, tuple[KindPhrase, ...]]
    marker_kinds: Mapping[str, MarkerKind]

    def find(self, name: str, on: dt.date | None = None) -> frozenset[str]:
        """The markers a name holds on a day; a longer phrase silences those inside it."""
        return frozenset(self._markers(words_of(with_lost_spaces(name)), on))

    def _markers(self, words: tuple[str, ...], on: dt.date | None) -> Iterator[str]:
        spans = [
            (start, start + len(phrase.words), phrase)
            for start, word in enumerate(words)
            for phrase in self.by_first_word.get(word, ())
            if words[start : start + len(phrase.words)] == phrase.words
            and in_force(phrase.from_, phrase.to, on)
        ]
        for start, end, phrase in spans:
            inside = any(s <= start and end <= e and e - s > end - start for s, e, _ in spans)
            if phrase.marker and not inside:
                yield phrase.marker


def kind_words(name: str, on: dt.date | None = None) -> frozenset[str]:
    """The markers of line kinds in a name, as the packaged table has them (`FOC`, `delivery`)."""
    return load_kind_words().find(name, on)


def marker_kinds() -> Mapping[str, MarkerKind]:
    """Marker to the kind of line it tells of; "note" decides nothing by itself."""
    return load_kind_words().marker_kinds


@lru_cache(maxsize=1)
def load_kind_words() -> KindWords:
    """The packaged table. Raises ReferenceDataFault where a row is at fault."""
    phrases: dict[str, tuple[KindPhrase, ...]] = {}
    kinds: dict[str, MarkerKind] = {}
    for row in read_rows("kind_words.csv", _COLUMNS):
        phrase = _phrase(row)
        if phrase.marker:
            kind = row.required("line_kind")
            if kind not in _KINDS or kinds.get(phrase.marker, kind) != kind:
                raise row.fault("line_kind is unknown or differs within the marker", "Make it one")
            kinds[phrase.marker] = cast(MarkerKind, kind)
        first = phrase.words[0]
        phrases[first] = (*phrases.get(first, ()), phrase)
    return KindWords(phrases, kinds)


def _phrase(row: Row) -> KindPhrase:
    words = words_of(row.required("phrase"))
    if " ".join(words) != row.required("phrase"):
        raise row.fault("the phrase is not written as plain words", f"Write {' '.join(words)}")
    return KindPhrase(words, row.text("marker") or None, row.day("from"), row.day("to"))
