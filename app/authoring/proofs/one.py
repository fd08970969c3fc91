"""Proofs about one version: can it be approved, do criteria contradict, who nearly passes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from app.authoring.proofs import claims
from app.authoring.proofs.claims import Claim, NearMiss, Proof
from app.authoring.proofs.near import near_preferences
from app.authoring.proofs.patients import Patient, patient_of, replayed
from app.authoring.proofs.rows import rows_needed
from app.authoring.proofs.solving import (
    EFFORT,
    Answered,
    conflict,
    natural,
    possible,
    solve,
)
from app.authoring.proofs.symbols import Encoder
from app.authoring.reading import Reading, read_version
from app.policy import Criterion, Kind, PolicyDecision, PolicyVersion, Result, Section

SECTIONS = {
    Kind.INITIATION: (Section.START,),
    Kind.CONTINUATION: (Section.CONTINUE, Section.STOP),
}
_VERBS = {Kind.INITIATION: "start", Kind.CONTINUATION: "continue"}


@dataclass(frozen=True, slots=True)
class Rule:
    """A criterion as formulas: satisfied, and failed (for a stop criterion, the other way)."""

    criterion: Criterion
    satisfied: Any
    failed: Any

    @property
    def id(self) -> str:
        """The criterion's id."""
        return self.criterion.id

    def wanted(self, satisfied: bool) -> Result:
        """The finding that goes with it."""
        met = satisfied is not (self.criterion.section is Section.STOP)
        return Result.MET if met else Result.NOT_MET


class Bench:
    """One version's criteria of one kind of request (or of several sections), as formulas."""

    def __init__(
        self, reading: Reading, sections: tuple[Section, ...], effort: int = EFFORT
    ) -> None:
        self.reading = reading
        self.version = reading.version
        self.effort = effort
        criteria = [c for section in sections for c in reading.criteria(section)]
        trees = [reading.test(c) for c in criteria]
        self.rows = rows_needed([(reading, trees)])
        self.encoder = Encoder(self.rows.needed)
        self.view = self.encoder.view(reading)
        self.view.input("decision_to_treat")
        self.rules = tuple(self._rule(c) for c in criteria)
        self.unread = tuple(
            c for s in sections for c in self.version.criteria(s) if reading.tests[c.id] is None
        )

    def _rule(self, criterion: Criterion) -> Rule:
        true, false = self.view.test(self.reading.test(criterion))
        if criterion.section is Section.STOP:
            return Rule(criterion, false, true)
        return Rule(criterion, true, false)

    def ask(self, assertions: list[Any], preferences: Any = ()) -> Answered:
        """Whether some possible patient meets the assertions."""
        in_force = self.version.in_force.from_
        every = [*possible(self.encoder, in_force), *assertions]
        chosen = itertools.chain(preferences, natural(self.encoder, in_force))
        return solve(self.encoder, every, chosen, self.effort)

    def patient(self, model: Any, kind: Kind) -> Patient:
        """The patient of a model, on the form of a kind of request."""
        return patient_of(model, self.encoder, self.reading, kind, {})

    def doubt(self, *criteria: Criterion) -> str:
        """Why a proof that there is no patient would prove too little; empty if it would not."""
        names = {name for c in criteria for name in self.reading.reached(self.reading.test(c))}
        return claims.TOO_MANY_ROWS if names & self.rows.bounded else ""


def prove_version(
    version: PolicyVersion, effort: int = EFFORT
) -> tuple[tuple[Claim, ...], tuple[NearMiss, ...]]:
    """Every claim about one version, and a near miss for each criterion.

    `effort` caps each question to the prover. Pure; needs z3.
    """
    reading = read_version(version)
    found: list[Claim] = []
    near: list[NearMiss] = []
    for kind, sections in SECTIONS.items():
        bench = Bench(reading, sections, effort)
        if bench.rules:
            claim, answered = can_be_met(bench, kind)
            found += [claim, *contradictions(bench, kind, claim)]
            near += near_misses(bench, kind, answered)
        near += [NearMiss(c.id, kind, Proof.NOT_DECIDED, why=claims.NOT_READ) for c in bench.unread]
    found += start_and_stop(reading, effort)
    return tuple(found), tuple(near)


def can_be_met(bench: Bench, kind: Kind) -> tuple[Claim, Answered]:
    """Whether every criterion of a kind can be satisfied at once, with an example patient."""
    verb = _VERBS[kind]
    text = f"Every criterion to {verb} can be satisfied by one patient"
    answered = bench.ask([rule.satisfied for rule in bench.rules])
    claim = Claim("can be approved", text, Proof.NOT_DECIDED, kind=kind, why=claims.TIMED_OUT)
    if answered.satisfiable is None:
        return claim, answered
    if answered.satisfiable:
        patient = bench.patient(answered.model, kind)
        expected = {rule.id: rule.wanted(True) for rule in bench.rules}
        if not _holds(replayed(bench.version, kind, patient), expected):
            return Claim(claim.about, text, Proof.NOT_DECIDED, why=claims.NOT_REPLAYED), answered
        proven = Claim(claim.about, text, Proof.PROVEN, patient=patient, kind=kind)
        return proven, answered
    doubt = bench.doubt(*(rule.criterion for rule in bench.rules))
    if doubt:
        return Claim(claim.about, text, Proof.NOT_DECIDED, kind=kind, why=doubt), answered
    return _never(bench, kind, claim.about), answered


def _never(bench: Bench, kind: Kind, about: str) -> Claim:
    base = possible(bench.encoder, bench.version.in_force.from_)
    named = [(rule.id, rule.satisfied) for rule in bench.rules]
    culprits = conflict(bench.encoder, [("", b) for b in base] + named, bench.effort) or ()
    names = tuple(name for name in culprits if name)
    mend = (
        f"Mend one of {_listed(names)}: they cannot hold together"
        if len(names) > 1
        else f"Mend {_listed(names)}: no answers satisfy it"
    )
    text = f"No patient can satisfy every criterion to {_VERBS[kind]}"
    return Claim(about, text, Proof.PROVEN, names, kind=kind, fault=True, mend=mend)


def contradictions(bench: Bench, kind: Kind, can: Claim) -> Iterator[Claim]:
    """Each pair of criteria that cannot be satisfied together; one claim where there is none."""
    about = "contradictions"
    text = f"No two criteria to {_VERBS[kind]} contradict each other"
    if can.outcome is Proof.PROVEN and not can.fault:
        yield Claim(about, text, Proof.PROVEN, kind=kind)
        return
    base = possible(bench.encoder, bench.version.in_force.from_)
    alone: dict[str, bool | None] = {}
    found: list[Claim] = []
    sure = True
    for rule in bench.rules:
        alone[rule.id] = _together(bench, base, rule)
        sure = sure and alone[rule.id] is not None
        if alone[rule.id] is False:
            what = f"{rule.id} can never be satisfied"
            mend = f"Mend {rule.id}: no answers satisfy it"
            found.append(
                Claim(about, what, Proof.PROVEN, (rule.id,), kind=kind, fault=True, mend=mend)
            )
    for one, other in itertools.combinations(bench.rules, 2):
        if alone[one.id] and alone[other.id]:
            both = _together(bench, base, one, other)
            sure = sure and both is not None
            if both is False:
                found.append(_pair(one.id, other.id, kind))
    yield from found
    if not found:
        # An example of a pair may rest on a value that was left free; the claim needs none.
        known = sure and not bench.encoder.opaque
        outcome = Proof.PROVEN if known else Proof.NOT_DECIDED
        yield Claim(about, text, outcome, kind=kind, why="" if known else can.why)


def _together(bench: Bench, base: list[Any], *rules: Rule) -> bool | None:
    """Whether rules can be satisfied by one patient; None where that is not known."""
    assertions = [*base, *(rule.satisfied for rule in rules)]
    found = solve(bench.encoder, assertions, effort=bench.effort).satisfiable
    if found is False and bench.doubt(*(rule.criterion for rule in rules)):
        return None
    return found


def _pair(one: str, other: str, kind: Kind) -> Claim:
    text = f"{one} and {other} contradict each other: no patient satisfies both"
    mend = f"Mend {one} or {other}"
    return Claim(
        "contradictions", text, Proof.PROVEN, (one, other), kind=kind, fault=True, mend=mend
    )


def near_misses(bench: Bench, kind: Kind, met: Answered) -> Iterator[NearMiss]:
    """For each criterion a patient who fails it and no other, as near to passing as can be."""
    for rule in bench.rules:
        others = [each for each in bench.rules if each is not rule]
        assertions = [rule.failed, *(each.satisfied for each in others)]
        near = near_preferences(bench.encoder, bench.view, bench.reading, rule.criterion, met.model)
        answered = bench.ask(assertions, near)
        expected = {each.id: each.wanted(each is not rule) for each in bench.rules}
        yield _near(bench, kind, rule, answered, expected)


def _near(
    bench: Bench, kind: Kind, rule: Rule, answered: Answered, expected: dict[str, Result]
) -> NearMiss:
    if answered.satisfiable is None:
        return NearMiss(rule.id, kind, Proof.NOT_DECIDED, why=claims.TIMED_OUT)
    if answered.satisfiable:
        patient = bench.patient(answered.model, kind)
        decision = replayed(bench.version, kind, patient)
        if not _holds(decision, expected):
            return NearMiss(rule.id, kind, Proof.NOT_DECIDED, why=claims.NOT_REPLAYED)
        return NearMiss(rule.id, kind, Proof.COUNTER_EXAMPLE, patient, decision)
    doubt = bench.doubt(*(each.criterion for each in bench.rules))
    if doubt:
        return NearMiss(rule.id, kind, Proof.NOT_DECIDED, why=doubt)
    base = possible(bench.encoder, bench.version.in_force.from_)
    alone = solve(bench.encoder, [*base, rule.failed], effort=bench.effort).satisfiable
    if alone is False:
        why = "it can never fail, whatever is answered"
        return NearMiss(rule.id, kind, Proof.PROVEN, why=why, fault=True)
    others = [each for each in bench.rules if each is not rule]
    if _together(bench, base, *others) is False:
        return NearMiss(rule.id, kind, Proof.PROVEN, why="nobody satisfies all the others")
    return NearMiss(rule.id, kind, Proof.PROVEN, why="whoever satisfies the others satisfies it")


def can_never_fail(reading: Reading, effort: int = EFFORT) -> Iterator[Criterion]:
    """The criteria that no possible answers fail."""
    for sections in SECTIONS.values():
        bench = Bench(reading, sections, effort)
        base = possible(bench.encoder, bench.version.in_force.from_)
        for rule in bench.rules:
            found = solve(bench.encoder, [*base, rule.failed], effort=effort)
            if found.satisfiable is False and not bench.doubt(rule.criterion):
                yield rule.criterion


def start_and_stop(reading: Reading, effort: int = EFFORT) -> Iterator[Claim]:
    """For each stop criterion: nobody who may start must at once stop, or the patient who must."""
    stops = reading.criteria(Section.STOP)
    if not stops or not reading.criteria(Section.START):
        return
    bench = Bench(reading, (Section.START, Section.STOP), effort)
    starts = [rule for rule in bench.rules if rule.criterion.section is Section.START]
    for rule in bench.rules:
        if rule.criterion.section is Section.STOP:
            yield _start_and_stop(bench, starts, rule)


def _start_and_stop(bench: Bench, starts: list[Rule], stop: Rule) -> Claim:
    about = "start and stop"
    text = f"Nobody who satisfies every criterion to start must stop by {stop.id}"
    answered = bench.ask([rule.satisfied for rule in starts] + [stop.failed])
    if answered.satisfiable is None:
        return Claim(about, text, Proof.NOT_DECIDED, (stop.id,), why=claims.TIMED_OUT)
    if not answered.satisfiable:
        doubt = bench.doubt(*(rule.criterion for rule in (*starts, stop)))
        outcome = Proof.NOT_DECIDED if doubt else Proof.PROVEN
        return Claim(about, text, outcome, (stop.id,), why=doubt)
    patient = bench.patient(answered.model, Kind.INITIATION)
    later = bench.patient(answered.model, Kind.STOP)
    started = replayed(bench.version, Kind.INITIATION, patient)
    stopped = replayed(bench.version, Kind.STOP, later)
    holds = _holds(started, {rule.id: Result.MET for rule in starts})
    if not holds or not _holds(stopped, {stop.id: Result.MET}):
        return Claim(about, text, Proof.NOT_DECIDED, (stop.id,), why=claims.NOT_REPLAYED)
    both = Patient(patient.context, {**later.answers, **patient.answers}, patient.today)
    return Claim(about, text, Proof.COUNTER_EXAMPLE, (stop.id,), both, Kind.INITIATION)


def _holds(decision: PolicyDecision | None, expected: dict[str, Result]) -> bool:
    """Whether the evaluator finds what the prover says."""
    if decision is None:
        return False
    found = {finding.criterion: finding.result for finding in decision.findings}
    return all(found.get(name) is result for name, result in expected.items())


def _listed(names: tuple[str, ...]) -> str:
    return " or ".join(names) if names else "the criteria"
