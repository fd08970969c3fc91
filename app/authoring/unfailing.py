"""Which criteria no answer can fail, as far as the range of their questions makes it plain.

The prover knows more of them; this needs none, so that the table of the library says the same
wherever it is printed. Such a criterion is there to make somebody answer.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from decimal import Decimal

from app.authoring.reading import Counted, Reading, read_version
from app.policy import PolicyVersion, nodes

_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_HOLDS: dict[str, Callable[[Decimal, Decimal], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def unfailing(version: PolicyVersion) -> frozenset[str]:
    """The ids of a version's criteria that are met or not answered, and never fail. Pure."""
    reading = read_version(version)
    return frozenset(
        name
        for name, tree in reading.tests.items()
        if tree is not None and _never_false(reading, tree)
    )


def _never_false(reading: Reading, node: nodes.Node) -> bool:
    match node:
        case nodes.Truth(value):
            return value
        case nodes.And(parts):
            return all(_never_false(reading, part) for part in parts)
        case nodes.Or(parts):
            return any(_never_false(reading, part) for part in parts)
        case nodes.Compare(sign, nodes.Name(name), nodes.Number(limit)):
            return _within(reading, name, sign, limit)
        case nodes.Compare(sign, nodes.Number(limit), nodes.Name(name)):
            return _within(reading, name, _MIRRORED.get(sign, sign), limit)
        case nodes.Between(nodes.Name(name), nodes.Number(low), nodes.Number(high)):
            return _within(reading, name, ">=", low) and _within(reading, name, "<=", high)
        case _:
            return False


def _within(reading: Reading, name: str, sign: str, limit: Decimal) -> bool:
    """Whether every value that the form takes for a name compares so."""
    least, most = _range(reading, name)
    bound = least if sign in (">", ">=") else most
    return sign in _HOLDS and bound is not None and _HOLDS[sign](bound, limit)


def _range(reading: Reading, name: str) -> tuple[Decimal | None, Decimal | None]:
    if isinstance(reading.derived.get(name), Counted):
        return Decimal(0), None
    question = reading.version.questions.get(name)
    if question is None or name in reading.derived:
        return None, None
    return question.minimum, question.maximum
