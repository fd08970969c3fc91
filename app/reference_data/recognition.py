"""Drug text and code to drug: reviewed synonyms decide, everything else only suggests.

Rule (measured over real spellings, see the tests): names are cut into words, reviewed synonyms are
matched on whole words, and a longer match silences the shorter ones inside it. A text that names
two drugs names none. Words cut off by a field's length and words that merely look like a drug give
a suggestion for a person, never a drug.
"""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from rapidfuzz import fuzz, process

from app.reference_data.clinical_code import read_code
from app.reference_data.data_files import in_force
from app.reference_data.model import CodedDrug, How, Recognition, Synonym
from app.reference_data.presentation import FormTable, pack_of, strength_of
from app.reference_data.text import unglue, unglued, words_of

# Below these, too many ordinary words look like drugs.
_SHORTEST_CUT = 5
_SHORTEST_LIKENESS = 6
_SHORTEST_STEM = 7
_LIKENESS = 84.0
# An anchor for cutting glued words: shorter drug words turn up inside ordinary ones.
_SHORTEST_ANCHOR = 5


@dataclass(frozen=True, slots=True)
class Hit:
    """A synonym found at these word positions of a name."""

    synonym: Synonym
    at: frozenset[int]


@dataclass(frozen=True, slots=True)
class Lexicon:
    """The synonym table, indexed for matching."""

    by_first_word: Mapping[str, tuple[Synonym, ...]]
    any_order: Mapping[str, tuple[Synonym, ...]]
    known: frozenset[str]
    anchors: frozenset[str]
    noise: frozenset[str]
    single_words: Mapping[str, str]

    def cut(self, name: str) -> tuple[str, ...]:
        """The words of a name, glued ones cut apart."""
        return unglued(words_of(name), lambda word: unglue(word, self.known, self.anchors))

    def changes(self) -> list[dt.date]:
        """The days from which a synonym holds or no longer holds, in order."""
        groups = (*self.by_first_word.values(), *self.any_order.values())
        held = [synonym for group in groups for synonym in group]
        begins = {each.from_ for each in held if each.from_ is not None}
        ends = {each.to + dt.timedelta(days=1) for each in held if each.to is not None}
        return sorted(begins | ends)


def build_lexicon(
    synonyms: Iterable[Synonym], noise: frozenset[str], glue: frozenset[str]
) -> Lexicon:
    """Index the synonyms; `noise` words are dropped from what is left over, `glue` may be cut."""
    by_first: dict[str, list[Synonym]] = {}
    any_order: dict[str, list[Synonym]] = {}
    words: set[str] = set()
    single: dict[str, str] = {}
    for synonym in synonyms:
        words.update(synonym.words)
        # By its longest word, which is the rarest to meet.
        key = max(synonym.words, key=len) if synonym.any_order else synonym.words[0]
        (any_order if synonym.any_order else by_first).setdefault(key, []).append(synonym)
        if len(synonym.words) == 1:
            single[synonym.words[0]] = synonym.drug
    anchors = frozenset(
        word for word in words - noise if len(word) >= _SHORTEST_ANCHOR and word.isalpha()
    )
    return Lexicon(
        by_first_word={word: tuple(found) for word, found in by_first.items()},
        any_order={word: tuple(found) for word, found in any_order.items()},
        known=anchors | glue,
        anchors=anchors,
        noise=noise,
        single_words=single,
    )


def find_hits(lexicon: Lexicon, words: tuple[str, ...], on: dt.date | None) -> tuple[Hit, ...]:
    """Every synonym in force that the words hold, without those inside a longer one."""
    present = frozenset(words)
    hits = [
        hit
        for hit in _all_hits(lexicon, words, present)
        if in_force(hit.synonym.from_, hit.synonym.to, on) and not hit.synonym.silenced_by(present)
    ]
    return tuple(hit for hit in hits if not any(hit.at < other.at for other in hits))


def _all_hits(lexicon: Lexicon, words: tuple[str, ...], present: frozenset[str]) -> Iterator[Hit]:
    """Phrases at each position, then the synonyms whose words may stand in any order."""
    for start, word in enumerate(words):
        for synonym in lexicon.by_first_word.get(word, ()):
            end = start + len(synonym.words)
            if words[start:end] == synonym.words:
                yield Hit(synonym, frozenset(range(start, end)))
    for word in present:
        for synonym in lexicon.any_order.get(word, ()):
            if present.issuperset(synonym.words):
                at = (i for i, other in enumerate(words) if other in synonym.words)
                yield Hit(synonym, frozenset(at))


def suggest(lexicon: Lexicon, words: tuple[str, ...]) -> str | None:
    """A drug that a word may mean: a name cut off at the end, with a tail, or that looks alike."""
    if words:
        begun = _begun_by(lexicon, words[-1])
        if begun is not None:
            return begun
    best: tuple[float, str] | None = None
    for word in words:
        if len(word) < _SHORTEST_LIKENESS or word in lexicon.noise:
            continue
        like = _likeness(lexicon, word)
        if like is not None and (best is None or like[0] > best[0]):
            best = like
    return None if best is None else best[1]


def _begun_by(lexicon: Lexicon, end: str) -> str | None:
    """The one drug whose name begins with the last word of a name, as when a field cut it off."""
    if len(end) < _SHORTEST_CUT or any(word.startswith(end) for word in lexicon.noise):
        return None
    begun = {
        synonym.drug
        for first, synonyms in lexicon.by_first_word.items()
        if first.startswith(end)
        for synonym in synonyms
    }
    return begun.pop() if len(begun) == 1 else None


def _cut_short(lexicon: Lexicon, words: tuple[str, ...], used: frozenset[int]) -> Iterator[str]:
    """Drugs of which a left-over word is the beginning: as in GEMCITABINE/CARBOPLAT."""
    for at, word in enumerate(words):
        if at in used or len(word) < _SHORTEST_STEM or word in lexicon.noise:
            continue
        begun = {drug for name, drug in lexicon.single_words.items() if name.startswith(word)}
        if len(begun) == 1:
            yield begun.pop()


def _likeness(lexicon: Lexicon, word: str) -> tuple[float, str] | None:
    """How alike, of 100, a word is to a drug's name with the same first letter, and the drug."""
    for name, drug in lexicon.single_words.items():
        if len(name) >= _SHORTEST_STEM and word.startswith(name):
            return 100.0, drug
    same_start = [name for name in lexicon.single_words if name[0] == word[0]]
    like = process.extractOne(word, same_start, scorer=fuzz.ratio, score_cutoff=_LIKENESS)
    return None if like is None else (like[1], lexicon.single_words[like[0]])


def recognise(
    lexicon: Lexicon,
    codes: Mapping[str, CodedDrug],
    forms: FormTable,
    code: str | None,
    name: str | None,
    on: dt.date | None,
) -> Recognition:
    """Which drug a line's code and name say on a day; see `Recognition`."""
    text = name or ""
    words = lexicon.cut(text)
    hits = find_hits(lexicon, words, on)
    used = frozenset(at for hit in hits for at in hit.at)
    first = (hit.synonym.drug for hit in sorted(hits, key=lambda h: min(h.at)))
    named = tuple(dict.fromkeys((*first, *(_cut_short(lexicon, words, used) if hits else ()))))
    products = {hit.synonym.product for hit in hits if hit.synonym.product}
    read = read_code(code)
    coded = codes.get(read) if read else None
    verdict = _weigh(coded, named, products)
    drug = verdict.drug
    return Recognition(
        drug=drug,
        product=verdict.product,
        how=verdict.how,
        strength=strength_of(text) or (strength_of(coded.term) if coded and drug else None),
        form=forms.find(words) or (forms.find(words_of(coded.term)) if coded and drug else None),
        pack=pack_of(text),
        words=tuple(_left_over(words, used, lexicon.noise | forms.words)),
        suggestion=None if drug else _suggestion(lexicon, words, named, coded),
        conflict=verdict.conflict,
        candidates=verdict.candidates,
        reason=verdict.reason + _about_code(code, read, coded),
    )


def _about_code(code: str | None, read: str | None, coded: CodedDrug | None) -> str:
    """Why a code that was given did not count, to add to the reason; empty when it did."""
    if coded or not (code or "").strip():
        return ""
    if read is None:
        return "; the code is damaged or malformed and was ignored"
    return "; the code is well formed but not in the table"


@dataclass(frozen=True, slots=True)
class _Verdict:
    drug: str | None
    product: str | None
    how: How
    reason: str
    conflict: bool = False
    candidates: tuple[str, ...] = ()


def _weigh(coded: CodedDrug | None, named: tuple[str, ...], products: set[str]) -> _Verdict:
    """Set the code against the name: the code decides unless the name says another drug."""
    product = next(iter(products)) if len(products) == 1 else None
    if coded and any(drug != coded.drug for drug in named):
        both = tuple(dict.fromkeys((coded.drug, *named)))
        return _Verdict(
            None, None, "none", "code and name disagree", conflict=True, candidates=both
        )
    if coded:
        brands = {brand for brand in (*products, coded.product) if brand}
        brand = brands.pop() if len(brands) == 1 else None
        return _Verdict(coded.drug, brand, "code", f"the code is {coded.term}")
    if len(named) > 1:
        return _Verdict(None, None, "none", "the name holds more than one drug", candidates=named)
    if named:
        return _Verdict(named[0], product, "synonym", "the name holds a reviewed synonym")
    return _Verdict(None, None, "none", "neither code nor name is known")


def _suggestion(
    lexicon: Lexicon, words: tuple[str, ...], named: tuple[str, ...], coded: CodedDrug | None
) -> str | None:
    """For a person to look at: what the code says, else the first drug named, else a likeness."""
    if coded:
        return coded.drug
    return named[0] if named else suggest(lexicon, words)


def _left_over(
    words: tuple[str, ...], used: frozenset[int], noise: frozenset[str]
) -> Iterator[str]:
    """The words that no synonym took and that are not filler, units, forms or numbers."""
    for at, word in enumerate(words):
        if at not in used and word not in noise and word.isalpha():
            yield word
