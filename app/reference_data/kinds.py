"""Words in a drug's name that tell the kind of a line: fee, device, credit, free of charge.

The words alone do not settle a line's kind: `app.reconciliation.classify` weighs them with the
drug that was recognised and the total.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from app.reference_data.data_files import Row, in_force, read_rows
from app.reference_data.text import with_lost_spaces, words_of

FEE: Final = "fee or delivery"
NOTE: Final = "note"
#: Of a name that tells of several, the first counts.
KINDS: Final = ("credit or rebate", "free of charge", FEE, "device or consumable", "not a drug")
#: Likewise of a fee's agreed charges.
FEE_SORTS: Final = ("dispensing fee", "home delivery", "service fee")

_COLUMNS = (
    *("phrase", "marker", "line_kind", "with_drug", "fee_sort"),
    *("from", "to", "reviewed_on"),
)
_REMEMBERED: Final = 20_000


@dataclass(frozen=True, slots=True)
class KindPhrase:
    """Words that give a marker over the days, both included; no marker only silences others.

    `with_drug`: whether they tell a kind also where a drug is recognised; `alone`: only where the
    name has no other words than the table's. `fee_sort`: of a fee.
    """

    words: tuple[str, ...]
    marker: str | None
    kind: str | None
    with_drug: bool
    alone: bool
    fee_sort: str | None
    from_: dt.date | None
    to: dt.date | None


#: From one word of a name to the next after its last.
Span = tuple[int, int, KindPhrase]


@dataclass(frozen=True, slots=True)
class KindWords:
    """The reviewed table: phrases by first word."""

    by_first_word: Mapping[str, tuple[KindPhrase, ...]]

    def find(self, name: str, on: dt.date | None = None) -> tuple[KindPhrase, ...]:
        """What a name says on a day; no day looks at rows of all dates."""
        return _standing(self.spans(name), on)

    def spans(self, name: str) -> tuple[Span, ...]:
        """Every phrase that a name holds, of any day, and where."""
        words = words_of(with_lost_spaces(name))
        return tuple(
            (start, start + len(phrase.words), phrase)
            for start, word in enumerate(words)
            for phrase in self.by_first_word.get(word, ())
            if words[start : start + len(phrase.words)] == phrase.words
        )

    def changes(self) -> list[dt.date]:
        """The days from which a row holds or no longer holds, in order."""
        held = [phrase for group in self.by_first_word.values() for phrase in group]
        begins = {each.from_ for each in held if each.from_ is not None}
        ends = {each.to + dt.timedelta(days=1) for each in held if each.to is not None}
        return sorted(begins | ends)


def kind_words(name: str, on: dt.date | None = None) -> frozenset[str]:
    """The markers of line kinds in a name, as the packaged table has them (`FOC`, `delivery`)."""
    return frozenset(phrase.marker for phrase in _found(name, on) if phrase.marker)


def kind_in(name: str, on: dt.date | None, *, with_drug: bool) -> str | None:
    """The kind of line, of `KINDS`, that a name tells of where a drug was recognised, or none."""
    told = {each.kind for each in _found(name, on) if _counts(each, name, with_drug)}
    return next((kind for kind in KINDS if kind in told), None)


def tells_fee(name: str, on: dt.date | None, *, with_drug: bool) -> bool:
    """Whether a name has words of a fee, whatever else it says."""
    found = _found(name, on)
    return any(each.kind == FEE and _counts(each, name, with_drug) for each in found)


def _counts(phrase: KindPhrase, name: str, with_drug: bool) -> bool:
    """Whether words decide in this name, in which a drug was recognised or not."""
    if phrase.alone:
        return not with_drug and _says_no_more(name)
    return phrase.with_drug or not with_drug


def fee_sort_in(name: str, on: dt.date | None) -> str:
    """Which agreed charge a fee of this name is held against."""
    found = [each for each in _found(name, on) if each.kind == FEE]
    clear = [each for each in found if not each.alone]
    told = {each.fee_sort for each in clear or found}
    return next((sort for sort in FEE_SORTS if sort in told), FEE_SORTS[-1])


def _found(name: str, on: dt.date | None) -> tuple[KindPhrase, ...]:
    return _standing(_spans(name), on)


@lru_cache(maxsize=_REMEMBERED)
def _spans(name: str) -> tuple[Span, ...]:
    """Names repeat over many days, so each is looked through once."""
    return load_kind_words().spans(name)


@lru_cache(maxsize=_REMEMBERED)
def _says_no_more(name: str) -> bool:
    """Whether each word of a name lies in a phrase of the table."""
    taken = {at for start, end, _ in _spans(name) for at in range(start, end)}
    words = enumerate(words_of(with_lost_spaces(name)))
    return all(at in taken for at, word in words if word.isalpha())


def _standing(spans: tuple[Span, ...], on: dt.date | None) -> tuple[KindPhrase, ...]:
    """The phrases of a day with a marker; a longer phrase of the day silences those inside it."""
    held = [each for each in spans if in_force(each[2].from_, each[2].to, on)]
    return tuple(
        phrase
        for start, end, phrase in held
        if phrase.marker
        and not any(s <= start and end <= e and e - s > end - start for s, e, _ in held)
    )


@lru_cache(maxsize=1)
def load_kind_words() -> KindWords:
    """The packaged table. Raises ReferenceDataFault where a row is at fault."""
    phrases: dict[str, tuple[KindPhrase, ...]] = {}
    kinds: dict[str, str] = {}
    for row in read_rows("kind_words.csv", _COLUMNS):
        phrase = _phrase(row)
        if phrase.marker and kinds.setdefault(phrase.marker, phrase.kind or "") != phrase.kind:
            raise row.fault("line_kind differs within the marker", "Make it one")
        first = phrase.words[0]
        phrases[first] = (*phrases.get(first, ()), phrase)
    return KindWords(phrases)


def _phrase(row: Row) -> KindPhrase:
    words = words_of(row.required("phrase"))
    if " ".join(words) != row.required("phrase"):
        raise row.fault("the phrase is not written as plain words", f"Write {' '.join(words)}")
    marker, kind, sort = (row.text(name) or None for name in ("marker", "line_kind", "fee_sort"))
    if (kind is None) != (marker is None) or kind not in (None, NOTE, *KINDS):
        raise row.fault("line_kind is unknown, or without a marker", "See the head of the file")
    if (sort is not None) != (kind == FEE) or sort not in (None, *FEE_SORTS):
        raise row.fault("fee_sort is unknown, or of no fee", "See the head of the file")
    decides = kind in KINDS
    alone = decides and row.text("with_drug") == "alone"
    return KindPhrase(
        words=words,
        marker=marker,
        kind=kind,
        with_drug=row.flag("with_drug") if decides and not alone else False,
        alone=alone,
        fee_sort=sort,
        from_=row.day("from"),
        to=row.day("to"),
    )
