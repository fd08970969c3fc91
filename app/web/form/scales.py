"""Scales that an examiner gives a grade on: their steps, as help beside the question. Pure.

Nothing here works a grade out: which step a patient is at is the examiner's judgement. Only what is
no step of the scale at all is refused.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from app.policy import AnswerFault
from app.web.form.typed import bare


@dataclass(frozen=True, slots=True)
class ScaleStep:
    """One step: its grade as it is written, what it stands for, and whether its source was read."""

    grade: str
    words: str
    verified: bool


@dataclass(frozen=True, slots=True)
class Scale:
    """A graded scale. `groups` are its parts, in order, each with what settles a step of it."""

    title: str
    about: tuple[str, ...]
    groups: tuple[tuple[str, tuple[ScaleStep, ...]], ...]
    sources: tuple[str, ...]
    wrong: str
    mend: str

    @property
    def steps(self) -> tuple[ScaleStep, ...]:
        """Every step, from the lowest."""
        return tuple(step for _, steps in self.groups for step in steps)


def _steps(verified: bool, **words: str) -> tuple[ScaleStep, ...]:
    return tuple(
        ScaleStep(name[1:].replace("_", "."), said, verified) for name, said in words.items()
    )


#: Source of steps 5.5 and above: Kurtzke, Neurology 1983;33:1444-52, its table as reprinted by the
#: National Academies, read. Of the steps below: two web pages that abridge it, so unverified.
EDSS: Final = Scale(
    title="The steps of the EDSS",
    about=(
        "For a trained examiner, who judges the step after a neurological examination. It is not "
        "worked out here.",
        "Up to 3.5 the grades of the eight functional systems settle the step: pyramidal, "
        "cerebellar, brain stem, sensory, bowel and bladder, visual, cerebral, and other. From 4.0 "
        "up, how far the patient walks without help and without rest weighs more and more; from "
        "5.0 it settles the step.",
        "Steps are halves. There is no 0.5.",
    ),
    groups=(
        (
            "By the functional systems",
            _steps(
                False,
                _0="The neurological examination is normal",
                _1_0="No disability; minimal signs in one system",
                _1_5="No disability; minimal signs in more than one system",
                _2_0="Minimal disability in one system",
                _2_5="Minimal disability in two systems",
                _3_0="Walks without limit; moderate disability in one system, or mild in three or "
                "four",
                _3_5="Walks without limit; moderate disability in one system and more than minimal "
                "in several others",
            ),
        ),
        (
            "Walking counts beside the functional systems",
            _steps(
                False,
                _4_0="Walks about 500 metres without aid or rest; up and about for some 12 hours a "
                "day in spite of rather severe disability",
                _4_5="Walks about 300 metres without aid or rest; can work a whole day, with some "
                "limits or a little help",
            ),
        ),
        (
            "Walking settles the step",
            (
                *_steps(
                    False,
                    _5_0="Walks about 200 metres without aid or rest; a full day's activities are "
                    "impaired",
                ),
                *_steps(
                    True,
                    _5_5="Walks about 100 metres without aid or rest; a full day's activities are "
                    "not possible",
                    _6_0="Needs a stick, crutch or brace, now and then or on one side all the "
                    "time, to walk about 100 metres, with or without rest",
                    _6_5="Needs such support on both sides all the time to walk about 20 metres "
                    "without rest",
                    _7_0="Cannot walk beyond about 5 metres even with aid; in a wheelchair, which "
                    "the patient wheels, and transfers alone; active in it for about 12 hours a "
                    "day",
                    _7_5="Takes no more than a few steps; may need help to transfer, or a powered "
                    "wheelchair for a whole day",
                    _8_0="Cannot walk; in bed, chair or wheelchair, but may be out of bed for much "
                    "of the day; generally has effective use of the arms",
                    _8_5="In bed for much of the day; some effective use of the arms",
                    _9_0="Helpless in bed; can communicate and eat",
                    _9_5="Totally helpless in bed; cannot communicate effectively, or not eat or "
                    "swallow",
                    _10="Death due to multiple sclerosis",
                ),
            ),
        ),
    ),
    sources=(
        "Kurtzke JF. Rating neurologic impairment in multiple sclerosis: an expanded disability "
        "status scale (EDSS). Neurology 1983;33:1444-52. Steps 5.5 and above: its table as the "
        "National Academies reprint it (nap.edu, record 10031, page 386), read.",
        "Steps 0 to 5.0: abridged lists on web pages (zarcrom.com, havingms.com), not held against "
        "the paper.",
    ),
    wrong="it is no step of the EDSS",
    mend="Enter 0, or a whole or half step from 1.0 to 10, such as 3.5",
)
#: The questions that are answered by a step of a scale. A rise between two steps is none.
SCALES: Final[dict[str, Scale]] = {"edss": EDSS, "edss_before_progression": EDSS}


def scale_faults(answers: Mapping[str, Any]) -> Iterator[AnswerFault]:
    """What stands for a step and is none. Only numbers: what is no number is told elsewhere."""
    for name, scale in SCALES.items():
        grade = _number(bare(answers.get(name)))
        if grade is not None and grade not in {Decimal(step.grade) for step in scale.steps}:
            yield AnswerFault(name, scale.wrong, scale.mend)


def _number(value: Any) -> Decimal | None:
    if value is None or isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
        return None
    try:
        number = Decimal(value)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None
