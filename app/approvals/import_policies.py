"""Which policy an old form was for: by key, NICE guidance number or exact title, never by guess."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from app.approvals.import_cells import CellFault
from app.approvals.import_layout import normal
from app.approvals.library import Library

K = TypeVar("K")

_GUIDANCE = re.compile(r"(?<![A-Za-z])TA[\s\-:.]*0*([1-9][0-9]{0,3})(?![0-9])", re.IGNORECASE)
_BARE_NUMBER = re.compile(r"0*([1-9][0-9]{0,3})")


@dataclass(frozen=True, slots=True)
class PolicyIndex:
    """Policy keys by drug, by the TA numbers that their sources' titles name, and by title."""

    by_drug: Mapping[str, frozenset[str]]
    by_guidance: Mapping[int, frozenset[str]]
    by_title: Mapping[str, frozenset[str]]


def index_of(library: Library) -> PolicyIndex:
    """Every version counts: an old form names the guidance of its day."""
    by_drug: dict[str, set[str]] = defaultdict(set)
    by_guidance: dict[int, set[str]] = defaultdict(set)
    by_title: dict[str, set[str]] = defaultdict(set)
    for version in library.all_versions():
        by_drug[version.drug].add(version.policy)
        by_title[normal(version.title)].add(version.policy)
        by_title[normal(version.policy)].add(version.policy)
        for source in version.sources.values():
            for number in guidance_in(source.title):
                by_guidance[number].add(version.policy)
    return PolicyIndex(_frozen(by_drug), _frozen(by_guidance), _frozen(by_title))


def guidance_in(text: str) -> frozenset[int]:
    """The numbers of the NICE technology appraisals that a text names."""
    return frozenset(int(number) for number in _GUIDANCE.findall(text))


def guidance_column(text: str) -> frozenset[int]:
    """As `guidance_in`, for a column of TA numbers, where the letters may be missing."""
    bare = _BARE_NUMBER.fullmatch(text)
    return frozenset({int(bare[1])}) if bare else guidance_in(text)


def policy_for(
    index: PolicyIndex, drug: str, key: str | None, guidance: str | None, texts: Iterable[str]
) -> str:
    """The one policy of the drug that everything the row says leads to.

    CellFault where the row names no policy that is held, or where what it says does not agree.
    """
    of_drug = index.by_drug.get(drug, frozenset())
    if not of_drug:
        raise CellFault("the library holds no policy for this drug")
    written = tuple(texts)
    claims = [frozenset({key.casefold()}) & of_drug] if key else []
    numbers = frozenset().union(*(guidance_in(t) for t in written), guidance_column(guidance or ""))
    claims += [index.by_guidance.get(number, frozenset()) & of_drug for number in sorted(numbers)]
    if not claims:
        claims = [
            index.by_title[normal(t)] & of_drug for t in written if normal(t) in index.by_title
        ]
    if not claims:
        raise CellFault(
            "the row does not tell which policy it was for: it names no NICE TA number, no policy "
            "key and no policy's own title"
        )
    if not all(claims):
        raise CellFault("the library holds no policy for this drug under what the row names")
    agreed = frozenset.intersection(*claims)
    if len(agreed) != 1:
        raise CellFault("what the row names leads to more than one policy; add a policy key")
    return next(iter(agreed))


def _frozen(found: Mapping[K, set[str]]) -> Mapping[K, frozenset[str]]:
    return {key: frozenset(values) for key, values in found.items()}
