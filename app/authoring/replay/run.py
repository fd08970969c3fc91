"""The replay itself: the transition matrix, who would change and by which criterion, the spend."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa

from app.authoring.errors import BenchRefused
from app.authoring.reading import read_version
from app.authoring.replay.forms import Forms
from app.authoring.replay.outcome import OUTCOMES, Translated, translate
from app.authoring.replay.sql import NotTranslated, built_in_columns, quoted
from app.policy import (
    Answer,
    Context,
    Finding,
    Kind,
    Outcome,
    PolicyDecision,
    PolicyVersion,
    QuestionType,
    Result,
    Section,
    decide,
)
from app.policy.evaluate import SECTIONS

MOST_CHANGED = 1000


@dataclass(frozen=True, slots=True)
class Changed:
    """One form whose outcome would change, with the criteria that make it so."""

    id: str
    before: str
    after: Outcome
    criteria: tuple[str, ...]
    spend: Decimal


@dataclass(frozen=True, slots=True)
class Replay:
    """What another version would have said of stored forms.

    `matrix` counts forms by outcome before and after; `spend` sums their money alike. `changed`
    lists the first `MOST_CHANGED`; `by_criterion` counts over all that changed. `people` are those
    who stand behind the changed forms, None where the forms do not say whose they are. `by` says
    which engine decided: "DuckDB", or "the evaluator" where the version has no SQL.
    """

    forms: int
    matrix: Mapping[tuple[str, Outcome], int]
    spend: Mapping[tuple[str, Outcome], Decimal]
    changed: tuple[Changed, ...]
    changed_count: int
    by_criterion: Mapping[str, int]
    by: str
    people: int | None = None

    def lines(self) -> Iterator[str]:
        """The replay in words, for the terminal."""
        yield f"{self.forms} forms decided again by {self.by}; {self.changed_count} would change."
        width = max([6, *(len(before) for before, _ in self.matrix)])
        yield f"  {'before':<{width}}  {'after':<23}  {'forms':>9}  {'spend':>14}"
        for (before, after), count in sorted(self.matrix.items()):
            money = self.spend.get((before, after), Decimal(0))
            mark = " *" if before != after else ""
            yield f"  {before:<{width}}  {after:<23}  {count:>9}  {money:>14,.2f}{mark}"
        if self.by_criterion:
            yield "Changed by criterion (a form may change by several):"
            for name, count in sorted(self.by_criterion.items(), key=lambda each: -each[1]):
                yield f"  {name}: {count}"
        yield from self._affected()

    def _affected(self) -> Iterator[str]:
        """Whom and what money the change touches."""
        if self.people is not None:
            noun = "person" if self.people == 1 else "people"
            yield f"Affected: {self.people} {noun}."
        touched = sum((m for (b, a), m in self.spend.items() if a != b), Decimal(0))
        yield f"Spend of the forms that would change: {touched:,.2f}"
        lost = sum(
            (m for (b, a), m in self.spend.items() if b == Outcome.APPROVED and a != b), Decimal(0)
        )
        yield f"Spend of approvals that would not be given: {lost:,.2f}"


def replay(
    forms: Forms, version: PolicyVersion, kind: Kind, before: PolicyVersion | None = None
) -> Replay:
    """Decide forms under `version`, against `before` or else against their recorded outcome.

    Pure but for the relation it reads. Raises BenchRefused where there is nothing to compare with.
    """
    if before is None and "outcome" not in forms.columns:
        raise BenchRefused(
            "The forms have no column `outcome`, so there is nothing to compare with. "
            "Name the version they were decided under with --against."
        )
    if "kind" in forms.columns:
        only = f"(SELECT * FROM {forms.source} WHERE kind = '{kind.value}' OR kind IS NULL)"
        forms = Forms(forms.connection, only, forms.columns)
    try:
        after = translate(read_version(version), kind, forms.columns)
        earlier = before and translate(read_version(before), kind, forms.columns)
        return _by_sql(forms, after, earlier or None)
    except (NotTranslated, duckdb.OutOfRangeException, duckdb.BinderException):
        return _by_evaluator(forms, version, kind, before)


# --- in DuckDB ----------------------------------------------------------------------------------


def matrix_sql(forms: Forms, after: Translated, before: Translated | None) -> str:
    """The query that gives the transition matrix alone."""
    money = "sum(spend)" if "spend" in forms.columns else "0"
    return (
        f"SELECT {_before(before)} AS before, {after.outcome} AS after, count(*), {money} "
        f"FROM {forms.source} GROUP BY 1, 2"
    )


def _before(before: Translated | None) -> str:
    return "coalesce(outcome, 'not decided')" if before is None else _named(before.outcome)


def _named(number: str) -> str:
    cases = " ".join(f"WHEN {n} THEN '{each.value}'" for n, each in enumerate(OUTCOMES))
    return f"CASE {number} {cases} END"


def _by_sql(forms: Forms, after: Translated, before: Translated | None) -> Replay:
    matrix: dict[tuple[str, Outcome], int] = {}
    spend: dict[tuple[str, Outcome], Decimal] = {}
    for was, now, count, money in forms.connection.execute(
        matrix_sql(forms, after, before)
    ).fetchall():
        matrix[was, OUTCOMES[now]] = count
        spend[was, OUTCOMES[now]] = Decimal(money or 0)
    blamed, changed = _changes(forms, after, before)
    return Replay(
        forms=sum(matrix.values()),
        matrix=matrix,
        spend=spend,
        changed=tuple(changed),
        changed_count=sum(n for (was, now), n in matrix.items() if was != now),
        by_criterion=blamed,
        by="DuckDB",
        people=_people(forms, after, before),
    )


def _people(forms: Forms, after: Translated, before: Translated | None) -> int | None:
    """How many people's forms would change; None where the forms have no `person`."""
    if "person" not in forms.columns:
        return None
    query = (
        f"SELECT count(DISTINCT person) FROM (SELECT person, {_before(before)} AS before, "
        f"{after.outcome} AS after FROM {forms.source}) WHERE before <> {_named('after')}"
    )
    row = forms.connection.execute(query).fetchone()
    return int(row[0])


def _changes(
    forms: Forms, after: Translated, before: Translated | None
) -> tuple[dict[str, int], list[Changed]]:
    """Why forms change: how many by each criterion, and the first of them one by one."""
    shown = (
        "CAST(id AS VARCHAR)" if "id" in forms.columns else "CAST(row_number() OVER () AS VARCHAR)"
    )
    money = "spend" if "spend" in forms.columns else "NULL"
    columns = [
        f"{shown} AS form",
        f"{_before(before)} AS before",
        f"{after.outcome} AS after",
        f"{money} AS money",
        *(f"{sql} AS a{n}" for n, (_, sql) in enumerate(after.criteria)),
        *(f"{sql} AS b{n}" for n, (_, sql) in enumerate(before.criteria if before else ())),
    ]
    chosen = (
        f"SELECT * FROM (SELECT {', '.join(columns)} FROM {forms.source}) "
        f"WHERE before <> {_named('after')}"
    )
    blamed: dict[str, int] = {}
    changed: list[Changed] = []
    found = forms.connection.execute(chosen)
    while rows := found.fetchmany(10_000):
        for row in rows:
            names = _why(after, before, row)
            for name in names:
                blamed[name] = blamed.get(name, 0) + 1
            if len(changed) < MOST_CHANGED:
                amount = Decimal(row[3] or 0)
                changed.append(Changed(row[0], row[1], OUTCOMES[row[2]], names, amount))
    return blamed, changed


def _why(after: Translated, before: Translated | None, row: Sequence[Any]) -> tuple[str, ...]:
    """The criteria that say something else than before; without a before, those not satisfied."""
    now = {c.id: (c, row[4 + n]) for n, (c, _) in enumerate(after.criteria)}
    if before is None:
        if OUTCOMES[row[2]] is Outcome.APPROVED:
            return ("every criterion is met now",)
        unmet = [n for n, (c, v) in now.items() if v is not (c.section is not Section.STOP)]
        return tuple(unmet) or ("the version's terms",)
    start = 4 + len(after.criteria)
    was = {c.id: (c, row[start + n]) for n, (c, _) in enumerate(before.criteria)}
    names = [
        name
        for name in dict.fromkeys((*now, *was))
        if _satisfied(now.get(name)) is not _satisfied(was.get(name))
    ]
    return tuple(names) or ("the version's terms",)


def _satisfied(found: tuple[Any, bool | None] | None) -> bool | None:
    """A criterion's result where True lets the request pass; one that is not there lets it."""
    if found is None:
        return True
    criterion, value = found
    return value if criterion.section is not Section.STOP or value is None else not value


# --- one by one, where a version has no SQL -----------------------------------------------------


def _by_evaluator(
    forms: Forms, version: PolicyVersion, kind: Kind, before: PolicyVersion | None
) -> Replay:
    matrix: dict[tuple[str, Outcome], int] = {}
    spend: dict[tuple[str, Outcome], Decimal] = {}
    blamed: dict[str, int] = {}
    changed: list[Changed] = []
    people: set[str | None] = set()
    number = 0
    reader = forms.connection.sql(f"SELECT * FROM {forms.source}").to_arrow_reader(10_000)
    for batch in reader:
        for row in batch.to_pylist():
            number += 1
            decision = decide_row(version, kind, row)
            earlier = decide_row(before, kind, row) if before is not None else None
            was = earlier.outcome.value if earlier else row.get("outcome") or "not decided"
            key = (was, decision.outcome)
            money = Decimal(row.get("spend") or 0)
            matrix[key] = matrix.get(key, 0) + 1
            spend[key] = spend.get(key, Decimal(0)) + money
            if was != decision.outcome:
                names = _blame(decision, earlier)
                people.add(row.get("person"))
                for name in names:
                    blamed[name] = blamed.get(name, 0) + 1
                if len(changed) < MOST_CHANGED:
                    form = str(row.get("id") or number)
                    changed.append(Changed(form, was, decision.outcome, names, money))
    total = sum(n for (was, now), n in matrix.items() if was != now)
    known = len(people - {None}) if "person" in forms.columns else None
    return Replay(number, matrix, spend, tuple(changed), total, blamed, "the evaluator", known)


def decide_row(version: PolicyVersion, kind: Kind, row: Mapping[str, Any]) -> PolicyDecision:
    """The evaluator's decision on one typed row of a table of forms."""
    answers = {
        name: Answer(_typed(question.type, row[name]))
        for name, question in version.questions.items()
        if row.get(name) is not None
    }
    context = {name: row.get(name) for name in built_in_columns()}
    return decide(version, kind, answers, Context(**context))  # type: ignore[arg-type]


def _typed(kind: QuestionType, value: Any) -> Any:
    return tuple(value) if kind is QuestionType.LIST else value


def _blame(decision: PolicyDecision, earlier: PolicyDecision | None) -> tuple[str, ...]:
    now = {f.criterion: _finding(f) for f in decision.findings}
    if earlier is None:
        if decision.outcome is Outcome.APPROVED:
            return ("every criterion is met now",)
        return tuple(n for n, v in now.items() if v is not True) or ("the version's terms",)
    was = {f.criterion: _finding(f) for f in earlier.findings}
    names = (n for n in dict.fromkeys((*now, *was)) if now.get(n, True) is not was.get(n, True))
    return tuple(names) or ("the version's terms",)


def _finding(finding: Finding) -> bool | None:
    if finding.result is Result.NOT_ANSWERED:
        return None
    return (finding.result is Result.MET) is not (finding.section is Section.STOP)


def decided_kinds() -> tuple[Kind, ...]:
    """The kinds of request that criteria decide."""
    return tuple(SECTIONS)


def outcomes_of(forms: Forms, version: PolicyVersion, kind: Kind) -> list[Outcome]:
    """The outcome of each form in order, by SQL. Raises NotTranslated; for tests of agreement."""
    after = translate(read_version(version), kind, forms.columns)
    found = forms.connection.execute(f"SELECT {after.outcome} FROM {forms.source}").fetchall()
    return [OUTCOMES[number] for (number,) in found]


def results_of(forms: Forms, version: PolicyVersion, kind: Kind) -> pa.Table:
    """Each criterion's result for each form, by SQL."""
    after = translate(read_version(version), kind, forms.columns)
    columns = ", ".join(f"{sql} AS {quoted(c.id)}" for c, sql in after.criteria)
    query = f"SELECT {columns} FROM {forms.source}"
    found: pa.Table = forms.connection.sql(query).to_arrow_table()
    return found
