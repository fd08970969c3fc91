"""Free text to words: how drug names are cut up before they are looked at.

Names arrive in any case, with punctuation used as spaces ("ADALIMUMAB!40mg"), digits glued to
words ("Inj40mg") and words glued to each other ("NATALIZUMABINJECTION20mg/ml").
"""

import re
import unicodedata
from collections.abc import Callable

_WORD = re.compile(r"[a-z]+|[0-9]+(?:[.,][0-9]+)*")
_MICRO = str.maketrans({"µ": "u", "μ": "u"})
# "TABLETSBenefit Share": capitals, then a capitalised word, with the space lost between them.
_LOST_SPACE = re.compile(r"(?<=[A-Z]{2})(?=[A-Z][a-z]{3})")


def plain(text: str) -> str:
    """Lower-case text in ASCII: micro signs become `u`, any other character becomes a space.

    English drug names hold no accents. Where such a character appears it is a damaged symbol glued
    to a name ("PembrolizumabÃ mg"), so it parts words. Invisible characters are dropped.
    """
    folded = unicodedata.normalize("NFKC", text.translate(_MICRO))
    seen = (c for c in folded if unicodedata.category(c) != "Cf")
    return "".join(c if c.isascii() else " " for c in seen).lower()


def words_of(text: str) -> tuple[str, ...]:
    """Runs of letters and of digits, in order: `40mg/0.8mL` gives `40 mg 0.8 ml`."""
    return tuple(_WORD.findall(plain(text)))


def with_lost_spaces(text: str) -> str:
    """The text with a space put back between capitals and a capitalised word glued to them."""
    return _LOST_SPACE.sub(" ", text)


def unglue(word: str, known: frozenset[str], anchors: frozenset[str]) -> tuple[str, ...]:
    """Cut a glued word into known words that cover it exactly, or leave it whole.

    At least one part must be one of the `anchors` (a drug's or marker's own word), so that a word
    is never cut up for the sake of its small parts. Longer parts are tried first.
    """
    if word in known or len(word) < 6 or not any(anchor in word for anchor in anchors):
        return (word,)
    parts = _cover(word, known, {})
    if parts is None or not any(part in anchors for part in parts):
        return (word,)
    return parts


def _cover(
    rest: str, known: frozenset[str], seen: dict[str, tuple[str, ...] | None]
) -> tuple[str, ...] | None:
    """The first way, longest parts first, to write `rest` as known words; None if there is none."""
    if not rest:
        return ()
    if rest in seen:
        return seen[rest]
    found: tuple[str, ...] | None = None
    for end in range(len(rest), 1, -1):
        if rest[:end] in known:
            tail = _cover(rest[end:], known, seen)
            if tail is not None:
                found = (rest[:end], *tail)
                break
    seen[rest] = found
    return found


def unglued(words: tuple[str, ...], cut: Callable[[str], tuple[str, ...]]) -> tuple[str, ...]:
    """Every word cut by `cut`, in order."""
    return tuple(part for word in words for part in cut(word))
