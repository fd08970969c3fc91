"""What a file of the library is, and every fault of one that is not a policy version."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from pathlib import Path

from app.approvals.library import Library, overlaid
from app.authoring.errors import BenchRefused
from app.authoring.files import load_file, read_text
from app.policy import (
    Fault,
    PolicyFileFaults,
    PolicyVersion,
    apply_overlay,
    load_overlay,
    read_shelf,
)
from app.policy.cases import failure_text, read_cases, run_cases, suite_faults
from app.policy.notices import load_notice

_TOP_KEY = re.compile(r'^ ?"?([a-z_]+)"?\s*:', re.MULTILINE)


class Sort(StrEnum):
    """What a file of the library may be."""

    POLICY = "policy"
    CASES = "worked cases"
    QUESTIONS = "shared questions"
    FORMULA = "formula"
    NOTICE = "safety notice"
    OVERLAY = "overlay"


def sort_of(path: Path, text: str) -> Sort:
    """What the file is, by its name where that says it, else by its outermost keys."""
    keys = set(_TOP_KEY.findall(text))
    if "parameters" in keys:
        return Sort.FORMULA
    if path.name == "cases.yaml" or ("cases" in keys and "start" not in keys):
        return Sort.CASES
    if path.name.startswith("overlay-"):
        return Sort.OVERLAY
    if path.name.startswith("questions-") or {"area", "questions"} <= keys:
        return Sort.QUESTIONS
    if {"drugs", "decide"} <= keys:
        return Sort.NOTICE
    if {"policy", "commissioner", "in_force"} <= keys and keys.isdisjoint({"title", "drug"}):
        return Sort.OVERLAY
    return Sort.POLICY


def check_other(
    path: Path, text: str, sort: Sort, library: Callable[[], Library], folder: Path
) -> str:
    """Check a file that is no policy version; returns what was found in order.

    Raises PolicyFileFaults with every fault at once, or BenchRefused where its cases fail.
    """
    match sort:
        case Sort.CASES:
            return _cases(path, text, library, folder)
        case Sort.QUESTIONS:
            read_shelf({f"{path.resolve().parent.name}/{path.name}": text})
            return "shared questions"
        case Sort.FORMULA:
            read_shelf({f"formulas/{path.resolve().parent.name}/{path.name}": text})
            return "formula"
        case Sort.NOTICE:
            return _notice(path, text, library())
        case _:
            return _overlay(path, text, library())


def _raise(faults: Iterable[Fault]) -> None:
    told = {str(fault): fault for fault in faults}  # the same fault on several versions: once
    if told:
        raise PolicyFileFaults(tuple(told.values()))


def _overlay(path: Path, text: str, library: Library) -> str:
    overlay = load_overlay(text, str(path))
    faults: list[Fault] = []
    if path.stem != overlay.version:
        mend = f"Call it {overlay.version}.yaml, or correct its commissioner or first day"
        message = "its name is not what it says"
        faults.append(Fault(str(path), None, None, "overlay-name", message, mend))
    if overlay.policy not in library.policies():
        message = f"the library has no policy {overlay.policy}"
        faults.append(Fault(str(path), None, None, "overlay-policy", message, "Correct `policy:`"))
        _raise(faults)
    versions = overlaid(library.versions(overlay.policy), overlay)
    for version in versions:
        try:
            apply_overlay(version, overlay, str(path))
        except PolicyFileFaults as found:
            faults += found.faults
    _raise(faults)
    names = ", ".join(version.version for version in versions) or "no version"
    return f"{overlay.policy} {overlay.version} on {names}"


def _notice(path: Path, text: str, library: Library) -> str:
    notice = load_notice(text, str(path), path.stem)
    drugs = {version.drug for version in library.all_versions()}
    faults = [
        Fault(
            str(path), None, None, "notice", f"no policy of the library has the key {key}",
            "Correct the key: the notice would never act",
        )
        for key in [*({*notice.drugs} - drugs), *({*notice.policies} - {*library.policies()})]
    ]  # fmt: skip
    if not path.stem.startswith(f"{notice.from_}-"):
        mend = f"Begin it with {notice.from_}-, or correct `from:`"
        faults.append(Fault(str(path), None, None, "notice", "its name has another day", mend))
    _raise(faults)
    does = "refuses" if notice.refuses else "refers"
    return f"safety notice that {does} new starts of {', '.join(notice.drugs)}"


def _cases(path: Path, text: str, library: Callable[[], Library], folder: Path) -> str:
    cases = read_cases(text, str(path))
    versions = _beside(path, folder)
    thin = suite_faults(cases, str(path))
    if not versions:
        message = "no policy version lies beside these cases"
        mend = "Put them into the folder of the versions that they are cases of"
        _raise([Fault(str(path), None, None, "cases", message, mend)])
    if any(case.version not in versions for case in cases):
        key = next(iter(versions.values())).policy
        held = library()
        if key in held.policies():
            versions = {**held.by_number(key), **versions}
    failed = [each for each in run_cases(versions, cases) if not each.passed]
    if failed:
        told = [*map(str, thin), *map(failure_text, failed)]
        raise BenchRefused("\n".join(told))
    _raise(thin)
    return f"{len(cases)} cases pass"


def _beside(path: Path, folder: Path) -> Mapping[str, PolicyVersion]:
    """The versions in the folder of some cases, drafts included, by number."""
    found: dict[str, PolicyVersion] = {}
    faults: list[Fault] = []
    for each in sorted(path.resolve().parent.glob("*.yaml")):
        if sort_of(each, read_text(each)) is not Sort.POLICY:
            continue
        try:
            version = load_file(each, folder, None)
        except PolicyFileFaults as broken:
            faults += broken.faults
            continue
        found[version.version] = version
    _raise(faults)
    return found
