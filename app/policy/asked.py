"""Which questions each criterion looks at, so that a form can ask them beside its words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from app.policy.compile import CompiledPolicy, Shape
from app.policy.model import PolicyVersion, Section


def questions_of(version: PolicyVersion, section: Section) -> Mapping[str, tuple[str, ...]]:
    """The questions that each criterion of a section looks at, by its id, in reading order.

    Those behind counts, picks and choices are among them; what is asked elsewhere (the dates of
    the request, the patient's birth date) is not.
    """
    compiled = version.compiled
    shapes = compiled.sections[section].shapes
    return {
        criterion.id: tuple(
            dict.fromkeys(name for name in _below(compiled, shape) if name in version.questions)
        )
        for criterion, shape in zip(version.criteria(section), shapes, strict=True)
    }


def _below(policy: CompiledPolicy, shape: Shape) -> Iterator[str]:
    for part in shape.parts:
        yield from _below(policy, part)
    for looked in (*shape.looked_at, *shape.inputs):
        yield looked.name
    for looked in (*shape.counts, *shape.picks):
        yield from _in_rows(policy, looked.name)
    for choice in shape.choices:
        for test, value in choice.branches:
            yield from _below(policy, test)
            yield from _below(policy, value)
        yield from _below(policy, choice.otherwise)
    for _, names in shape.divisors:
        yield from names
    for call in shape.calls:
        yield from call.names


def _in_rows(policy: CompiledPolicy, name: str) -> Iterator[str]:
    """The list that a count or a pick is over, and what its test of a row looks at beside it."""
    rows = policy.rows.get(name)
    if rows is None:
        return
    yield rows.list_name
    if rows.test is not None:
        for shape in rows.test.shapes:
            yield from (each for each in _below(policy, shape) if each not in rows.fields)
