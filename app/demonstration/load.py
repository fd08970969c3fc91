"""Loading the demonstration, whole or not at all.

Everything is stored in one transaction, the last row of which marks it as loaded: a load that is
interrupted leaves nothing behind, and is simply done again.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from sqlalchemy import func, select

from app.approvals.handing import Asked, hand_over_by_two
from app.approvals.importing import accept_import, preview_import
from app.approvals.office import (
    APPROVAL_NOT_REQUIRED,
    PANEL,
    PHARMACIST_AUTHORISATION,
    change_setting,
    setting,
)
from app.auth.model import Caller
from app.db import tables
from app.db.transaction import Database
from app.db.work import Moment, Work
from app.demonstration import agenda
from app.demonstration.answering import Story
from app.demonstration.chance import SEED, chance
from app.demonstration.clerk import Case, Clerk, at, references
from app.demonstration.clinic import DELEGATED, EARLIEST_DAY, Course, make_courses
from app.demonstration.habits import Habits, make_habits
from app.demonstration.organisations import (
    COMMISSIONERS,
    ICB,
    SPECIALISED,
    WITH_PHARMACIST,
    People,
    name_persons,
    register,
)
from app.demonstration.organisations import (
    PANEL as PANEL_CODE,
)
from app.demonstration.periods import delegation_of
from app.demonstration.stories import tell
from app.demonstration.submission import NAME, Invoices, submission_of
from app.reconciliation.service import Desk, reconcile

T = TypeVar("T")
#: The organisation and name under which it is kept that the demonstration is loaded, and what.
KEEPER, MARKER = "DEMO", "demonstration"
FORMAT: Final = 1
YEARS: Final = dt.timedelta(days=740)
#: Drugs that the demonstration's board pays for without asking.
EXEMPT: Final = ["infliximab", "rituximab"]
Progress = Callable[[str, float], None]


class NotLoadable(Exception):
    """The demonstration cannot be loaded here; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What the marker keeps of a loaded demonstration."""

    day: dt.date
    seed: int
    treatments: int
    requests: int
    approvals: int
    runs: Mapping[str, str]  # organisation, or * for all → the run of its reconciliation
    refused: tuple[str, ...] = ()  # steps that the service refused, each without patient data


def find_loaded(work: Work) -> Loaded | None:
    """What is loaded, if the demonstration is."""
    kept = setting(work, KEEPER, MARKER, dt.date.max)
    if kept is None:
        return None
    return Loaded(
        day=dt.date.fromisoformat(kept["day"]),
        seed=kept["seed"],
        treatments=kept["treatments"],
        requests=kept["requests"],
        approvals=kept["approvals"],
        runs=kept["runs"],
        refused=tuple(kept["refused"]),
    )


def check_loadable(work: Work) -> None:
    """Raise NotLoadable when the database holds anything that is not the demonstration's."""
    others = _count(work, tables.caller, tables.caller.c.demonstration.is_(False))
    if others:
        raise NotLoadable(
            "The database holds callers that are not the demonstration's. The demonstration never "
            "writes into a database in use. Name another with ASSENT_DATA_DIR or "
            "ASSENT_DATABASE_URL."
        )
    if find_loaded(work) is None and _count(work, tables.patient):
        raise NotLoadable(
            "The database holds patients that the demonstration did not load. Name another "
            "database with ASSENT_DATA_DIR or ASSENT_DATABASE_URL."
        )


def load(
    database: Database,
    desk: Desk,
    operator: Caller,
    day: dt.date,
    *,
    seed: int = SEED,
    legacy: bytes | None = None,
    one_in: int = 1,
    progress: Progress = lambda _what, _share: None,
) -> tuple[Loaded, Invoices]:
    """Load the demonstration of a day and reconcile its submission, in one transaction.

    `operator` reconciles the whole file; `legacy` is an export of an older system, imported at the
    first trust; `one_in` leaves out all but every so manieth patient. Raises NotLoadable for a day
    whose two years the policies do not cover.
    """
    if day < EARLIEST_DAY:
        raise NotLoadable(
            "The demonstration tells of the two years up to a day, and the policies' present texts "
            f"cover them from {EARLIEST_DAY:%-d %B %Y} on. Give that day or a later one."
        )

    def whole(work: Work) -> tuple[Loaded, Invoices]:
        check_loadable(work)
        if find_loaded(work) is not None:
            raise NotLoadable("The demonstration is loaded already. Start it again to see it.")
        # Drawn anew each time: the transaction may be run again from its start.
        courses = make_courses(seed, day)[::one_in]
        return _load(work, desk, operator, courses, day, seed, legacy, progress)

    ids = chance(seed, f"ids {day}")
    moment = Moment(dt.datetime.combine(day, dt.time(0, 30), dt.UTC), day)
    return database.transact(whole, moment=moment, new_id=ids.new_id, random_bytes=ids.random_bytes)


def _load(
    work: Work,
    desk: Desk,
    operator: Caller,
    courses: tuple[Course, ...],
    day: dt.date,
    seed: int,
    legacy: bytes | None,
    progress: Progress,
) -> tuple[Loaded, Invoices]:
    ids = chance(seed, f"ids {day}")
    work = replace(work, new_id=ids.new_id, random_bytes=ids.random_bytes)
    people = _open(at(work, day - YEARS, 0))
    habits = make_habits(seed, courses)
    cases, refused = _send_forms(work, desk, people, courses, habits, seed, day, progress)
    if legacy is not None:
        _import(at(work, day - dt.timedelta(days=20), 0), desk, people, legacy)
    told = references(cases)
    invoices = submission_of(courses, habits, told, seed=seed, day=day, legacy=legacy)
    progress("Reconciling the submission", 0.0)
    runs = _reconcile(work, desk, people, operator, invoices)
    progress("Reconciling the submission", 1.0)
    loaded = Loaded(
        day=day,
        seed=seed,
        treatments=_count(work, tables.treatment),
        requests=_count(work, tables.request),
        approvals=_count(work, tables.approval),
        runs=runs,
        refused=refused,
    )
    # Last, so that the ids of everything else stay what they were.
    name_persons(work, people)
    _mark(work, loaded)
    return loaded, invoices


def _open(work: Work) -> People:
    """Callers and settings, two years before the day."""
    first = work.moment.day
    by = "assent demo"
    people = register(work)
    change_setting(work, WITH_PHARMACIST, PHARMACIST_AUTHORISATION, True, first, by)
    change_setting(work, SPECIALISED, PANEL, {"immunoglobulin-itp": PANEL_CODE}, first, by)
    change_setting(work, ICB, APPROVAL_NOT_REQUIRED, EXEMPT, first, by)
    return people


def _send_forms(
    work: Work,
    desk: Desk,
    people: People,
    courses: tuple[Course, ...],
    habits: Mapping[int, Habits],
    seed: int,
    day: dt.date,
    progress: Progress,
) -> tuple[list[Case], tuple[str, ...]]:
    clerk = Clerk(work, desk.office, people)
    cases = [Case(clerk, course) for course in courses]
    stories = [
        tell(case, habits[case.course.number], chance(seed, f"story {case.course.number}"))
        for case in cases
    ]
    yesterday = day - dt.timedelta(days=1)
    stories.append(_delegate(clerk, people, delegation_of(day)))
    what = "Sending two years' forms"
    agenda.run(clerk, stories, yesterday, lambda share: progress(what, share))
    progress(what, 1.0)
    return cases, tuple(clerk.refusals)


def _delegate(clerk: Clerk, people: People, on: dt.date) -> Story:
    """On the day of the delegation one commissioner hands a drug's treatments to the other."""
    yield on
    caller = people.commissioner(SPECIALISED)
    asked = Asked(ICB, DELEGATED, on, "Invented delegation (demonstration).")
    clerk.do(lambda work: hand_over_by_two(work, caller, asked, "Invented One", "Invented Two"))


def _import(work: Work, desk: Desk, people: People, legacy: bytes) -> None:
    pharmacist = people.pharmacist("DEMO1")
    shown = preview_import(
        work, desk.office, desk.dictionary, desk.organisations, pharmacist, legacy, "export.csv"
    )
    accept_import(work, desk.office, pharmacist, shown.id)


def _reconcile(
    work: Work, desk: Desk, people: People, operator: Caller, invoices: Invoices
) -> dict[str, str]:
    """The whole file for the operator, and each commissioner's part for that commissioner."""

    def within(fn: Callable[[Work], Any]) -> Any:
        return fn(work)

    runs = {"*": reconcile(within, desk, operator, invoices.whole, NAME).run.id}
    for code in COMMISSIONERS:
        if code not in invoices.payers:
            continue  # of few patients none need be one commissioner's
        caller = people.commissioner(code)
        part = reconcile(within, desk, caller, invoices.part(code), f"{code}-{NAME}")
        runs[code] = part.run.id
    return runs


def _mark(work: Work, loaded: Loaded) -> None:
    kept = {
        "format": FORMAT,
        "day": loaded.day.isoformat(),
        "seed": loaded.seed,
        "treatments": loaded.treatments,
        "requests": loaded.requests,
        "approvals": loaded.approvals,
        "runs": dict(loaded.runs),
        "refused": list(loaded.refused),
    }
    change_setting(work, KEEPER, MARKER, kept, loaded.day, "assent demo")


def _count(work: Work, table: Any, where: Any = None) -> int:
    query = select(func.count()).select_from(table)
    if where is not None:
        query = query.where(where)
    return work.connection.execute(query).scalar_one()
