"""The policy library in memory; `library_files` reads the packaged files.

A version never changes after it is in force (`policies/versions.lock`); each version that decides
something is also stored, resolved, beside the decision (`office.remember_version`). What is
published into the database joins the files in `published`.
"""

import datetime as dt
from collections.abc import Iterable, Mapping

from app.approvals.errors import NoPolicyInForce, PolicyNotUsable, UnknownPolicy
from app.policy import (
    Fault,
    Kind,
    Notice,
    Overlay,
    PolicyFileFaults,
    PolicyVersion,
    apply_overlay,
)

_ALWAYS_TAKEN = frozenset({Kind.TRANSFER, Kind.PAUSE, Kind.RESUME, Kind.STOP})


class Library:
    """Policy versions by policy key, oldest first."""

    def __init__(
        self,
        versions: Iterable[PolicyVersion],
        overlays: Iterable[Overlay] = (),
        notices: Iterable[Notice] = (),
        damaged: Mapping[str, str] | None = None,
    ) -> None:
        by_policy: dict[str, list[PolicyVersion]] = {}
        for version in versions:
            by_policy.setdefault(version.policy, []).append(version)
        self._versions = {
            policy: tuple(sorted(found, key=lambda v: (v.in_force.from_, v.version)))
            for policy, found in sorted(by_policy.items())
        }
        self._by_hash = {v.hash: v for found in self._versions.values() for v in found}
        self._heirs = _heirs(self._versions)
        self._overlays = tuple(sorted(overlays, key=lambda o: (o.policy, o.from_, o.commissioner)))
        self.notices = tuple(notices)
        self._damaged = dict(damaged or {})
        self._merged: dict[tuple[str, str], PolicyVersion] = {}

    def joined(
        self,
        versions: Iterable[PolicyVersion],
        overlays: Iterable[Overlay],
        damaged: Mapping[str, str],
    ) -> "Library":
        """This library with more versions and overlays.

        `damaged` says, policy by policy, why nothing may be decided under it: asking for its
        versions then raises PolicyNotUsable with those words.
        """
        found = Library(
            (*self.all_versions(), *versions), (*self._overlays, *overlays), self.notices, damaged
        )
        found._merged = self._merged  # by hash, so true of either
        return found

    def policies(self) -> tuple[str, ...]:
        """The policy keys, in alphabetical order; those under which nothing may be decided too."""
        return tuple(sorted({*self._versions, *self._damaged}))

    def usable(self) -> tuple[str, ...]:
        """The keys of the policies that decide, in alphabetical order."""
        return tuple(policy for policy in self._versions if policy not in self._damaged)

    def has(self, policy: str) -> bool:
        """Whether there is a policy of that key, be it one under which nothing may be decided."""
        return policy in self._versions or policy in self._damaged

    def decides(self, policy: str) -> bool:
        """Whether there is a policy of that key that decides."""
        return policy in self._versions and policy not in self._damaged

    def held(self, policy: str) -> tuple[PolicyVersion | Overlay, ...]:
        """Every version and overlay of a policy, whatever state it is in; empty where none is."""
        return (*self._versions.get(policy, ()), *self.overlays(policy))

    def all_versions(self) -> tuple[PolicyVersion, ...]:
        return tuple(self._by_hash.values())

    def versions(self, policy: str) -> tuple[PolicyVersion, ...]:
        """Every version of a policy, oldest first.

        Raises UnknownPolicy if there is none, PolicyNotUsable where one cannot be relied on.
        """
        if policy in self._damaged:
            raise PolicyNotUsable(self._damaged[policy])
        try:
            return self._versions[policy]
        except KeyError:
            raise UnknownPolicy(
                "The library holds no policy of that key. List the policies to see their keys."
            ) from None

    def get(self, policy: str, version: str) -> PolicyVersion:
        """One version by its number; UnknownPolicy if there is none."""
        for found in self.versions(policy):
            if found.version == version:
                return found
        raise UnknownPolicy("The policy has no version of that number. List its versions.")

    def by_hash(self, digest: str) -> PolicyVersion | None:
        return self._by_hash.get(digest)

    def overlays(self, policy: str | None = None) -> tuple[Overlay, ...]:
        """The overlays of a policy, or all of them, oldest first."""
        return tuple(o for o in self._overlays if policy in (None, o.policy))

    def overlay_by_hash(self, digest: str) -> Overlay | None:
        return next((o for o in self._overlays if o.hash == digest), None)

    def guarded(self) -> tuple[PolicyVersion | Overlay, ...]:
        """Every version and overlay: what `versions.lock` guards."""
        return (*self.all_versions(), *self._overlays)

    def by_number(self, policy: str) -> dict[str, PolicyVersion]:
        """The versions by number, and as `<number> with <layer>` under each overlay on them."""
        found = {version.version: version for version in self.versions(policy)}
        for overlay in self.overlays(policy):
            for version in overlaid(self.versions(policy), overlay):
                found[f"{version.version} with {overlay.layer}"] = self.merged(version, overlay)
        return found

    def merged(self, version: PolicyVersion, overlay: Overlay) -> PolicyVersion:
        """The version that decides where both hold; worked out once.

        Raises PolicyNotUsable where they clash: files and publications are checked against each
        other, but not those of one release against what an earlier one published.
        """
        key = (version.hash, overlay.hash)
        if key not in self._merged:
            try:
                self._merged[key] = apply_overlay(version, overlay)
            except PolicyFileFaults:
                raise PolicyNotUsable(
                    f"The overlay {overlay.version} does not fit {version.policy} "
                    f"{version.version}, so nothing is decided where both hold. The commissioner "
                    "publishes and adopts an overlay that fits."
                ) from None
        return self._merged[key]

    def shown(self, policy: str, number: str, commissioner: str | None) -> PolicyVersion:
        """One version, with the newest overlay of the commissioner that may lie on it."""
        version = self.get(policy, number)
        held = [
            overlay
            for overlay in self.overlays(policy)
            if overlay.commissioner == commissioner
            and version in overlaid(self.versions(policy), overlay)
        ]
        return self.merged(version, held[-1]) if held else version

    def layered(
        self, version: PolicyVersion, commissioner: str | None, on: dt.date
    ) -> PolicyVersion:
        """The version with the newest overlay that the commissioner has in force on a day."""
        held = [
            o
            for o in self.overlays(version.policy)
            if o.commissioner == commissioner and o.covers(on)
        ]
        return self.merged(version, held[-1]) if held else version

    def deciding(
        self,
        policy: str,
        kind: Kind,
        decision_to_treat: dt.date,
        commissioner: str | None = None,
    ) -> PolicyVersion:
        """The version that decides a request: the newest in force on the decision to treat.

        With a commissioner, its overlay in force on that day lies on top of it.
        Raises NoPolicyInForce before the first version, or after the last new start (for an
        initiation) or the last continuation (for a continuation, a switch and a dose change) that
        the version allows. A transfer, a pause, a resumption and a stop ask for no new funding,
        so they are taken on any day: what the policy last said reads them.
        """
        held = self.versions(policy)
        in_force = [v for v in held if v.in_force.from_ <= decision_to_treat]
        if not in_force:
            if kind in _ALWAYS_TAKEN:
                return self.layered(held[0], commissioner, decision_to_treat)
            raise NoPolicyInForce(
                "No version of this policy was in force on the day of the decision to treat. "
                "Check that day, or ask the commissioner for an individual funding request."
            )
        newest = in_force[-1]
        last = _last_day(newest, kind)
        if last is not None and decision_to_treat > last:
            what_next = (
                newest.in_force.afterwards or "Ask the commissioner which policy follows it."
            )
            raise NoPolicyInForce(
                f"This policy takes no {kind} after {last:%-d %B %Y}. Running approvals are not "
                f"touched: each runs to its end. {what_next}"
            )
        return self.layered(newest, commissioner, decision_to_treat)

    def successors(self, policy: str, on: dt.date) -> tuple[PolicyVersion, ...]:
        """The versions in force on a day that take over running treatments of a policy."""
        found: list[PolicyVersion] = []
        for heir in self._heirs.get(policy, ()):
            in_force = [v for v in self._versions[heir] if v.in_force.from_ <= on]
            if in_force and policy in in_force[-1].succeeds:
                found.append(in_force[-1])
        return tuple(found)

    def for_drug(self, drug: str, on: dt.date) -> tuple[PolicyVersion, ...]:
        """The newest version in force on a day of each policy for a drug.

        Raises PolicyNotUsable where one that may be for the drug cannot be relied on.
        """
        for policy, why in self._damaged.items():
            drugs = {version.drug for version in self._versions.get(policy, ())}
            if not drugs or drug in drugs:
                raise PolicyNotUsable(why)
        found = []
        for versions in self._versions.values():
            in_force = [v for v in versions if v.drug == drug and v.in_force.from_ <= on]
            if in_force:
                found.append(in_force[-1])
        return tuple(found)


def _heirs(versions: Mapping[str, tuple[PolicyVersion, ...]]) -> dict[str, tuple[str, ...]]:
    """Policy key → the policies of which some version takes over its treatments, by key."""
    found: dict[str, list[str]] = {}
    for heir, held in versions.items():
        for policy in {named for version in held for named in version.succeeds}:
            found.setdefault(policy, []).append(heir)
    return {policy: tuple(heirs) for policy, heirs in found.items()}


def _last_day(version: PolicyVersion, kind: Kind) -> dt.date | None:
    """The last decision to treat for which the version takes a kind of request; None: no last."""
    if kind in _ALWAYS_TAKEN:
        return None
    if kind is Kind.INITIATION:
        return version.in_force.last_new_start
    return version.in_force.last_continuation


def overlaid(versions: Iterable[PolicyVersion], overlay: Overlay) -> tuple[PolicyVersion, ...]:
    """The versions, given oldest first, that some day of the overlay is decided by."""
    held = tuple(versions)
    found = []
    for place, version in enumerate(held):
        later = [v.in_force.from_ for v in held[place + 1 :]]
        ends_before = any(day <= overlay.from_ for day in later)
        begins_after = overlay.until is not None and version.in_force.from_ > overlay.until
        if not ends_before and not begins_after:
            found.append(version)
    return tuple(found)


def unknown_policies(
    found: Iterable[PolicyVersion], library: Iterable[PolicyVersion]
) -> Iterable[Fault]:
    """A policy that a version follows, or ends, and that the library does not hold."""
    known = {version.policy: version for version in library}
    for version in found:
        for policy in (*version.succeeds, *version.approval.supersedes):
            other = known.get(policy)
            if other is None or other.drug != version.drug:
                yield Fault(
                    file=f"{version.policy} {version.version}",
                    line=None,
                    criterion=None,
                    code="policy",
                    message=f"the library holds no policy {policy} for {version.drug}",
                    mend="Correct the key: a policy follows only one of the same drug",
                )
