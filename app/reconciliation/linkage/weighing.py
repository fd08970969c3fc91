"""From weights to proposals: how likely each approval is a line's, and what is told of it. Pure.

A line belongs to one treatment at most. Before anything is compared, the chance that it belongs to
one at its own provider is shared evenly among the treatments of its drug there, and a
small chance among those elsewhere; the rest is the chance that none of them is its own. The fields
turn these into odds. So two patients whom the fields cannot tell apart get half each, however well
both agree: twins are ambiguous by arithmetic.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any, Final

from app.reconciliation.engines.by_hand import approval_digest, coverages_of
from app.reconciliation.engines.index import SnapshotIndex
from app.reconciliation.engines.prepare import Prepared
from app.reconciliation.linkage.comparing import FIELDS, label_of
from app.reconciliation.linkage.model import (
    Candidate,
    Compared,
    FieldShown,
    Found,
    Proposed,
    Why,
)
from app.reconciliation.linkage.seeking import Approvals, Seekers
from app.reconciliation.model import Coverage
from app.reconciliation.outcomes import FAILED, check_provider

#: A refusal: the line, the approval's reference and the evidence that was refused.
Refusal = tuple[str, str, str]

_SUBJECT: Final = {
    "nhs_number": "NHS number",
    "birth_date": "birth date",
    "local_id": "hospital number",
    "gp_practice": "GP practice",
}
_WORDS: Final = {
    "null": "is not stated on one side",
    "the same": "agrees",
    "day and month changed round": "agrees with day and month changed round",
    "one change": "differs in one place",
    "two changes": "differs in two places",
    "other": "differs",
}


@dataclass(frozen=True, slots=True)
class Judge:
    """The starting odds and limits of a set of parameters.

    `here` and `elsewhere` are chances; `threshold` is the probability from which an approval is
    proposed; others within `margin` bits of the likeliest are as good as it.
    """

    model: str
    here: float
    elsewhere: float
    threshold: float
    margin: float

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> "Judge":
        """Those of a packaged set."""
        return cls(
            model=parameters["model"],
            here=parameters["chance_here"],
            elsewhere=parameters["chance_elsewhere"],
            threshold=parameters["threshold"],
            margin=parameters["margin_bits"],
        )


@dataclass(frozen=True, slots=True, eq=False)
class Likely:
    """A treatment with its share of the chance that the line is somebody's."""

    pair: Compared
    coverage: Coverage
    here: bool
    odds: float
    probability: float


def likelihoods(
    judge: Judge, item: Prepared, approvals: Approvals, pairs: Sequence[Compared]
) -> tuple[Likely, ...]:
    """Every compared treatment that the line may belong to, the likeliest first."""
    at_provider, elsewhere = approvals.among(item)
    weighed = []
    for pair in pairs:
        coverage = approvals.coverage(item, pair.treatment)
        if coverage is None:
            continue
        here = check_provider(coverage, item.provider).result is not FAILED
        # A treatment that changed hospital counts at the line's provider, also where what covers
        # the line is the other hospital's: then there may be none elsewhere, and it stands alone.
        # And what was counted may be older than what came to the line's provider since.
        start = judge.here / max(at_provider, 1) if here else judge.elsewhere / max(elsewhere, 1)
        weighed.append(Likely(pair, coverage, here, start * 2**pair.weight, 0.0))
    ordered = sorted(weighed, key=lambda each: (-each.odds, each.pair.treatment))
    return shared(judge, ordered)


def shared(judge: Judge, likely: Sequence[Likely]) -> tuple[Likely, ...]:
    """The same with the chance shared among these, and that of none of them, by their odds."""
    none = 1 - judge.here - judge.elsewhere
    whole = none + sum(each.odds for each in likely)
    return tuple(replace(each, probability=each.odds / whole) for each in likely)


def alike(judge: Judge, likely: Sequence[Likely]) -> tuple[Likely, ...]:
    """What to propose: nothing, the likeliest, or all that are as good, in order of treatment.

    They are proposed where one of them is likely enough, whichever it is.
    """
    if not likely:
        return ()
    least = likely[0].odds / 2**judge.margin
    close = [each for each in likely if each.odds >= least]
    if sum(each.probability for each in close) < judge.threshold:
        return ()
    return tuple(sorted(close, key=lambda each: each.pair.treatment))


@dataclass(frozen=True, slots=True)
class Matter:
    """What proposals are made of: the lines sought for, prepared and with their keys, by position;
    the refusals."""

    seekers: Seekers
    prepared: Sequence[Prepared] | Mapping[int, Prepared]
    keys: Sequence[str] | Mapping[int, str]
    index: SnapshotIndex
    refused: frozenset[Refusal] = frozenset()


def propose(judge: Judge, matter: Matter, compared: Sequence[Compared]) -> Found:
    """What is proposed for each line that was sought for, and how many ended how."""
    by_line: dict[int, list[Compared]] = defaultdict(list)
    for pair in compared:
        by_line[pair.position].append(pair)
    counts, proposals = Counter(matter.seekers.left_out), []
    decided = {key for key, *_ in matter.refused}
    for line in matter.seekers.lines:
        item = matter.prepared[line.position]
        likely = likelihoods(judge, item, matter.seekers.approvals, by_line[line.position])
        why, proposed = _of_line(judge, matter, decided, line.position, likely)
        counts[why] += 1
        if proposed is not None:
            proposals.append(proposed)
    return Found(judge.model, tuple(proposals), dict(counts))


def _of_line(
    judge: Judge, matter: Matter, decided: Set[str], position: int, likely: Sequence[Likely]
) -> tuple[Why, Proposed | None]:
    item, key = matter.prepared[position], matter.keys[position]
    refused = []
    if key in decided:  # to word a candidate costs more than to weigh it
        refused = [e for e in likely[:_MOST] if _is_refused(matter, key, e)]
    stands = shared(judge, [e for e in likely if e not in refused])
    chosen = alike(judge, stands)
    if not chosen:
        return (Why.REFUSED if alike(judge, likely) else Why.NOT_LIKELY), None
    others = [each for each in stands if each not in chosen]
    candidates = [_candidate(each, matter.index) for each in chosen]
    here, elsewhere = matter.seekers.approvals.among(item)
    proposed = Proposed(
        row=item.line.row,
        line_key=key,
        candidates=tuple(sorted(candidates, key=lambda one: one.approval_reference)),
        next_best=_candidate(others[0], matter.index) if others else None,
        among=here + elsewhere,
        total=None if item.line.total_cost is None else f"{item.line.total_cost:f}",
        here=here,
    )
    return (Why.AMBIGUOUS if len(chosen) > 1 else Why.PROPOSED), proposed


#: Only so many of the likeliest can have been proposed, and so refused.
_MOST: Final = 20


def _is_refused(matter: Matter, key: str, likely: Likely) -> bool:
    found = _candidate(likely, matter.index)
    return (key, found.approval_reference, found.evidence_digest) in matter.refused


def _candidate(likely: Likely, index: SnapshotIndex) -> Candidate:
    reference = likely.coverage.approval_reference or ""
    terms = approval_digest(coverages_of(index, reference))
    levels = [f"{name}={likely.pair.levels[name]}" for name in FIELDS]
    evidence = "\x1f".join([terms, str(likely.here), *levels])
    return Candidate(
        approval_reference=reference,
        treatment_id=likely.pair.treatment,
        probability=likely.probability,
        weight=likely.pair.weight,
        fields=(*_compared(likely.pair), *_conditions(likely)),
        approval_digest=terms,
        evidence_digest=hashlib.sha256(evidence.encode()).hexdigest(),
    )


def _compared(pair: Compared) -> tuple[FieldShown, ...]:
    return tuple(
        FieldShown(
            _SUBJECT[name],
            words_of(name, pair.levels[name]),
            pair.weights[name] if pair.levels[name] >= 0 else None,
        )
        for name in FIELDS
    )


def words_of(name: str, level: int) -> str:
    """How a field agrees, without its value."""
    return f"{_SUBJECT[name]} {_WORDS[label_of(name, level)]}"


def _conditions(likely: Likely) -> tuple[FieldShown, ...]:
    """What must hold of every proposal, or changes its starting odds only."""
    provider = "is" if likely.here else "is not"
    return (
        FieldShown("drug", "drug is the approval's", None),
        FieldShown("dates", "time of supply lies within the approval", None),
        FieldShown("provider", f"provider {provider} the approval's", None),
    )
