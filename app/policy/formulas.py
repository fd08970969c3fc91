"""Formulas: dated definitions of derived values, expanded into plain ones.

A policy's resolved text holds the formula in full, under the derived value that uses it. Here its
parameters are replaced by what the policy gives for them, and its steps become derived values of
their own, `<value>_<step>`: the evaluator, and every tool, sees plain definitions only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.policy import nodes
from app.policy.build import plain
from app.policy.errors import ExpressionRefused
from app.policy.language import parse

RESULT_KEYS = ("value", "choose", "else", "unit", "options")


def is_formula(entry: Mapping[str, Any]) -> bool:
    """Whether a derived value is worked out by a formula that stands in full under it."""
    return isinstance(entry.get("formula"), Mapping)


def step_name(name: str, step: str) -> str:
    """The name of a formula's step where the derived value `name` uses it."""
    return f"{name}_{step}"


def expanded(derive: Mapping[str, Any]) -> dict[str, Any]:
    """The entries of `derive` with every formula replaced by its steps and its result.

    Works on data of which the shape was checked. Raises ExpressionRefused for an expression that
    cannot be read.
    """
    found: dict[str, Any] = {}
    for name, entry in derive.items():
        if isinstance(entry, Mapping) and is_formula(entry):
            found |= expanded_formula(name, entry)
        else:
            found[name] = entry
    return found


def expanded_formula(name: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    """The steps and the result of one derived value that uses a formula."""
    formula = entry["formula"]
    steps = formula.get("derive") or {}
    swap: dict[str, nodes.Node] = {step: nodes.Name(step_name(name, step)) for step in steps}
    swap |= {parameter: parse(plain(given)) for parameter, given in entry["with"].items()}
    found = {step_name(name, step): _swapped(each, swap) for step, each in steps.items()}
    result = {key: formula[key] for key in RESULT_KEYS if formula.get(key) is not None}
    return {**found, name: _swapped(result, swap)}


def _swapped(entry: Mapping[str, Any], swap: Mapping[str, nodes.Node]) -> dict[str, Any]:
    """A plain entry with its names replaced."""
    found = dict(entry)
    if "value" in entry:
        found["value"] = _text(entry["value"], swap)
    if "choose" in entry:
        found["choose"] = [
            {key: _text(text, swap) for key, text in branch.items()} for branch in entry["choose"]
        ]
        found["else"] = _text(entry["else"], swap)
    return found


def _text(raw: object, swap: Mapping[str, nodes.Node]) -> str:
    return nodes.render(nodes.substituted(parse(plain(raw)), swap))


def readable_source(entry: Mapping[str, Any]) -> str | None:
    """The title of the formula behind a derived value, its date and its source; None without."""
    if not is_formula(entry):
        return None
    formula = entry["formula"]
    draft = "" if formula["evidence"] == "verified" else "; draft: check before clinical use"
    return f"{formula['title']}, {formula['from']} ({formula['source']['title']}{draft})"


__all__ = ["ExpressionRefused", "expanded", "expanded_formula", "is_formula", "readable_source"]
