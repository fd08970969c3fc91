"""Decides a request by a policy version: pure, three-valued, every date an argument."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import ROUND_HALF_EVEN, localcontext
from decimal import Context as Arithmetic
from typing import Any

from app.policy.compile import Compiled
from app.policy.functions import DOMAINS
from app.policy.missing import Gap, gaps
from app.policy.model import (
    Answer,
    Context,
    Criterion,
    Finding,
    Kind,
    Outcome,
    Overridden,
    Override,
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
    overrides: Iterable[Override] = (),
) -> PolicyDecision:
    """What the policy says of one request, with a finding for each criterion looked at.

    `answers` come from `parse_answers`. `waived` are ids of waivable criteria of this kind, and
    `overrides` what the clinician overrides of those that may be: neither blocks any longer, and
    both keep their real finding. Raises ValueError for a kind that is not decided by criteria, a
    waiver or an override that the version does not allow (`override_fault`), and a float.
    """
    if kind not in SECTIONS:
        raise ValueError(f"a {kind} is decided by approval terms, not by criteria")
    _check_waivers(version, kind, waived)
    given = _checked_overrides(version, kind, overrides)
    values = _values(answers, context)
    examined = [_examine(version, section, values, waived, given) for section in SECTIONS[kind]]
    findings = tuple(finding for each in examined for finding in each.findings)
    if kind is Kind.STOP:
        return PolicyDecision(Outcome.APPROVED, findings, (), ("A stop is recorded.",), ())
    used = tuple(finding.criterion for finding in findings if finding.criterion in waived)
    overridden = [each for each in findings if each.overridden and each.overridden.relied_on]
    outcome, missing, reasons = _outcome(version, kind, examined)
    if overridden:
        reasons = _with_overrides(outcome, reasons, overridden)
    needed = tuple(each.criterion for each in overridden)
    decision = PolicyDecision(outcome, findings, missing, reasons, used, needed)
    if kind is Kind.INITIATION and version.panel is not None:
        return replace(decision, reasons=(*reasons, *panel_reasons(version, decision)))
    return decision


def open_questions(
    version: PolicyVersion, kind: Kind, answers: Mapping[str, Answer], context: Context
) -> tuple[str, ...]:
    """The questions (or built-in names) that would let some undecided criterion be decided.

    Unlike a decision's `missing`, also where another criterion has failed already: what failed may
    be corrected or waived, and people who decide want to see the rest.
    """
    values = _values(answers, context)
    found: dict[str, None] = {}
    for section in SECTIONS[kind]:
        for _, gaps_here in _examine(version, section, values, frozenset(), {}).gaps:
            found |= dict.fromkeys(gap.question for gap in gaps_here)
    return tuple(found)


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


def override_fault(version: PolicyVersion, kind: Kind, override: Override) -> str | None:
    """Why a clinician may not override this criterion for this reason; None where they may."""
    here = {
        each.id: each for section in SECTIONS.get(kind, ()) for each in version.criteria(section)
    }
    found = here.get(override.criterion)
    if kind is Kind.STOP or found is None:
        return f"a {kind} under {version.policy} has no criterion of that id to override"
    if found.override is None:
        allowed = ", ".join(each.id for each in here.values() if each.override) or "none"
        return f"{found.id} may not be overridden; those that may: {allowed}"
    if override.reason not in found.override.reasons:
        known = ", ".join(found.override.reasons)
        return f"{found.id} may be overridden only for one of these reasons: {known}"
    return None


def _checked_overrides(
    version: PolicyVersion, kind: Kind, overrides: Iterable[Override]
) -> dict[str, Override]:
    found: dict[str, Override] = {}
    for each in overrides:
        fault = override_fault(version, kind, each)
        if fault is None and each.criterion in found:
            fault = f"{each.criterion} is overridden twice"
        if fault is not None:
            raise ValueError(fault)
        found[each.criterion] = each
    return found


def _with_overrides(
    outcome: Outcome, reasons: tuple[str, ...], overridden: Sequence[Finding]
) -> tuple[str, ...]:
    """The reasons, with each override that the decision relies on."""
    told = ("Every other criterion is met.",) if outcome is Outcome.APPROVED else reasons
    return (*told, *(_override_reason(each) for each in overridden))


def _override_reason(finding: Finding) -> str:
    assert finding.overridden is not None  # chosen by its caller
    state = "is not answered" if finding.result is Result.NOT_ANSWERED else "is not met"
    if finding.section is Section.STOP and finding.result is Result.MET:
        state = "says to stop"
    why = _sentence(finding.overridden.label)
    return f"{finding.criterion} {state}, and the clinician overrode it: {why}"


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
    version: PolicyVersion,
    section: Section,
    values: Mapping[str, Any],
    waived: frozenset[str],
    overrides: Mapping[str, Override],
) -> _Examined:
    compiled = version.compiled.sections[section]
    criteria: Sequence[Criterion] = version.criteria(section)
    raw = evaluate(compiled, values)
    failure = Result.MET if section is Section.STOP else Result.NOT_MET
    findings: Sequence[Finding] = present(criteria, compiled, raw)
    if overrides:
        findings = [
            _overridden(finding, criterion, overrides.get(criterion.id), failure)
            for finding, criterion in zip(findings, criteria, strict=True)
        ]
    examined = _Examined(section, findings)
    for index, finding in enumerate(examined.findings):
        if finding.criterion in waived or finding.overridden is not None:
            continue
        if finding.result is failure:
            examined.failed.append(finding)
        elif finding.result is Result.NOT_ANSWERED:
            with localcontext(ARITHMETIC):
                found = gaps(version.compiled, compiled, index, raw, values)
            examined.gaps.append((finding, found))
    return examined


def _overridden(
    finding: Finding, criterion: Criterion, given: Override | None, failure: Result
) -> Finding:
    """The finding with its override, if there is one; its result stays what it is."""
    if given is None or criterion.override is None:
        return finding
    relied_on = finding.result in (failure, Result.NOT_ANSWERED)
    label = criterion.override.reasons[given.reason]
    return replace(finding, overridden=Overridden(given.reason, label, given.by, relied_on))


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
        tightened = version.base is not None and version.base.mechanism != "panel"
        by = f" by {version.overlay.layer}" if version.overlay and tightened else ""
        referrals.append(f"A panel decides requests under this policy{by}.")
    if not any(each.findings for each in examined) and version.mechanism != "notification":
        referrals.append(f"The policy states no criteria for a {kind}, so people decide it.")
    if referrals:
        return Outcome.REFERRED, (), tuple(referrals)
    return Outcome.APPROVED, (), ("Every criterion is met.",)


def _failure(finding: Finding) -> str:
    if finding.section is Section.STOP:
        return f"{finding.criterion}: the policy says to stop: {_sentence(finding.text)}"
    nearest = f" {nearest_arm(finding)}" if finding.nearest is not None else ""
    return f"{finding.criterion} is not met: {_sentence(finding.text)}{nearest}"


def nearest_arm(finding: Finding) -> str:
    """Which alternative of an unmet criterion came nearest, in one sentence; "" without arms."""
    if finding.nearest is None:
        return ""
    text = next(arm.text for arm in finding.arms if arm.id == finding.nearest.arm)
    count = f"{finding.nearest.met} of its {finding.nearest.of} tests"
    verb = "is" if finding.nearest.of == 1 else "are"
    count = count.replace("of its 1 tests", "of its 1 test")
    return f"Nearest came {finding.nearest.arm} ({count} {verb} met): {_sentence(text)}"


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
    return [_gap(version, finding.criterion, gap) for gap in found]


def _gap(version: PolicyVersion, criterion: str, gap: Gap) -> str:
    label = label_of(version, gap.question)
    at = f" ({gap.place})" if gap.place != gap.question else ""
    match gap.why:
        case "zero":
            return f"{criterion} cannot be worked out while “{label}”{at} is zero."
        case "outside":
            takes = DOMAINS[gap.function or ""]
            return (
                f"{criterion} cannot be worked out: {gap.function} takes {takes}. "
                f"Check “{label}”{at}."
            )
        case "no row":
            return f"{criterion} needs a row in “{label}” that it can look at."
        case "tie":
            return (
                f"{criterion} cannot be worked out: rows of “{label}” with the same date have "
                "different values."
            )
        case _:
            return f"{criterion} needs an answer to “{label}”{at}."
