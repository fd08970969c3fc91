"""Works a formula out for given values, on its own: for its worked cases, and to show it."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, localcontext
from typing import Any

from app.policy import nodes
from app.policy.check_derive import DerivedChecker
from app.policy.document import Document
from app.policy.emit import Emitter
from app.policy.errors import PolicyFileFaults
from app.policy.evaluate import ARITHMETIC
from app.policy.shelf import RESULT, as_policy


def work_out(formula: Mapping[str, Any], given: Mapping[str, object]) -> dict[str, object]:
    """Every step of a formula and its `result`, by name; None where one is not known.

    `given` holds typed values by parameter: Decimal, int, date, bool or an option's key; a
    parameter that is left out is not answered. Raises PolicyFileFaults for a formula at fault.
    """
    checker = DerivedChecker(as_policy(Document(dict(formula))), "formula", [], [])
    checker.questions()
    checker.derive()
    if checker.faults:
        raise PolicyFileFaults(tuple(checker.faults))
    emitter = Emitter(checker.checked.program())
    names = [*(formula.get("derive") or {}), RESULT]
    variables = [emitter.bounds(nodes.Name(name))[0] for name in names]
    run = emitter.build(emitter.function(variables))
    with localcontext(ARITHMETIC):
        return dict(zip(names, run(given), strict=True))


def rounded(value: object, places: int | None) -> object:
    """A number to some decimal places, for holding it against a printed figure."""
    if places is None or not isinstance(value, Decimal):
        return value
    return round(value, places)
