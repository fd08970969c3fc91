"""Loads the packaged policies for these tests, once."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from app.approvals.library import Library
from app.approvals.library_files import load_shelf
from app.policy import Overlay, PolicyVersion, Shelf, load_overlay, load_policy
from app.policy.cases import Case, CaseResult, read_cases, run_cases
from app.reference_data.drugs import load_drugs

ROOT = Path(__file__).resolve().parents[2]
POLICIES = ROOT / "policies"
LOCK = POLICIES / "versions.lock"


@cache
def folders() -> tuple[Path, ...]:
    """Every policy's folder: one that holds a dated file."""
    dated = {path.parent for path in POLICIES.glob("*/*/[0-9]*.yaml")}
    return tuple(sorted(folder for folder in dated if folder.parent.name != "formulas"))


@cache
def shelf() -> Shelf:
    """What the packaged files share."""
    return load_shelf(POLICIES)


@cache
def versions(folder: Path) -> dict[str, PolicyVersion]:
    """The versions in one folder by number, and under its overlays, held against the drugs."""
    drug_keys = load_drugs().keys()
    shared = shelf().of_area(folder.parent.name)
    loaded = [
        load_policy(path.read_text("utf-8"), str(path.relative_to(ROOT)), drug_keys, shared)
        for path in sorted(folder.glob("[0-9]*.yaml"))
    ]
    return Library(loaded, overlays(folder)).by_number(loaded[0].policy)


@cache
def overlays(folder: Path) -> tuple[Overlay, ...]:
    """The overlays in one folder."""
    return tuple(
        load_overlay(path.read_text("utf-8"), path.name)
        for path in sorted(folder.glob("overlay-*.yaml"))
    )


@cache
def cases(folder: Path) -> tuple[Case, ...]:
    """The worked cases of one folder."""
    path = folder / "cases.yaml"
    return read_cases(path.read_text("utf-8"), str(path.relative_to(ROOT)))


@cache
def results(folder: Path) -> tuple[CaseResult, ...]:
    """What came of the worked cases of one folder."""
    return tuple(run_cases(versions(folder), cases(folder)))


@cache
def packaged_library() -> Library:
    """The packaged library. Its versions are those of `versions`: none is loaded twice."""
    return Library(all_versions(), every_overlay())


def all_versions() -> list[PolicyVersion]:
    """Every packaged version, without overlays."""
    return [
        version
        for folder in folders()
        for version in versions(folder).values()
        if version.overlay is None
    ]


def guarded() -> list[PolicyVersion | Overlay]:
    """Every packaged version and overlay: what the lock guards."""
    return [*all_versions(), *every_overlay()]


def every_overlay() -> list[Overlay]:
    """Every packaged overlay."""
    return [overlay for folder in folders() for overlay in overlays(folder)]
