"""A commissioner's dated overlay on a policy, and the version that the two give together. Pure.

An overlay adds questions, values and criteria, or tightens: it can neither take a criterion away
nor lengthen an approval. The version that decides is worked out anew from both texts, so that its
names, types and expressions are checked as those of any version.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

from app.policy.build import day
from app.policy.canonical import canonical_json, sha256
from app.policy.document import Document, Path, read
from app.policy.errors import Fault, PolicyFileFaults
from app.policy.load import load_document
from app.policy.model import Criterion, Overlay, PolicyVersion
from app.policy.schema_check import shape_faults

_ADDED = ("sources", "questions", "derive")
_SECTIONS = ("start", "continue", "stop")
_STRICTNESS = {"notification": 0, "prior_approval": 1, "panel": 2}
_NEW_STARTS = {None: 0, "refer": 1, "refuse": 2}


def load_overlay(text: str, file: str) -> Overlay:
    """Load one overlay file by itself: its shape. `apply_overlay` checks what it means.

    Raises PolicyFileFaults with every fault of shape, in the order of the lines.
    """
    document = read(text, file)
    faults = document.faults
    if not document.cut_short:
        faults = [*faults, *(fault for _, fault in shape_faults(document, file, "overlay"))]
    if faults:
        raise PolicyFileFaults(tuple(sorted(faults, key=lambda fault: fault.line or 0)))
    overlay = _overlay(document.data, document.lines)
    if overlay.until is not None and overlay.until < overlay.from_:
        message = "the overlay ends before it begins"
        line = document.line(("in_force", "until"))
        raise PolicyFileFaults((Fault(file, line, None, "overlay", message, "Swap the two days"),))
    return overlay


def overlay_from_resolved(resolved: str) -> Overlay:
    """Rebuild an overlay from its stored canonical JSON, to replay a decision."""
    return _overlay(json.loads(resolved, parse_float=Decimal), {})


def _overlay(data: Mapping[str, Any], lines: Mapping[Path, int]) -> Overlay:
    resolved = canonical_json(data)
    return Overlay(
        policy=data["policy"],
        commissioner=data["commissioner"],
        from_=date.fromisoformat(data["in_force"]["from"]),
        until=day(data["in_force"].get("until")),
        what_changed=data["what_changed"].strip(),
        language=data["language"],
        resolved=resolved,
        hash=sha256(resolved),
        lines=lines,
        members=int((data.get("panel") or {}).get("members", 1)),
    )


def apply_overlay(version: PolicyVersion, overlay: Overlay, file: str = "overlay") -> PolicyVersion:
    """The version that decides where both layers hold.

    It keeps the version's number and hash and names the overlay beside it; each criterion names
    its layer. Raises PolicyFileFaults for an overlay that clashes with the version or loosens it.
    """
    data = json.loads(overlay.resolved, parse_float=Decimal)
    base = json.loads(version.resolved, parse_float=Decimal)
    document = Document(data=_merged(base, data, overlay), lines=_lines(base, overlay))
    document.faults.extend(_faults(version, base, data, overlay, file))
    merged = load_document(document, file)
    added = {each["id"] for section in _SECTIONS for each in data.get(section) or ()}

    def named(criteria: tuple[Criterion, ...]) -> tuple[Criterion, ...]:
        return tuple(
            replace(each, layer=overlay.layer) if each.id in added else each for each in criteria
        )

    return replace(
        merged,
        hash=version.hash,
        start=named(merged.start),
        continue_=named(merged.continue_),
        stop=named(merged.stop),
        unverified=merged.unverified or _unverified(data),
        overlay=overlay,
        base=version,
    )


def _merged(base: Mapping[str, Any], data: Mapping[str, Any], overlay: Overlay) -> dict[str, Any]:
    found = dict(base)
    found["language"] = max(base["language"], data["language"])
    for name in _ADDED:
        found[name] = {**(base.get(name) or {}), **(data.get(name) or {})}
    for name in _SECTIONS:
        if base.get(name) or data.get(name):
            found[name] = [*(base.get(name) or ()), *(data.get(name) or ())]
    if "mechanism" in data:
        found["mechanism"] = data["mechanism"]["become"]
    if _decides_more(base, data):
        reason = f"{data['new_starts']['reason'].strip()} ({overlay.layer})"
        found["new_starts"] = {**data["new_starts"], "reason": reason}
    if "approval" in data:
        found["approval"] = {**base["approval"], "lasts": data["approval"]["lasts"]}
    return found


def _decides_more(base: Mapping[str, Any], data: Mapping[str, Any]) -> bool:
    before, after = ((each.get("new_starts") or {}).get("decide") for each in (base, data))
    return _NEW_STARTS[after] > _NEW_STARTS[before]


def _lines(base: Mapping[str, Any], overlay: Overlay) -> dict[Path, int]:
    """The overlay's own lines, at the paths that its parts have in the merged text."""
    found: dict[Path, int] = {}
    for path, line in overlay.lines.items():
        if len(path) > 1 and path[0] in _SECTIONS and isinstance(path[1], int):
            before = len(base.get(str(path[0])) or ())
            path = (path[0], path[1] + before, *path[2:])
        found[path] = line
    return found


def _faults(
    version: PolicyVersion,
    base: Mapping[str, Any],
    data: Mapping[str, Any],
    overlay: Overlay,
    file: str,
) -> Iterator[Fault]:
    where = Document(lines=dict(overlay.lines))

    def fault(path: Path, message: str, mend: str) -> Fault:
        return Fault(file, where.line(path), None, "overlay", message, mend)

    if overlay.policy != version.policy:
        yield fault(("policy",), f"it is not for {version.policy}", "Name its own policy")
    for name in _ADDED:
        for key in (data.get(name) or {}).keys() & (base.get(name) or {}).keys():
            message = f"{version.version} has {key} among its {name} already"
            yield fault((name, key), message, "Use that one, or give this another name")
    become = (data.get("mechanism") or {}).get("become")
    if become is not None and _STRICTNESS[become] < _STRICTNESS[version.mechanism]:
        message = f"{become} asks for less than {version.version}, whose way is {version.mechanism}"
        yield fault(("mechanism",), message, "An overlay only tightens: leave it out")
    if "approval" in data and not _shorter(
        base["approval"].get("lasts"), data["approval"]["lasts"]
    ):
        message = f"its approval may last longer than that of {version.version}"
        yield fault(("approval", "lasts"), message, "An overlay only shortens: give less time")
    known = data.get("sources") or {}
    for path in (("mechanism",), ("approval",), ("panel",)):
        source = (data.get(str(path[0])) or {}).get("source")
        if source is not None and source not in known and source not in base["sources"]:
            yield fault((*path, "source"), f"there is no source {source}", "Name one of `sources`")


def _shorter(before: Mapping[str, int] | None, after: Mapping[str, int]) -> bool:
    """Whether `after` is never longer than `before`; a month counts as 28 to 31 days."""
    if not before:
        return True
    if before.keys() == after.keys():
        return all(after[unit] <= before[unit] for unit in after)
    if "days" in after:
        return after["days"] <= before["months"] * 28
    return after["months"] * 31 <= before["days"]


def _unverified(data: Mapping[str, Any]) -> bool:
    return any(
        (data.get(name) or {}).get("evidence") == "unverified"
        for name in ("mechanism", "approval", "panel")
    )
