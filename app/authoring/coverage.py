"""What a policy's worked cases reach: per criterion how often met, failed and not answered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from app.authoring.unfailing import unfailing
from app.policy import PolicyVersion, Result, Section
from app.policy.cases import CaseResult


@dataclass(frozen=True, slots=True)
class Coverage:
    """How often the cases reached each result of one criterion, in one wording of its test.

    `versions` are those that test it in these words. `unfailing`: no answer can fail it in any of
    them, so that it never counts as covered both ways.
    """

    criterion: str
    test: str
    versions: tuple[str, ...]
    met: int
    failed: int
    unanswered: int
    unfailing: bool = False

    @property
    def complete(self) -> bool:
        """Whether a case meets it and another fails it."""
        return self.met > 0 and self.failed > 0


def coverage(
    versions: Mapping[str, PolicyVersion], results: Iterable[CaseResult]
) -> tuple[Coverage, ...]:
    """The coverage of every criterion of every version; one that did not change counts once."""
    counts: dict[tuple[str, str], dict[Result, int]] = {}
    used: dict[tuple[str, str], list[str]] = {}
    fails: set[tuple[str, str]] = set()
    for name, version in versions.items():
        never = unfailing(version)
        for section in Section:
            for criterion in version.criteria(section):
                key = (criterion.id, criterion.met_when)
                counts.setdefault(key, dict.fromkeys(Result, 0))
                used.setdefault(key, []).append(name)
                if criterion.id not in never:
                    fails.add(key)
    for result in results:
        if result.decision is None:
            continue
        version = versions[result.case.version]
        tests = {c.id: c.met_when for s in Section for c in version.criteria(s)}
        for finding in result.decision.findings:
            counts[finding.criterion, tests[finding.criterion]][finding.result] += 1
    return tuple(
        Coverage(
            criterion,
            test,
            tuple(used[criterion, test]),
            found[Result.MET],
            found[Result.NOT_MET],
            found[Result.NOT_ANSWERED],
            (criterion, test) not in fails,
        )
        for (criterion, test), found in counts.items()
    )


def coverage_lines(policy: str, found: Sequence[Coverage]) -> Iterator[str]:
    """The coverage as a table in text; what no case reaches is named."""
    width = max([len("criterion"), *(len(each.criterion) for each in found)])
    yield policy
    yield f"  {'criterion':<{width}}    met  failed  unanswered"
    for each in found:
        counts = f"{each.met:>6}  {each.failed:>6}  {each.unanswered:>10}"
        yield f"  {each.criterion:<{width}} {counts}{_lacking(each)}"
    complete = sum(each.complete for each in found)
    yield f"  {complete} of {len(found)} criteria are met by one case and failed by another."
    never = sum(each.unfailing for each in found)
    if never:
        yield f"  {never} only ask for an answer: none can fail them."


def _lacking(each: Coverage) -> str:
    if each.unfailing:
        return "   cannot fail" if each.met else "   cannot fail; no case has it met"
    lacks = [word for count, word in ((each.met, "met"), (each.failed, "failed")) if not count]
    if not lacks:
        return ""
    return f"   no case has it {' or '.join(lacks)} ({', '.join(each.versions)})"
