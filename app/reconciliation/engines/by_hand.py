"""What people decided of lines by hand, applied before the first pass.

A decision is known by the line's content, so it is applied again in every run and file that states
the line. It rests on two sides: the line, and for a match the approval as it stood, for an override
the outcome that the line would have had. Where either is no longer as it was, the decision is
stale: it is not applied, and the line says so with a failed test. No pound is accepted on what
somebody saw and that has changed since.

A match says whose line it is. It skips no test but that of the patient's identity: the approval
must be of the line's drug and cover its time, and the other tests are made as for every line.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Final

from app.reconciliation.engines.index import SnapshotIndex
from app.reconciliation.engines.passes import Found, preference, tests_of
from app.reconciliation.engines.prepare import Prepared
from app.reconciliation.line_keys import keys_of
from app.reconciliation.model import (
    ContractLine,
    Coverage,
    DecisionKind,
    LineDecision,
    LineOutcome,
    Test,
)
from app.reconciliation.outcomes import FAILED, PASSED, USABLE
from app.reconciliation.parse import normalise_reference
from app.reconciliation.period import Fit, fit

BY_HAND: Final = "manual decision"
#: Who the patient is changes nothing of an approval's terms, and may stand there as a pseudonym.
_IDENTITY: Final = frozenset({"nhs_number", "local_ids", "birth_date"})
#: Looked at since rules 9: the tests of them are made on a match by hand as on every line, and a
#: digest with them would make every match stale that was made before.
_SINCE: Final = frozenset({"route", "start_by", "first_dose"})


@dataclass(frozen=True, slots=True)
class ByHand:
    """What a decision made of a line: the coverage it found, or why it is not applied."""

    test: Test
    found: Found | None = None


def decisions_on(
    lines: Sequence[ContractLine], decisions: Iterable[LineDecision]
) -> Mapping[int, LineDecision]:
    """Position of a line → the decision on it."""
    by_key = {decision.line_key: decision for decision in decisions}
    if not by_key:
        return {}
    found = ((i, by_key.get(key)) for i, key in enumerate(keys_of(lines)))
    return {i: decision for i, decision in found if decision is not None}


def decisions_digest(applied: Iterable[LineDecision]) -> str:
    """A SHA-256 over what was decided, whoever decided it and why: the run is known by it."""
    parts = sorted(
        "\x1f".join(
            (d.line_key, d.kind, d.approval_reference or "", d.approval_digest or "", d.outcome)
        )
        for d in applied
    )
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def approval_digest(coverages: Iterable[Coverage]) -> str:
    """A SHA-256 over the terms of an approval's coverages, in any order."""
    parts = sorted(
        "\x1f".join(_text(getattr(coverage, name)) for name in _TERMS) for coverage in coverages
    )
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


_TERMS: Final = tuple(f.name for f in fields(Coverage) if f.name not in _IDENTITY | _SINCE)


def _text(value: object) -> str:
    return repr(sorted(value)) if isinstance(value, frozenset) else repr(value)


def coverages_of(index: SnapshotIndex, reference: str) -> tuple[Coverage, ...]:
    """The coverages of the approval of this reference."""
    quoted = index.by_reference.get(normalise_reference(reference) or "", ())
    return tuple(c for c in quoted if c.approval_reference == reference)


def matched_by_hand(item: Prepared, index: SnapshotIndex, decision: LineDecision) -> ByHand:
    """The coverage that a match by hand gives the line, unless the approval changed since."""
    coverages = coverages_of(index, decision.approval_reference or "")
    if approval_digest(coverages) != decision.approval_digest:
        return ByHand(Test(BY_HAND, FAILED, "stale: the approval changed since; decide again"))
    why, coverage = usable_coverage(item, coverages)
    if coverage is None:
        return ByHand(not_applied(why))
    passed = Test(BY_HAND, PASSED, "the approval was named by hand")
    return ByHand(passed, Found(coverage, BY_HAND, (passed, *tests_of(item, coverage))))


def not_applied(why: str) -> Test:
    """That a decision by hand changes nothing of a line, and why: it is never left out in silence.

    It fails, so that whoever made the decision is told to look again.
    """
    return Test(BY_HAND, FAILED, f"not applied: {why}")


def usable_coverage(item: Prepared, coverages: Sequence[Coverage]) -> tuple[str, Coverage | None]:
    """The coverage among these that may be the line's; None with the reason where none may."""
    if item.period is None:
        return "the line states no legible time of supply", None
    usable = [c for c in coverages if c.status in USABLE]
    if not usable:
        return "the approval covers nothing", None
    same_drug = [c for c in usable if c.drug == item.recognition.drug]
    if not same_drug:
        return f"the approval is of {usable[0].drug}", None
    within = [c for c in same_drug if fit(c, item.period) is Fit.WITHIN]
    if not within:
        return "the approval does not cover the time of supply", None
    return "", min(within, key=lambda coverage: preference(item, coverage))


def overridden(decision: LineDecision, outcome: LineOutcome) -> Test:
    """Whether an override is applied: the line's outcome must be the one that was seen."""
    if decision.outcome != outcome:
        return Test(BY_HAND, FAILED, "stale: the line's outcome changed since; decide again")
    done = "accepted" if decision.kind is DecisionKind.ACCEPT else "queried"
    return Test(BY_HAND, PASSED, f"{done} whole by a decision by hand")
