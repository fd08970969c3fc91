"""What becomes of running approvals when a policy ends: they run to their end. Pure."""

import datetime as dt
from dataclasses import dataclass

from app.approvals.library import Library


@dataclass(frozen=True, slots=True)
class Ending:
    """The last day for a continuation, what the policy says then, and what follows it."""

    last_continuation: dt.date | None = None
    afterwards: str | None = None
    successors: tuple[str, ...] = ()


def ending_of(library: Library, policy: str, on: dt.date) -> Ending:
    """What the newest text of a policy on a day says about its end; empty where nothing is said."""
    if not library.decides(policy):
        return Ending()
    versions = library.versions(policy)
    newest = next((v for v in reversed(versions) if v.in_force.from_ <= on), versions[0])
    return Ending(
        newest.in_force.last_continuation,
        newest.in_force.afterwards,
        tuple(version.policy for version in library.successors(policy, on)),
    )
