"""The arithmetic behind a policy's dose for each kilogram, and whether the dose keeps to it. Pure.

It looks at the figures that a prescriber gave. It fills nothing in and proposes no dose.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

from app.policy import (
    Answer,
    Context,
    Derived,
    Finding,
    Kind,
    Part,
    PolicyVersion,
    Result,
    decide,
    label_of,
)
from app.web.words import amount_words, first_upper

_MASSES: Final = frozenset({"g", "mg", "microgram", "micrograms"})
_WEIGHT: Final = "kg"
_KINDS: Final = (Kind.INITIATION, Kind.CONTINUATION)


@dataclass(frozen=True, slots=True)
class DoseStep:
    """One value of the working: what it is, how it comes about, and its value with the unit."""

    label: str
    working: str
    value: str


@dataclass(frozen=True, slots=True)
class DoseCheck:
    """A criterion that holds a dose against a weight. `figures` are those that its test compares;
    `asked` are the questions that it looks at."""

    criterion: str
    text: str
    test: str
    within: bool
    figures: str
    steps: tuple[DoseStep, ...]
    asked: frozenset[str]
    verified: bool


def dose_checks(
    version: PolicyVersion, kind: Kind, answers: Mapping[str, Answer], context: Context
) -> tuple[DoseCheck, ...]:
    """Each criterion on a dose for the weight that the answers settle, in the policy's order.

    A limb that settles nothing (a child's, of an adult) is left out, and so is a criterion that
    waits for an answer.
    """
    if kind not in _KINDS or not _asks_a_weight(version):
        return ()
    decided = decide(version, kind, dict(answers), context)
    return tuple(each for finding in decided.findings for each in _checks(version, finding))


def _asks_a_weight(version: PolicyVersion) -> bool:
    return any(each.unit == _WEIGHT for each in version.questions.values())


def _checks(version: PolicyVersion, finding: Finding) -> Iterator[DoseCheck]:
    if finding.result is Result.NOT_ANSWERED:
        return
    for leaf in _settling(version, finding.part):
        looked = dict(leaf.looked_at)
        if leaf.result is finding.result:
            steps = {name: _step(version, name, looked[name]) for name in reversed(looked)}
            compared = [step for name, step in steps.items() if _stands_in(name, leaf.text)]
            yield DoseCheck(
                criterion=finding.criterion,
                text=finding.text,
                test=_words(leaf.text),
                within=finding.result is Result.MET,
                figures="; ".join(
                    f"{first_upper(each.label)}: {each.value}" for each in reversed(compared)
                ),
                steps=tuple(steps.values()),
                asked=frozenset(looked) & frozenset(version.questions),
                verified=finding.evidence == "verified",
            )


def _stands_in(name: str, text: str) -> bool:
    return re.search(rf"\b{re.escape(name)}\b", text) is not None


def _settling(version: PolicyVersion, part: Part) -> Iterator[Part]:
    """The tests of a dose for a weight below a part, without those that another limb outdoes."""
    if not part.parts:
        if _weighs_a_dose(version, dict(part.looked_at)):
            yield part
        return
    found = [list(_settling(version, each)) for each in part.parts]
    if part.result is Result.MET and _is_either(part):
        limbs = zip(part.parts, found, strict=True)
        if any(each.result is Result.MET and not below for each, below in limbs):
            return
    for below in found:
        yield from below


def _is_either(part: Part) -> bool:
    """Whether a part is an OR of its parts."""
    first = part.parts[0].text
    return part.text.startswith((f"{first} OR ", f"({first}) OR "))


def _weighs_a_dose(version: PolicyVersion, looked: Mapping[str, Any]) -> bool:
    """Whether a weight and a mass both go into it."""
    units = {version.questions[name].unit for name in looked if name in version.questions}
    heavy = _WEIGHT in units or any(
        name in version.derived and version.derived[name].unit == _WEIGHT for name in looked
    )
    return heavy and bool(units & _MASSES)


def _step(version: PolicyVersion, name: str, value: Any) -> DoseStep:
    derived, question = version.derived.get(name), version.questions.get(name)
    if derived is not None:
        return DoseStep(_words(name), _working(derived), _shown(value, derived.unit))
    label = question.label if question is not None else label_of(version, name)
    return DoseStep(label, "as given", _shown(value, None if question is None else question.unit))


def _working(derived: Derived) -> str:
    if derived.choose:
        cases = [f"where {_words(test)}: {_words(value)}" for test, value in derived.choose]
        last = [f"otherwise {_words(derived.otherwise)}"] if derived.otherwise else []
        return "; ".join(cases + last)
    return _words(derived.value or "")


def _words(text: str) -> str:
    """An expression or a name of the policy's, as people read it."""
    signs = ((" * ", " × "), (" / ", " ÷ "), ("<=", "≤"), (">=", "≥"), ("_", " "))
    for sign, read in signs:
        text = text.replace(sign, read)
    return text.replace("ROUND DOWN", "round down").replace("GREATEST", "the greater of ")


def _shown(value: Any, unit: str | None) -> str:
    if isinstance(value, Decimal):
        exact = value.quantize(Decimal("0.0001"), ROUND_HALF_UP)
        text = f"{exact:f}".rstrip("0").rstrip(".")
    elif isinstance(value, bool):
        text = "yes" if value else "no"
    else:
        text = "not known" if value is None else str(value)
    return amount_words(text, unit)
