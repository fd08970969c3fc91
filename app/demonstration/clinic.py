"""What happened to each patient: an invented clinical timeline.

Nothing here knows of forms or approvals. Days are told back from the demonstration day, so that
the same seed gives the same stories on any day.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum
from typing import Final

from app.approvals.model import StopReason
from app.demonstration.chance import Chance, chance
from app.demonstration.organisations import ICB, PROVIDERS, SPECIALISED
from app.demonstration.people import Person, make_person
from app.demonstration.periods import delegation_of

#: The drug whose commissioner changes in the demonstration year.
DELEGATED: Final = "natalizumab"
#: The first day on which two years back lie within the policies' present texts.
EARLIEST_DAY: Final = dt.date(2026, 6, 1)
#: Obeticholic acid is started under the policy text of this day or a later one.
_OCA_FROM: Final = dt.date(2024, 12, 19)


class Illness(StrEnum):
    """Why the drug is given. The last two have no policy: nobody can send a form for them."""

    RA = "rheumatoid arthritis"
    RRMS = "relapsing-remitting multiple sclerosis"
    PBC = "primary biliary cholangitis"
    ITP = "immune thrombocytopenia"
    PSA = "psoriatic arthritis"
    CIDP = "chronic inflammatory demyelinating polyneuropathy"


@dataclass(frozen=True, slots=True)
class Service:
    """How hospitals treat an illness, as far as the demonstration needs it."""

    drug: str
    commissioner: str
    specialty: str  # treatment function code
    snomed: str
    also_coded: str  # another code that some hospitals use for it
    ages: tuple[int, int]
    products: Mapping[str, int]
    patients: int


SERVICES: Final[Mapping[Illness, Service]] = {
    Illness.RA: Service(
        "adalimumab", ICB, "410", "69896004", "33339001", (24, 82),
        {"imraldi": 30, "amgevita": 28, "yuflyma": 16, "hyrimoz": 12, "humira": 8, "idacio": 6}, 74,
    ),
    Illness.RRMS: Service(
        "natalizumab", SPECIALISED, "400", "426373005", "425500002", (19, 58),
        {"tysabri": 70, "tyruko": 30}, 50,
    ),
    Illness.PBC: Service(
        "obeticholic-acid", SPECIALISED, "306", "31712002", "31712002", (35, 80),
        {"ocaliva": 1}, 32,
    ),
    Illness.ITP: Service(
        "immunoglobulin", SPECIALISED, "303", "2897005", "32273002", (19, 85),
        {"privigen": 4, "octagam": 3, "gamunex": 2, "kiovig": 1}, 58,
    ),
    Illness.PSA: Service(
        "adalimumab", ICB, "410", "33339001", "33339001", (24, 70),
        {"imraldi": 1, "amgevita": 1}, 3,
    ),
    Illness.CIDP: Service(
        "immunoglobulin", SPECIALISED, "400", "128209004", "128209004", (30, 75),
        {"privigen": 1}, 2,
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Move:
    """A move to another trust, which supplies from this day on."""

    day: dt.date
    to: str


@dataclass(frozen=True, slots=True)
class Break:
    """A pause in treatment, both days included."""

    first: dt.date
    last: dt.date


@dataclass(frozen=True, slots=True)
class Ending:
    """The last treated day, and why treatment ended."""

    day: dt.date
    reason: StopReason


@dataclass(frozen=True, slots=True)
class Change:
    """Another product or another dose from a day on."""

    day: dt.date
    product: str | None = None
    amount: Decimal | None = None
    every_days: int | None = None


@dataclass(frozen=True, slots=True)
class Course:
    """One patient's treatment as it happened. `first_dose` None: it never began."""

    number: int
    person: Person
    illness: Illness
    provider: str
    product: str
    decided_on: dt.date
    first_dose: dt.date | None
    amount: Decimal  # mg, or g of immunoglobulin
    every_days: int
    homecare: bool
    responds: bool = True
    infused_at: str | None = None  # the spoke that gives what the hub prescribes
    change: Change | None = None
    move: Move | None = None
    pause: Break | None = None
    ending: Ending | None = None
    runs_on_days: int = 0  # deliveries go on this long after the last treated day
    weight_kg: int = 70
    height_cm: int = 170
    repeats: tuple[int, ...] = field(default=())  # days after the first dose, for one episode
    delegated_on: dt.date | None = None  # the drug's commissioner changes on this day

    @property
    def service(self) -> Service:
        return SERVICES[self.illness]

    def payer(self, on: dt.date) -> str:
        """The commissioner that pays on a day."""
        if self.delegated_on is not None and on >= self.delegated_on:
            return ICB
        return self.service.commissioner

    def place(self, on: dt.date) -> str:
        """The trust that supplies on a day."""
        if self.move is not None and on >= self.move.day:
            return self.move.to
        return self.infused_at or self.provider


def make_courses(seed: int, day: dt.date) -> tuple[Course, ...]:
    """Every invented treatment of the two years up to the day."""
    courses: list[Course] = []
    for illness in SERVICES:
        draw = chance(seed, f"clinic {illness}")
        begun = _begun(draw, illness, day, first_number=len(courses) + 1)
        courses += _with_events(draw, illness, begun, day)
    return tuple(courses)


def _begun(draw: Chance, illness: Illness, day: dt.date, first_number: int) -> list[Course]:
    service = SERVICES[illness]
    providers = draw.deck(_shares(service.patients, {"DEMO1": 45, "DEMO2": 30, "DEMO3": 25}))
    products = draw.deck(_shares(service.patients, service.products))
    courses = []
    for place in range(service.patients):
        number = first_number + place
        person = make_person(draw, number, day, service.ages)
        decided = day - dt.timedelta(days=_days_ago(draw, illness, place, service.patients))
        if illness is Illness.PBC:
            decided = max(decided, _OCA_FROM + dt.timedelta(days=draw.between(20, 90)))
        where, what = providers[place], products[place]
        courses.append(
            _course(draw, number, person, illness, where, what, decided, delegated_on(illness, day))
        )
    return courses


def delegated_on(illness: Illness, day: dt.date) -> dt.date | None:
    """When the illness's drug changes its commissioner; None where it never does."""
    return delegation_of(day) if SERVICES[illness].drug == DELEGATED else None


def _days_ago(draw: Chance, illness: Illness, place: int, of: int) -> int:
    """When treatment was decided on: spread over two years, episodes closer to the day."""
    longest = 715
    if illness is Illness.ITP and place % 3:
        longest = 230
    if illness in (Illness.PSA, Illness.CIDP):
        return draw.between(300, longest)
    step = longest / of
    return 6 + int(step * place) + draw.between(0, max(1, int(step)))


def _course(
    draw: Chance,
    number: int,
    person: Person,
    illness: Illness,
    provider: str,
    product: str,
    decided: dt.date,
    delegated: dt.date | None,
) -> Course:
    height = draw.between(156, 186)
    ideal = (
        (52 + Decimal("0.75") * (height - 152))
        if person.sex == "male"
        else (49 + Decimal("0.67") * (height - 152))
    )
    weight = int(ideal * draw.between(92, 116) / 100)
    wait, amount, every, home = {
        Illness.RA: (draw.between(7, 28), Decimal(40), 14, draw.below(0.7)),
        Illness.PSA: (draw.between(7, 28), Decimal(40), 14, True),
        Illness.RRMS: (draw.between(10, 30), Decimal(300), 28, False),
        Illness.PBC: (draw.between(21, 45), Decimal(5), 1, draw.below(0.6)),
        Illness.ITP: (draw.between(0, 1), Decimal(weight // 5 * 5), 1, False),
        Illness.CIDP: (14, Decimal(weight * 2 // 10 * 10), 28, False),
    }[illness]
    return Course(
        number=number,
        person=person,
        illness=illness,
        provider=provider,
        product=product,
        decided_on=decided,
        first_dose=decided + dt.timedelta(days=wait),
        amount=amount,
        every_days=every,
        homecare=home,
        delegated_on=delegated,
        weight_kg=weight,
        height_cm=height,
        repeats=(draw.between(5, 7),) if illness is Illness.ITP and draw.below(0.3) else (),
    )


# --- what befell them ---------------------------------------------------------------------------

_COUNTS: Final[Mapping[Illness, Mapping[str, int]]] = {
    Illness.RA: {"never": 3, "fail": 4, "stop": 8, "run on": 3, "switch": 6, "dose": 3, "move": 5,
                 "pause": 4},
    Illness.RRMS: {"never": 1, "stop": 4, "switch": 5, "move": 4, "spoke": 5, "pause": 3},
    Illness.PBC: {"never": 1, "stop": 3, "run on": 1, "dose": 8, "move": 2, "pause": 1},
    Illness.ITP: {"never": 2},
    Illness.PSA: {},
    Illness.CIDP: {},
}  # fmt: skip
_REASONS: Final = (
    StopReason.LOSS_OF_RESPONSE,
    StopReason.ADVERSE_EFFECT,
    StopReason.PATIENT_CHOICE,
    StopReason.MOVED_AWAY,
    StopReason.DIED,
)


def _with_events(
    draw: Chance, illness: Illness, courses: list[Course], day: dt.date
) -> list[Course]:
    """The courses, with the events of the illness's counts befalling different patients."""
    old = [c for c in courses if c.first_dose and (day - c.first_dose).days >= 130]
    pool = old if illness is not Illness.ITP else courses
    counts = _COUNTS[illness]
    befallen = draw.some(pool, sum(counts.values()))
    events = dict(zip((c.number for c in befallen), draw.deck(counts), strict=False))
    return [
        _befall(draw, course, events[course.number], day) if course.number in events else course
        for course in courses
    ]


def _befall(draw: Chance, course: Course, event: str, day: dt.date) -> Course:
    assert course.first_dose is not None
    span = (day - course.first_dose).days
    when = course.first_dose + dt.timedelta(days=draw.between(min(70, span), max(71, span - 30)))
    if event == "never":
        return replace(course, first_dose=None)
    if event == "fail":
        last = course.first_dose + dt.timedelta(days=draw.between(195, 235))
        ending = Ending(min(last, day), StopReason.NO_RESPONSE) if last <= day else None
        return replace(course, responds=False, ending=ending)
    if event in ("stop", "run on"):
        ending = Ending(when, draw.one_of(_REASONS))
        return replace(course, ending=ending, runs_on_days=100 if event == "run on" else 0)
    if event == "switch":
        others = [p for p in course.service.products if p not in (course.product, "humira")]
        return replace(course, change=Change(when, product=draw.one_of(others)))
    if event == "dose":
        return replace(course, change=_dose_change(course, when, day))
    if event == "move":
        others = [code for code in PROVIDERS if code != course.provider]
        return replace(course, move=Move(when, draw.one_of(others)))
    if event == "spoke":
        others = [code for code in PROVIDERS if code != course.provider]
        return replace(course, infused_at=draw.one_of(others))
    return replace(course, pause=Break(when, when + dt.timedelta(days=draw.between(45, 100))))


def _dose_change(course: Course, when: dt.date, day: dt.date) -> Change:
    if course.illness is Illness.PBC:
        assert course.first_dose is not None
        after = course.first_dose + dt.timedelta(days=190)
        return Change(min(max(when, after), day), amount=Decimal(10))
    return Change(when, every_days=7)


def _shares(total: int, weights: Mapping[str, int]) -> dict[str, int]:
    """Whole counts that add up to the total, in proportion to the weights."""
    whole = sum(weights.values())
    counts = {key: total * weight // whole for key, weight in weights.items()}
    first = next(iter(weights))
    counts[first] += total - sum(counts.values())
    return counts
