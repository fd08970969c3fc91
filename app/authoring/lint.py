"""What is suspicious in a policy that loads: lint beyond the loader's faults.

A `fault` must be mended before the version is published; `advice` is for the author to judge.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from app.authoring import prover
from app.authoring.lint_language_2 import language_2
from app.authoring.lint_windows import windows
from app.authoring.lint_wording import wording
from app.authoring.reading import read_version
from app.policy import Criterion, PolicyVersion, QuestionType, Section


@dataclass(frozen=True, slots=True)
class Lint:
    """One remark on a version, and what to do about it."""

    policy: str
    version: str
    criterion: str | None
    level: Literal["fault", "advice"]
    code: str
    message: str
    mend: str

    def __str__(self) -> str:
        owner = f" {self.criterion}" if self.criterion else ""
        return f"{self.policy} {self.version}{owner}: {self.level}: {self.message}. {self.mend}."


class Linter:
    """One pass over one version."""

    def __init__(self, version: PolicyVersion) -> None:
        self.version = version
        self.reading = read_version(version)
        self.criteria = [c for section in Section for c in version.criteria(section)]

    def say(
        self,
        level: Literal["fault", "advice"],
        code: str,
        message: str,
        mend: str,
        criterion: Criterion | None = None,
    ) -> Lint:
        name = None if criterion is None else criterion.id
        return Lint(self.version.policy, self.version.version, name, level, code, message, mend)


def lint_version(version: PolicyVersion, prove: bool = True, effort: int = 4_000_000) -> list[Lint]:
    """Every remark on one version; `prove` also asks z3, where it is installed."""
    linter = Linter(version)
    found = [
        *_unused(linter),
        *_sections(linter),
        *_citations(linter),
        *windows(linter),
        *wording(linter),
        *_dates(linter),
        *language_2(linter),
    ]
    if prove and prover.available():
        found += _proved(linter, effort)
    return found


def lint_policy(versions: Sequence[PolicyVersion]) -> list[Lint]:
    """Remarks on how the versions of one policy follow each other, oldest first."""
    found = []
    for earlier, later in itertools.pairwise(versions):
        linter = Linter(earlier)
        last, begins = earlier.in_force.last_new_start, later.in_force.from_
        if last is not None and last >= begins:
            found.append(
                linter.say(
                    "fault",
                    "overlap",
                    f"it takes new starts until {last}, but {later.version} decides from {begins}",
                    "End it the day before, or leave `last_new_start` out",
                )
            )
        elif last is not None and (begins - last).days > 1:
            found.append(
                linter.say(
                    "advice",
                    "gap",
                    f"between {last} and {begins} no version takes a new start",
                    "Close the gap, or say in `what_changed` why there is one",
                )
            )
        if earlier.in_force.from_ == begins and earlier.version.split(".")[0] != begins.isoformat():
            found.append(
                linter.say(
                    "fault", "same-day", f"{later.version} begins on the same day", "Date it apart"
                )
            )
    return found


def _unused(linter: Linter) -> Iterator[Lint]:
    used: set[str] = set()
    workings: set[str] = set()
    for tree in (t for t in linter.reading.tests.values() if t is not None):
        used |= set(linter.reading.reached(tree))
        workings |= set(linter.reading.workings(tree))
    if None in linter.reading.tests.values():
        return
    for name, question in linter.version.questions.items():
        if name not in used and question.type is not QuestionType.TEXT:
            yield linter.say(
                "advice",
                "unused-question",
                f"the question {name} is recorded, not judged: no criterion looks at it",
                "Leave it where the real form asks it; else test it, or take it out",
            )
    for name in linter.version.derived:
        if name not in workings:
            yield linter.say(
                "advice",
                "unused-working",
                f"no criterion looks at the working {name}",
                "Use it in a test, or take it out",
            )


def _sections(linter: Linter) -> Iterator[Lint]:
    version = linter.version
    ends = version.approval.pattern == "rolling" and (
        version.approval.lasts_months or version.approval.lasts_days
    )
    if ends and not version.continue_ and version.mechanism != "notification":
        yield linter.say(
            "advice",
            "no-continuation",
            "its approvals end and roll on, but it says nothing about continuing",
            "Add `continue:` criteria, or make the approval an episode or a fixed course",
        )
    if version.approval.pattern == "rolling" and not version.stop:
        yield linter.say(
            "advice",
            "no-stop",
            "it says nothing about when to stop",
            "Add `stop:` criteria if the source has them",
        )


def _citations(linter: Linter) -> Iterator[Lint]:
    cited = {criterion.source.id for criterion in linter.criteria}
    cited.add(linter.version.approval.source.id)
    if linter.version.new_starts is not None:
        cited.add(linter.version.new_starts.source.id)
    for criterion in linter.criteria:
        source = criterion.source
        if criterion.evidence == "verified" and source.read_on is None:
            yield linter.say(
                "fault",
                "not-read",
                f"it is marked verified, but nobody has read its source “{source.title}”",
                "Give the source its `read_on:`, or mark the criterion unverified",
                criterion,
            )
    verified = {c.source.id for c in linter.criteria if c.evidence == "verified"}
    for name, source in linter.version.sources.items():
        if name in verified and source.url is None:
            yield linter.say(
                "advice",
                "no-address",
                f"the source “{source.title}” has no address, so a reader cannot check it",
                "Give the source its `url:`",
            )
        if name not in cited and f'"source":"{name}"' not in linter.version.resolved:
            yield linter.say(
                "advice",
                "unused-source",
                f"nothing cites the source {name}",
                "Cite it, or take it out",
            )


def _dates(linter: Linter) -> Iterator[Lint]:
    """Dates of a version that cannot be so."""
    in_force = linter.version.in_force
    for name in ("last_new_start", "last_continuation"):
        last = getattr(in_force, name)
        if last is not None and last < in_force.from_:
            yield linter.say(
                "fault",
                "dates",
                f"`{name}` is before the version is in force",
                "Correct one of the two dates",
            )


def _proved(linter: Linter, effort: int) -> Iterator[Lint]:
    from app.authoring.proofs.one import (  # needs z3
        SECTIONS,
        Bench,
        can_be_met,
        can_never_fail,
        contradictions,
    )

    for kind, sections in SECTIONS.items():
        bench = Bench(linter.reading, sections, effort)
        if not bench.rules:
            continue
        claim, _ = can_be_met(bench, kind)
        found = [claim, *contradictions(bench, kind, claim)]
        for each in (each for each in found if each.fault):
            code = "never-approved" if each is claim else "contradiction"
            yield linter.say("fault", code, each.text, each.mend)
    for criterion in can_never_fail(linter.reading, effort):
        yield linter.say(
            "advice",
            "never-fails",
            "whatever is answered it never fails, it only waits for an answer",
            "Tighten its test, unless it is there to make somebody answer",
            criterion,
        )
