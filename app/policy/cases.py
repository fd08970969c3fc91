"""Worked cases of a policy: read from `cases.yaml`, run through its versions, compared.

A case names a version, a request and what must come out. Pure: texts come in, results go out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, Literal

from app.policy import case_file
from app.policy.answers import parse_answers
from app.policy.errors import AnswerFaults, Fault, PolicyFileFaults
from app.policy.evaluate import decide
from app.policy.model import (
    Context,
    Count,
    Finding,
    Kind,
    Outcome,
    Override,
    Part,
    PolicyDecision,
    PolicyVersion,
    Result,
    Section,
)
from app.policy.suggestions import HIDDEN, named

MINIMUM_CASES = 12
"""Fewer worked cases than this do not reach the edges of a real policy."""

_DECIDED_KINDS = (Kind.INITIATION.value, Kind.CONTINUATION.value, Kind.STOP.value)


@dataclass(frozen=True, slots=True)
class Expectation:
    """What must come out. Findings not named are not compared; None means not compared."""

    outcome: Outcome | None
    findings: Mapping[str, Result] = field(default_factory=dict)
    missing: frozenset[str] | None = None
    overridden: frozenset[str] | None = None
    refused_answers: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Case:
    """One request with raw answers, as it would reach a door, and its expectation."""

    name: str
    version: str
    kind: Kind
    context: Context
    today: date
    answers: Mapping[str, Any]
    waived: frozenset[str]
    overrides: tuple[Override, ...]
    expect: Expectation
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class CaseResult:
    """What a case gave. `differences` are sentences; none means that it passed."""

    case: Case
    decision: PolicyDecision | None
    differences: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether everything expected came out."""
        return not self.differences


def read_cases(text: str, file: str) -> tuple[Case, ...]:
    """The cases of one `cases.yaml`. Raises PolicyFileFaults with every fault of the file."""
    faults: list[Fault] = []
    cases: list[Case] = []
    seen: set[str] = set()
    for line, raw in case_file.items(text, file):
        reader = case_file.Reader(file, line, raw)
        case = _case(reader)
        if case.name in seen:
            reader.fault("name", f"two cases are called “{case.name}”", "Give each its own name")
        seen.add(case.name)
        faults += reader.faults
        cases.append(case)
    if faults:
        raise PolicyFileFaults(tuple(faults))
    return tuple(cases)


def _case(reader: case_file.Reader) -> Case:
    decided = reader.day("decision_to_treat", required=True) or date.min
    sex = reader.choice("sex", ("male", "female"))
    context = Context(
        decision_to_treat=decided,
        first_dose=reader.day("first_dose"),
        birth_date=reader.day("birth_date"),
        sex=_sex(sex),
    )
    case = Case(
        name=reader.text("name"),
        version=_version(reader),
        kind=Kind(reader.choice("kind", _DECIDED_KINDS, required=True) or Kind.INITIATION),
        context=context,
        today=reader.day("today") or decided,
        answers=reader.mapping("answers"),
        waived=frozenset(reader.words("waived") or ()),
        overrides=tuple(Override(*each) for each in reader.mapping("overrides").items()),
        expect=_expectation(reader.inner("expect")),
        file=reader.file,
        line=reader.line,
    )
    reader.finish()
    return case


def _version(reader: case_file.Reader) -> str:
    """The version's number; `overlay:` (commissioner and day) names the layer on top of it."""
    overlay = reader.optional_text("overlay")
    return reader.text("version") + (f" with {overlay}" if overlay else "")


def _sex(word: str | None) -> Literal["male", "female"] | None:
    if word == "male":
        return "male"
    return "female" if word == "female" else None


def _expectation(reader: case_file.Reader) -> Expectation:
    outcome = reader.choice("outcome", [outcome.value for outcome in Outcome])
    refused = reader.words("refused_answers")
    if (outcome is None) == (refused is None):
        reader.fault(
            "expect",
            "a case expects either an outcome or refused_answers",
            "Say `outcome:`, or name the questions whose answers must be refused",
        )
    missing = reader.words("missing")
    overridden = reader.words("overridden")
    findings = reader.results("findings", [result.value for result in Result])
    reader.finish()
    return Expectation(
        outcome=Outcome(outcome) if outcome else None,
        findings={name: Result(result) for name, result in findings.items()},
        missing=None if missing is None else frozenset(missing),
        overridden=None if overridden is None else frozenset(overridden),
        refused_answers=frozenset(refused or ()),
    )


def suite_faults(cases: Sequence[Case], file: str) -> tuple[Fault, ...]:
    """An empty or thin suite is a fault: a policy without worked cases proves nothing."""
    if len(cases) >= MINIMUM_CASES:
        return ()
    message = f"{len(cases)} cases, where at least {MINIMUM_CASES} are needed"
    mend = "Add cases at the thresholds, a day outside each window, and with answers missing"
    return (Fault(file, None, None, "too-few-cases", message, mend),)


def run_cases(
    version_by_date: Mapping[str, PolicyVersion], cases: Iterable[Case]
) -> tuple[CaseResult, ...]:
    """Run every case through the version it names; `version_by_date` is keyed by version."""
    return tuple(_run(version_by_date.get(case.version), case) for case in cases)


def _run(version: PolicyVersion | None, case: Case) -> CaseResult:
    if version is None:
        return CaseResult(case, None, (f"there is no version {case.version} of this policy",))
    try:
        answers = parse_answers(
            version,
            case.kind,
            case.answers,
            decision_to_treat=case.context.decision_to_treat,
            today=case.today,
        )
    except AnswerFaults as refused:
        return CaseResult(case, None, _answer_differences(case, version, refused))
    try:
        decision = decide(version, case.kind, answers, case.context, case.waived, case.overrides)
    except ValueError as error:
        return CaseResult(case, None, (f"it cannot be decided: {error}",))
    return CaseResult(case, decision, tuple(_differences(case.expect, decision)))


def _answer_differences(
    case: Case, version: PolicyVersion, refused: AnswerFaults
) -> tuple[str, ...]:
    """How the refused answers differ from those that the case expects, each by its own name.

    A caller's unknown names are not shown; those of a case are its author's, and no secret.
    """
    hidden = (name for name in case.answers if named(name, version.questions) == HIDDEN)
    faults = [
        replace(fault, question=next(hidden, HIDDEN)) if fault.question == HIDDEN else fault
        for fault in refused.faults
    ]
    found = {fault.question for fault in faults}
    wanted = case.expect.refused_answers
    if found == wanted:
        return ()
    return tuple(f"answer refused: {fault}" for fault in faults) + tuple(
        f"the answer to {name} was not refused" for name in sorted(wanted - found)
    )


def _differences(expect: Expectation, decision: PolicyDecision) -> Iterable[str]:
    if expect.outcome is None:
        names = ", ".join(sorted(expect.refused_answers))
        yield f"the answers to {names} must be refused, but were taken"
        return
    if decision.outcome is not expect.outcome:
        yield f"outcome: expected {expect.outcome}, got {decision.outcome}"
    found = {finding.criterion: finding.result for finding in decision.findings}
    for criterion, result in expect.findings.items():
        if criterion not in found:
            yield f"{criterion}: expected {result}, but the version has no such finding"
        elif found[criterion] is not result:
            yield f"{criterion}: expected {result}, got {found[criterion]}"
    if expect.missing is not None and frozenset(decision.missing) != expect.missing:
        yield (
            f"missing: expected {', '.join(sorted(expect.missing)) or 'nothing'}, "
            f"got {', '.join(sorted(decision.missing)) or 'nothing'}"
        )
    if expect.overridden is not None and frozenset(decision.overridden) != expect.overridden:
        yield (
            f"overridden: expected {', '.join(sorted(expect.overridden)) or 'nothing'}, "
            f"got {', '.join(sorted(decision.overridden)) or 'nothing'}"
        )


def failure_text(result: CaseResult) -> str:
    """Why a case failed, with each criterion's parts and the values that each looked at."""
    case = result.case
    lines = [f"{case.file}:{case.line}: {case.name} ({case.version}, {case.kind})"]
    lines += [f"  {difference}" for difference in result.differences]
    if result.decision is not None:
        for finding in result.decision.findings:
            lines.append(f"  {finding.criterion}: {finding.result}: {finding.text}")
            lines += _part_lines(finding.part, "    ")
    return "\n".join(lines)


def _part_lines(part: Part, indent: str) -> list[str]:
    values = "; ".join(f"{name} is {_shown(value)}" for name, value in part.looked_at)
    line = f"{indent}{part.result}: {part.text}" + (f"  [{values}]" if values else "")
    return [line, *(below for inner in part.parts for below in _part_lines(inner, indent + "  "))]


def _shown(value: object) -> str:
    if isinstance(value, Count):
        return f"between {value.certain} and {value.possible}"
    return "not answered" if value is None else str(value)


def results_seen(
    version_by_date: Mapping[str, PolicyVersion], results: Iterable[CaseResult]
) -> dict[tuple[str, str], frozenset[Result]]:
    """For each criterion and each wording of its test: which results the cases reached.

    Keyed by (criterion id, expression), so that a test that changes with a version is covered
    anew; one that stays the same is covered once.
    """
    seen: dict[tuple[str, str], set[Result]] = {
        (criterion.id, criterion.met_when): set()
        for version in version_by_date.values()
        for section in Section
        for criterion in version.criteria(section)
    }
    for result in results:
        for finding in _findings(result):
            version = version_by_date[result.case.version]
            for criterion in version.criteria(finding.section):
                if criterion.id == finding.criterion:
                    seen[criterion.id, criterion.met_when].add(finding.result)
    return {key: frozenset(found) for key, found in seen.items()}


def _findings(result: CaseResult) -> tuple[Finding, ...]:
    return () if result.decision is None else result.decision.findings
