"""The approval terms of a policy version in words, one statement a line."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from app.policy.model import Evidence, Source
from app.policy.terms import ApprovalTerms, Barred, BestValue, Course, Escalation, Phase

Plain = Callable[[str], str]
#: A drug's name for its key.
Named = Callable[[str], str]

_JUDGED = {
    "pre_treatment_baseline": "as the patient was before it began",
    "decision_to_treat": "as the patient is when the NHS takes it on",
}


def term_lines(terms: ApprovalTerms, plain: Plain, named: Named = str) -> Iterator[str]:
    """The section on approval as Markdown; `plain` makes text of the file harmless.

    `named` says a drug's name for its key; without it the keys stand, as in the file.
    """
    yield from ("", "## Approval", "")
    yield f"- Pattern: {terms.pattern}"
    yield from _lengths(terms)
    for phase in terms.phases:
        yield f"- {_phase(phase, plain)}"
    for course in terms.courses:
        yield f"- {_course(course, plain)}"
    for reason in terms.retrospective_reasons.values():
        yield f"- May come up to {terms.retrospective_days} days late: {plain(reason)}"
    if terms.max_dose is not None:
        yield f"- Largest dose: {plain(str(terms.max_dose))}"
    for escalation in terms.escalations:
        yield from _escalation(escalation, plain)
    if terms.max_supply_days is not None:
        yield f"- At most {terms.max_supply_days} days are supplied at a time"
    if terms.products or terms.interchangeable:
        which = _names(terms.products, plain) if terms.products else "any"
        same = ", interchangeable: a change between them needs no request"
        yield f"- Products: {which}{same if terms.interchangeable else ''}"
    if terms.best_value is not None:
        yield from _best_value(terms.best_value, plain)
    for barred in terms.barred_with:
        yield _barred(barred, plain, named)
    if terms.supersedes:
        yield (
            "- It may begin while an approval under one of these runs, which then ends: "
            f"{_names(terms.supersedes, plain)}"
        )
    if terms.conversion is not None:
        judged = _JUDGED[terms.conversion.judged_on]
        cited = _cited(terms.conversion.source, terms.conversion.evidence, plain)
        yield f"- A treatment begun outside NHS funding is judged {judged} ({cited})"
    yield f"- Source: {_cited(terms.source, terms.evidence, plain)}"


def _lengths(terms: ApprovalTerms) -> Iterator[str]:
    if terms.lasts is not None:
        first = "The first approval lasts" if terms.then_lasts else "Lasts"
        yield f"- {first} {terms.lasts}, counted from the first dose once it is recorded"
    if terms.then_lasts is not None:
        yield f"- A continuation lasts {terms.then_lasts}"
    if terms.doses is not None:
        yield f"- One episode covers at most {terms.doses} doses; a new episode needs a new request"
    if terms.start_within_days is not None:
        yield f"- Treatment starts within {terms.start_within_days} days"
    if terms.grace_days:
        yield f"- A continuation may follow within {terms.grace_days} days of the end"


def _phase(phase: Phase, plain: Plain) -> str:
    length = f"for {phase.lasts}" if phase.lasts else "from then on"
    dose = f", at most {plain(str(phase.max_dose))}" if phase.max_dose else ""
    return f"Phase {plain(phase.name)}: {length}{dose}"


def _course(course: Course, plain: Plain) -> str:
    parts = [f"lasts {course.lasts}"] if course.lasts else []
    if course.after:
        parts.append(f"begins no sooner than {course.after} after the course before")
    if course.within:
        parts.append(f"begins within {course.within} of the course before")
    return f"Course {plain(course.name)}: {', '.join(parts) or 'as long as the terms say'}"


def _escalation(escalation: Escalation, plain: Plain) -> Iterator[str]:
    how_long = f", for at most {escalation.lasts}, then the former dose" if escalation.lasts else ""
    cited = _cited(escalation.source, escalation.evidence, plain)
    dose = plain(str(escalation.max_dose))
    yield f"- {plain(escalation.name)}: up to {dose}{how_long} ({cited}), on one of these grounds:"
    yield from _labelled(escalation.grounds, plain)


def _best_value(best: BestValue, plain: Plain) -> Iterator[str]:
    for each in best.products:
        until = f" until {_day(each.until)}" if each.until else ""
        target = f" ({plain(each.target)})" if each.target else ""
        yield f"- Use first, from {_day(each.from_)}{until}: {plain(each.product)}{target}"
    cited = _cited(best.source, best.evidence, plain)
    yield f"- Another product needs one of these reasons ({cited}):"
    yield from _labelled(best.reasons, plain)


def _barred(barred: Barred, plain: Plain, named: Named) -> str:
    overlap = (
        f"; when switching, {barred.overlap_days} days may overlap" if barred.overlap_days else ""
    )
    cited = _cited(barred.source, barred.evidence, plain)
    drugs = _names(tuple(map(named, barred.drugs)), plain)
    return f"- Not funded together with {drugs}{overlap}: {plain(barred.reason)} ({cited})"


def _labelled(options: Mapping[str, str], plain: Plain) -> Iterator[str]:
    for key, label in options.items():
        yield f"  - `{key}`: {plain(label)}"


def _names(names: tuple[str, ...], plain: Plain) -> str:
    return ", ".join(plain(each) for each in names)


def _cited(source: Source, evidence: Evidence, plain: Plain) -> str:
    read = "read in the source" if evidence == "verified" else "draft: check before clinical use"
    return f"{plain(source.title)} ({read})"


def _day(day: object) -> str:
    return f"{day:%-d %B %Y}"
