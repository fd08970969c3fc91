"""Frozen types of an import: what a row asks for, and the verdict on each row.

A verdict holds no patient data: a row number, a column's name, our own words, and references. A
candidate does, and is kept only until its import is accepted or discarded.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Verdict(StrEnum):
    NEW = "new"  # a preview: it will be imported
    ACCEPTED = "accepted"
    ALREADY = "already imported"
    REJECTED = "rejected"


class ImportState(StrEnum):
    PREVIEWED = "previewed"
    ACCEPTED = "accepted"
    DISCARDED = "discarded"


@dataclass(frozen=True, slots=True)
class RowFault:
    """Why a row is rejected: the column to mend, if it is one, and our words for it."""

    column: str | None
    why: str

    def __str__(self) -> str:
        return f"{self.column}: {self.why}" if self.column else self.why


@dataclass(frozen=True, slots=True)
class Candidate:
    """One approval of the old system, read from a row. Days are Europe/London days."""

    row: int
    legacy_reference: str
    provider: str
    commissioner: str
    policy: str
    product: str | None
    nhs_number: str | None
    local_id: str | None
    birth_date: dt.date
    covers_from: dt.date
    covers_to: dt.date | None
    first_dose: dt.date | None
    ended_on: dt.date | None
    course_complete: bool
    notes: tuple[str, ...]

    @property
    def key(self) -> tuple[str, str]:
        """What makes it the same approval wherever it is met: its provider and its reference."""
        return self.provider, self.legacy_reference

    def covers_on(self, day: dt.date) -> bool:
        """Whether it still covers the day or one after it."""
        return self.ended_on is None and (self.covers_to is None or self.covers_to >= day)

    def same_as(self, other: "Candidate") -> bool:
        """Whether two rows say the same, wherever they stand."""
        mine, theirs = asdict(self), asdict(other)
        return {**mine, "row": 0} == {**theirs, "row": 0}


@dataclass(frozen=True, slots=True)
class RowVerdict:
    """What becomes of one row; `row` is its number as a spreadsheet shows it."""

    row: int
    verdict: Verdict
    faults: tuple[RowFault, ...] = ()
    notes: tuple[str, ...] = ()
    legacy_reference: str | None = None
    reference: str | None = None
    treatment_id: str | None = None

    @property
    def reason(self) -> str:
        """Everything that is against the row, in one line."""
        return "; ".join(str(fault) for fault in self.faults)


@dataclass(frozen=True, slots=True)
class _Counted:
    id: str
    state: ImportState
    file_name: str
    rows: tuple[RowVerdict, ...]

    def count(self, verdict: Verdict) -> int:
        """How many rows have this verdict."""
        return sum(1 for row in self.rows if row.verdict is verdict)

    @property
    def already(self) -> int:
        return self.count(Verdict.ALREADY)

    @property
    def rejected(self) -> int:
        return self.count(Verdict.REJECTED)


@dataclass(frozen=True, slots=True)
class ImportPreview(_Counted):
    """What accepting would do: new + already + rejected = rows. Once accepted, what it did."""

    @property
    def new(self) -> int:
        return self.count(Verdict.NEW)

    @property
    def accepted(self) -> int:
        return self.count(Verdict.ACCEPTED)


@dataclass(frozen=True, slots=True)
class ImportResult(_Counted):
    """What accepting did: accepted + already + rejected = rows."""

    @property
    def accepted(self) -> int:
        return self.count(Verdict.ACCEPTED)


# --- as JSON, for the store ---------------------------------------------------------------------

_DAYS = ("birth_date", "covers_from", "covers_to", "first_dose", "ended_on")


def verdict_to_json(verdict: RowVerdict) -> dict[str, Any]:
    """A verdict as plain JSON."""
    return {
        "row": verdict.row,
        "verdict": verdict.verdict.value,
        "faults": [{"column": fault.column, "why": fault.why} for fault in verdict.faults],
        "notes": list(verdict.notes),
        "legacy_reference": verdict.legacy_reference,
        "reference": verdict.reference,
        "treatment_id": verdict.treatment_id,
    }


def verdict_from_json(stored: Mapping[str, Any]) -> RowVerdict:
    """A verdict from `verdict_to_json`; what else is stored beside it is left alone."""
    return RowVerdict(
        row=stored["row"],
        verdict=Verdict(stored["verdict"]),
        faults=tuple(RowFault(fault["column"], fault["why"]) for fault in stored["faults"]),
        notes=tuple(stored["notes"]),
        legacy_reference=stored["legacy_reference"],
        reference=stored["reference"],
        treatment_id=stored["treatment_id"],
    )


def candidate_to_json(candidate: Candidate) -> dict[str, Any]:
    """A candidate as plain JSON, days in ISO form."""
    plain = asdict(candidate)
    for name in _DAYS:
        plain[name] = plain[name].isoformat() if plain[name] else None
    return {**plain, "notes": list(candidate.notes)}


def candidate_from_json(stored: Mapping[str, Any]) -> Candidate:
    """A candidate from `candidate_to_json`."""
    values = dict(stored)
    for name in _DAYS:
        values[name] = dt.date.fromisoformat(values[name]) if values[name] else None
    return Candidate(**{**values, "notes": tuple(values["notes"])})
