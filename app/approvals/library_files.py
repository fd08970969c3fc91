"""Reads the policy library from its folder, and names every fault of every file at once."""

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from app.approvals.library import Library, overlaid, unknown_policies
from app.policy import (
    Fault,
    Notice,
    Overlay,
    PolicyFileFaults,
    PolicyVersion,
    Shelf,
    apply_overlay,
    load_overlay,
    load_policy,
    read_shelf,
)
from app.policy.lock import LOCK_FILE, locked_hashes
from app.policy.notices import load_notice

FORMULAS = "formulas"
NOTICES = "notices"


def policy_files(folder: Path) -> tuple[Path, ...]:
    """The policy version files of a library folder: `<area>/<drug>-<indication>/<date>.yaml`."""
    return tuple(
        sorted(
            path
            for path in folder.glob("*/*/*.yaml")
            if path.name != "cases.yaml"
            and not path.name.startswith("overlay-")
            and path.parts[-3] != FORMULAS
        )
    )


def load_shelf(folder: Path) -> Shelf:
    """What the files of a library folder share: `formulas/<name>/<date>.yaml` and
    `<area>/questions-<date>.yaml`. PolicyFileFaults lists every fault of every one of them.
    """
    paths = sorted([*folder.glob(f"{FORMULAS}/*/*.yaml"), *folder.glob("*/questions-*.yaml")])
    return read_shelf(
        {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in paths}
    )


def overlay_files(folder: Path) -> tuple[Path, ...]:
    """The overlay files: `<area>/<drug>-<indication>/overlay-<commissioner>-<date>.yaml`."""
    return tuple(sorted(folder.glob("*/*/overlay-*.yaml")))


def load_library(
    folder: Path,
    drug_keys: Mapping[str, frozenset[str]] | None = None,
    *,
    trusting_lock: bool = False,
) -> Library:
    """Load every policy file; PolicyFileFaults lists every fault of every file at once.

    `trusting_lock`: a version whose hash stands in the folder's lock was checked in full when its
    line was written, so its expressions are read when they are first needed. Whoever checks,
    locks or publishes leaves it out.
    """
    vouched = _locked(folder) if trusting_lock else frozenset()
    with _uncollected():
        return _load(folder, drug_keys, vouched)


def _locked(folder: Path) -> frozenset[str]:
    lock = folder / Path(LOCK_FILE).name
    return locked_hashes(lock.read_text(encoding="utf-8")) if lock.is_file() else frozenset()


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without the collector of cycles: what is being loaded stays, so its rounds find nothing."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _load(
    folder: Path, drug_keys: Mapping[str, frozenset[str]] | None, vouched: frozenset[str]
) -> Library:
    versions: list[PolicyVersion] = []
    faults: list[Fault] = []
    seen: dict[tuple[str, str], str] = {}
    shelf = load_shelf(folder)
    for path in policy_files(folder):
        name = path.relative_to(folder).as_posix()
        try:
            text = path.read_text(encoding="utf-8")
            shared = shelf.of_area(path.parts[-3])
            version = load_policy(text, name, drug_keys, shared, vouched=vouched)
        except PolicyFileFaults as found:
            faults.extend(found.faults)
            continue
        key = (version.policy, version.version)
        if key in seen:
            faults.append(_same_version(name, seen[key], version))
        seen[key] = name
        versions.append(version)
    faults.extend(unknown_policies(versions, versions))
    overlays = _load_overlays(folder, versions, faults)
    notices = _load_notices(folder, versions, faults)
    if faults:
        raise PolicyFileFaults(tuple(faults))
    return Library(versions, overlays, notices)


def _load_overlays(
    folder: Path, versions: list[PolicyVersion], faults: list[Fault]
) -> list[Overlay]:
    """Every overlay, held against each version that it may lie on; faults are added to the list."""
    library = Library(versions)
    overlays: list[Overlay] = []
    for path in overlay_files(folder):
        name = path.relative_to(folder).as_posix()
        try:
            overlay = load_overlay(path.read_text(encoding="utf-8"), name)
            for fault in _misplaced(library, overlay, path, name):
                raise PolicyFileFaults((fault,))
            for version in overlaid(library.versions(overlay.policy), overlay):
                apply_overlay(version, overlay, name)
        except PolicyFileFaults as found:
            faults.extend(found.faults)
            continue
        overlays.append(overlay)
    return overlays


def _load_notices(folder: Path, versions: list[PolicyVersion], faults: list[Fault]) -> list[Notice]:
    """The safety notices, `notices/<first day>-<name>.yaml`; faults are added to the list."""
    policies = {version.policy for version in versions}
    drugs = {version.drug for version in versions}
    notices: list[Notice] = []
    for path in sorted(folder.glob(f"{NOTICES}/*.yaml")):
        name = path.relative_to(folder).as_posix()
        try:
            notice = load_notice(path.read_text(encoding="utf-8"), name, path.stem)
        except PolicyFileFaults as found:
            faults.extend(found.faults)
            continue
        for key in [*({*notice.drugs} - drugs), *({*notice.policies} - policies)]:
            message = f"no policy of the library has the key {key}"
            faults.append(Fault(name, None, None, "notice", message, "Correct the key"))
        if not path.stem.startswith(f"{notice.from_}-"):
            mend = f"Begin it with {notice.from_}-, or correct `from:`"
            faults.append(Fault(name, None, None, "notice", "its name has another day", mend))
        notices.append(notice)
    return notices


def _misplaced(library: Library, overlay: Overlay, path: Path, name: str) -> Iterator[Fault]:
    if path.stem != overlay.version:
        mend = f"Call it {overlay.version}.yaml, or correct its commissioner or first day"
        yield Fault(name, None, None, "overlay-name", "its name is not what it says", mend)
    if overlay.policy not in library.policies():
        message = f"the library has no policy {overlay.policy}"
        yield Fault(name, None, None, "overlay-policy", message, "Correct `policy:`")


def _same_version(name: str, other: str, version: PolicyVersion) -> Fault:
    return Fault(
        file=name,
        line=None,
        criterion=None,
        code="same-version-twice",
        message=f"{version.policy} {version.version} is also in {other}",
        mend="Give a correction its own number with `correction:`",
    )
