"""What changed between two versions, in words: per criterion, question, working and term.

Works on the resolved data of both, so a key that is new to the language is reported too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from app.policy import PolicyVersion, Section

_SECTIONS = {
    Section.START: "Criteria to start",
    Section.CONTINUE: "Criteria to continue",
    Section.STOP: "When to stop",
}
_KEYS = {
    "met_when": "test",
    "text": "wording",
    "source": "source",
    "evidence": "evidence",
    "on_failure": "what follows when it fails",
    "waivable": "whether a panel may waive it",
    "arms": "arms",
    "override": "whether a clinician may override it",
    "label": "label",
    "help": "help",
    "type": "type",
    "unit": "unit",
    "minimum": "least answer",
    "maximum": "greatest answer",
    "decimals": "decimal places",
    "options": "options",
    "of": "fields",
    "carried": "whether it is carried into a continuation",
    "measured": "whether it takes a date of measurement",
    "kinds": "requests that ask it",
    "value": "working",
    "count": "list counted",
    "where": "rows counted",
    "title": "title",
    "url": "address",
    "read_on": "day read",
}
_TERMS = {
    "lasts": "how long an approval lasts",
    "start_within": "days within which treatment starts",
    "grace": "grace after the end",
    "retrospective": "late requests",
    "max_dose": "largest dose",
    "products": "products",
    "interchangeable": "whether products are interchangeable",
    "pattern": "pattern",
    "then_lasts": "how long a continuation lasts",
    "phases": "phases of dose",
    "escalations": "doses above the largest",
    "courses": "courses",
    "doses": "most doses of an episode",
    "barred_with": "drugs not funded together",
    "overlap": "overlap when switching",
    "supersedes": "policies whose approval ends when one begins",
    "max_supply": "longest supply",
    "best_value": "products to use first",
    "conversion": "treatment begun outside NHS funding",
    "judged_on": "judged on",
    "after": "no sooner after the course before",
    "within": "within, after the course before",
    "succeeds": "policies that it continues",
    "afterwards": "what follows",
}
_HEAD = (
    "title",
    "drug",
    "indication",
    "commissioner",
    "mechanism",
    "in_force",
    "new_starts",
    "succeeds",
)
_DONE = {"policy", "language", "correction", "what_changed", "questions", "derive", "sources"}
_DONE |= {"start", "continue", "stop", "approval", *_HEAD}


@dataclass(frozen=True, slots=True)
class Change:
    """One change: where, what thing, and each key of it with its value before and after."""

    group: str
    name: str
    what: Literal["added", "removed", "changed", "moved"]
    keys: tuple[tuple[str, str, str], ...] = ()
    text: str = ""


def diff_versions(first: PolicyVersion, second: PolicyVersion) -> tuple[Change, ...]:
    """Every change from the first version to the second, in the order of a policy file."""
    before, after = _data(first), _data(second)
    changes = [*_head(before, after)]
    for section, title in _SECTIONS.items():
        changes += _entries(
            title, _by_id(before, section), _by_id(after, section), "text", before, after
        )
    changes += _entries(
        "Questions", before.get("questions") or {}, after.get("questions") or {}, "label"
    )
    changes += _entries("Workings", before.get("derive") or {}, after.get("derive") or {}, "value")
    changes += _terms(before.get("approval") or {}, after.get("approval") or {})
    changes += _entries("Sources", before.get("sources") or {}, after.get("sources") or {}, "title")
    return tuple(changes)


def diff_lines(
    first: PolicyVersion, second: PolicyVersion, changes: Sequence[Change]
) -> Iterator[str]:
    """The changes as text."""
    yield f"{first.policy} {first.version} → {second.policy} {second.version}"
    if not changes:
        yield "  No change."
    group = None
    for change in changes:
        if change.group != group:
            group = change.group
            yield group
        if change.what == "changed":
            yield f"  {change.name}:"
            for key, old, new in change.keys:
                yield from _key_lines(key, old, new)
        else:
            text = f": {change.text}" if change.text else ""
            yield f"  {change.name} {change.what}{text}"


def _key_lines(key: str, old: str, new: str) -> Iterator[str]:
    if not old:
        yield f"    {key} added: {new}"
    elif not new:
        yield f"    {key} taken out: {old}"
    else:
        yield f"    {key}"
        yield f"      was: {old}"
        yield f"      now: {new}"


def _data(version: PolicyVersion) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(version.resolved, parse_float=Decimal)
    return found


def _by_id(data: Mapping[str, Any], section: Section) -> dict[str, Any]:
    return {
        each["id"]: {k: v for k, v in each.items() if k != "id"}
        for each in data.get(section.value) or ()
    }


def _head(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    others = [key for key in {**before, **after} if key not in _DONE]
    keys = tuple(_changed_keys(before, after, (*_HEAD, *others)))
    if keys:
        yield Change("Policy", "The policy", "changed", keys)


def _changed_keys(
    before: Mapping[str, Any], after: Mapping[str, Any], keys: Sequence[str]
) -> Iterator[tuple[str, str, str]]:
    for key in keys:
        old, new = before.get(key), after.get(key)
        if old == new:
            continue
        if isinstance(old, dict) and isinstance(new, dict) and key in ("in_force", "options", "of"):
            inner = tuple(dict.fromkeys((*old, *new)))
            for name, was, now in _changed_keys(old, new, inner):
                yield f"{_word(key)}, {name}", was, now
        else:
            yield _word(key), shown(old), shown(new)


def _word(key: str) -> str:
    return _KEYS.get(key) or _TERMS.get(key) or key.replace("_", " ")


def _entries(
    group: str,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    words: str,
    first: Mapping[str, Any] | None = None,
    second: Mapping[str, Any] | None = None,
) -> Iterator[Change]:
    for name, entry in before.items():
        if name not in after:
            where = _section_of(name, second) if second else None
            if where is not None:
                yield Change(group, name, "moved", text=f"now under “{where}”")
            else:
                yield Change(group, name, "removed", text=shown(entry.get(words)))
    for name, entry in after.items():
        if name not in before:
            if first is None or _section_of(name, first) is None:
                text = shown(entry.get(words) or entry.get("count"))
                test = entry.get("met_when")
                yield Change(group, name, "added", text=f"{text} [{test}]" if test else text)
        elif entry != before[name]:
            keys = tuple(dict.fromkeys((*before[name], *entry)))
            changed = tuple(_changed_keys(before[name], entry, keys))
            if changed:
                yield Change(group, name, "changed", changed)


def _section_of(name: str, data: Mapping[str, Any]) -> str | None:
    for section, title in _SECTIONS.items():
        if any(each["id"] == name for each in data.get(section.value) or ()):
            return title
    return None


def _terms(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    keys = tuple(_changed_keys(before, after, tuple(dict.fromkeys((*before, *after)))))
    if keys:
        yield Change("Approval", "The terms", "changed", keys)


def shown(value: Any) -> str:
    """A value of a policy file in words; empty where there is none."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case dict():
            return ", ".join(f"{_word(k)}: {shown(v)}" for k, v in value.items())
        case list():
            return "; ".join(shown(each) for each in value) or "none"
        case _:
            return " ".join(str(value).split())
