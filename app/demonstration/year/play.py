"""Playing the year: each file is received and reconciled on its day, in the order of the days.

Each step is the service's own use case in its own transaction, and finds what is done already: a
play that was interrupted is simply done again. Approvals are those known when it is played.
"""

import datetime as dt
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any, Final, TypeVar

from sqlalchemy import select

from app.auth.model import Caller, Role
from app.db import tables
from app.db.transaction import Database
from app.db.work import Moment, Work
from app.demonstration.chance import chance
from app.demonstration.clinic import Course, make_courses
from app.demonstration.habits import make_habits
from app.demonstration.invoice import Told
from app.demonstration.legacy import legacy_courses
from app.demonstration.load import Loaded
from app.demonstration.organisations import COMMISSIONERS
from app.demonstration.periods import delegation_of, year_of
from app.demonstration.year.calendar import Month, months_of
from app.demonstration.year.claims import Claim, claims_of
from app.demonstration.year.disputes import settle
from app.demonstration.year.files import EMPTY, FREEZE, TO_DATE, Sent, figures_of, files_of
from app.demonstration.year.terms import contracts_of, last_deliveries_of, payers_of
from app.reconciliation import emptying, slice_store, store
from app.reconciliation.calendar import set_calendar, set_figures
from app.reconciliation.service import Desk, Reconciled, load_run, reconcile
from app.reconciliation.slice_store import Period
from app.reconciliation.slices import SliceKey
from app.reconciliation.terms_loading import put_contracts, put_payers, put_supplies

T = TypeVar("T")
Progress = Callable[[str, float], None]
_BY: Final = "demonstration"


@dataclass(frozen=True, slots=True)
class Year:
    """The invented year: its months, what is claimed in it, and the files in their order.

    `delegated_on` is the day on which one drug's commissioner changes.
    """

    months: tuple[Month, ...]
    claims: tuple[Claim, ...]
    files: tuple[Sent, ...]
    delegated_on: dt.date

    @property
    def name(self) -> str:
        return self.months[0].year


@dataclass(frozen=True, slots=True)
class Player:
    """Runs each step at its moment of the past, with ids of a stream of its own."""

    database: Database
    seed: int

    def on(self, day: dt.date, what: str) -> Callable[[Callable[[Work], T]], T]:
        """What runs a use case on a day. `what` names the step: its ids are drawn from that."""
        number = count()
        moment = Moment(dt.datetime.combine(day, dt.time(9), dt.UTC), day)

        def transact(fn: Callable[[Work], T]) -> T:
            ids = chance(self.seed, f"year ids {what} {next(number)}")
            return self.database.transact(
                fn, moment=moment, new_id=ids.new_id, random_bytes=ids.random_bytes
            )

        return transact

    def read(self, day: dt.date) -> Callable[[Callable[[Work], T]], T]:
        moment = Moment(dt.datetime.combine(day, dt.time(9), dt.UTC), day)
        return lambda fn: self.database.read(fn, moment=moment)


def payer_of(code: str) -> Caller:
    """A commissioner's own person, by whose hand the demonstration receives files."""
    return _caller(code, Role.COMMISSIONER)


def _caller(code: str, role: Role) -> Caller:
    name = f"{role.value.capitalize()} of {code} (demonstration)"
    return Caller(_BY, name, "person", code, role, "assent demo year", _BY)


def make_year(work: Work, loaded: Loaded, legacy: bytes | None, one_in: int = 1) -> Year:
    """The year of a loaded demonstration, of all but every so manieth patient; same each time."""
    months = months_of(year_of(loaded.day))
    courses = make_courses(loaded.seed, loaded.day)[::one_in]
    habits = make_habits(loaded.seed, courses)
    told = dict(_told(work, courses))
    if legacy is not None:
        older, older_told = legacy_courses(legacy, delegation_of(loaded.day))
        courses, told = (*courses, *older), {**told, **older_told}
    claims = claims_of(courses, habits, told, months, seed=loaded.seed)
    files = files_of(claims, months, loaded.seed)
    return Year(months, claims, files, delegation_of(loaded.day))


def play(
    database: Database, desk: Desk, year: Year, loaded: Loaded, progress: Progress
) -> tuple[Reconciled, ...]:
    """Everything of the year, in order; returns the run of each file."""
    player = Player(database, loaded.seed)
    _open(player, desk, year)
    runs: list[tuple[Sent, Reconciled]] = []
    for place, sent in enumerate(year.files):
        transact, caller = player.on(sent.day, sent.name), payer_of(sent.payer)
        if sent.stage == EMPTY:
            transact(partial(_empty, desk=desk, caller=caller, year=year.name, sent=sent))
        else:
            read = player.read(sent.day)
            found = read(partial(_run_of, desk=desk, caller=caller, data=sent.data)) or reconcile(
                transact, desk, caller, sent.data, sent.name, read=read
            )
            runs.append((sent, found))
        progress("Reconciling the year's files", (place + 1) / len(year.files))
    finals = [(sent, run) for sent, run in runs if sent.stage in (FREEZE, TO_DATE)]
    for place, (sent, run) in enumerate(finals):
        settle(player.on, desk, sent, run, year.months, loaded.seed)
        progress("Challenging what is queried", (place + 1) / len(finals))
    _close(player, year)
    return tuple(run for _, run in runs)


def _run_of(work: Work, desk: Desk, caller: Caller, data: bytes) -> Reconciled | None:
    """The run that stands of a file that was played before: what came after it changes no play."""
    known = store.submission_by_hash(work, caller.organisation, hashlib.sha256(data).hexdigest())
    runs = store.runs_of(work, caller.organisation, known.id) if known else ()
    return load_run(work, desk, caller, runs[0].id) if runs else None


def _empty(work: Work, desk: Desk, caller: Caller, year: str, sent: Sent) -> None:
    """State the month as empty, having looked at what stands; done already, it changes nothing."""
    key = SliceKey(sent.provider, sent.payer, year, sent.months[0])
    (head,) = slice_store.heads(work, caller.organisation, [key])
    if head.newest is None or head.newest.lines == 0:
        return
    emptying.state_empty(
        work,
        desk,
        caller,
        key,
        lines=head.newest.lines,
        total=head.newest.total,
        reason="Its lines were posted to the wrong month (demonstration).",
    )


def _open(player: Player, desk: Desk, year: Year) -> None:
    """Each commissioner's calendar and contract terms, before the year begins."""
    day = year.months[0].first - dt.timedelta(days=30)
    for code in COMMISSIONERS:
        caller = payer_of(code)

        def begin(work: Work, caller: Caller = caller) -> None:
            if Period(year.name, 1) in slice_store.calendar_of(work, caller.organisation):
                return
            set_calendar(work, caller, [month.contract for month in year.months])
            rows = contracts_of(caller.organisation, year.months[0].first.year)
            put_contracts(work, caller, desk.dictionary, rows)
            put_payers(work, caller, desk.dictionary, payers_of(year.delegated_on))
            given = last_deliveries_of(caller.organisation, year.months[0].first.year)
            put_supplies(work, caller, desk.dictionary, given)

        player.on(day, f"calendar of {code}")(begin)


def _close(player: Player, year: Year) -> None:
    """The totals that the Aggregate Contract Monitoring set states, once the year is closed."""
    figures = figures_of(year.claims, year.months)
    for code in COMMISSIONERS:
        caller = payer_of(code)
        own = [figure for figure in figures if figure.key.commissioner == code]

        def end(work: Work, caller: Caller = caller, own: Any = own) -> None:
            stood = slice_store.figures_of(work, caller.organisation)
            set_figures(work, caller, [f for f in own if stood.get(f.key) != f])

        player.on(year.months[-1].freeze + dt.timedelta(days=40), f"figures of {code}")(end)


def _told(work: Work, courses: tuple[Course, ...]) -> Told:
    """What each hospital was told: its references and from when they count, by course."""
    patient, approval, treatment = tables.patient.c, tables.approval.c, tables.treatment.c
    identifier = tables.patient_identifier.c
    rows = work.connection.execute(
        select(
            patient.nhs_number,
            identifier.local_id,
            treatment.drug,
            approval.covers_from,
            approval.reference,
        )
        .select_from(tables.approval)
        .join(tables.treatment, treatment.id == approval.treatment_id)
        .join(tables.patient, patient.id == treatment.patient_id)
        .outerjoin(tables.patient_identifier, identifier.patient_id == patient.id)
        .order_by(approval.covers_from, approval.reference)
    )
    found: dict[tuple[str, str], dict[tuple[dt.date, str], None]] = {}
    for nhs, local, drug, day, reference in rows:
        for known in filter(None, (nhs, local)):
            found.setdefault((known, drug), {})[day, reference] = None
    return {course.number: _of(course, found) for course in courses if _of(course, found)}


def _of(
    course: Course, found: Mapping[tuple[str, str], Mapping[tuple[dt.date, str], None]]
) -> tuple[tuple[dt.date, str], ...]:
    person, drug = course.person, course.service.drug
    for known in (person.nhs_number, *person.local_ids.values()):
        if (known, drug) in found:
            return tuple(found[known, drug])
    return ()
