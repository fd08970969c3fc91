"""The decision on one form in plain words, with citations, as a clinician would read it."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from app.authoring.errors import BenchRefused
from app.policy import (
    NATIONAL,
    AnswerFaults,
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
    decide,
    label_of,
    nearest_arm,
    parse_answers,
)

_OPENING = {
    Outcome.APPROVED: "Approved",
    Outcome.CRITERIA_NOT_MET: "Not approved: criteria are not met",
    Outcome.MORE_INFORMATION_NEEDED: "Not decided yet: more information is needed",
    Outcome.REFERRED: "Referred: people decide",
}
_DECIDED = (Kind.INITIATION, Kind.CONTINUATION, Kind.STOP)
_KEYS = {
    "policy",
    "commissioner",
    "version",
    "kind",
    "decision_to_treat",
    "first_dose",
    "birth_date",
    "sex",
    "today",
    "answers",
    "waived",
    "overrides",
}
_REQUEST_ONLY = {"commissioner", "details"}


@dataclass(frozen=True, slots=True)
class Form:
    """A filled-in form as it lies in a file."""

    policy: str
    commissioner: str | None
    version: str | None
    kind: Kind
    context: Context
    today: dt.date
    answers: Mapping[str, Any]
    waived: frozenset[str]
    overrides: tuple[Override, ...]


def read_form(text: str) -> Form:
    """A form from JSON: policy, version, kind, decision_to_treat, birth_date, …, answers.

    The body of a request to the service is such a form too: of its patient only the birth date and
    the sex are looked at, and no criterion asks for its commissioner and its details.
    Raises BenchRefused naming the first thing that is wrong; numbers are read exactly.
    """
    try:
        data = json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError):
        raise BenchRefused("The form is not JSON. Check for a missing comma or bracket.") from None
    if not isinstance(data, dict) or not isinstance(data.get("answers"), dict):
        raise BenchRefused("The form holds no `answers`. Give a JSON object with `answers`.")
    data = _flattened(data)
    extra = sorted(data.keys() - _KEYS)
    if extra:
        raise BenchRefused(f"A form has no key {extra[0]}. Known: {', '.join(sorted(_KEYS))}.")
    if not isinstance(data.get("policy"), str):
        raise BenchRefused("The form does not say which `policy` it is for. Add it.")
    kinds = {kind.value: kind for kind in _DECIDED}
    if data.get("kind", "initiation") not in kinds:
        raise BenchRefused(f"The form's `kind` must be one of: {', '.join(kinds)}.")
    if data.get("sex") not in (None, "male", "female"):
        raise BenchRefused("The form's `sex` must be male or female, or left out.")
    decided = _day(data, "decision_to_treat")
    if decided is None:
        raise BenchRefused("The form has no `decision_to_treat`. Add the day, as YYYY-MM-DD.")
    context = Context(decided, _day(data, "first_dose"), _day(data, "birth_date"), data.get("sex"))
    return Form(
        policy=data["policy"],
        commissioner=data.get("commissioner"),
        version=data.get("version"),
        kind=kinds[data.get("kind", "initiation")],
        context=context,
        today=_day(data, "today") or decided,
        answers=data["answers"],
        waived=frozenset(data.get("waived") or ()),
        overrides=_overrides(data.get("overrides") or ()),
    )


def _flattened(data: Mapping[str, Any]) -> dict[str, Any]:
    """A request's body as a form; another mapping as it is."""
    patient = data.get("patient")
    if not isinstance(patient, dict):
        return dict(data)
    kept = {key: data[key] for key in data.keys() - _REQUEST_ONLY - {"patient"}}
    known = {key: patient[key] for key in ("birth_date", "sex") if patient.get(key) is not None}
    return {**known, **kept}


def _overrides(raw: Any) -> tuple[Override, ...]:
    known = {"criterion", "reason", "words"}
    shaped = isinstance(raw, list | tuple) and all(
        isinstance(each, dict)
        and {"criterion", "reason"} <= each.keys() <= known
        and all(isinstance(value, str) for value in each.values())
        for each in raw
    )
    if not shaped:
        raise BenchRefused(
            "The form's `overrides` must be a list, each with a `criterion`, a `reason` and words."
        )
    return tuple(Override(each["criterion"], each["reason"]) for each in raw)


def _day(data: Mapping[str, Any], name: str) -> dt.date | None:
    raw = data.get(name)
    if raw is None:
        return None
    try:
        return dt.date.fromisoformat(raw)
    except (TypeError, ValueError):
        raise BenchRefused(f"The form's `{name}` is not a day. Write it as YYYY-MM-DD.") from None


def decide_form(version: PolicyVersion, form: Form) -> PolicyDecision:
    """The policy's decision on a form; BenchRefused with every answer that is not accepted."""
    try:
        answers = parse_answers(
            version,
            form.kind,
            form.answers,
            decision_to_treat=form.context.decision_to_treat,
            today=form.today,
        )
        return decide(version, form.kind, answers, form.context, form.waived, form.overrides)
    except AnswerFaults as error:
        faults = "\n".join(f"  {fault}" for fault in error.faults)
        raise BenchRefused(f"These answers are not accepted:\n{faults}") from None
    except ValueError as error:
        raise BenchRefused(f"The form cannot be decided: {error}.") from None


def explain(version: PolicyVersion, kind: Kind, decision: PolicyDecision) -> Iterator[str]:
    """The decision in plain words: the outcome, why, then each criterion with its source."""
    yield f"{version.title} (version {version.version}, {kind})"
    yield f"{_OPENING[decision.outcome]}."
    if version.unverified:
        yield "Parts of this policy were not checked at their source."
    for reason in decision.reasons:
        yield f"- {reason}"
    if decision.missing:
        yield "To decide, answer:"
        for name in decision.missing:
            yield f"- {label_of(version, name)}"
    for section in Section:
        findings = [each for each in decision.findings if each.section is section]
        if findings:
            yield ""
            yield _HEADINGS[section]
        for finding in findings:
            yield from _finding(version, finding, finding.criterion in decision.waived)


_HEADINGS = {
    Section.START: "To start",
    Section.CONTINUE: "To continue",
    Section.STOP: "To stop",
}


def _finding(version: PolicyVersion, finding: Finding, waived: bool) -> Iterator[str]:
    layer = "" if finding.layer == NATIONAL else f" (of {finding.layer})"
    yield f"{_mark(finding)} {finding.criterion}{layer}: {_sentence(finding.text)}"
    if waived:
        yield "    A panel waived this."
    if finding.overridden is not None:
        needed = "" if finding.overridden.relied_on else " The decision did not need that."
        yield f"    The clinician overrode this: {_sentence(finding.overridden.label)}{needed}"
    if finding.arms:
        yield from _arms(version, finding)
    elif finding.result is not Result.MET or finding.section is Section.STOP:
        yield from _parts(version, finding.part)
    source = finding.source
    read = "" if source.read_on is None else f", read on {source.read_on:%-d %B %Y}"
    checked = "" if finding.evidence == "verified" else "; not checked at the source"
    yield f"    Source: {source.title}{read}{checked}"
    if source.url:
        yield f"    {source.url}"


def _arms(version: PolicyVersion, finding: Finding) -> Iterator[str]:
    """Each alternative with its result; which came nearest, where none is met."""
    for arm in finding.arms:
        yield f"    {arm.result}, {arm.id}: {_sentence(arm.text)}"
        if finding.result is not Result.MET or finding.section is Section.STOP:
            yield from _parts(version, arm.part)
    if finding.nearest is not None:
        yield f"    {nearest_arm(finding)}"


def _mark(finding: Finding) -> str:
    stop = finding.section is Section.STOP
    match finding.result:
        case Result.MET:
            return "[stop]" if stop else "[met]"
        case Result.NOT_MET:
            return "[no need to stop]" if stop else "[not met]"
        case _:
            return "[not answered]"


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _parts(version: PolicyVersion, part: Part) -> Iterator[str]:
    """The parts that decided it: each leaf with what it looked at."""
    wanted = part.result
    for below in part.parts:
        if below.result is wanted or wanted is Result.NOT_ANSWERED:
            yield from _parts(version, below)
    if not part.parts:
        seen = "; ".join(f"{_label(version, name)}: {_shown(v)}" for name, v in part.looked_at)
        yield f"    {part.result}: {part.text}" + (f" ({seen})" if seen else "")
    elif not any(below.result is wanted for below in part.parts):
        yield f"    {part.result}: {part.text}"
        for below in part.parts:
            if below.result is not wanted and wanted is not Result.NOT_ANSWERED:
                yield from _parts(version, below)


def _label(version: PolicyVersion, name: str) -> str:
    if name in version.derived:
        return name.replace("_", " ")
    return label_of(version, name)


def _shown(value: object) -> str:
    match value:
        case None:
            return "not answered"
        case bool():
            return "yes" if value else "no"
        case Count(certain, possible):
            return f"between {certain} and {possible}"
        case dt.date():
            return f"{value:%-d %B %Y}"
        case _:
            return str(value)
