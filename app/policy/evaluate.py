"""Decides a request by a policy version: pure, three-valued, every date an argument."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import ROUND_HALF_EVEN, localcontext
from decimal import Context as Arithmetic
from typing import Any

from app.policy.compile import Compiled
from app.policy.missing import Gap, gaps
from app.policy.model import (
    Answer,
    Context,
    Criterion,
    Finding,
    Kind,
    Outcome,
    PolicyDecision,
    PolicyVersion,
    Result,
    Section,
)
from app.policy.names import BUILT_IN_LABELS
from app.policy.panel import panel_reasons
from app.policy.present import findings as present

ARITHMETIC = Arithmetic(prec=34, rounding=ROUND_HALF_EVEN)
"""Divisions are worked out to 34 significant digits, as IEEE 754 decimal128 does."""

SECTIONS = {
    Kind.INITIATION: (Section.START,),
    Kind.CONTINUATION: (Section.CONTINUE, Section.STOP),
    Kind.STOP: (Section.STOP,),
}
"""The sections whose criteria decide each kind of request; other kinds have none."""


def decide(
    version: PolicyVersion,
    kind: Kind,
    answers: Mapping[str, Answer],
    context: Context,
    waived: frozenset[str] = frozenset(),
) -> PolicyDecision:
    """What the policy says of one request, with a finding for each criterion looked at.

    `answers` come from `parse_answers`. `waived` are ids of waivable criteria of this kind: they
    count as satisfied and keep their real finding. Raises ValueError for a kind that is not
    decided by criteria, a waiver of a criterion that is unknown or not waivable, and a float.
    """
    if kind not in SECTIONS:
        raise ValueError(f"a {kind} is decided by approval terms, not by criteria")
    _check_waivers(version, kind, waived)
    values = _values(answers, context)
    examined = [_examine(version, section, values, waived) for section in SECTIONS[kind]]
    findings = tuple(finding for each in examined for finding in each.findings)
    if kind is Kind.STOP:
        return PolicyDecision(Outcome.APPROVED, findings, (), ("A stop is recorded.",), ())
    relied_on = tuple(finding.criterion for finding in findings if finding.criterion in waived)
    outcome, missing, reasons = _outcome(version, kind, examined)
    decision = PolicyDecision(outcome, findings, missing, reasons, relied_on)
    if kind is Kind.INITIATION and version.panel is not None:
        return replace(decision, reasons=(*reasons, *panel_reasons(version, decision)))
    return decision


class _Examined:
    """One section's findings, sorted into failures and gaps."""

    def __init__(self, section: Section, findings: Sequence[Finding]) -> None:
        self.section = section
        self.findings = tuple(findings)
        self.failed: list[Finding] = []
        self.undecided: list[Finding] = []
        self.gaps: list[tuple[Finding, tuple[Gap, ...]]] = []


def _check_waivers(version: PolicyVersion, kind: Kind, waived: frozenset[str]) -> None:
    here = [each for section in SECTIONS[kind] for each in version.criteria(section)]
    waivable = {criterion.id for criterion in here if criterion.waivable}
    if not waived <= waivable:
        names = ", ".join(sorted(waived - waivable))
        raise ValueError(f"not waivable at {kind} under {version.policy}: {names}")


def _values(answers: Mapping[str, Answer], context: Context) -> dict[str, Any]:
    values = {name: answer.value for name, answer in answers.items()}
    if any(isinstance(value, float) for value in values.values()):
        raise ValueError("an answer is a float: clinical numbers are Decimal")
    values["decision_to_treat"] = context.decision_to_treat
    values["first_dose"] = context.first_dose
    values["birth_date"] = context.birth_date
    values["sex"] = context.sex
    return values


def evaluate(compiled: Compiled, values: Mapping[str, Any]) -> tuple[Any, ...]:
    """The flat results of one section for one form's values, in exact decimal arithmetic."""
    with localcontext(ARITHMETIC):
        return compiled.run(values)


def _examine(
    version: PolicyVersion, section: Section, values: Mapping[str, Any], waived: frozenset[str]
) -> _Examined:
    compiled = version.compiled.sections[section]
    criteria: Sequence[Criterion] = version.criteria(section)
    raw = evaluate(compiled, values)
    examined = _Examined(section, present(criteria, compiled, raw))
    failure = Result.MET if section is Section.STOP else Result.NOT_MET
    for index, finding in enumerate(examined.findings):
        if finding.criterion in waived:
            continue
        if finding.result is failure:
            examined.failed.append(finding)
        elif finding.result is Result.NOT_ANSWERED:
            with localcontext(ARITHMETIC):
                found = gaps(version.compiled, compiled, index, raw, values)
            examined.gaps.append((finding, found))
    return examined


def _outcome(
    version: PolicyVersion, kind: Kind, examined: Sequence[_Examined]
) -> tuple[Outcome, tuple[str, ...], tuple[str, ...]]:
    failed = [finding for each in examined for finding in each.failed]
    open_ = [gap for each in examined for gap in each.gaps]
    new_starts = version.new_starts if kind is Kind.INITIATION else None
    refusals = [_failure(finding) for finding in failed if finding.on_failure == "not met"]
    if new_starts is not None and new_starts.decide == "refuse":
        refusals.insert(0, f"New starts are not funded: {_sentence(new_starts.reason)}")
    if refusals:
        return Outcome.CRITERIA_NOT_MET, (), tuple(refusals)
    if open_:
        names = (gap.question for _, found in open_ for gap in found)
        reasons = tuple(line for finding, found in open_ for line in _open(version, finding, found))
        return Outcome.MORE_INFORMATION_NEEDED, tuple(dict.fromkeys(names)), reasons
    referrals = [_failure(finding) for finding in failed]
    if new_starts is not None:
        referrals.append(f"New starts are referred: {_sentence(new_starts.reason)}")
    if version.mechanism == "panel":
        referrals.append("A panel decides requests under this policy.")
    if not any(each.findings for each in examined) and version.mechanism != "notification":
        referrals.append(f"The policy states no criteria for a {kind}, so people decide it.")
    if referrals:
        return Outcome.REFERRED, (), tuple(referrals)
    return Outcome.APPROVED, (), ("Every criterion is met.",)


def _failure(finding: Finding) -> str:
    if finding.section is Section.STOP:
        return f"{finding.criterion}: the policy says to stop: {_sentence(finding.text)}"
    return f"{finding.criterion} is not met: {_sentence(finding.text)}"


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def label_of(version: PolicyVersion, name: str) -> str:
    """The words for a name in `missing`: a question's label, or a built-in name's."""
    if name in version.questions:
        return version.questions[name].label
    return BUILT_IN_LABELS.get(name, name)


def _open(version: PolicyVersion, finding: Finding, found: Sequence[Gap]) -> list[str]:
    """One sentence a gap: what is needed, and for which criterion."""
    if not found:
        return [f"{finding.criterion} cannot be worked out from these answers: check the dates."]
    lines = []
    for gap in found:
        label = label_of(version, gap.question)
        at = f" ({gap.place})" if gap.place != gap.question else ""
        if gap.zero:
            lines.append(f"{finding.criterion} cannot be worked out while “{label}”{at} is zero.")
        else:
            lines.append(f"{finding.criterion} needs an answer to “{label}”{at}.")
    return lines
