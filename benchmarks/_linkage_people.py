"""Invented treatments, and lines that state their patients badly: two worlds with other habits.

What a model is trained on and its threshold chosen on (`TRAINING`) comes from other seeds and other
habits than what it is reported on (`REPORTED`): other rates, and kinds of error that the first
world does not have at all (neighbouring figures exchanged, day and month changed round, hospital
numbers written another way, patients who moved to another practice).
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from app.reconciliation.model import ContractLine, Coverage, FieldFault
from app.reference_data.errors import InvalidNhsNumber
from app.reference_data.nhs_number import parse_nhs_number

PROVIDERS = ("DEMO1", "DEMO2", "DEMO3", "DEMO4")
DRUGS = {"adalimumab": "ADALIMUMAB", "etanercept": "ETANERCEPT", "natalizumab": "NATALIZUMAB"}
KINDS = ("plain", "typo", "twins", "twin elsewhere", "household", "reused local id", "not held")


@dataclass(frozen=True)
class Person:
    """Somebody treated: who they are, where, and for which drug."""

    number: str
    born: dt.date
    local_id: str
    practice: str
    provider: str
    drug: str


@dataclass(frozen=True)
class Habits:
    """How a world states its patients: chances of each slip, by kind of line."""

    seed: int
    kinds: dict[str, float]
    number_missing: float
    number_slips: tuple[Callable[[random.Random, str], str], ...]
    born_missing: float
    born_wrong: float
    born_slips: tuple[Callable[[random.Random, dt.date], dt.date], ...]
    local_missing: float
    local_wrong: float
    local_slips: tuple[Callable[[random.Random, str], str], ...]
    practice_missing: float
    practice_other: float
    elsewhere: float = 0.02


@dataclass
class World:
    """Approvals with their patients' practices, and lines with the treatment that each is of."""

    coverages: list[Coverage] = field(default_factory=list)
    practices: dict[str, tuple[str, ...]] = field(default_factory=dict)
    lines: list[ContractLine] = field(default_factory=list)
    truth: list[str | None] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)


def figure_changed(rng: random.Random, text: str) -> str:
    """One figure replaced by another."""
    at = rng.choice([i for i, c in enumerate(text) if c.isdigit()])
    return text[:at] + rng.choice([c for c in "0123456789" if c != text[at]]) + text[at + 1 :]


def figure_lost(rng: random.Random, text: str) -> str:
    """One character left out."""
    at = rng.randrange(len(text))
    return text[:at] + text[at + 1 :]


def neighbours_exchanged(rng: random.Random, text: str) -> str:
    """Two unlike neighbours in each other's place."""
    places = [i for i in range(len(text) - 1) if text[i] != text[i + 1]]
    at = rng.choice(places)
    return text[:at] + text[at + 1] + text[at] + text[at + 2 :]


def two_changed(rng: random.Random, text: str) -> str:
    """Two figures replaced."""
    return figure_changed(rng, figure_changed(rng, text))


def another_number(rng: random.Random, _text: str) -> str:
    """Somebody else's number altogether."""
    return f"999{rng.randrange(10_000_000):07d}"


def zeros_lost(_rng: random.Random, text: str) -> str:
    """A hospital number without its leading zeros, as a spreadsheet leaves it."""
    return text[:1] + text[1:].lstrip("0") if text[:1].isalpha() else text.lstrip("0")


def letter_lost(_rng: random.Random, text: str) -> str:
    """A hospital number without the letter before it."""
    return text[1:]


def year_off(rng: random.Random, born: dt.date) -> dt.date:
    """Another year near by."""
    day = min(born.day, 28)
    return born.replace(year=born.year + rng.choice([-10, -1, 1, 10]), day=day)


def day_off(rng: random.Random, born: dt.date) -> dt.date:
    """Another day of the month."""
    return born.replace(day=rng.choice([d for d in range(1, 29) if d != born.day]))


def day_and_month(_rng: random.Random, born: dt.date) -> dt.date:
    """Day and month changed round where that is a date; else the first of January."""
    if born.day <= 12:
        return born.replace(day=born.month, month=born.day)
    return born.replace(day=1, month=1)


_TRAINING_KINDS = {
    "plain": 0.45,
    "typo": 0.30,
    "twins": 0.02,
    "twin elsewhere": 0.02,
    "household": 0.03,
    "reused local id": 0.03,
    "not held": 0.15,
}
_REPORTED_KINDS = {
    "plain": 0.25,
    "typo": 0.25,
    "twins": 0.10,
    "twin elsewhere": 0.10,
    "household": 0.10,
    "reused local id": 0.10,
    "not held": 0.10,
}
TRAINING = Habits(
    seed=20261,
    kinds=_TRAINING_KINDS,
    number_missing=0.60,
    number_slips=(figure_changed, figure_changed, figure_lost, another_number),
    born_missing=0.03,
    born_wrong=0.03,
    born_slips=(year_off,),
    local_missing=0.25,
    local_wrong=0.05,
    local_slips=(figure_changed,),
    practice_missing=0.05,
    practice_other=0.05,
)
REPORTED = Habits(
    seed=90007,
    kinds=_REPORTED_KINDS,
    number_missing=0.45,
    number_slips=(neighbours_exchanged, two_changed, figure_changed, figure_lost),
    born_missing=0.08,
    born_wrong=0.06,
    born_slips=(day_and_month, day_off, year_off),
    local_missing=0.40,
    local_wrong=0.10,
    local_slips=(zeros_lost, letter_lost, neighbours_exchanged),
    practice_missing=0.10,
    practice_other=0.15,
)


class Maker:
    """Draws people, approvals and lines of one world."""

    def __init__(self, habits: Habits) -> None:
        self.habits = habits
        self.rng = random.Random(habits.seed)
        self.numbers: set[str] = set()
        self.world = World()

    def number(self, near: str | None = None) -> str:
        """A valid number of nobody yet, of the 999 range; near another's: issued next to it."""
        while True:
            if near is None:
                nine = f"{self.rng.randrange(999_000_000, 999_999_000):09d}"
            else:
                nine = f"{int(near[:9]) + self.rng.randint(1, 9):09d}"
            for check in range(10):
                made = f"{nine}{check}"
                if made not in self.numbers and _is_valid(made):
                    self.numbers.add(made)
                    return made

    def person(self) -> Person:
        """Somebody of one of the providers, with a practice of its surroundings."""
        rng = self.rng
        provider = rng.choice(PROVIDERS)
        born = dt.date(1930, 1, 1) + dt.timedelta(days=rng.randrange(80 * 365))
        practice = f"{PROVIDERS.index(provider)}P{int(rng.paretovariate(1.2) * 7) % 90:03d}"
        drug = rng.choices(list(DRUGS), [5, 3, 2])[0]
        local = f"H{rng.randrange(1_000_000):07d}"
        return Person(self.number(), born, local, practice, provider, drug)

    def treat(self, person: Person) -> str:
        """An approval of a year for the person; returns the treatment."""
        number = len(self.world.coverages)
        treatment = f"T{number:07d}"
        from_ = dt.date(2026, 4, 1) - dt.timedelta(days=self.rng.randrange(300))
        self.world.coverages.append(
            Coverage(
                treatment_id=treatment,
                approval_reference=f"PA{number:013d}",
                drug=person.drug,
                indication_key="any",
                from_=from_,
                to=from_ + dt.timedelta(days=420),
                provider=person.provider,
                commissioner="DEMQ1",
                nhs_number=person.number,
                local_ids=frozenset({(person.provider, person.local_id)}),
                birth_date=person.born,
            )
        )
        self.world.practices[treatment] = (person.practice,)
        return treatment

    def line(self, person: Person, treatment: str | None, kind: str) -> None:
        """A line of the person's that states them as the world's habits have it."""
        rng, habits = self.rng, self.habits
        number: str | None = None
        faults: tuple[FieldFault, ...] = ()
        if kind == "typo" or rng.random() >= habits.number_missing:
            number, faults = self._spoilt_number(person.number)
        born = self._born(person.born)
        local: str | None = person.local_id
        if rng.random() < habits.local_missing:
            local = None
        elif rng.random() < habits.local_wrong:
            local = rng.choice(habits.local_slips)(rng, person.local_id)
        practice: str | None = person.practice
        if rng.random() < habits.practice_missing:
            practice = None
        elif rng.random() < habits.practice_other:
            practice = self.person().practice
        at = person.provider
        if rng.random() < habits.elsewhere:
            at, local = rng.choice([p for p in PROVIDERS if p != at]), None
        row = len(self.world.lines) + 1
        self.world.lines.append(
            ContractLine(
                row=row,
                content_hash=f"{row:064d}",
                raw=(),
                provider=at,
                commissioner="DEMQ1",
                gp_practice=practice,
                nhs_number=number,
                local_patient_id=local,
                birth_date=born,
                supply_date=dt.date(2026, 6, 1) - dt.timedelta(days=rng.randrange(60)),
                drug_name=DRUGS[person.drug],
                total_cost=1,
                faults=faults,
            )
        )
        self.world.truth.append(treatment)
        self.world.kinds.append(kind)

    def _born(self, born: dt.date) -> dt.date | None:
        if self.rng.random() < self.habits.born_missing:
            return None
        if self.rng.random() < self.habits.born_wrong:
            return self.rng.choice(self.habits.born_slips)(self.rng, born)
        return born

    def _spoilt_number(self, number: str) -> tuple[str | None, tuple[FieldFault, ...]]:
        """A number with a slip in it: read where its check digit agrees by chance, else a fault."""
        spoilt = self.rng.choice(self.habits.number_slips)(self.rng, number)
        if spoilt in self.numbers:
            return None, ()
        if _is_valid(spoilt):
            return spoilt, ()
        return None, (FieldFault("nhs_number", spoilt, "its check digit does not agree"),)


def make_world(habits: Habits, people: int, lines: int) -> World:
    """A world of so many treated people and lines, the same for the same habits."""
    maker = Maker(habits)
    rng = maker.rng
    treated = [maker.person() for _ in range(people)]
    treatments = [maker.treat(person) for person in treated]
    for _ in range(lines):
        kind = rng.choices(list(habits.kinds), list(habits.kinds.values()))[0]
        at = rng.randrange(people)
        person, treatment = treated[at], treatments[at]
        _add_line(maker, kind, person, treatment)
    return maker.world


def _add_line(maker: Maker, kind: str, person: Person, treatment: str) -> None:
    """A line of this kind, with the people that make it hard."""
    rng = maker.rng
    other = maker.person()
    twin = replace(person, number=maker.number(person.number), local_id=other.local_id)
    if kind == "twins":
        maker.treat(twin)
    elif kind == "twin elsewhere":
        person, treatment_of = twin, None
        maker.line(person, treatment_of, kind)
        return
    elif kind == "household":
        days = dt.timedelta(days=rng.randrange(300, 1200))
        maker.treat(replace(twin, born=person.born - days, number=other.number))
    elif kind == "reused local id":
        maker.treat(
            replace(other, local_id=person.local_id, provider=person.provider, drug=person.drug)
        )
    elif kind == "not held":
        maker.line(other, None, kind)
        return
    maker.line(person, treatment, kind)


def _is_valid(number: str) -> bool:
    try:
        parse_nhs_number(number)
    except InvalidNhsNumber:
        return False
    return True
