"""Preferences that bring a failing patient close to the threshold, else like the passing one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import z3

from app.authoring.proofs.symbols import Encoder, View
from app.authoring.reading import Counted, Reading, Worked
from app.policy import Criterion, QuestionType, nodes
from app.policy.typecheck import Family


def near_preferences(
    encoder: Encoder, view: View, reading: Reading, criterion: Criterion, met: Any
) -> Iterator[list[Any]]:
    """In turn: like the passing patient in all that the criterion does not ask, then near it."""
    test = reading.test(criterion)
    asked = set(reading.reached(test))
    if met is not None:
        others = [k for k, each in encoder.inputs.items() if each.name not in asked]
        yield [term for key in others for term in _same(encoder, key, met)]
    distances = list(_distances(view, reading, test))
    if distances:
        yield [z3.Or(distances)]
        yield from ([each] for each in distances)
    if met is not None:
        for key, each in list(encoder.inputs.items()):
            if each.name in asked:
                yield _same(encoder, key, met)


def _same(encoder: Encoder, key: str, met: Any) -> list[Any]:
    """The input as it is in a model, rows included."""
    found = encoder.inputs[key]
    terms = [found.sym.known, found.sym.low]
    for row in found.rows:
        terms.append(row.present)
        terms += [t for cell in row.fields.values() for t in (cell.sym.known, cell.sym.low)]
    return [term == met.eval(term, model_completion=True) for term in terms]


def _distances(view: View, reading: Reading, node: nodes.Node) -> Iterator[Any]:
    """For each comparison of numbers or days: its two sides are one step apart at most."""
    match node:
        case nodes.Compare(_, left, right):
            yield from _distance(view, reading, left, right)
        case nodes.Between(term, low, high):
            yield from _distance(view, reading, term, low)
            yield from _distance(view, reading, term, high)
        case nodes.Name(name):
            match reading.derived.get(name):
                case Worked(inner):
                    yield from _distances(view, reading, inner)
        case _:
            for child in nodes.children(node):
                yield from _distances(view, reading, child)


def _distance(view: View, reading: Reading, left: nodes.Node, right: nodes.Node) -> Iterator[Any]:
    one, other = view.value(left), view.value(right)
    if one.family not in (Family.NUMBER, Family.DATE):
        return
    step = max(_step(reading, left), _step(reading, right))
    apart = one.low - other.low
    yield z3.And(apart <= step, -apart <= step)


def _step(reading: Reading, node: nodes.Node) -> Any:
    """The smallest step between two answers of a side; nothing for a literal."""
    names = reading.reached(node) if not isinstance(node, nodes.Literal) else ()
    if any(isinstance(reading.derived.get(n), Counted) for n in nodes.names_in(node)):
        return 1
    steps = [0.0]
    for name in names:
        question = reading.version.questions.get(name)
        if question is None or question.type is not QuestionType.NUMBER:
            steps.append(1)
        else:
            steps.append(10.0 ** -(1 if question.decimals is None else question.decimals))
    return max(steps)
