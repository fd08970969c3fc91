"""The published JSON Schema and the loader agree on the shape of a policy file."""

import copy
import json

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from app.policy import PolicyFileFaults, json_schema, load_policy
from tests.unit.policy.makers import BASE, policy_data

QUESTIONS = ("flag", "score", "route", "relapses")
FULL = policy_data(
    questions={name: BASE["questions"][name] for name in QUESTIONS},
    derive={name: BASE["derive"][name] for name in ("recent",)},
    correction=1,
    new_starts={"decide": "refer", "reason": "New", "source": "src", "evidence": "unverified"},
    start=["flag", {"met_when": "recent >= 2", "on_failure": "refer", "waivable": True}],
    stop=["score > 5"],
    approval={
        "pattern": "rolling",
        "lasts": {"months": 12},
        "start_within": {"days": 90},
        "grace": {"days": 28},
        "retrospective": {"days": 14, "reasons": {"urgent": "Treatment could not wait"}},
        "max_dose": {"amount": "300", "unit": "mg", "per": "28 days"},
        "products": ["brand-one"],
        "interchangeable": True,
        "source": "src",
        "evidence": "unverified",
    },
)
VALUES = [None, True, -1, "x", {"days": 1}]


def places(data, path=()):
    """The path of everything in the data."""
    yield path
    for key in (
        data if isinstance(data, dict) else range(len(data)) if isinstance(data, list) else ()
    ):
        yield from places(data[key], (*path, key))


def changed(path, change):
    data = copy.deepcopy(FULL)
    holder = data
    for step in path[:-1]:
        holder = holder[step]
    change(holder, path[-1])
    return data


def mutations():
    for path in [place for place in places(FULL) if place]:
        yield path, "taken out", changed(path, lambda holder, key: holder.pop(key))
        for value in VALUES:
            yield path, value, changed(path, lambda h, k, v=value: h.__setitem__(k, v))
    for path in [place for place in places(FULL) if place]:
        added = copy.deepcopy(FULL)
        inner = added
        for step in path:
            inner = inner[step]
        if isinstance(inner, dict):
            inner["surplus"] = "x"
            yield path, "a surplus key", added


SHAPE_CODES = {"unknown-key", "value", "type", "key", "does-not-apply"}


def loader_refuses_the_shape(data):
    try:
        load_policy(json.dumps(data), "a.yaml")
    except PolicyFileFaults as refused:
        codes = {fault.code for fault in refused.faults}
        return bool(codes & SHAPE_CODES or any(code.startswith("missing-") for code in codes))
    return False


def test_the_schema_is_a_valid_schema_and_accepts_a_full_file():
    schema = json_schema()
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(FULL)
    assert load_policy(json.dumps(FULL), "a.yaml").version == "2026-01-01.1"


def test_every_reader_of_the_schema_agrees_with_the_loader_on_every_mutation():
    plain = Draft202012Validator(json_schema(), format_checker=FormatChecker(["date"]))
    tried = 0
    for path, change, data in mutations():
        tried += 1
        assert loader_refuses_the_shape(data) == (not plain.is_valid(data)), (path, change)
    assert tried > 400


def test_a_key_with_a_newline_at_its_end_is_refused_as_ecma_262_has_it():
    assert loader_refuses_the_shape({**FULL, "drug": "a-drug\n"})


@pytest.mark.parametrize("change", ["properties", "$defs"])
def test_a_caller_cannot_change_the_schema(change):
    json_schema()[change].clear()
    assert json_schema()[change]
