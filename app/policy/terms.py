"""Frozen types of what an approval covers: lengths, phases, courses, drugs barred together.

Every length is a `Span`; its days are Europe/London days. Words follow the glossary.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from app.policy.model import Evidence, Source


@dataclass(frozen=True, slots=True)
class Span:
    """A length: whole months, or days. One of the two is 0."""

    months: int = 0
    days: int = 0

    def __str__(self) -> str:
        number, unit = (self.months, "month") if self.months else (self.days, "day")
        if not self.months and self.days % 7 == 0:
            number, unit = self.days // 7, "week"
        return f"{number} {unit}{'' if number == 1 else 's'}"


@dataclass(frozen=True, slots=True)
class MaxDose:
    """The largest dose that an approval covers, e.g. 300 mg per "28 days"."""

    amount: Decimal
    unit: str
    per: str

    def __str__(self) -> str:
        return f"{self.amount:f} {self.unit} per {self.per}"


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of treatment with its own largest dose, counted from the first dose.

    `lasts` is None for the last phase, which has no end. `max_dose` None: that of the terms.
    """

    name: str
    lasts: Span | None
    max_dose: MaxDose | None


@dataclass(frozen=True, slots=True)
class Escalation:
    """A dose above the largest, allowed on one of the grounds; `lasts` makes it temporary."""

    name: str
    max_dose: MaxDose
    lasts: Span | None
    grounds: dict[str, str]
    source: Source
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Course:
    """One course of a fixed number.

    It begins at the earliest `after` and at the latest `within`, both counted from the first day
    of the course before; `lasts` None: as long as the terms say.
    """

    name: str
    lasts: Span | None
    after: Span | None
    within: Span | None


@dataclass(frozen=True, slots=True)
class Barred:
    """Drugs not funded together with this one; `overlap_days` are permitted when switching."""

    drugs: tuple[str, ...]
    overlap_days: int
    reason: str
    source: Source
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class BestValueProduct:
    """A product to be used first between two days; `target` is the share asked for, in words."""

    product: str
    from_: date
    until: date | None
    target: str | None


@dataclass(frozen=True, slots=True)
class BestValue:
    """The products to be used first, and the reasons that permit another."""

    products: tuple[BestValueProduct, ...]
    reasons: dict[str, str]
    source: Source
    evidence: Evidence

    def on(self, day: date) -> tuple[str, ...]:
        """The products to be used first on a day; empty where none is named for it."""
        return tuple(
            each.product
            for each in self.products
            if each.from_ <= day and (each.until is None or day <= each.until)
        )


@dataclass(frozen=True, slots=True)
class Conversion:
    """How a treatment that began outside NHS funding is judged when the NHS takes it on."""

    judged_on: Literal["pre_treatment_baseline", "decision_to_treat"]
    source: Source
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class ApprovalTerms:
    """What an approval under this version covers, and for how long.

    `grace_days` follow the end of coverage; `retrospective_days` is how long after the first
    dose a form may still come for one of `retrospective_reasons`. `products` are product keys of
    the drug dictionary; empty means any. `then_lasts` is the length of a continuation where it
    differs from the first approval's. `doses` is the most that one episode covers. `supersedes`
    are policies whose running approval gives way when one under this version begins.
    `max_supply_days` is the longest supply that may be handed over at once.
    """

    pattern: Literal["rolling", "episode", "fixed course"]
    lasts_months: int | None
    lasts_days: int | None
    start_within_days: int | None
    grace_days: int
    retrospective_reasons: dict[str, str]
    retrospective_days: int
    max_dose: MaxDose | None
    products: tuple[str, ...]
    interchangeable: bool
    max_unit_price: None
    source: Source
    evidence: Evidence
    then_lasts: Span | None = None
    phases: tuple[Phase, ...] = ()
    escalations: tuple[Escalation, ...] = ()
    courses: tuple[Course, ...] = ()
    doses: int | None = None
    barred_with: tuple[Barred, ...] = ()
    supersedes: tuple[str, ...] = ()
    max_supply_days: int | None = None
    best_value: BestValue | None = None
    conversion: Conversion | None = field(default=None)

    @property
    def lasts(self) -> Span | None:
        """The length of a first approval; None where the terms set none."""
        if self.lasts_months is None and self.lasts_days is None:
            return None
        return Span(self.lasts_months or 0, self.lasts_days or 0)

    def evidences(self) -> set[Evidence]:
        """How each part of the terms was checked."""
        found = {self.evidence}
        found |= {each.evidence for each in self.escalations or ()}
        found |= {each.evidence for each in self.barred_with or ()}
        if self.best_value is not None:
            found.add(self.best_value.evidence)
        if self.conversion is not None:
            found.add(self.conversion.evidence)
        return found
