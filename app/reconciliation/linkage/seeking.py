"""Which lines of a run want an approval proposed, and which approvals each may belong to. Pure."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from app.reconciliation.engines.by_hand import usable_coverage
from app.reconciliation.engines.index import SnapshotIndex, local_keys
from app.reconciliation.engines.passes import patient_coverages
from app.reconciliation.engines.prepare import Prepared
from app.reconciliation.linkage.model import Held, Sought, Why
from app.reconciliation.model import (
    ContractLine,
    Coverage,
    LineKind,
    LineOutcome,
    MatchedLine,
)
from app.reconciliation.outcomes import USABLE

#: What a line comes to where nobody's approval was found for want of who the patient is.
UNFOUND: Final = frozenset(
    {LineOutcome.NO_APPROVAL, LineOutcome.CANNOT_BE_READ, LineOutcome.IDENTITY_WITHHELD}
)


@dataclass(frozen=True, slots=True)
class Approvals:
    """Approvals with a reference that cover supply: drug → treatment → its coverages; and how many
    treatments of a drug there are, and a provider has, its own or as a spoke.
    """

    by_drug: Mapping[str, Mapping[str, tuple[Coverage, ...]]]
    of_drug: Mapping[str, int]
    at: Mapping[tuple[str, str | None], int]

    def among(self, item: Prepared) -> tuple[int, int]:
        """How many treatments of the line's drug there are at its provider, and elsewhere.

        At any time: to count those of its own time only would ask too much of a large run, and
        makes a proposal at most less likely.
        """
        drug = item.recognition.drug or ""
        everywhere = self.of_drug.get(drug, 0)
        here = everywhere if item.provider is None else self.at.get((drug, item.provider), 0)
        return here, everywhere - here

    def counted(self, item: Prepared, here: int, everywhere: int) -> "Approvals":
        """These, which are some of the line's drug, as of so many treatments of it in all."""
        drug = item.recognition.drug or ""
        return replace(self, of_drug={drug: everywhere}, at={(drug, item.provider): here})

    def coverage(self, item: Prepared, treatment: str) -> Coverage | None:
        """What a match by hand would take of a treatment; None where the line cannot be its."""
        own = self.by_drug.get(item.recognition.drug or "", {}).get(treatment, ())
        return usable_coverage(item, own)[1] if own else None


@dataclass(frozen=True, slots=True)
class Seekers:
    """The lines to compare with the approvals, and how many were left out and why."""

    lines: tuple[Sought, ...]
    approvals: Approvals
    left_out: Counter[Why]


def approvals_of(coverages: Iterable[Coverage]) -> Approvals:
    """The approvals among a snapshot's coverages that a line may be matched to by hand."""
    by_drug: dict[str, dict[str, list[Coverage]]] = defaultdict(lambda: defaultdict(list))
    at: dict[tuple[str, str | None], set[str]] = defaultdict(set)
    for each in coverages:
        if each.status in USABLE and each.approval_reference is not None:
            by_drug[each.drug][each.treatment_id].append(each)
            for provider in (each.provider, *each.supplying_providers):
                at[each.drug, provider].add(each.treatment_id)
    return Approvals(
        {drug: {t: tuple(own) for t, own in found.items()} for drug, found in by_drug.items()},
        {drug: len(found) for drug, found in by_drug.items()},
        {key: len(treatments) for key, treatments in at.items()},
    )


def find_seekers(
    matched: Sequence[MatchedLine],
    prepared: Sequence[Prepared],
    index: SnapshotIndex,
    approvals: Approvals,
) -> Seekers:
    """The lines of a run whose NHS number was of no use and that no pass matched."""
    both = enumerate(zip(matched, prepared, strict=True))
    unfound = ((position, item) for position, (outcome, item) in both if is_unfound(outcome))
    return seekers_among(unfound, index, approvals)


def is_unfound(outcome: MatchedLine) -> bool:
    """Whether a line came to what it is for want of somebody's approval (`large.UNFOUND_IN_FILES`
    says the same of a file of them)."""
    return outcome.outcome in UNFOUND and outcome.treatment_id is None and not outcome.found_by


def seekers_among(
    unfound: Iterable[tuple[int, Prepared]], index: SnapshotIndex, approvals: Approvals
) -> Seekers:
    """Of lines that nothing was found for, by position, those whose NHS number is of no use.

    A number that belongs to somebody with an approval or a waiting request is of use: whatever
    keeps such a line from its approval is not who the patient is. An identity that was withheld
    is left alone, whatever else the line states.
    """
    lines, left_out = [], Counter[Why]()
    for position, item in unfound:
        if not _wants(item, index):
            continue
        why = _why_left_out(item, approvals)
        if why is not None:
            left_out[why] += 1
        else:
            lines.append(sought(position, item))
    return Seekers(tuple(lines), approvals, left_out)


def _wants(item: Prepared, index: SnapshotIndex) -> bool:
    if item.kind is not LineKind.DRUG or item.line.shifted or item.line.total_cost is None:
        return False
    if item.recognition.drug is None or item.period is None:
        return False
    if item.line.nhs_number in index.pending_by_nhs:
        return False
    return not patient_coverages(item, index)


def _why_left_out(item: Prepared, approvals: Approvals) -> Why | None:
    line = item.line
    if line.withheld_reason is not None:
        return Why.WITHHELD
    if line.nhs_pseudonym is not None or line.local_pseudonym is not None:
        return Why.PSEUDONYM
    stated = (figures_of(line), line.birth_date, line.local_patient_id)
    if all(each is None for each in stated):
        return Why.TOO_LITTLE
    return None if any(approvals.among(item)) else Why.NOTHING_HELD


def sought(position: int, item: Prepared) -> Sought:
    """What the line states of its patient."""
    key = item.local_key
    return Sought(
        position=position,
        drug=item.recognition.drug or "",
        nhs_number=figures_of(item.line),
        birth_date=item.line.birth_date,
        local_key="|".join(key) if key else None,
        gp_practice=item.line.gp_practice,
    )


def figures_of(line: ContractLine) -> str | None:
    """The figures in the cell of the NHS number, wrong or not; None for fewer than eight.

    Placeholders, one figure over and over, are nobody's.
    """
    text = line.nhs_number
    if text is None:
        text = next((f.raw for f in line.faults if f.field == "nhs_number"), "")
    figures = re.sub("[^0-9]", "", text)
    return figures if 8 <= len(figures) <= 11 and len(set(figures)) > 1 else None


def held_of(approvals: Approvals, practices: Mapping[str, Sequence[str]]) -> tuple[Held, ...]:
    """What is known of each treatment's patient, in order of treatment."""
    return tuple(each_held(approvals, practices))


def each_held(approvals: Approvals, practices: Mapping[str, Sequence[str]]) -> Iterator[Held]:
    """The same, one by one."""
    found = {t: own[0] for of_drug in approvals.by_drug.values() for t, own in of_drug.items()}
    for treatment, one in sorted(found.items()):
        yield Held(
            treatment=treatment,
            drug=one.drug,
            nhs_number=one.nhs_number,
            birth_date=one.birth_date,
            local_keys=tuple(sorted("|".join(k) for k in local_keys(one.local_ids))),
            gp_practices=tuple(sorted(practices.get(treatment, ()))),
        )
