"""Makes small policies for the tests of the policy room."""

import json

from app.policy import PolicyVersion, load_policy

BASE = {
    "policy": "a-policy",
    "title": "A policy",
    "language": 1,
    "drug": "a-drug",
    "indication": {"key": "an-indication", "term": "An indication", "snomed": "426373005"},
    "commissioner": "A commissioner",
    "mechanism": "prior_approval",
    "in_force": {"from": "2026-01-01"},
    "what_changed": "First version.",
    "sources": {"src": {"title": "A source", "url": "https://example.org/a"}},
    "questions": {
        "flag": {"type": "boolean", "label": "Flag"},
        "other": {"type": "boolean", "label": "Other"},
        "third": {"type": "boolean", "label": "Third"},
        "score": {"type": "number", "label": "Score", "decimals": 1, "minimum": 0, "maximum": 10},
        "weight": {"type": "number", "label": "Weight", "unit": "kg"},
        "dose": {"type": "number", "label": "Dose", "unit": "mg"},
        "age": {"type": "integer", "label": "Age", "unit": "years", "minimum": 0, "maximum": 120},
        "tested_on": {"type": "date", "label": "Tested on"},
        "route": {"type": "choice", "label": "Route", "options": {"iv": "Vein", "sc": "Skin"}},
        "note": {"type": "text", "label": "Note"},
        "relapses": {
            "type": "list",
            "label": "Relapses",
            "of": {
                "on": {"type": "date", "label": "Date"},
                "disabling": {"type": "boolean", "label": "Disabling"},
                "remark": {"type": "text", "label": "Remark"},
            },
        },
    },
    "derive": {
        "recent": {
            "count": "relapses",
            "where": "disabling AND on >= ADD_MONTHS(decision_to_treat, -12)",
        },
        "dose_per_kg": {"value": "dose / weight", "unit": "mg/kg"},
        "either": {"value": "flag OR other"},
    },
    "start": ["flag"],
    "approval": {
        "pattern": "rolling",
        "lasts": {"months": 12},
        "source": "src",
        "evidence": "verified",
    },
}


def criterion(number: int, given: object) -> object:
    """A criterion from its expression, or from the keys that differ from the usual."""
    if not isinstance(given, str | dict):
        return given
    base = {"id": f"C-{number}", "text": "A rule", "source": "src", "evidence": "verified"}
    return {**base, **({"met_when": given} if isinstance(given, str) else given)}


def policy_data(**changes: object) -> dict:
    """The data of a policy file; a change of None takes the key out."""
    data = {**BASE, **changes}
    number = 0
    for section in ("start", "continue", "stop"):
        if isinstance(data.get(section), list):
            data[section] = [criterion(number := number + 1, each) for each in data[section]]
    return {key: value for key, value in data.items() if value is not None}


def policy_text(**changes: object) -> str:
    """A policy file's text (JSON is YAML too)."""
    return json.dumps(policy_data(**changes), ensure_ascii=False, indent=1)


def make_policy(**changes: object) -> PolicyVersion:
    """A loaded policy."""
    return load_policy(policy_text(**changes), "a.yaml")
