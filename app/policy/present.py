"""Makes findings out of the compiled function's flat tuple and the shapes of its parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.policy.compile import Compiled, Looked, Shape
from app.policy.model import ArmFinding, Count, Criterion, Finding, Nearest, Part, Result

_RESULTS = {True: Result.MET, False: Result.NOT_MET, None: Result.NOT_ANSWERED}


def findings(
    criteria: Sequence[Criterion], compiled: Compiled, raw: tuple[Any, ...]
) -> tuple[Finding, ...]:
    """A finding for each criterion of a section, in file order."""
    return tuple(
        Finding(
            criterion=criterion.id,
            section=criterion.section,
            result=_RESULTS[raw[shape.slot]],
            text=criterion.text,
            source=criterion.source,
            evidence=criterion.evidence,
            on_failure=criterion.on_failure,
            waivable=criterion.waivable,
            part=(whole := part(shape, raw)),
            arms=_arms(criterion, whole) if criterion.arms else (),
            nearest=nearest(criterion, shape, raw) if criterion.arms else None,
            layer=criterion.layer,
        )
        for criterion, shape in zip(criteria, compiled.shapes, strict=True)
    )


def _arms(criterion: Criterion, whole: Part) -> tuple[ArmFinding, ...]:
    return tuple(
        ArmFinding(arm.id, arm.text, below.result, below)
        for arm, below in zip(criterion.arms, whole.parts, strict=True)
    )


def nearest(criterion: Criterion, shape: Shape, raw: tuple[Any, ...]) -> Nearest | None:
    """The arm of an unmet criterion that came nearest; None where the criterion is not unmet.

    Of the tests that an arm joins with AND (one, where it joins none), the most are met; then the
    fewest are not met; then it stands first in the file.
    """
    if raw[shape.slot] is not False:
        return None
    best: Nearest | None = None
    order = (0, 0)
    for arm, below in zip(criterion.arms, shape.parts, strict=True):
        tests = below.parts if below.joined else (below,)
        results = [raw[each.slot] for each in tests]
        rank = (results.count(True), -results.count(False))
        if best is None or rank > order:
            best, order = Nearest(arm.id, rank[0], len(tests)), rank
    return best


def part(shape: Shape, raw: tuple[Any, ...]) -> Part:
    """One part of a finding, with the parts below it."""
    parts = tuple([part(below, raw) for below in shape.parts]) if shape.parts else ()
    looked_at = tuple([(looked.name, value(looked, raw)) for looked in shape.looked_at])
    return Part(shape.text, _RESULTS[raw[shape.slot]], parts, looked_at)


def value(looked: Looked, raw: tuple[Any, ...]) -> object:
    """A value looked at; a count that is not certain is a Count with both its bounds."""
    low = raw[looked.slot]
    if looked.upper is None or low is None or low == raw[looked.upper]:
        return low
    return Count(low, raw[looked.upper])
