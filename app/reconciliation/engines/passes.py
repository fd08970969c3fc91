"""The waterfall: named passes that find the coverage of a line, tried in this order.

1. *approval reference*: the line quotes a reference (ours or a legacy one) of a coverage of the
   same patient, drug, time and provider. A reference that fails any of these decides nothing:
   the line goes on down the waterfall and carries a failed test that says why.
2. *NHS number*: same NHS number, drug, time, and the approved provider.
3. *NHS number, supplying provider*: as 2, at a spoke of the approved hub.
4. *NHS number, elsewhere*: as 2, at any other provider: found, but not the approved provider.
5. *local patient identifier*: same local identifier at the same organisation, drug and time,
   where line or coverage lacks an NHS number and nothing contradicts.

An NHS number goes before a hospital's own number, which a hospital may give to a second patient.
Only the line's own legible values are used.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from app.reconciliation.engines.index import SnapshotIndex, coverage_order
from app.reconciliation.engines.prepare import Prepared
from app.reconciliation.model import Coverage, Test, TestResult
from app.reconciliation.outcomes import (
    FAILED,
    NOT_TESTABLE,
    PASSED,
    ROUTE,
    START,
    USABLE,
    check_coverage,
    check_provider,
)
from app.reconciliation.period import Fit, fit

BY_REFERENCE = "approval reference"

Finder = Callable[[Prepared, SnapshotIndex], Iterable[Coverage]]


@dataclass(frozen=True, slots=True)
class Found:
    """The coverage of a line, the pass that found it, and the tests so far."""

    coverage: Coverage
    found_by: str
    tests: tuple[Test, ...]


def find_coverage(prepared: Prepared, index: SnapshotIndex) -> Found | None:
    """The coverage that the first successful pass finds, or None."""
    for name, finder in PASSES:
        candidates = list(finder(prepared, index))
        if candidates:
            best = _choose(prepared, candidates)
            return Found(best, name, tests_of(prepared, best))
    return None


def _choose(prepared: Prepared, candidates: Sequence[Coverage]) -> Coverage:
    if len(candidates) == 1:
        return candidates[0]
    return min(candidates, key=lambda coverage: preference(prepared, coverage))


def tests_of(prepared: Prepared, coverage: Coverage) -> tuple[Test, ...]:
    """The tests of a line against a coverage whose period it lies in."""
    assert prepared.period is not None
    return check_coverage(
        prepared.line, prepared.recognition, coverage, prepared.period, prepared.provider
    )


_FITTING = frozenset({START, "provider", "product", ROUTE, "indication", "continuation"})


def preference(prepared: Prepared, coverage: Coverage) -> tuple[object, ...]:
    """The full tie-break between coverages valid at one time; the least is chosen.

    What the line fits comes first; then live before under query, on time before late, the
    narrowest window (a short approval inside a long one is not lost), the latest start, and ids.
    """
    misfits = sum(
        test.result is FAILED for test in tests_of(prepared, coverage) if test.name in _FITTING
    )
    width = ((coverage.to or dt.date.max) - coverage.from_).days
    return (
        misfits,
        coverage.under_query,
        coverage.late,
        width,
        -coverage.from_.toordinal(),
        *coverage_order(coverage),
    )


def same_patient(prepared: Prepared, coverage: Coverage) -> bool:
    """Whether the line's own identifiers show that it is the coverage's patient.

    NHS numbers decide where both are known. Otherwise the local identifier does, at the
    organisation that issued it, unless the birth dates contradict it.
    """
    nhs = prepared.line.nhs_number
    if nhs is not None and coverage.nhs_number is not None:
        return nhs == coverage.nhs_number
    births = (prepared.line.birth_date, coverage.birth_date)
    if None not in births and births[0] != births[1]:
        return False
    key = prepared.local_key
    return key is not None and any(
        (org.upper(), local.upper().replace(" ", "")) == key for org, local in coverage.local_ids
    )


def patient_coverages(prepared: Prepared, index: SnapshotIndex) -> tuple[Coverage, ...]:
    """Every coverage of the line's patient, whatever its drug, time or status."""
    by_nhs = index.by_nhs.get(prepared.line.nhs_number or "", ())
    key = prepared.local_key
    by_local = index.by_local.get(key, ()) if key else ()
    return by_nhs + tuple(c for c in by_local if c not in by_nhs and same_patient(prepared, c))


def _valid(prepared: Prepared, coverage: Coverage) -> bool:
    return (
        coverage.status in USABLE
        and coverage.drug == prepared.recognition.drug
        and prepared.period is not None
        and fit(coverage, prepared.period) is Fit.WITHIN
    )


def _provider(prepared: Prepared, coverage: Coverage) -> TestResult:
    return check_provider(coverage, prepared.provider).result


def _by_reference(prepared: Prepared, index: SnapshotIndex) -> Iterable[Coverage]:
    for coverage in index.by_reference.get(prepared.line.reference or "", ()):
        if why_reference_fails(prepared, coverage) is None:
            yield coverage


def why_reference_fails(prepared: Prepared, coverage: Coverage) -> str | None:
    """Why the coverage of a quoted reference is not the line's; None when it is."""
    if not prepared.has_identity:
        return "the line states no patient to compare with the reference's"
    if not same_patient(prepared, coverage):
        return "the reference quoted is not shown to be this patient's"
    if coverage.drug != prepared.recognition.drug:
        return f"the reference quoted is an approval of {coverage.drug}"
    if coverage.status not in USABLE:
        return f"the reference quoted is of an approval that is {coverage.status}"
    if prepared.period is None or fit(coverage, prepared.period) is not Fit.WITHIN:
        return "the reference quoted is of an approval that does not cover the time of supply"
    if _provider(prepared, coverage) is FAILED:
        return f"the reference quoted is of an approval for {coverage.provider}"
    return None


def check_reference(prepared: Prepared, index: SnapshotIndex) -> Test | None:
    """The test of a quoted reference; None when the line quotes none."""
    if prepared.line.reference is None:
        return None
    quoted = index.by_reference.get(prepared.line.reference, ())
    if not quoted:
        # PROVIDER REFERENCE NUMBER is the provider's own: an unknown one proves nothing.
        return Test("reference", NOT_TESTABLE, "the reference quoted is of no approval held")
    whys = [why_reference_fails(prepared, coverage) for coverage in quoted]
    if None in whys:
        return Test("reference", PASSED, "the reference quoted is this approval's")
    return Test("reference", FAILED, next(why for why in whys if why))


def _by_nhs_number(prepared: Prepared, index: SnapshotIndex) -> Iterable[Coverage]:
    for coverage in index.by_nhs.get(prepared.line.nhs_number or "", ()):
        here = prepared.provider in (None, coverage.provider)
        if here and _valid(prepared, coverage):
            yield coverage


def _by_nhs_number_at_spoke(prepared: Prepared, index: SnapshotIndex) -> Iterable[Coverage]:
    for coverage in index.by_nhs.get(prepared.line.nhs_number or "", ()):
        if _provider(prepared, coverage) is PASSED and _valid(prepared, coverage):
            yield coverage


def _by_nhs_number_elsewhere(prepared: Prepared, index: SnapshotIndex) -> Iterable[Coverage]:
    for coverage in index.by_nhs.get(prepared.line.nhs_number or "", ()):
        if _valid(prepared, coverage):
            yield coverage


def _by_local_identifier(prepared: Prepared, index: SnapshotIndex) -> Iterable[Coverage]:
    key = prepared.local_key
    for coverage in index.by_local.get(key, ()) if key else ():
        if same_patient(prepared, coverage) and _valid(prepared, coverage):
            yield coverage


PASSES: tuple[tuple[str, Finder], ...] = (
    (BY_REFERENCE, _by_reference),
    ("NHS number", _by_nhs_number),
    ("NHS number, supplying provider", _by_nhs_number_at_spoke),
    ("NHS number, elsewhere", _by_nhs_number_elsewhere),
    ("local patient identifier", _by_local_identifier),
)
