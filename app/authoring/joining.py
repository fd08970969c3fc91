"""What a version or an overlay must go with, in the library that it is to join. Pure.

These are the checks of `load_library` between files, for what is published into the database.
"""

from __future__ import annotations

from collections.abc import Iterator

from app.approvals.library import Library, overlaid, unknown_policies
from app.authoring.errors import BenchRefused
from app.policy import Overlay, PolicyFileFaults, PolicyVersion, apply_overlay


def check_goes_with(library: Library, found: PolicyVersion | Overlay) -> None:
    """Raise BenchRefused with everything in which it clashes with the library.

    PolicyNotUsable where what is published under the policy already cannot be relied on.
    """
    faults = list(
        _overlay(library, found) if isinstance(found, Overlay) else _version(library, found)
    )
    if faults:
        raise BenchRefused("It is not published, for these faults:\n" + "\n".join(faults))


def _version(library: Library, version: PolicyVersion) -> Iterator[str]:
    named = f"{version.policy} {version.version}"
    held = library.versions(version.policy) if version.policy in library.policies() else ()
    yield from _same_number(library, version)
    if any(each.drug != version.drug for each in held):
        yield f"{named}: the policy is for {held[-1].drug}, this version for {version.drug}."
    day, _, correction = version.version.partition(".")
    if correction and not any(each.version.partition(".")[0] == day for each in held):
        yield f"{named}: it corrects a version that the library does not hold. Publish that first."
    others = [each for each in library.all_versions() if each.hash != version.hash]
    yield from (str(each) for each in unknown_policies([version], [*others, version]))
    if any(each.version == version.version for each in held):
        return
    timeline = sorted([*held, version], key=lambda each: (each.in_force.from_, each.version))
    for overlay in library.overlays(version.policy):
        if version in overlaid(timeline, overlay):
            yield from _clash(version, overlay)


def _overlay(library: Library, overlay: Overlay) -> Iterator[str]:
    if overlay.policy not in library.policies():
        yield f"{overlay.version}: the library has no policy {overlay.policy}. Correct `policy:`."
        return
    yield from _same_number(library, overlay)
    for version in overlaid(library.versions(overlay.policy), overlay):
        yield from _clash(version, overlay)


def _same_number(library: Library, found: PolicyVersion | Overlay) -> Iterator[str]:
    for each in library.held(found.policy):
        if each.version == found.version and each.hash != found.hash:
            yield (
                f"{found.policy} {found.version} is packaged with another text. Give this one its "
                "own number: a version as a correction, an overlay another first day."
            )


def _clash(version: PolicyVersion, overlay: Overlay) -> Iterator[str]:
    try:
        apply_overlay(version, overlay, overlay.version)
    except PolicyFileFaults as error:
        yield from (f"On {version.policy} {version.version}: {fault}" for fault in error.faults)
