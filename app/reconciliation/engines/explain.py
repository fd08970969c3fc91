"""How one line came to its approval, or to none: the passes in order, each with its reason."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from app.reconciliation.engines.by_hand import BY_HAND, matched_by_hand
from app.reconciliation.engines.index import SnapshotIndex
from app.reconciliation.engines.passes import (
    PASSES,
    preference,
    same_patient,
    why_reference_fails,
)
from app.reconciliation.engines.prepare import Prepared
from app.reconciliation.model import Coverage, DecisionKind, LineDecision
from app.reconciliation.outcomes import PASSED, USABLE, check_provider
from app.reconciliation.period import Fit, fit

MOST_NAMED: Final = 5


class Tried(StrEnum):
    """What came of a pass."""

    FOUND = "found"
    NOTHING = "nothing found"
    NOT_TRIED = "not tried"


@dataclass(frozen=True, slots=True)
class PassTried:
    """One pass: what came of it and why."""

    name: str
    result: Tried
    why: str


@dataclass(frozen=True, slots=True)
class Trace:
    """The passes in their order, and the coverage that the first successful one found."""

    passes: tuple[PassTried, ...]
    coverage: Coverage | None


_EARLIER: Final = "an earlier pass found the approval"


def trace(item: Prepared, index: SnapshotIndex, decision: LineDecision | None) -> Trace:
    """Try the passes as the engine does, and keep why each found what it did."""
    first, coverage = _by_hand(item, index, decision)
    tried = [first]
    for name, finder in PASSES:
        if coverage is not None:
            tried.append(PassTried(name, Tried.NOT_TRIED, _EARLIER))
            continue
        candidates = list(finder(item, index))
        if candidates:
            tried.append(PassTried(name, Tried.FOUND, _count(candidates)))
            coverage = candidates[0] if len(candidates) == 1 else _best(item, candidates)
        else:
            tried.append(_nothing(name, item, index))
    return Trace(tuple(tried), coverage)


def describe(coverage: Coverage) -> str:
    """A coverage in words that name no patient."""
    ends = f"{coverage.to:%d/%m/%Y}" if coverage.to else "no end"
    named = coverage.approval_reference or "an approval without a reference"
    days = f"{coverage.from_:%d/%m/%Y} to {ends}"
    return f"{named} ({coverage.drug}, {days}, {coverage.provider})"


def _best(item: Prepared, candidates: Sequence[Coverage]) -> Coverage:
    return min(candidates, key=lambda coverage: preference(item, coverage))


def _count(candidates: Sequence[Coverage]) -> str:
    if len(candidates) == 1:
        return f"{describe(candidates[0])} fits"
    return f"{len(candidates)} coverages fit; the full tie-break chose one"


def _by_hand(
    item: Prepared, index: SnapshotIndex, decision: LineDecision | None
) -> tuple[PassTried, Coverage | None]:
    if decision is None or decision.kind is not DecisionKind.MATCH:
        return PassTried(BY_HAND, Tried.NOT_TRIED, "nobody matched the line by hand"), None
    made = matched_by_hand(item, index, decision)
    result = Tried.FOUND if made.found else Tried.NOTHING
    coverage = made.found.coverage if made.found else None
    return PassTried(BY_HAND, result, made.test.detail), coverage


def _nothing(name: str, item: Prepared, index: SnapshotIndex) -> PassTried:
    lacking, candidates, why = _LOOKED_AT[name](item, index)
    if lacking:
        return PassTried(name, Tried.NOT_TRIED, lacking)
    if not candidates:
        return PassTried(name, Tried.NOTHING, "no approval is held under it")
    named = [f"{describe(each)}: {why(item, each)}" for each in candidates[:MOST_NAMED]]
    if len(candidates) > MOST_NAMED:
        named.append(f"and {len(candidates) - MOST_NAMED} more")
    return PassTried(name, Tried.NOTHING, "; ".join(named))


_Why = Callable[[Prepared, Coverage], str]
_Looked = tuple[str, Sequence[Coverage], _Why]


def _reference(item: Prepared, index: SnapshotIndex) -> _Looked:
    quoted = item.line.reference
    lacking = "" if quoted else "the line quotes no reference"
    return lacking, index.by_reference.get(quoted or "", ()), _why_reference


def _nhs_number(item: Prepared, index: SnapshotIndex) -> _Looked:
    number = item.line.nhs_number
    lacking = "" if number else "the line states no legible NHS number"
    return lacking, index.by_nhs.get(number or "", ()), _why_not


def _local(item: Prepared, index: SnapshotIndex) -> _Looked:
    key = item.local_key
    lacking = "" if key else "the line states no local identifier with its organisation"
    found = index.by_local.get(key, ()) if key else ()
    return lacking, found, _why_local


_LOOKED_AT: Final[dict[str, Callable[[Prepared, SnapshotIndex], _Looked]]] = {
    PASSES[0][0]: _reference,
    PASSES[1][0]: _nhs_number,
    PASSES[2][0]: _nhs_number,
    PASSES[3][0]: _nhs_number,
    PASSES[4][0]: _local,
}


def _why_reference(item: Prepared, coverage: Coverage) -> str:
    return why_reference_fails(item, coverage) or "it fits"


def _why_local(item: Prepared, coverage: Coverage) -> str:
    if not same_patient(item, coverage):
        return "the NHS numbers or birth dates contradict it"
    return _why_not(item, coverage)


def _why_not(item: Prepared, coverage: Coverage) -> str:
    """Why a coverage of the patient's is not the line's; the provider last."""
    if coverage.status not in USABLE:
        return f"it is {coverage.status}"
    if coverage.drug != item.recognition.drug:
        return f"the line is of {item.recognition.drug or 'a drug that is not recognised'}"
    if item.period is None:
        return "the line states no legible time of supply"
    state = fit(coverage, item.period)
    if state is not Fit.WITHIN:
        return f"the supply is {state}"
    test = check_provider(coverage, item.provider)
    return "it fits" if test.result is PASSED else test.detail
