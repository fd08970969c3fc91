"""Proofs over a whole library: every version, and each against the one before it.

Each policy is proved in a process of its own, forked before z3 has done anything: what z3 does
depends on what it did before, so only so is the outcome the same for one core or for eight, and
for one policy or for all.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from multiprocessing.connection import Connection, wait
from typing import Any

from app.authoring.errors import BenchRefused
from app.authoring.proofs.claims import Claim, NearMiss, Proof
from app.authoring.proofs.one import prove_version
from app.authoring.proofs.solving import EFFORT
from app.authoring.proofs.two import Comparison, compare_versions, loosened
from app.authoring.reading import Counted, Opaque, Reading, read_version
from app.policy import PolicyVersion, QuestionType, nodes
from app.policy.names import BUILT_IN
from app.policy.typecheck import Family


class Asks(StrEnum):
    """What a criterion looks at, through derived values too; the last that applies."""

    PLAIN = "yes/no, options and numbers only"
    DAYS = "days too"
    LISTS = "lists too"


@dataclass(frozen=True, slots=True)
class VersionProofs:
    """All that was asked of one version; `comparisons` are with the one before it, if any.

    With an `overlay` (its commissioner and first day) it is the version that both layers give, and
    `comparisons` are with the version alone.
    """

    policy: str
    version: str
    hash: str
    claims: tuple[Claim, ...]
    near: tuple[NearMiss, ...]
    comparisons: tuple[Comparison, ...]
    asks: dict[str, Asks]
    overlay: str | None = None

    @property
    def faults(self) -> tuple[Claim, ...]:
        """The claims that an author must mend."""
        return tuple(claim for claim in self.claims if claim.fault)

    @property
    def loosened(self) -> tuple[Comparison, ...]:
        """Where somebody passes with the overlay who does not pass without it."""
        return loosened(self.comparisons) if self.overlay is not None else ()

    @property
    def undecided(self) -> tuple[NearMiss, ...]:
        """The criteria of which nothing was decided."""
        return tuple(each for each in self.near if each.outcome is Proof.NOT_DECIDED)


def prove_policy(
    versions: Sequence[PolicyVersion], effort: int = EFFORT
) -> tuple[VersionProofs, ...]:
    """The proofs of one policy's versions, oldest first, those with overlays last.

    Pure; needs z3.
    """
    found = []
    for number, version in enumerate(versions):
        claims, near = prove_version(version, effort)
        earlier = version.base or (versions[number - 1] if number else None)
        compared = compare_versions(earlier, version, effort) if earlier is not None else ()
        named = (version.policy, version.version, version.hash)
        layer = None if version.overlay is None else version.overlay.layer
        found.append(VersionProofs(*named, claims, near, compared, asked(version), layer))
    return tuple(found)


def prove_policies(
    policies: Sequence[Sequence[PolicyVersion]], jobs: int = 1, effort: int = EFFORT
) -> Iterator[VersionProofs]:
    """The proofs of many policies in their order, `jobs` at a time.

    Where the system cannot fork they are proved here one after the other: then a question near
    the limit of `effort` may be decided in one order and not in another.
    """
    if "fork" not in multiprocessing.get_all_start_methods():
        for versions in policies:
            yield from prove_policy(versions, effort)
        return
    yield from _in_order(_Forks(policies, jobs, effort), len(policies))


def _in_order(forks: _Forks, number: int) -> Iterator[VersionProofs]:
    """Results as they stand in the library, though they come as they finish."""
    waiting: dict[int, tuple[VersionProofs, ...]] = {}
    for index in range(number):
        while index not in waiting:
            waiting |= forks.finished()
        yield from waiting.pop(index)


class _Forks:
    """One process for each policy, some at a time; a compiled version cannot be sent to one."""

    def __init__(self, policies: Sequence[Sequence[PolicyVersion]], jobs: int, effort: int) -> None:
        self.policies = policies
        self.jobs = max(1, jobs)
        self.effort = effort
        self.next = 0
        self.running: dict[Any, tuple[int, Any]] = {}

    def finished(self) -> dict[int, tuple[VersionProofs, ...]]:
        """The proofs of the next policies to finish. Raises what a process raised."""
        while self.next < len(self.policies) and len(self.running) < self.jobs:
            self._start()
        found = {}
        for reader in wait(list(self.running)):
            number, process = self.running.pop(reader)
            found[number] = _received(reader, self.policies[number][0].policy)
            process.join()
        return found

    def _start(self) -> None:
        context = multiprocessing.get_context("fork")
        reader, writer = context.Pipe(duplex=False)
        versions = self.policies[self.next]
        # A daemon: should this process end early, so do the proofs that it asked for.
        process = context.Process(target=_send, args=(writer, versions, self.effort), daemon=True)
        process.start()
        writer.close()
        self.running[reader] = (self.next, process)
        self.next += 1


def _send(writer: Connection, versions: Sequence[PolicyVersion], effort: int) -> None:
    writer.send(prove_policy(versions, effort))


def _received(reader: Any, policy: str) -> tuple[VersionProofs, ...]:
    try:
        found: tuple[VersionProofs, ...] = reader.recv()
    except EOFError:
        raise BenchRefused(
            f"{policy}: the prover ended before its time; what it said stands above. "
            f"Run `assent policies prove {policy}` alone."
        ) from None
    return found


def asked(version: PolicyVersion) -> dict[str, Asks]:
    """What each criterion that can be read looks at, by its id."""
    reading = read_version(version)
    return {name: _asks(reading, tree) for name, tree in reading.tests.items() if tree is not None}


def _asks(reading: Reading, tree: nodes.Node) -> Asks:
    workings = reading.workings(tree).values()
    if any(isinstance(each, Counted | Opaque) for each in workings):
        return Asks.LISTS
    dates = {n for n, q in reading.version.questions.items() if q.type is QuestionType.DATE}
    dates |= {name for name, kind in BUILT_IN.items() if kind.family is Family.DATE}
    return Asks.DAYS if dates & set(reading.reached(tree)) else Asks.PLAIN
