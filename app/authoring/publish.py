"""Publishing: a version becomes part of the library for good, by two people.

In the file library that is its line in `versions.lock`, with the two names in
`publications.log`; in the database its text, a row of `publication` and an audit event. After that
its hash may not change: a correction is a new numbered version, and lists the decisions it affects.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from app.approvals.errors import PolicyNotUsable
from app.approvals.office import remember_overlay, remember_version, same_person
from app.approvals.published import (
    JoinedLibrary,
    Published,
    add_publication,
    lock_publications,
    publication_of,
)
from app.audit import Actor, Event, record
from app.auth.holders import check_two_named
from app.authoring.errors import BenchRefused
from app.authoring.forms.draft import open_marks
from app.authoring.joining import check_goes_with
from app.authoring.lint import lint_version
from app.db import tables
from app.db.work import Work
from app.policy import Overlay, PolicyVersion

LOCK, LOG = "versions.lock", "publications.log"
LONGEST_NAME = 120


@dataclass(frozen=True, slots=True)
class Affected:
    """A decision made under the text that a correction corrects."""

    request_id: str
    number: int
    outcome: str
    decided_on: dt.date


def check_two_people(by: str, seconded_by: str) -> None:
    """Raise BenchRefused unless two different people are named."""
    named = all(0 < len(each.strip()) <= LONGEST_NAME for each in (by, seconded_by))
    if not named or same_person(by, seconded_by):
        raise BenchRefused(
            "Publishing takes two people. Name a second one with --seconded-by, not the same."
        )


def check_publishable(version: Published) -> None:
    """Raise BenchRefused with every fault that lint and, where it is installed, the prover find.

    An overlay has none by itself: `check_goes_with` holds it against what it lies on.
    """
    if isinstance(version, Overlay):
        return
    faults = [str(each) for each in lint_version(version) if each.level == "fault"]
    if "DECIDE" in version.commissioner or version.commissioner == "To be decided":
        faults.append(f"{version.policy} {version.version}: its commissioner is to be decided.")
    if faults:
        raise BenchRefused("It is not published, for these faults:\n" + "\n".join(faults))


def publish_to_files(
    folder: Path, version: Published, by: str, seconded_by: str, today: dt.date
) -> None:
    """Add the version to the lock and the log of a file library.

    The version's file must lie in the folder already. Raises BenchRefused for one person, for
    faults, and for a number that was published with another text.
    """
    check_two_people(by, seconded_by)
    check_publishable(version)
    path = folder / LOCK
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    known = dict(_entry(line) for line in lines if line.count(" ") == 2)
    check_unchanged(version, known.get((version.policy, version.version)))
    if (version.policy, version.version) in known:
        raise BenchRefused(f"{version.policy} {version.version} is published already.")
    lines.append(f"{version.policy} {version.version} {version.hash}")
    path.write_text("".join(f"{line}\n" for line in sorted(lines)), encoding="utf-8")
    names = json.dumps([by.strip(), seconded_by.strip()], ensure_ascii=False)
    with (folder / LOG).open("a", encoding="utf-8") as log:
        log.write(f"{today} {version.policy} {version.version} {version.hash} {names}\n")


def _entry(line: str) -> tuple[tuple[str, str], str]:
    policy, version, digest = line.split(" ")
    return (policy, version), digest


def check_decided(text: str, file: str) -> None:
    """Raise BenchRefused where a file brought over from a form still leaves something to decide."""
    marks = list(open_marks(text))
    if marks:
        number, ask = marks[0]
        raise BenchRefused(
            f"{file}: {len(marks)} marks are still to be decided, the first on line {number}: "
            f"{ask} Decide each and take its mark out, then publish."
        )


def check_unchanged(version: Published, published: str | None) -> None:
    """Raise BenchRefused where the number stands for another text already."""
    if published is not None and published != version.hash:
        raise BenchRefused(
            f"{version.policy} {version.version} was published with another text, and decisions "
            "may rest on it. "
            + (
                "Publish this text as a new overlay with a later first day."
                if isinstance(version, Overlay)
                else "Publish this text as a correction: a new file with `correction:` and the "
                "next number."
            )
        )


def publish_to_database(
    work: Work,
    held: JoinedLibrary,
    found: Published,
    by: str,
    seconded_by: str,
    actor: Actor | None = None,
    *,
    registered: bool = False,
) -> None:
    """Let a version or an overlay join the library of every process, from this commit on.

    `check_publishable` comes before, outside the transaction: its proofs take seconds. Refusals as
    for files, and what would not go with what is held: BenchRefused. CallerNotAccepted where both
    names stand for one registered person, and with `registered` where one stands for none. It
    decides for a commissioner who adopts it. `actor` is who publishes, where they signed in.
    """
    check_two_people(by, seconded_by)
    check_two_named(work, by, seconded_by, registered=registered)
    lock_publications(work)
    published = publication_of(work, found.policy, found.version)
    check_unchanged(found, published)
    if published is not None:
        raise BenchRefused(f"{found.policy} {found.version} is published already.")
    check_goes_with(held.at(work), found)
    try:
        if isinstance(found, Overlay):
            remember_overlay(work, found)
        else:
            remember_version(work, found, origin="published")
    except PolicyNotUsable as refusal:
        raise BenchRefused(str(refusal)) from None
    people = {"by": by.strip(), "seconded_by": seconded_by.strip()}
    add_publication(work, found, people["by"], people["seconded_by"])
    kind = "overlay" if isinstance(found, Overlay) else "version"
    actor = actor or Actor(
        by.strip()[:36], "person", "", "policy author", "command line", "publish"
    )
    event = Event(
        action=f"policy {kind} published",
        object_type="policy",
        object_id=found.policy[:60],
        after={"version": found.version, **people},
        policy_hash=found.hash,
    )
    record(work, actor, event)


def corrects(version: PolicyVersion) -> str | None:
    """The number of the version that a correction corrects; None where it is no correction."""
    day, _, number = version.version.partition(".")
    if not number:
        return None
    return day if int(number) == 1 else f"{day}.{int(number) - 1}"


def affected_by(work: Work, version: PolicyVersion) -> tuple[Affected, ...]:
    """The policy's decisions under the version that this one corrects, and its corrections."""
    corrected = corrects(version)
    if corrected is None:
        return ()
    request, decision = tables.request.c, tables.decision.c
    day = version.version.partition(".")[0]
    rows = work.connection.execute(
        select(request.id, decision.number, decision.outcome, decision.decided_at)
        .join(tables.decision, decision.request_id == request.id)
        .where(
            request.policy == version.policy,
            request.policy_version.in_(_earlier(day, corrected)),
            decision.made_by == "policy",
        )
        .order_by(request.id, decision.number)
    )
    return tuple(Affected(r.id, r.number, r.outcome, r.decided_at.date()) for r in rows)


def _earlier(day: str, corrected: str) -> Sequence[str]:
    last = int(corrected.partition(".")[2] or 0)
    return [day, *(f"{day}.{number}" for number in range(1, last + 1))]
