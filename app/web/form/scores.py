"""Working a score out from its parts, by the library's own formulas. Pure.

It gives the figure that the form asks for, with its working; what the policy makes of the figure is
the policy's. It never proposes a dose.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any, Final

from app.policy import Question, Shelf
from app.policy.shelf import RESULT
from app.policy.work_out import work_out
from app.web.form.fields import Field

_DAS28: Final = ("das28-crp", "das28-esr")
#: The questions whose answer is a score, and the formulas that give it.
SCORES: Final[dict[str, tuple[str, ...]]] = {
    "das28_at_start": _DAS28,
    "das28_before_that": _DAS28,
    "das28_now": _DAS28,
    "basdai_at_start": ("basdai",),
    "basdai_before_that": ("basdai",),
    "basdai_now": ("basdai",),
}
#: No part of a score is larger.
_LARGEST: Final = Decimal(1000)
_WRONG: Final = "Enter a number of 0 or more, such as 4."
_WHOLE: Final = "Enter a whole number of 0 or more, such as 4."


@dataclass(frozen=True, slots=True)
class Worked:
    """A score: each part of the working, the exact result, and the figure for the field."""

    steps: tuple[tuple[str, str], ...]
    exact: str
    figure: str


def formula_of(shelf: Shelf, name: str) -> Mapping[str, Any]:
    """The newest of the formulas of that name."""
    day = max(day for known, day in shelf.formulas if known == name)
    return shelf.formulas[name, day]


def part_fields(
    formula: Mapping[str, Any], typed: Mapping[str, str], wrong: Mapping[str, str]
) -> tuple[Field, ...]:
    """A field for each part of the score."""
    return tuple(
        Field(
            name=name,
            id=name,
            control="number",
            label=each["label"],
            unit=each.get("unit"),
            value=typed.get(name, ""),
            error=wrong.get(name),
        )
        for name, each in formula["parameters"].items()
    )


def parts_typed(
    formula: Mapping[str, Any], typed: Mapping[str, str]
) -> tuple[dict[str, object], dict[str, str]]:
    """The parts as numbers, and what is wrong with those that are none."""
    found: dict[str, object] = {}
    wrong: dict[str, str] = {}
    for name, each in formula["parameters"].items():
        text = typed.get(name, "").strip()
        whole = each["type"] == "integer"
        number = _number(text)
        if number is None or (whole and number != number.to_integral_value()):
            wrong[name] = _WHOLE if whole else _WRONG
        else:
            found[name] = int(number) if whole else number
    return found, wrong


def worked(
    formula: Mapping[str, Any], parts: Mapping[str, object], question: Question
) -> Worked | None:
    """The score with its working; None where the formula gives none that the question takes."""
    values = work_out(formula, parts)
    result = values[RESULT]
    if not isinstance(result, Decimal):
        return None
    places = 2 if question.decimals is None else question.decimals
    figure = result.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
    low, high = question.minimum, question.maximum
    if (low is not None and figure < low) or (high is not None and figure > high):
        return None
    steps = [
        (f"{_words(name)}: {_words(formula['derive'][name].get('value', ''))}", _shown(value))
        for name, value in values.items()
        if name != RESULT
    ]
    steps.append((f"the score: {_words(formula.get('value', ''))}", _shown(result)))
    return Worked(tuple(steps), _shown(result), f"{figure:f}")


def _number(text: str) -> Decimal | None:
    if not text or len(text) > 12 or not text.isascii() or set(text) - set("0123456789."):
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number <= _LARGEST else None


def _words(text: object) -> str:
    """An expression or a name of the library's, as people read it."""
    return str(text).replace("_", " ").replace(" * ", " × ").replace("SQRT", "root")


def _shown(value: object) -> str:
    if isinstance(value, Decimal):
        return f"{value.quantize(Decimal('0.0001'), ROUND_HALF_UP):f}"
    return "not known" if value is None else str(value)
