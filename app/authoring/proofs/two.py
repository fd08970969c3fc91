"""Proofs about two versions: does the second only tighten, only loosen, mean the same, or neither.

Compared are the patients whose answers both forms take, on every day on which both could decide.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from typing import Any

import z3

from app.authoring.proofs import claims
from app.authoring.proofs.one import SECTIONS
from app.authoring.proofs.patients import Patient, patient_of, replayed
from app.authoring.proofs.rows import Rows, rows_needed
from app.authoring.proofs.solving import EFFORT, natural, possible, solve
from app.authoring.proofs.symbols import Encoder, View
from app.authoring.reading import Reading, read_version
from app.policy import (
    Criterion,
    Kind,
    PolicyDecision,
    PolicyVersion,
    Question,
    QuestionType,
    Result,
    Section,
)


class Verdict(StrEnum):
    """What the second version does to the first."""

    TIGHTENS = "only tightens"
    LOOSENS = "only loosens"
    EQUALS = "means the same"
    NEITHER = "tightens for some and loosens for others"
    NOT_DECIDED = "not decided"


@dataclass(frozen=True, slots=True)
class Comparison:
    """The verdict on one criterion (or, with none, on all of one kind), with the patients.

    `lost` passes under the first version alone, `gained` under the second alone; both have been
    through the evaluator, under each version's own form.
    """

    kind: Kind
    criterion: str | None
    verdict: Verdict
    lost: Patient | None = None
    gained: Patient | None = None
    why: str = ""


def loosened(comparisons: Iterable[Comparison]) -> tuple[Comparison, ...]:
    """Those that let somebody pass who did not: with an overlay there may be none."""
    return tuple(each for each in comparisons if each.gained is not None)


@dataclass(frozen=True, slots=True)
class _Side:
    """One version's part of a query: its rules as (criterion, satisfied)."""

    reading: Reading
    view: View
    suffixes: Mapping[str, str]
    rules: tuple[tuple[Criterion, Any], ...]

    @property
    def passes(self) -> Any:
        return z3.And([satisfied for _, satisfied in self.rules])


def compare_versions(
    first: PolicyVersion, second: PolicyVersion, effort: int = EFFORT
) -> tuple[Comparison, ...]:
    """The verdict for each kind of request, after those on each criterion that changed.

    Pure; needs z3. A stop criterion that stops fewer people loosens.
    """
    readings = (read_version(first), read_version(second))
    found: list[Comparison] = []
    for kind, sections in SECTIONS.items():
        found += _compare_kind(readings, kind, sections, effort)
    return tuple(found)


def _compare_kind(
    readings: tuple[Reading, Reading], kind: Kind, sections: tuple[Section, ...], effort: int
) -> Iterator[Comparison]:
    by_id = [
        {c.id: c for section in sections for c in reading.version.criteria(section)}
        for reading in readings
    ]
    if not by_id[0] and not by_id[1]:
        return
    unread = [c for r, known in zip(readings, by_id, strict=True) for c in known if not r.tests[c]]
    if unread:
        yield Comparison(kind, None, Verdict.NOT_DECIDED, why=f"{claims.NOT_READ} ({unread[0]})")
        return
    for name in [name for name in by_id[0] if name in by_id[1]]:
        pair = (by_id[0][name], by_id[1][name])
        if not _same_test(readings, pair):
            yield _Query(readings, kind, ((pair[0],), (pair[1],)), effort).verdict(name)
    whole = (tuple(by_id[0].values()), tuple(by_id[1].values()))
    if by_id[0].keys() == by_id[1].keys() and all(
        _same_test(readings, (by_id[0][name], by_id[1][name])) for name in by_id[0]
    ):
        yield Comparison(kind, None, Verdict.EQUALS)
        return
    yield _Query(readings, kind, whole, effort).verdict(None)


def _same_test(readings: tuple[Reading, Reading], pair: tuple[Criterion, Criterion]) -> bool:
    """Whether two criteria are the same expression over the same questions and workings."""
    trees = [reading.test(each) for reading, each in zip(readings, pair, strict=True)]
    if trees[0] != trees[1] or pair[0].section is not pair[1].section:
        return False
    names = set(readings[0].reached(trees[0])) | set(readings[1].reached(trees[1]))
    asked = [{n: r.version.questions.get(n) for n in names} for r in readings]
    workings = [r.workings(tree) for r, tree in zip(readings, trees, strict=True)]
    return workings[0] == workings[1] and _bare(asked[0]) == _bare(asked[1])


def _bare(questions: Mapping[str, Question | None]) -> dict[str, Question | None]:
    """Questions without the words and labels that no test looks at."""
    return {
        name: None if q is None else replace(_wordless(q), fields=_bare_fields(q))
        for name, q in questions.items()
    }


def _bare_fields(question: Question) -> dict[str, Question]:
    return {name: _wordless(each) for name, each in question.fields.items()}


def _wordless(question: Question) -> Question:
    options = dict.fromkeys(question.options, "")
    return replace(question, label="", help=None, options=options, kinds=frozenset())


class _Query:
    """Who passes under one version's criteria and not under the other's."""

    def __init__(
        self,
        readings: tuple[Reading, Reading],
        kind: Kind,
        criteria: tuple[tuple[Criterion, ...], tuple[Criterion, ...]],
        effort: int,
    ) -> None:
        self.kind = kind
        self.effort = effort
        trees = [[r.test(c) for c in cs] for r, cs in zip(readings, criteria, strict=True)]
        self.rows: Rows = rows_needed(zip(readings, trees, strict=True))
        merged, suffixes = merge_questions(readings[0].version, readings[1].version)
        self.encoder = Encoder(self.rows.needed, merged)
        self.sides = (
            _side(self.encoder, readings[0], criteria[0], {}),
            _side(self.encoder, readings[1], criteria[1], suffixes),
        )
        self.in_force = max(reading.version.in_force.from_ for reading in readings)

    def verdict(self, criterion: str | None) -> Comparison:
        """Ask both ways, and say what the answers come to."""
        lost, why_lost = self._only(0)
        gained, why_gained = self._only(1)
        why = why_lost or why_gained
        verdict = {
            (False, False): Verdict.EQUALS,
            (True, False): Verdict.TIGHTENS,
            (False, True): Verdict.LOOSENS,
            (True, True): Verdict.NEITHER,
        }[lost is not None, gained is not None]
        if why and verdict is not Verdict.NEITHER:
            verdict = Verdict.NOT_DECIDED
        return Comparison(self.kind, criterion, verdict, lost, gained, why)

    def _only(self, index: int) -> tuple[Patient | None, str]:
        """A patient who passes under this version alone; or why it is not known."""
        here, there = self.sides[index], self.sides[1 - index]
        base = possible(self.encoder, self.in_force)
        assertions = [*base, here.passes, z3.Not(there.passes)]
        preferences = itertools.chain(natural(self.encoder, self.in_force))
        answered = solve(self.encoder, assertions, preferences, self.effort)
        if answered.satisfiable is None:
            return None, claims.TIMED_OUT
        if not answered.satisfiable:
            return None, claims.TOO_MANY_ROWS if self._bounded() else ""
        patients = [
            patient_of(answered.model, self.encoder, side.reading, self.kind, side.suffixes)
            for side in (here, there)
        ]
        if not self._passes(here, patients[0]) or self._passes(there, patients[1]) is not False:
            return None, claims.NOT_REPLAYED
        return replace(patients[0], answers={**patients[1].answers, **patients[0].answers}), ""

    def _passes(self, side: _Side, patient: Patient) -> bool | None:
        decision = replayed(side.reading.version, self.kind, patient)
        return None if decision is None else _satisfied(decision, side)

    def _bounded(self) -> bool:
        names = {
            name
            for side in self.sides
            for criterion, _ in side.rules
            for name in side.reading.reached(side.reading.test(criterion))
        }
        return bool(names & self.rows.bounded)


def _satisfied(decision: PolicyDecision, side: _Side) -> bool:
    wanted = {
        criterion.id: Result.NOT_MET if criterion.section is Section.STOP else Result.MET
        for criterion, _ in side.rules
    }
    found = {finding.criterion: finding.result for finding in decision.findings}
    return all(found[name] is result for name, result in wanted.items())


def _side(
    encoder: Encoder,
    reading: Reading,
    criteria: tuple[Criterion, ...],
    suffixes: Mapping[str, str],
) -> _Side:
    view = encoder.view(reading, suffixes)
    view.input("decision_to_treat")
    rules = []
    for criterion in criteria:
        true, false = view.test(reading.test(criterion))
        rules.append((criterion, false if criterion.section is Section.STOP else true))
    return _Side(reading, view, suffixes, tuple(rules))


# --- one patient, two forms ---------------------------------------------------------------------


def merge_questions(
    first: PolicyVersion, second: PolicyVersion
) -> tuple[dict[str, Question], dict[str, str]]:
    """Questions as both versions would take their answers; and suffixes for those that clash.

    A question that changed its type or unit is two questions: one patient answers each form.
    """
    merged: dict[str, Question] = {}
    suffixes: dict[str, str] = {}
    for name in first.questions.keys() & second.questions.keys():
        both = _merged(first.questions[name], second.questions[name])
        if both is None:
            suffixes[name] = f" ({second.version})"
        else:
            merged[name] = both
    return merged, suffixes


def _merged(one: Question, other: Question) -> Question | None:
    if (one.type, one.unit) != (other.type, other.unit):
        return None
    options = {key: label for key, label in one.options.items() if key in other.options}
    fields = {**one.fields, **other.fields}
    for name in one.fields.keys() & other.fields.keys():
        both = _merged(one.fields[name], other.fields[name])
        if both is None:
            return None
        fields[name] = both
    if one.type is QuestionType.CHOICE and not options:
        return None
    return replace(
        one,
        options=options,
        fields=fields,
        minimum=_limit(max, one.minimum, other.minimum),
        maximum=_limit(min, one.maximum, other.maximum),
        decimals=_limit(min, one.decimals, other.decimals),
    )


def _limit(choose: Any, one: Decimal | int | None, other: Decimal | int | None) -> Any:
    known = [each for each in (one, other) if each is not None]
    return choose(known) if known else None
