"""The decision on one form in plain words, with citations, as a clinician would read it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from app.authoring.stored_request import StoredRequest
from app.clock import london_day
from app.policy import (
    NATIONAL,
    Count,
    Finding,
    Kind,
    Notice,
    Outcome,
    Part,
    PolicyDecision,
    PolicyVersion,
    Result,
    Section,
    label_of,
    nearest_arm,
)

_OPENING = {
    Outcome.APPROVED: "Approved",
    Outcome.CRITERIA_NOT_MET: "Not approved: criteria are not met",
    Outcome.MORE_INFORMATION_NEEDED: "Not decided yet: more information is needed",
    Outcome.REFERRED: "Referred: people decide",
}
FORM_ALONE = (
    "Decided from the form alone: the service also looks at the patient's other treatments, and "
    "at whether the commissioner has adopted this version."
)


def explain_request(stored: StoredRequest) -> Iterator[str]:
    """A stored request's own decision in plain words, and what people decided after it."""
    request, decided = stored.request, stored.decided
    yield f"Request {request.id}, to be treated from {_date(request.decision_to_treat)}"
    if decided is None or stored.decision is None:
        yield f"{request.policy} (version {stored.version.version}, {request.kind})"
        yield "No policy has decided it yet."
    else:
        number = f"decision {decided.number}"
        yield f"Decided by the policy on {_date(london_day(decided.decided_at))} ({number})"
        yield from explain(stored.version, request.kind, stored.decision)
    for each in stored.later:
        yield ""
        yield f"Then, on {_date(london_day(each.decided_at))}, the {each.made_by}: {each.outcome}."
        if each.waived:
            yield f"    Waived: {', '.join(each.waived)}."
        if each.reason:
            yield f"    Reason: {_sentence(each.reason)}"
    yield ""
    yield f"Decided again from the stored answers: the same findings ({stored.replayed} checked)."


def _date(day: dt.date) -> str:
    return f"{day:%-d %B %Y}"


def explain(version: PolicyVersion, kind: Kind, decision: PolicyDecision) -> Iterator[str]:
    """The decision in plain words: the outcome, why, then each criterion with its source."""
    yield f"{version.title} (version {version.version}, {kind})"
    if version.overlay is not None:
        what = _sentence(version.overlay.what_changed)
        yield f"With the overlay of {version.overlay.layer}: {what}"
    yield f"{_OPENING[decision.outcome]}."
    if version.unverified:
        yield "Parts of this policy were not checked at their source."
    for reason in decision.reasons:
        yield f"- {reason}"
    if decision.missing:
        yield "To decide, answer:"
        for name in decision.missing:
            yield f"- {label_of(version, name)}"
    for notice in decision.notices:
        yield from _notice(notice)
    for section in Section:
        findings = [each for each in decision.findings if each.section is section]
        if findings:
            yield ""
            yield _HEADINGS[section]
        for finding in findings:
            yield from _finding(version, finding, finding.criterion in decision.waived)


def _notice(notice: Notice) -> Iterator[str]:
    """A safety notice that was in force, with its source; its reason stands among the reasons."""
    until = "" if notice.lifted is None else f" to {_date(notice.lifted)}"
    does = "refuses" if notice.refuses else "refers"
    yield ""
    yield f"Safety notice {notice.name}, from {_date(notice.from_)}{until}: it {does} new starts."
    checked = "" if notice.evidence == "verified" else "; not checked at the source"
    yield f"    Source: {notice.source_title}{checked}"
    if notice.source_url:
        yield f"    {notice.source_url}"


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
    read = "" if source.read_on is None else f", read on {_date(source.read_on)}"
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
            return _date(value)
        case _:
            return str(value)
