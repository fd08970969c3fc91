"""What was handed over or infused for each course, as its timeline leads to it."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from app.demonstration.clinic import Course, Illness


@dataclass(frozen=True, slots=True)
class Supply:
    """A drug handed over or infused. `count` is in units of the pack."""

    course: Course
    day: dt.date
    provider: str
    product: str
    pack: str
    count: int
    homecare: bool


def supplies_of(course: Course, until: dt.date) -> tuple[Supply, ...]:
    """Everything that was supplied for the course up to a day, in order."""
    if course.first_dose is None:
        return ()
    found: list[Supply] = []
    for on in _supply_days(course, course.first_dose, until):
        product, amount, every = _in_force(course, on)
        for pack, count in _packs(course, product, amount, every):
            found.append(
                Supply(course, on, course.place(on), product, pack, count, course.homecare)
            )
    return tuple(found)


def _supply_days(course: Course, first: dt.date, until: dt.date) -> Iterable[dt.date]:
    if course.illness is Illness.ITP:
        days = [first, *(first + dt.timedelta(days=after) for after in course.repeats)]
        yield from (on for on in days if on <= until)
        return
    last = until
    if course.ending is not None:
        last = min(until, course.ending.day + dt.timedelta(days=course.runs_on_days))
    on = first
    while on <= last:
        if course.pause is None or not course.pause.first <= on <= course.pause.last:
            yield on
        on += dt.timedelta(days=_interval(course))


def _interval(course: Course) -> int:
    """Days from one supply to the next."""
    if course.illness in (Illness.RRMS, Illness.CIDP):
        return 28
    return 56 if course.homecare else 28


def _in_force(course: Course, on: dt.date) -> tuple[str, Decimal, int]:
    change = course.change
    if change is None or on < change.day:
        return course.product, course.amount, course.every_days
    return (
        change.product or course.product,
        change.amount or course.amount,
        change.every_days or course.every_days,
    )


def _packs(course: Course, product: str, amount: Decimal, every: int) -> Iterable[tuple[str, int]]:
    if course.service.drug == "adalimumab":
        thin = product in ("yuflyma", "hyrimoz", "humira")
        yield ("pen 0.4" if thin else "pen 0.8"), _interval(course) // every
    elif course.service.drug == "natalizumab":
        yield "vial", 1
    elif course.service.drug == "obeticholic-acid":
        yield ("tablets 10" if amount > 5 else "tablets 5"), _interval(course) // 28
    else:
        grams = int(amount)
        for size in (20, 10, 5):
            if count := grams // size:
                yield f"{size} g", count
            grams %= size
