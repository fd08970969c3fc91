"""Questions as data from which a form can be drawn, and a policy version as readable text."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

from app.policy.model import (
    NATIONAL,
    Criterion,
    Derived,
    Kind,
    PolicyVersion,
    Question,
    QuestionType,
    Section,
)
from app.policy.panel import answer_words, members_words, status_words
from app.policy.terms_text import Named, term_lines

_HEADINGS = {
    Section.START: "Criteria to start",
    Section.CONTINUE: "Criteria to continue",
    Section.STOP: "When to stop",
}
_TYPES = {
    QuestionType.BOOLEAN: "yes or no",
    QuestionType.NUMBER: "number",
    QuestionType.INTEGER: "whole number",
    QuestionType.DATE: "date",
    QuestionType.CHOICE: "one of",
    QuestionType.TEXT: "free text",
    QuestionType.LIST: "list",
}
_DRAFT = "draft: check before clinical use"


def questions_for(version: PolicyVersion, kind: Kind) -> tuple[Question, ...]:
    """The questions that this kind of request asks, in file order."""
    return tuple(each for each in version.questions.values() if kind in each.kinds)


def form(version: PolicyVersion, kind: Kind) -> dict[str, Any]:
    """The form of one kind of request, as JSON data; numbers are text, so that none is rounded."""
    return {
        "policy": version.policy,
        "version": version.version,
        "hash": version.hash,
        "title": version.title,
        "kind": kind.value,
        "unverified": version.unverified,
        "questions": [_question(each) for each in questions_for(version, kind)],
    }


def _question(question: Question) -> dict[str, Any]:
    return {
        "name": question.name,
        "type": question.type.value,
        "label": question.label,
        "help": question.help,
        "unit": question.unit,
        "minimum": _number(question.minimum),
        "maximum": _number(question.maximum),
        "decimals": question.decimals,
        "options": [{"key": key, "label": label} for key, label in question.options.items()],
        "fields": [_question(each) for each in question.fields.values()],
        "carried": question.carried,
        "measured": question.measured,
    }


def _number(value: Decimal | None) -> str | None:
    return None if value is None else format(value, "f")


def readable(version: PolicyVersion, named: Named = str) -> str:
    """A policy version as Markdown, for a clinician or a commissioner to read.

    `named` says a drug's name for its key; without it the keys stand, as in the file.
    """
    lines = [
        *_head(version, named),
        *_criteria(version),
        *term_lines(version.approval, _plain, named),
        *_asked(version),
    ]
    return "\n".join([*lines, *_sources(version)]) + "\n"


def _plain(text: str) -> str:
    """Text of a policy file as one line of Markdown: its marks are shown, not obeyed."""
    escaped = "".join(f"\\{each}" if each in "\\`*_[]<>#|" else each for each in text)
    return " ".join(escaped.split())


def _code(text: str) -> str:
    return f"`{' '.join(text.split())}`"


def _day(day: date | None) -> str:
    return "not stated" if day is None else f"{day.day} {day:%B %Y}"


def _head(version: PolicyVersion, named: Named) -> Iterator[str]:
    yield f"# {_plain(version.title)}"
    yield ""
    if version.unverified:
        yield f"**{_DRAFT[0].upper()}{_DRAFT[1:]}.** Some of it was not read in its source."
        yield ""
    yield f"- Policy: {_code(version.policy)}, version {version.version}"
    yield f"- Commissioner: {_plain(version.commissioner)}"
    yield f"- Drug: {_plain(named(version.drug))}, for {_plain(version.indication.term)}"
    yield f"- In force from {_day(version.in_force.from_)}"
    if version.in_force.last_new_start:
        yield f"- Last new start: {_day(version.in_force.last_new_start)}"
    if version.in_force.last_continuation:
        yield f"- Last continuation: {_day(version.in_force.last_continuation)}"
    if version.in_force.afterwards:
        yield f"- Afterwards: {_plain(version.in_force.afterwards)}"
    if version.succeeds:
        before = ", ".join(_code(policy) for policy in version.succeeds)
        yield f"- A running treatment under {before} goes on under this policy by a continuation"
    yield f"- What changed: {_plain(version.what_changed)}"
    if version.new_starts is not None:
        verb = "referred" if version.new_starts.decide == "refer" else "not funded"
        yield f"- New starts are {verb}: {_plain(version.new_starts.reason)}"
    yield from _panel(version)
    yield f"- Text: SHA-256 {_code(version.hash)}"
    if version.overlay is not None:
        yield f"- Overlay of {version.overlay.layer}: {_plain(version.overlay.what_changed)}"
        yield f"- Overlay's text: SHA-256 {_code(version.overlay.hash)}"


def _panel(version: PolicyVersion) -> Iterator[str]:
    yield f"- Panel: {_plain(status_words(version))}"
    terms, members = version.panel, members_words(version)
    if terms is None:
        if members is not None:
            yield f"- {members}"
        return
    if terms.crisis is not None:
        yield f"- A crisis is told by {_plain(terms.crisis)}"
    answer = answer_words(terms)
    if answer is not None:
        yield f"- {answer}"
    if members is not None:
        yield f"- {members}"
    if terms.urgent is not None:
        yield f"- Where treatment cannot wait: {_plain(terms.urgent)}"
    evidence = "read in the source" if terms.evidence == "verified" else _DRAFT
    yield f"- Source of this: {_plain(terms.source.title)} ({evidence})"


def _criteria(version: PolicyVersion) -> Iterator[str]:
    for section in Section:
        criteria = version.criteria(section)
        if not criteria:
            continue
        yield ""
        yield f"## {_HEADINGS[section]}"
        for criterion in criteria:
            yield from _criterion(criterion)
    if version.derived:
        yield ""
        yield "## Values worked out"
    for name, derived in version.derived.items():
        unit = f", in {_plain(derived.unit)}" if derived.unit else ""
        formula = f" (formula: {_plain(derived.formula)})" if derived.formula else ""
        yield f"- {_code(name)}: {_how(derived)}{unit}{formula}"


def _how(derived: Derived) -> str:
    """How a value is worked out, in one line."""
    if derived.choose:
        arms = [f"{_chosen(derived, v)} when {_code(test)}" for test, v in derived.choose]
        return "; ".join([*arms, f"else {_chosen(derived, derived.otherwise or '')}"])
    where = f" where {_code(derived.where)}" if derived.where else ""
    if derived.mode is not None:
        by = f" by {_code(derived.by)}" if derived.by else ""
        what = _code(derived.value or "")
        return f"{what} of the {derived.mode} of {_code(derived.list_name or '')}{by}{where}"
    return f"{_code(derived.value or f'count of {derived.count}')}{where}"


def _chosen(derived: Derived, value: str) -> str:
    label = derived.options.get(value.strip("'"))
    return _code(value) if label is None else _plain(label)


def _criterion(criterion: Criterion) -> Iterator[str]:
    yield ""
    yield f"### {_plain(criterion.id)}"
    yield ""
    yield _plain(criterion.text)
    yield ""
    if not criterion.arms:
        yield f"- Holds when: {_code(criterion.met_when)}"
    for arm in criterion.arms:
        yield f"- Holds when {_plain(arm.id)}: {_plain(arm.text)} ({_code(arm.met_when)})"
    evidence = "read in the source" if criterion.evidence == "verified" else _DRAFT
    yield f"- Source: {_plain(criterion.source.title)} ({evidence})"
    if criterion.layer != NATIONAL:
        yield f"- Layer: {_plain(criterion.layer)}"
    if criterion.on_failure == "refer":
        yield "- If this fails, the request is referred"
    if criterion.waivable:
        yield "- A panel may waive this"
    if criterion.override is not None:
        reasons = "; ".join(_plain(each) for each in criterion.override.reasons.values())
        yield f"- The clinician may override this, in their own words, because: {reasons}"


def _asked(version: PolicyVersion) -> Iterator[str]:
    yield ""
    yield "## Questions"
    yield ""
    for question in version.questions.values():
        yield f"- {_code(question.name)}: {_plain(question.label)} ({_detail(question)})"
        for field in question.fields.values():
            yield f"  - {_code(field.name)}: {_plain(field.label)} ({_detail(field)})"


def _detail(question: Question) -> str:
    parts = [_TYPES[question.type]]
    if question.options:
        labels = ", ".join(_plain(label) for label in question.options.values())
        parts = [f"{parts[0]}: {labels}"]
    if question.unit:
        parts.append(f"in {_plain(question.unit)}")
    if question.minimum is not None:
        parts.append(f"at least {question.minimum:f}")
    if question.maximum is not None:
        parts.append(f"at most {question.maximum:f}")
    return ", ".join(parts)


def _sources(version: PolicyVersion) -> Iterator[str]:
    yield ""
    yield "## Sources"
    yield ""
    for source in version.sources.values():
        url = f", <{source.url}>" if source.url else ""
        read = f", read on {_day(source.read_on)}" if source.read_on else ""
        yield f"- {_code(source.id)}: {_plain(source.title)}{url}{read}"
