"""Writes a plain form as a draft policy version: boolean questions, marks where people decide."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from app.authoring.errors import BenchRefused
from app.authoring.forms.classify import Class, Classified, Join, bare, classify_form
from app.authoring.forms.reading import PlainForm

DECIDE = "DECIDE"
_MOST_LABEL = 290
_MOST_BULLETS = 26
_NARROW = re.compile(r"\b(severe|moderate|mild|refractory|relapsed)\b")


@dataclass(frozen=True, slots=True)
class Draft:
    """A draft policy file, what each statement was taken for, and what is still to be decided."""

    policy: str
    text: str
    statements: tuple[Classified, ...]
    gaps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Test:
    """One criterion of the draft, with the questions that it asks."""

    id: str
    section: str
    text: str
    met_when: str
    questions: tuple[tuple[str, str], ...]
    decide: tuple[str, ...]
    refer: bool


def draft_of(
    form: PlainForm,
    drug: str,
    indication: str,
    in_force: date,
    other_drugs: Sequence[str] = (),
) -> Draft:
    """A form as a draft that loads. `drug` is a key of the dictionary, `indication` in words."""
    if not form.statements:
        raise BenchRefused(f"{form.file}: “{form.title}” holds no statement. Check the file.")
    found = classify_form(form, drug.replace("-", " "), other_drugs)
    condition = slug(indication).removeprefix(f"{drug}-").removeprefix("for-")
    policy = slug(f"{drug}-{condition}")
    tests = tuple(_tests(found))
    lines = [
        *_head(form, policy, drug, indication, in_force),
        *_left_out(found),
        *_questions(tests),
        *_sections(tests),
        *_approval(any(test.section == "continue" for test in tests)),
    ]
    return Draft(
        policy, "\n".join(lines) + "\n", found, (*_about_title(form), *_gaps(found, tests))
    )


def slug(text: str) -> str:
    """A key out of words: lower-case letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:80] or "draft"


def _tests(found: Sequence[Classified]) -> Iterator[_Test]:
    options = [each for each in found if each.what is Class.ALTERNATIVE]
    for each in found:
        if each.what is Class.ALTERNATIVE:
            if each is options[0]:
                yield _alternatives(options)
        elif each.what in (Class.START, Class.CONTINUE, Class.STOP, Class.ATTESTATION):
            yield from _own_tests(each)
    if not any(each.what in (Class.START, Class.ALTERNATIVE, Class.ATTESTATION) for each in found):
        ask = "no statement could be brought over as a test to start. Write the criteria"
        label = "The criteria to start are met, as the original form puts them"
        yield _Test(
            "S-0", "start", label, "start_as_on_form", (("start_as_on_form", label),), (ask,), True
        )


def _alternatives(options: Sequence[Classified]) -> _Test:
    questions = tuple((f"statement_{each.name}", _whole(each)) for each in options)
    text = "One of these holds: " + "; or: ".join(words for _, words in questions)
    asks = tuple(dict.fromkeys(ask for each in options for ask in each.decide))
    met_when = " OR ".join(name for name, _ in questions)
    return _Test(f"S-{options[0].name}", "start", text, met_when, questions, asks, True)


def _own_tests(each: Classified) -> Iterator[_Test]:
    section = {Class.CONTINUE: "continue", Class.STOP: "stop"}.get(each.what, "start")
    bullets = [bare(bullet) for bullet in each.statement.bullets]
    name = f"statement_{each.name}"
    split = 0 < len(bullets) <= _MOST_BULLETS  # longer lists stand whole: none may be lost
    if split and each.join is Join.ALL and section != "stop":
        for letter, bullet in zip("abcdefghijklmnopqrstuvwxyz", bullets, strict=False):
            text = f"{each.statement.text} {bullet}".strip()
            question = f"{name}_{letter}"
            asks = each.decide if letter == "a" else ()
            yield _Test(
                f"S-{each.name}{letter}",
                section,
                text,
                question,
                ((question, bullet),),
                asks,
                False,
            )
    elif split and each.join is Join.ANY:
        questions = tuple(
            (f"{name}_{letter}", bullet)
            for letter, bullet in zip("abcdefghijklmnopqrstuvwxyz", bullets, strict=False)
        )
        met_when = " OR ".join(question for question, _ in questions)
        yield _Test(
            f"S-{each.name}", section, _whole(each), met_when, questions, each.decide, False
        )
    else:
        refer = each.join in (Join.UNSAID, Join.MIXED, Join.NESTED)
        words = _whole(each)
        yield _Test(f"S-{each.name}", section, words, name, ((name, words),), each.decide, refer)


def _whole(each: Classified) -> str:
    return " • ".join([each.statement.text, *each.statement.bullets]).strip()


# --- the file -----------------------------------------------------------------------------------


def _head(
    form: PlainForm, policy: str, drug: str, indication: str, in_force: date
) -> Iterator[str]:
    title = f"Form “{form.title}”" + (f" on {form.appraisal}" if form.appraisal else "")
    yield "# A draft brought over from a plain form. Nothing in it was checked at a source, so it"
    yield f"# can only refer. Lines marked {DECIDE} are for a person; take each mark out when done."
    yield f"policy: {policy}"
    for ask in _about_title(form):
        yield from _comment(f"{DECIDE}: {_ended(ask)}")
    yield f"title: {_quoted(form.title, 300)}"
    yield "language: 1"
    yield f"drug: {drug}"
    yield f"indication: {{key: {slug(indication)}, term: {_quoted(indication, 300)}}}"
    yield f"# {DECIDE}: which commissioner's policy is it?"
    yield "commissioner: To be decided"
    yield "mechanism: prior_approval"
    yield f"# {DECIDE}: from which day is it in force, and when was it published?"
    yield f"in_force: {{from: {in_force}}}"
    yield f"what_changed: {_quoted(f'Draft, brought over from the file {form.file}.', 4000)}"
    yield ""
    yield "sources:"
    yield f"  form: {{title: {_quoted(title, 300)}}}"


def _about_title(form: PlainForm) -> tuple[str, ...]:
    """Where the title is narrower than the text: the statement is trusted, and a person asked."""
    said = " ".join(" ".join([each.text, *each.bullets]) for each in form.statements).lower()
    return tuple(
        f"the form's title says “{word}”, and no statement does. Which is right?"
        for word in _NARROW.findall(form.title.lower())
        if word not in said
    )


def open_marks(text: str) -> Iterator[tuple[int, str]]:
    """What a file still leaves to a person: the line of each mark, and its words."""
    lines = text.splitlines()
    for number, line in enumerate(lines, start=1):
        mark = line.strip().removeprefix("# ")
        if line.strip().startswith(f"# {DECIDE}: "):
            yield number, mark.removeprefix(f"{DECIDE}: ")


def _left_out(found: Sequence[Classified]) -> Iterator[str]:
    left = [c for c in found if c.what in (Class.COMMERCIAL, Class.ADVICE, Class.BROKEN)]
    if left:
        yield ""
        yield "# Statements of the form that are no test as they stand:"
    for each in left:
        yield from _comment(f"Statement {each.name} ({each.what}): {_whole(each)}")
        for ask in each.decide:
            yield from _comment(f"{DECIDE}: {_ended(ask)}")


def _questions(tests: Sequence[_Test]) -> Iterator[str]:
    yield ""
    yield "questions:"
    for name, words in (each for test in tests for each in test.questions):
        yield f"  {name}:"
        yield "    type: boolean"
        yield f"    label: {_quoted(words, _MOST_LABEL)}"
        if len(words) > _MOST_LABEL:
            yield f"    help: {_quoted(words, 4000)}"


def _sections(tests: Sequence[_Test]) -> Iterator[str]:
    for section in ("start", "continue", "stop"):
        found = [test for test in tests if test.section == section]
        if found:
            yield ""
            yield f"{section}:"
        for test in found:
            for ask in test.decide:
                yield from _comment(f"{DECIDE}: {_ended(ask)}", "  ")
            yield f"  - id: {test.id}"
            yield f"    text: {_quoted(test.text, 4000)}"
            yield f"    met_when: {test.met_when}"
            yield "    source: form"
            yield "    evidence: unverified"
            if test.refer:
                yield "    on_failure: refer"


def _approval(continues: bool) -> Iterator[str]:
    yield ""
    yield f"# {DECIDE}: how long does an approval last, and must it be renewed?"
    yield "approval:"
    yield f"  pattern: {'rolling' if continues else 'episode'}"
    yield "  lasts: {months: 12}"
    yield "  source: form"
    yield "  evidence: unverified"


def _comment(text: str, indent: str = "") -> Iterator[str]:
    words = " ".join(text.split())
    while words:
        cut = words if len(words) <= 92 else words[:92].rsplit(" ", 1)[0]
        yield f"{indent}# {cut}"
        words = words[len(cut) :].lstrip()


def _quoted(text: str, most: int) -> str:
    flat = " ".join(text.split())
    return json.dumps(flat if len(flat) <= most else flat[: most - 1] + "…", ensure_ascii=False)


def _ended(text: str) -> str:
    return text if text.endswith(("?", ".")) else f"{text}."


def _gaps(found: Sequence[Classified], tests: Sequence[_Test]) -> Iterator[str]:
    """What a person has still to decide, a line each, in the order of the form."""
    for each in found:
        for ask in each.decide:
            yield f"statement {each.name}: {_ended(ask)}"
        if each.what is Class.COMMERCIAL:
            yield f"statement {each.name}: a commercial clause: it belongs with the price."
    if any(test.id == "S-0" for test in tests):
        yield "no statement could be brought over as a test to start."
    if not any(test.section == "continue" for test in tests):
        yield "the form says nothing about continuing."
    if not any(test.section == "stop" for test in tests):
        yield "the form says nothing about stopping."
    yield "the form does not say how long an approval lasts, nor whose policy it is."
