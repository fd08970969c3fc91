"""What the proofs of a library come to: a table of claims, shares, what is not decided."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.authoring.proofs.claims import Proof
from app.authoring.proofs.two import Comparison, Verdict
from app.authoring.proofs.whole import Asks, VersionProofs

LEAST_DECIDED = 0.9
"""The share of criteria over yes/no, options and numbers that must be decided."""

_CLAIMS = {
    "can be approved": "Can be approved, with an example patient",
    "contradictions": "No two criteria contradict",
    "start and stop": "Nobody who may start must at once stop",
}
_WHOLE = "Against the version before: all criteria to start, or to continue"
_OVERLAID = "Each overlay: nobody passes with it who does not pass without"
_CHANGED = "Against the version before: each criterion that changed"
_NEAR = "Each criterion: a patient who fails it alone, or proof that there is none"


@dataclass(frozen=True, slots=True)
class Row:
    """How many claims of one sort have each outcome."""

    what: str
    proven: int
    shown: int
    undecided: int

    @property
    def total(self) -> int:
        """All claims of the sort."""
        return self.proven + self.shown + self.undecided

    @property
    def share(self) -> float:
        """The part that is proven or has a counter-example; 1 where there is nothing."""
        return (self.proven + self.shown) / self.total if self.total else 1.0


@dataclass(frozen=True, slots=True)
class Summary:
    """The proofs of a library in figures; `faults`, `undecided` and `askers` are lines with names.

    `askers` are criteria that no answer fails: such a one holds a request back only until it is
    answered. An author may mean that ("height and weight are on the form"), so it is no fault.
    """

    policies: int
    versions: int
    overlaid: int
    claims: tuple[Row, ...]
    criteria: tuple[Row, ...]
    verdicts: dict[Verdict, int]
    faults: tuple[str, ...]
    undecided: tuple[str, ...]
    askers: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """No fault, and enough of the plain criteria decided."""
        return not self.faults and self.criteria[0].share >= LEAST_DECIDED


def summarise(proofs: Sequence[VersionProofs]) -> Summary:
    """The figures of many versions' proofs."""
    outcomes: dict[str, list[Proof]] = {
        **{text: [] for text in _CLAIMS.values()},
        **{_WHOLE: [], _CHANGED: [], _OVERLAID: [], _NEAR: []},
    }
    by_kind: dict[Asks, list[Proof]] = {each: [] for each in Asks}
    verdicts = dict.fromkeys(Verdict, 0)
    for version in proofs:
        for claim in version.claims:
            outcomes[_CLAIMS[claim.about]].append(claim.outcome)
        if version.overlay is not None:
            outcomes[_OVERLAID] += [_tight(e) for e in version.comparisons if e.criterion is None]
        for each in () if version.overlay is not None else version.comparisons:
            outcomes[_WHOLE if each.criterion is None else _CHANGED].append(_of(each))
            verdicts[each.verdict] += each.criterion is None
        for near in version.near:
            outcomes[_NEAR].append(near.outcome)
            by_kind[version.asks.get(near.criterion, Asks.LISTS)].append(near.outcome)
    return Summary(
        policies=len({each.policy for each in proofs}),
        versions=sum(each.overlay is None for each in proofs),
        overlaid=sum(each.overlay is not None for each in proofs),
        claims=tuple(_row(what, found) for what, found in outcomes.items()),
        criteria=tuple(_row(kind.value, found) for kind, found in by_kind.items()),
        verdicts=verdicts,
        faults=tuple(line for each in proofs for line in _faults(each)),
        undecided=tuple(line for each in proofs for line in _undecided(each)),
        askers=tuple(line for each in proofs for line in _askers(each)),
    )


def _row(what: str, found: Sequence[Proof]) -> Row:
    return Row(
        what,
        found.count(Proof.PROVEN),
        found.count(Proof.COUNTER_EXAMPLE),
        found.count(Proof.NOT_DECIDED),
    )


def _of(comparison: Comparison) -> Proof:
    """A version that tightens for some and loosens for others has two counter-examples."""
    match comparison.verdict:
        case Verdict.NOT_DECIDED:
            return Proof.NOT_DECIDED
        case Verdict.NEITHER:
            return Proof.COUNTER_EXAMPLE
        case _:
            return Proof.PROVEN


def _tight(comparison: Comparison) -> Proof:
    """Whether an overlay only tightens: only who passes because of it refutes that."""
    if comparison.gained is not None:
        return Proof.COUNTER_EXAMPLE
    undecided = comparison.verdict is Verdict.NOT_DECIDED
    return Proof.NOT_DECIDED if undecided else Proof.PROVEN


def _faults(proofs: VersionProofs) -> Iterator[str]:
    for claim in proofs.faults:
        yield f"{_named(proofs)}: {claim.text}. {claim.mend}."
    for each in proofs.loosened:
        what = each.criterion or f"all criteria of a {each.kind}"
        yield f"{_named(proofs)}: the overlay lets somebody pass {what}. It may only tighten."


def _askers(proofs: VersionProofs) -> Iterator[str]:
    """The criteria that no answer fails: they hold a request back only until it is answered."""
    names = [each.criterion for each in proofs.near if each.fault]
    if names:
        yield f"{_named(proofs)}: {', '.join(names)}"


def _undecided(proofs: VersionProofs) -> Iterator[str]:
    named = _named(proofs)
    before = "version before" if proofs.overlay is None else "version without the overlay"
    for claim in proofs.claims:
        if claim.outcome is Proof.NOT_DECIDED:
            yield f"{named}: {claim.text}: {claim.why}"
    for each in proofs.comparisons:
        if each.verdict is Verdict.NOT_DECIDED:
            what = each.criterion or f"all criteria of a {each.kind}"
            yield f"{named}: {what} against the {before}: {each.why}"
    for near in proofs.undecided:
        yield f"{named}: a near miss of {near.criterion} ({near.kind}): {near.why}"


def _named(proofs: VersionProofs) -> str:
    layer = "" if proofs.overlay is None else f" with {proofs.overlay}"
    return f"{proofs.policy} {proofs.version}{layer}"


def version_line(proofs: VersionProofs) -> str:
    """One version in a line."""
    decided = len(proofs.near) - len(proofs.undecided)
    mark = "FAULT" if proofs.faults or proofs.loosened else "sound"
    return f"{_named(proofs)}: {mark}, {decided} of {len(proofs.near)} criteria decided"


def _lists(summary: Summary) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return (
        ("Faults", summary.faults),
        ("Not decided", summary.undecided),
        ("Criteria that no answer fails", summary.askers),
    )


def summary_lines(summary: Summary) -> Iterator[str]:
    """The summary for the terminal."""
    overlaid = f", {summary.overlaid} with an overlay on top" if summary.overlaid else ""
    yield f"{summary.policies} policies, {summary.versions} versions{overlaid}."
    width = max(len(row.what) for row in summary.claims)
    for title, rows in (("Claims", summary.claims), ("Criteria that ask", summary.criteria)):
        yield f"{title:<{width}}  proven  counter-example  not decided  decided"
        for row in rows:
            yield (
                f"{row.what:<{width}}  {row.proven:>6}  {row.shown:>15}  {row.undecided:>11}  "
                f"{row.share:>7.1%}"
            )
    shown = "; ".join(f"{verdict}: {number}" for verdict, number in summary.verdicts.items())
    yield f"A version's criteria to start, or to continue, against the one before: {shown}."
    for title, lines in _lists(summary):
        yield f"{title}: {len(lines)}"
        yield from (f"    {line}" for line in lines)


def summary_markdown(summary: Summary, proofs: Sequence[VersionProofs]) -> str:
    """The summary as a page, with each version's hash, so that a reader knows what was proved."""
    return "\n".join(_page(summary, proofs)) + "\n"


def _page(summary: Summary, proofs: Sequence[VersionProofs]) -> Iterator[str]:
    yield "# Proofs over the library"
    yield ""
    yield "<!-- Written by `assent policies prove --all --write docs/proofs.md`. -->"
    yield (
        f"What z3 says of {summary.versions} versions of {summary.policies} policies, each named "
        "below with its hash. A version that is not listed was added since; run the command again."
    )
    yield "Every example and counter-example has been decided by the evaluator too."
    for title, rows in (("Claim", summary.claims), ("Criteria that ask", summary.criteria)):
        yield ""
        yield f"| {title} | Proven | Counter-example | Not decided | Decided |"
        yield "|---|--:|--:|--:|--:|"
        for row in rows:
            counts = f"{row.proven} | {row.shown} | {row.undecided}"
            yield f"| {row.what} | {counts} | {row.share:.1%} |"
    yield ""
    yield "A version's criteria to start, or to continue, against the one before:"
    yield from (f"- {verdict}: {number}" for verdict, number in summary.verdicts.items())
    for title, lines in _lists(summary):
        yield from ("", f"## {title}", "")
        yield from ([f"- {line}" for line in lines] or ["None."])
    yield from ("", "## Versions", "", "| Policy | Version | Hash | Criteria decided |")
    yield "|---|---|---|--:|"
    for each in proofs:
        decided = f"{len(each.near) - len(each.undecided)} of {len(each.near)}"
        layer = "" if each.overlay is None else f" with {each.overlay}"
        yield f"| {each.policy} | {each.version}{layer} | `{each.hash[:12]}` | {decided} |"
