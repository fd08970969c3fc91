"""A decision as stable JSON data, and back without loss: Decimals as text, dates in ISO."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from app.policy.model import (
    NATIONAL,
    ArmFinding,
    Count,
    Finding,
    Nearest,
    Outcome,
    Overridden,
    Part,
    PolicyDecision,
    Result,
    Section,
    Source,
)


def decision_to_json(decision: PolicyDecision) -> dict[str, Any]:
    """A decision as plain JSON data; each value looked at says its type."""
    return {
        "outcome": decision.outcome.value,
        "findings": [_finding_to(finding) for finding in decision.findings],
        "missing": list(decision.missing),
        "reasons": list(decision.reasons),
        "waived": list(decision.waived),
        "overridden": list(decision.overridden),
    }


def decision_from_json(data: Mapping[str, Any]) -> PolicyDecision:
    """The decision that `decision_to_json` wrote down. Raises KeyError or ValueError on others."""
    return PolicyDecision(
        outcome=Outcome(data["outcome"]),
        findings=tuple(_finding_from(each) for each in data["findings"]),
        missing=tuple(data["missing"]),
        reasons=tuple(data["reasons"]),
        waived=tuple(data["waived"]),
        overridden=tuple(data.get("overridden", ())),
    )


def _finding_to(finding: Finding) -> dict[str, Any]:
    source = finding.source
    return {
        "criterion": finding.criterion,
        "section": finding.section.value,
        "result": finding.result.value,
        "text": finding.text,
        "source": {
            "id": source.id,
            "title": source.title,
            "url": source.url,
            "read_on": None if source.read_on is None else source.read_on.isoformat(),
        },
        "evidence": finding.evidence,
        "on_failure": finding.on_failure,
        "waivable": finding.waivable,
        "part": _part_to(finding.part),
        "overridden": _overridden_to(finding.overridden),
        "layer": finding.layer,
        **_arms_to(finding),
    }


def _overridden_to(found: Overridden | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "reason": found.reason,
        "label": found.label,
        "by": found.by,
        "relied_on": found.relied_on,
    }


def _arms_to(finding: Finding) -> dict[str, Any]:
    """The arms of a finding; their parts are the parts of `part`, in the same order."""
    if not finding.arms:
        return {}
    near = finding.nearest
    return {
        "arms": [
            {"id": arm.id, "text": arm.text, "result": arm.result.value} for arm in finding.arms
        ],
        "nearest": None if near is None else {"arm": near.arm, "met": near.met, "of": near.of},
    }


def _finding_from(data: Mapping[str, Any]) -> Finding:
    source = data["source"]
    read_on = source["read_on"]
    part = _part_from(data["part"])
    near = data.get("nearest")
    return Finding(
        criterion=data["criterion"],
        section=Section(data["section"]),
        result=Result(data["result"]),
        text=data["text"],
        source=Source(
            source["id"],
            source["title"],
            source["url"],
            None if read_on is None else date.fromisoformat(read_on),
        ),
        evidence=data["evidence"],
        on_failure=data["on_failure"],
        waivable=data["waivable"],
        part=part,
        arms=tuple(
            ArmFinding(arm["id"], arm["text"], Result(arm["result"]), below)
            for arm, below in zip(data.get("arms", ()), part.parts, strict=False)
        ),
        nearest=None if near is None else Nearest(near["arm"], near["met"], near["of"]),
        overridden=Overridden(**data["overridden"]) if data.get("overridden") else None,
        layer=data.get("layer", NATIONAL),
    )


def with_defaults(findings: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Stored findings with the keys that an earlier release did not write yet."""
    return [{"overridden": None, "layer": NATIONAL, **finding} for finding in findings]


def _part_to(part: Part) -> dict[str, Any]:
    return {
        "text": part.text,
        "result": part.result.value,
        "parts": [_part_to(below) for below in part.parts],
        "looked_at": [{"name": name, **_value_to(value)} for name, value in part.looked_at],
    }


def _part_from(data: Mapping[str, Any]) -> Part:
    return Part(
        text=data["text"],
        result=Result(data["result"]),
        parts=tuple(_part_from(below) for below in data["parts"]),
        looked_at=tuple((each["name"], _value_from(each)) for each in data["looked_at"]),
    )


def _value_to(value: object) -> dict[str, Any]:
    match value:
        case None:
            return {"type": "not answered", "value": None}
        case bool():
            return {"type": "boolean", "value": value}
        case int():
            return {"type": "integer", "value": value}
        case Decimal():
            return {"type": "number", "value": str(value)}
        case date():
            return {"type": "date", "value": value.isoformat()}
        case Count(certain, possible):
            return {"type": "count", "value": {"certain": certain, "possible": possible}}
        case str():
            return {"type": "choice", "value": value}
        case _:
            raise ValueError(f"a {type(value).__name__} cannot be written down")


def _value_from(data: Mapping[str, Any]) -> object:
    value = data["value"]
    match data["type"]:
        case "number":
            return Decimal(value)
        case "date":
            return date.fromisoformat(value)
        case "count":
            return Count(value["certain"], value["possible"])
        case "not answered" | "boolean" | "integer" | "choice":
            return value
        case unknown:
            raise ValueError(f"unknown type of value: {unknown}")
