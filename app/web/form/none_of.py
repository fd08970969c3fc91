"""Obstacles that one choice may say no to: boxes to tick, and "none of these". Pure.

The choice is an answer of "no" to each question that stands beside it, given by whoever chose it;
each is stored and told by itself. Nothing is assumed: with no box ticked none is answered, and
with one ticked the others are still to answer, one by one. A "none" beside a tick is asked about.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from app.policy import Criterion, Kind, PolicyVersion, Question, excluding
from app.web.form.fields import Field
from app.web.form.steps import Block, Step
from app.web.form.typed import PREFIX, bare

NAME: Final = "none"
#: A hidden field for each question of which the page showed a box: "none" answers those alone.
SHOWN: Final = "box."
LABEL: Final = "Does any of these apply?"
HEADING: Final = "What would rule it out"
NONE: Final = "None of these"
_FEWEST: Final = 2

#: What somebody may be told in one list. That a "yes" can only rule out is read from the criteria
#: (`excluding`); that it also reads as an obstacle is judged here, name by name. Good news that
#: ends a treatment ("bleeding has stopped", "stable remission") is asked by itself: in a list of
#: what went wrong it is read past. What is not named is asked by itself too.
OBSTACLES: Final = frozenset(
    {
        "active_infection",
        "alemtuzumab_excluded_condition",
        "biliary_obstruction",
        "cardiovascular_risk",
        "contraindicated",
        "decompensated_now",
        "ever_decompensated",
        "haze_or_cells_worse",
        "infective_cause",
        "intolerable_effects",
        "long_term_smoker",
        "malignancy_risk",
        "new_lesion",
        "no_effect",
        "non_inflammatory_cause",
        "other_dmt",
        "portal_hypertension",
        "pregnant",
        "pregnant_breastfeeding_or_trying",
        "serious_complication",
        "spms_confirmed",
        "treatment_failed",
        "unable_to_walk_due_to_ms",
        "worsening_regardless",
    }
)
_BOTH: Final = (
    "You ticked one of these and “none of these”. Take away whichever is wrong: nothing of this "
    "list was kept."
)
_UNREAD: Final = (
    "The list is not the one that was sent. Look it through as it is now, then choose again."
)


@dataclass(frozen=True, slots=True)
class Box:
    """One obstacle. `again`: the criterion's words stand at a box before it."""

    field: Field
    criterion: Criterion
    ticked: bool
    again: bool


@dataclass(frozen=True, slots=True)
class Group:
    """The boxes of a page, and whether "none of these" is chosen."""

    boxes: tuple[Box, ...]
    none: bool
    error: str | None = None
    label: str = LABEL

    @property
    def as_field(self) -> Field:
        """The choice itself, for the error summary."""
        return Field(NAME, self.boxes[0].field.id, "one of", NONE, error=self.error)


@dataclass(frozen=True, slots=True)
class Shown:
    """A block as a page shows it: a criterion with its fields, or the group."""

    heading: str | None
    criterion: Criterion | None
    fields: tuple[Field, ...] = ()
    group: Group | None = None


def members(version: PolicyVersion, kind: Kind, step: Step) -> tuple[Question, ...]:
    """The questions of a page that the group may hold; none where it would be one box."""
    named = excluding(version, kind) & OBSTACLES
    beside = {e.name for each in step.blocks if each.criterion for e in each.questions}
    found = tuple(each for each in step.questions if each.name in named & beside)
    return found if len(found) >= _FEWEST else ()


def chosen(
    version: PolicyVersion, kind: Kind, step: Step, posted: Mapping[str, str]
) -> tuple[dict[str, Any], dict[str, str]]:
    """The answers that "none of these" gives, and what is wrong with it."""
    said = posted.get(NAME)
    if said is None:
        return {}, {}
    boxes = [name.removeprefix(SHOWN) for name in posted if name.startswith(SHOWN)]
    known = {each.name for each in members(version, kind, step)}
    if said != "yes" or len(boxes) < _FEWEST or not known.issuperset(boxes):
        return {}, {NAME: _UNREAD}
    if any(posted.get(f"{PREFIX}{each}", "").strip() for each in boxes):
        return {}, {NAME: _BOTH}
    return dict.fromkeys(boxes, False), {}


def shown(
    step: Step,
    together: Sequence[Question],
    fields: Mapping[str, Field],
    answers: Mapping[str, Any],
    posted: Mapping[str, str] | None = None,
    wrong: Mapping[str, str] | None = None,
) -> tuple[Shown, ...]:
    """The blocks of a page, the group where the first of its questions would stand.

    `together` are its `members` on the page as it is. `posted` is a page that comes again.
    Answers that a group cannot show (a yes, or some of them) are shown one by one.
    """
    at_once = frozenset(each.name for each in together)
    again = {} if posted is None or NAME not in (wrong or {}) else posted
    here = [bare(answers.get(name)) for name in at_once]
    open_, no = here.count(None), sum(each is False for each in here)
    if not again and len(here) not in (open_, no):
        at_once = frozenset()
    group = _group(step, at_once, fields, here, again, (wrong or {}).get(NAME))
    parts: list[tuple[str, Criterion | None, tuple[Field, ...], Group | None]] = []
    for block in step.blocks:
        begins = group is not None and not any(part[3] for part in parts)
        if begins and any(each.name in at_once for each in block.questions):
            parts.append((HEADING, None, (), group))
        left = _fields(block, at_once, fields)
        if left:
            parts.append((block.heading, block.criterion, left, None))
    several = len({each.heading for each in step.blocks}) > 1
    return tuple(
        Shown(part[0] if several and (at == 0 or parts[at - 1][0] != part[0]) else None, *part[1:])
        for at, part in enumerate(parts)
    )


def _fields(
    block: Block, without: frozenset[str], fields: Mapping[str, Field]
) -> tuple[Field, ...]:
    return tuple(
        fields[f"{PREFIX}{each.name}"] for each in block.questions if each.name not in without
    )


def _group(
    step: Step,
    at_once: frozenset[str],
    fields: Mapping[str, Field],
    here: Sequence[Any],
    again: Mapping[str, str],
    error: str | None,
) -> Group | None:
    boxes: list[Box] = []
    for block in step.blocks:
        for each in block.questions:
            if each.name in at_once and block.criterion is not None:
                name = f"{PREFIX}{each.name}"
                told = any(box.criterion.id == block.criterion.id for box in boxes)
                ticked = bool(again.get(name, "").strip())
                boxes.append(Box(fields[name], block.criterion, ticked, told))
    if len(boxes) < _FEWEST:
        return None
    none = bool(again) or all(value is False for value in here)
    return Group(tuple(boxes), none, error)
