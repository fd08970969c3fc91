"""The outcome of a version as SQL: `app.policy.evaluate`'s decision rule over criteria columns."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from app.authoring.reading import Reading
from app.authoring.replay.sql import NotTranslated, Writer
from app.policy import Criterion, Kind, Outcome, PolicyVersion, Section
from app.policy.evaluate import SECTIONS

OUTCOMES = (
    Outcome.APPROVED,
    Outcome.CRITERIA_NOT_MET,
    Outcome.MORE_INFORMATION_NEEDED,
    Outcome.REFERRED,
)
"""An outcome's number in SQL is its place here."""


@dataclass(frozen=True, slots=True)
class Translated:
    """One version's criteria of a kind as SQL, and the outcome that follows from them."""

    version: PolicyVersion
    criteria: tuple[tuple[Criterion, str], ...]
    outcome: str


def translate(reading: Reading, kind: Kind, columns: Collection[str]) -> Translated:
    """SQL for one version and kind over a table with these columns. Raises NotTranslated."""
    version = reading.version
    if kind not in SECTIONS:
        raise NotTranslated(f"a {kind} is not decided by criteria")
    if any(reading.tests[c.id] is None for s in SECTIONS[kind] for c in version.criteria(s)):
        raise NotTranslated("a criterion that is not read")
    writer = Writer(reading, columns)
    found = tuple(
        (criterion, writer.test(reading.test(criterion)))
        for section in SECTIONS[kind]
        for criterion in version.criteria(section)
    )
    return Translated(version, found, _outcome(version, kind, found))


def _outcome(version: PolicyVersion, kind: Kind, found: tuple[tuple[Criterion, str], ...]) -> str:
    if kind is Kind.STOP:
        return "0"
    refused = [_failed(c, sql) for c, sql in found if c.on_failure == "not met"]
    referred = [_failed(c, sql) for c, sql in found if c.on_failure == "refer"]
    refused_always, referred_always = _always(version, kind, bool(found))
    refused += refused_always
    referred += referred_always
    unknown = [f"{sql} IS NULL" for _, sql in found]
    cases = []
    for number, tests in ((1, refused), (2, unknown), (3, referred)):
        if tests:
            cases.append(f"WHEN {' OR '.join(tests)} THEN {number}")
    return f"CASE {' '.join(cases)} ELSE 0 END" if cases else "0"


def _failed(criterion: Criterion, sql: str) -> str:
    return f"{sql} IS {'TRUE' if criterion.section is Section.STOP else 'FALSE'}"


def _always(version: PolicyVersion, kind: Kind, has_criteria: bool) -> tuple[list[str], list[str]]:
    """What refuses or refers whatever is answered."""
    refused: list[str] = []
    referred: list[str] = []
    if kind is Kind.INITIATION:
        if version.new_starts is not None:
            (refused if version.new_starts.decide == "refuse" else referred).append("TRUE")
        notice = getattr(version, "notice", None)
        if notice is not None:
            day = f"decision_to_treat >= DATE '{notice.from_.isoformat()}'"
            (refused if notice.decide == "refuse" else referred).append(day)
    if version.mechanism == "panel":
        referred.append("TRUE")
    if not has_criteria and version.mechanism != "notification":
        referred.append("TRUE")
    return refused, referred
