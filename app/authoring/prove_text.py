"""Proofs in words, for the terminal and for the web."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Sequence
from typing import Any

from app.authoring.proofs.claims import Claim, NearMiss, Proof
from app.authoring.proofs.patients import Patient
from app.authoring.proofs.two import Comparison, Verdict, loosened
from app.policy import PolicyVersion

_DAY = re.compile(r"\b[0-9]{4}-[0-9]{2}-[0-9]{2}\b")
INDENT = "    "
_DID = {"initiation": "start", "continuation": "continue"}


def proof_lines(
    version: PolicyVersion,
    claims: Sequence[Claim],
    near: Sequence[NearMiss],
    patients: bool = True,
) -> Iterator[str]:
    """One version's proofs; `patients` writes out the example patients."""
    yield named(version)
    for claim in claims:
        yield f"  {claim.outcome}: {claim.text}."
        if claim.why:
            yield f"{INDENT}Why: {claim.why}."
        if claim.mend:
            yield f"{INDENT}{claim.mend}."
        if claim.patient is not None and patients:
            who = "A patient who does" if claim.outcome is Proof.PROVEN else "A patient who must"
            yield from _patient(version, who, claim.patient)
    for each in near:
        yield from _near_lines(version, each, patients)
    decided = sum(each.outcome is not Proof.NOT_DECIDED for each in near)
    yield f"  {decided} of {len(near)} criteria decided."


def _near_lines(version: PolicyVersion, each: NearMiss, patients: bool) -> Iterator[str]:
    match each.outcome:
        case Proof.COUNTER_EXAMPLE:
            outcome = "" if each.decision is None else f": {each.decision.outcome}"
            yield f"  near miss: {each.criterion} alone fails{outcome}."
        case Proof.PROVEN:
            yield f"  proven: {each.criterion} never fails alone: {each.why}."
        case Proof.NOT_DECIDED:
            yield f"  not decided: a near miss for {each.criterion}. Why: {each.why}."
    if each.patient is not None and patients:
        yield from _patient(version, "The patient", each.patient)


def _patient(version: PolicyVersion, who: str, patient: Patient) -> Iterator[str]:
    yield f"{INDENT}{who}:"
    for line in patient.lines(version):
        yield f"{INDENT}  {line}"


def comparison_lines(
    first: PolicyVersion,
    second: PolicyVersion,
    comparisons: Sequence[Comparison],
    patients: bool = True,
) -> Iterator[str]:
    """What the second version does to the first, in words."""
    yield f"{named(second)} against {named(first)}"
    for each in comparisons:
        what = each.criterion or f"all criteria to {_DID[each.kind]}"
        mark = "proven" if each.verdict is not Verdict.NOT_DECIDED else "not decided"
        text = f": {each.verdict}" if each.verdict is not Verdict.NOT_DECIDED else ""
        yield f"  {mark}: {what}{text}."
        if each.why:
            yield f"{INDENT}Why: {each.why}."
        if not patients:
            continue
        if each.lost is not None:
            yield from _both(first, second, each.lost, "Passes before, not after")
        if each.gained is not None:
            yield from _both(second, first, each.gained, "Passes after, not before")


#: What a second version does to a first, said of what was compared.
_SAID = {
    Verdict.TIGHTENS: "only tightens: nobody passes now who did not pass before",
    Verdict.LOOSENS: "only loosens: whoever passed before passes now",
    Verdict.EQUALS: "means the same",
    Verdict.NEITHER: "tightens for some and loosens for others",
    Verdict.NOT_DECIDED: "what it does was not decided",
}


def comparison_claims(
    first: PolicyVersion, second: PolicyVersion, comparisons: Sequence[Comparison]
) -> list[dict[str, Any]]:
    """The same for a page: each verdict as a claim, with who passes under one version alone."""
    found = []
    for each in comparisons:
        what = each.criterion or f"All criteria to {_DID[each.kind]}"
        shown: list[str] = []
        if each.lost is not None:
            shown += _both(first, second, each.lost, f"Passes under {first.version} alone")
        if each.gained is not None:
            shown += _both(second, first, each.gained, f"Passes under {second.version} alone")
        outcome = "not decided" if each.verdict is Verdict.NOT_DECIDED else "proven"
        found.append(
            {
                "outcome": outcome,
                "text": f"{what} ({each.kind.value}): {_SAID[each.verdict]}.",
                "fault": False,
                "why": each.why,
                "mend": "",
                "patients": [_in_english(line.strip()) for line in shown],
            }
        )
    return found


def _in_english(line: str) -> str:
    """A line with its days as a page writes them; a title names versions, and stays."""
    if line.endswith("alone:"):
        return line
    return _DAY.sub(lambda day: f"{dt.date.fromisoformat(day.group()):%-d %B %Y}", line)


def overlay_lines(
    version: PolicyVersion, comparisons: Sequence[Comparison], patients: bool = True
) -> Iterator[str]:
    """Whether the overlay on a version only tightens it: proven, or who passes because of it."""
    yield from comparison_lines(version.base or version, version, comparisons, patients)
    whole = [each for each in comparisons if each.criterion is None]
    if loosened(comparisons):
        yield "  counter-example: the overlay does not only tighten. Mend it, or the version."
    elif any(each.verdict is Verdict.NOT_DECIDED for each in whole):
        yield "  not decided: whether the overlay only tightens. Give it more --effort."
    else:
        yield "  proven: nobody passes with the overlay who does not pass without it."


def named(version: PolicyVersion) -> str:
    """A version in a line's beginning, with the overlay on it."""
    layer = "" if version.overlay is None else f" with {version.overlay.layer}"
    return f"{version.policy} {version.version}{layer}"


def _both(
    passing: PolicyVersion, other: PolicyVersion, patient: Patient, who: str
) -> Iterator[str]:
    """A patient's lines, each answer with the words of the version that asks it."""
    yield f"{INDENT}{who}:"
    for name_version in (passing, other):
        own = {
            name: raw
            for name, raw in patient.answers.items()
            if name in name_version.questions
            and (name_version is passing or name not in passing.questions)
        }
        part = Patient(patient.context, own, patient.today)
        lines = list(part.lines(name_version))
        skip = sum(
            getattr(patient.context, n) is not None
            for n in ("decision_to_treat", "first_dose", "birth_date", "sex")
        )
        for line in lines if name_version is passing else lines[skip:]:
            yield f"{INDENT}  {line}"
