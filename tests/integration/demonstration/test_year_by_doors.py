"""The year's files through the doors, each on its day and in their order: the API and its worker,
and the command line. Every month comes to what the played year comes to."""

import datetime as dt
import hashlib
import shutil
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from app.approvals import changing, correcting, reviewing
from app.approvals import store as approvals_store
from app.approvals.consenting import consent
from app.approvals.lifecycle import ApprovalEvent
from app.approvals.model import FollowUpCommand, RequestDetails, RequestRecord, RequestView
from app.auth.model import Caller, Role
from app.cli import app as command_line
from app.commands import doors
from app.db import tables
from app.db.engine import make_engine
from app.db.transaction import Database
from app.db.upgrade import upgrade
from app.db.work import EVERYBODY, Work, enter_scope
from app.demonstration.clinic import Course, Move, make_courses
from app.demonstration.load import Loaded
from app.demonstration.organisations import COMMISSIONERS
from app.demonstration.year.files import EMPTY, FREEZE, TO_DATE, Sent
from app.demonstration.year.play import Player, Year, _close, _open, payer_of
from app.desk import make_desk
from app.door import Door
from app.handlers import make_handlers
from app.main import create_app
from app.policy import Kind
from app.reconciliation import LineOutcome, MatchedLine, rematching, store
from app.reconciliation.model import LineKind
from app.reconciliation.service import Desk, load_run
from app.reconciliation.slice_months import MonthSum, by_month
from app.reconciliation.slice_report import current_slices
from app.reconciliation.slices import SliceKey
from app.settings import Settings
from app.work import run_next
from tests.conftest import _settle
from tests.integration.demonstration.conftest import MOMENT
from tests.integration.demonstration.test_year import loaded_part, played, slices

pytestmark = pytest.mark.long

#: Every so manieth patient: the fewest among whom one moves to another trust in the year.
ONE_IN = 37
Months = dict[str, tuple[MonthSum, ...]]


@dataclass
class Begun:
    """The demonstration loaded and the year's calendar and terms there, but no file sent."""

    folder: Path
    database: Database
    desk: Desk
    loaded: Loaded
    year: Year

    def end(self) -> None:
        """What the payers are told by others once the year is closed."""
        _close(Player(self.database, self.loaded.seed), self.year)


def begun(folder: Path, database: Database) -> Begun:
    desk = make_desk(Settings(data_dir=folder, demonstration=True))
    loaded, year = loaded_part(database, desk, ONE_IN)
    player = Player(database, loaded.seed)
    _open(player, desk, year)
    _transfer(player, desk, *_mover(loaded))
    return Begun(folder, database, desk, loaded, year)


def _mover(loaded: Loaded) -> tuple[Course, Move]:
    """The patient who moves to another trust in the year."""
    courses = make_courses(loaded.seed, loaded.day)[::ONE_IN]
    (found,) = [(course, course.move) for course in courses if course.move is not None]
    return found


def _transfer(player: Player, desk: Desk, course: Course, move: Move) -> None:
    """The move is asked for and consented to, which the demonstration's own trust forgot."""
    day = move.day - dt.timedelta(days=10)
    transact = player.on(day, "transfer")

    def ask(work: Work) -> RequestRecord:
        query = (
            sa.select(tables.treatment.c.id)
            .join(tables.patient)
            .where(tables.patient.c.nhs_number == course.person.nhs_number)
        )
        command = FollowUpCommand(
            treatment_id=work.connection.execute(query).scalar_one(),
            kind=Kind.TRANSFER,
            decision_to_treat=day,
            answers={},
            details=RequestDetails(to_provider=move.to, from_day=move.day),
        )
        asking = _person(course.provider, Role.CLINICIAN)
        return changing.submit_change(work, desk.office, asking, command).request

    request = transact(ask)
    taking = _person(move.to, Role.PHARMACIST)
    transact(lambda work: consent(work, desk.office, taking, request.id, request.version))


def _person(organisation: str, role: Role) -> Caller:
    return Caller("tests", "Tests", "person", organisation, role, "tests", "tests")


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Begun]:
    """On SQLite, to be copied."""
    folder = tmp_path_factory.mktemp("begun")
    settings = Settings(data_dir=folder, demonstration=True)
    engine = make_engine(settings.database_url)
    upgrade(engine)
    yield begun(folder, Database(engine, settings.audit_key_bytes()))
    engine.dispose()


def copied(begun: Begun, folder: Path) -> Begun:
    begun.database.engine.dispose()
    shutil.copytree(begun.folder, folder)
    settings = Settings(data_dir=folder, demonstration=True)
    database = Database(make_engine(settings.database_url), settings.audit_key_bytes())
    return replace(begun, folder=folder, database=database, desk=make_desk(settings))


@pytest.fixture(scope="module")
def as_played(first: Begun, tmp_path_factory: pytest.TempPathFactory) -> Months:
    """The months of the year as it is played in process."""
    own = copied(first, tmp_path_factory.mktemp("played") / "year")
    played(own.database, own.desk, own.loaded, own.year)
    return months(own.database)


def months(database: Database) -> Months:
    """What each month comes to for each payer, to the penny, with its slices and corrections."""
    found: Months = {}
    for code in COMMISSIONERS:
        rows = database.read(
            lambda work, code=code: current_slices(work, payer_of(code), financial_year="202526"),
            moment=MOMENT,
        )
        found[code] = by_month(rows, {})  # without challenges: only the played year has them
    return found


def emptied(own: Begun, sent: Sent) -> SliceKey:
    """The month that a trust states as empty."""
    return SliceKey(sent.provider, sent.payer, own.year.name, sent.months[0])


def at_nine(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(9), dt.UTC)


# --- the API --------------------------------------------------------------------------------------


class ByApi:
    """A service and its worker, on the day of the file that is sent."""

    def __init__(self, own: Begun) -> None:
        self.own, self.day = own, own.year.files[0].day
        settings = Settings(data_dir=own.folder, demonstration=True)
        self.app = create_app(settings, database=own.database, now=lambda: at_nine(self.day))
        self.client = TestClient(self.app)

    def call(self, payer: str, method: str, path: str, **more: Any) -> Any:
        headers = {
            "Authorization": f"Bearer demo-{payer.lower()}-commissioner",
            "X-Request-ID": str(uuid.uuid4()),
            **more.pop("headers", {}),
        }
        return self.client.request(method, path, headers=headers, **more)

    def send(self, sent: Sent) -> None:
        self.day = sent.day
        if sent.stage == EMPTY:
            self._empty(sent)
            return
        sheet = sent.name.endswith(".xlsx")
        kind = (
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
            if sheet
            else "text/csv"
        )
        path = f"/v1/submissions?file_name={sent.name}"
        taken = self.call(
            sent.payer, "POST", path, content=sent.data, headers={"Content-Type": kind}
        )
        assert taken.status_code in (201, 202), taken.text
        self.work_off()

    def work_off(self) -> int:
        done = 0
        while run_next(self.app.state.door, make_handlers(self.app.state.desk)):
            done += 1
        return done

    def _empty(self, sent: Sent) -> None:
        key = emptied(self.own, sent)
        stands = slices(self.own.database)[key]
        told = {**key._asdict(), "lines": stands.lines, "total": str(stands.total)}
        done = self.call(
            sent.payer, "POST", "/v1/empty-months", json={**told, "reason": "Wrong month."}
        )
        assert done.status_code == 201, done.text


@pytest.fixture
def own(database: Database, tmp_path: Path, request: pytest.FixtureRequest) -> Begun:
    """On either database; on SQLite a copy."""
    if database.engine.dialect.name == "sqlite":
        return copied(request.getfixturevalue("first"), tmp_path / "own")
    return begun(tmp_path, database)


def test_the_year_through_the_api_and_its_worker_comes_to_what_is_played(
    own: Begun, as_played: Months
) -> None:
    service = ByApi(own)
    for sent in own.year.files:
        service.send(sent)
    own.end()
    assert months(own.database) == as_played
    assert all(any(row.accepted for row in rows) for rows in as_played.values())  # some is accepted
    _check_tables(service)
    _check_late_supply_of_a_moved_patient(own)
    _check_a_correction_after_the_freeze(service)


def _check_tables(service: ByApi) -> None:
    """The API's own tables of months say the same."""
    service.day = MOMENT.day
    for code in COMMISSIONERS:
        told = service.call(code, "GET", "/v1/slices?financial_year=202526").json()["months"]
        names = ("total", "accepted", "queried", "not_testable", "more")
        assert [[Decimal(month[name]) for name in names] for month in told] == [
            [getattr(month, name) for name in names] for month in months(service.own.database)[code]
        ]


def _check_late_supply_of_a_moved_patient(own: Begun) -> None:
    """What the trust that was left supplied after the move is queried; the new one's is not."""
    course, move = _mover(own.loaded)
    names = {course.person.nhs_number, *course.person.local_ids.values()}
    came_to: dict[str, set[LineOutcome]] = {}
    for item in outcomes(own):
        line = item.line
        if names & {line.nhs_number, line.local_patient_id} and item.kind is LineKind.DRUG:
            assert line.supply_date is not None
            if line.supply_date >= move.day:
                came_to.setdefault(item.provider or "", set()).add(item.outcome)
                assert item.queried == (0 if item.provider == move.to else line.total_cost)
    assert came_to == {
        course.provider: {LineOutcome.NOT_THE_APPROVED_PROVIDER},
        move.to: {LineOutcome.MATCHED},
    }


def outcomes(own: Begun) -> list[MatchedLine]:
    """Every line of what the trusts sent last for a month that is closed, with its outcome."""
    found: list[MatchedLine] = []
    for sent in own.year.files:
        if sent.stage in (FREEZE, TO_DATE):
            found += own.database.read(partial(_outcomes_of, own=own, sent=sent), moment=MOMENT)
    return found


def _outcomes_of(work: Work, own: Begun, sent: Sent) -> Sequence[MatchedLine]:
    known = store.submission_by_hash(work, sent.payer, hashlib.sha256(sent.data).hexdigest())
    assert known is not None
    run, *_ = store.runs_of(work, sent.payer, known.id)
    return load_run(work, own.desk, payer_of(sent.payer), run.id).matched


def _check_a_correction_after_the_freeze(service: ByApi) -> None:
    """An approval is corrected and withdrawn when all is closed: the year gets a signed delta."""
    own, service.day = service.own, MOMENT.day
    item = next(x for x in outcomes(own) if x.accepted > 0 and x.reference is not None)
    assert item.reference is not None
    before = months(own.database)
    payer = _withdraw(own, item.reference)
    _settle(own.database)
    transact = Player(own.database, own.loaded.seed).on(MOMENT.day, "mark")
    while transact(rematching.mark_changes)[1]:
        pass
    assert service.work_off() > 0
    (code,) = [code for code in COMMISSIONERS if months(own.database)[code] != before[code]]
    assert code == payer
    with own.database.engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            enter_scope(connection, EVERYBODY)
        delta = tables.slice_delta.c
        rows = connection.execute(sa.select(delta.accepted_more, delta.queried_more)).all()
    assert rows
    assert all(accepted + queried == 0 for accepted, queried in rows)
    assert sum(accepted for accepted, _ in rows) <= -item.accepted


def _withdraw(own: Begun, reference: str) -> str:
    """Correct the request of an approval to no answers, and withdraw it; returns who pays."""
    transact = Player(own.database, own.loaded.seed).on(MOMENT.day, "withdraw")
    approval = tables.approval.c
    query = sa.select(approval.request_id, approval.provider, approval.commissioner).where(
        approval.reference == reference
    )

    def correct_it(work: Work) -> tuple[RequestView, str]:
        request, provider, payer = work.connection.execute(query).one()
        caller = _person(provider, Role.CLINICIAN)
        held = approvals_store.find_request(work, caller, request)
        names = frozenset(approvals_store.revisions_of(work, request)[-1].answers)
        view = correcting.correct(
            work, own.desk.office, caller, request, {}, names, "Another patient.", held.version
        )
        return view, payer

    view, payer = transact(correct_it)
    assert view.approval is not None
    found = view.approval
    withdraw = ApprovalEvent.WITHDRAW
    transact(
        lambda work: reviewing.resolve_query(
            work, payer_of(payer), reference, withdraw, "Seen.", found.version
        )
    )
    return payer


# --- the command line -----------------------------------------------------------------------------


def test_the_year_through_the_command_line_comes_to_what_is_played(
    first: Begun, as_played: Months, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = copied(first, tmp_path / "own")
    monkeypatch.setenv("ASSENT_DATA_DIR", str(own.folder))
    monkeypatch.setenv("ASSENT_DEMONSTRATION", "true")
    sent_in = tmp_path / "files"
    sent_in.mkdir()
    for sent in own.year.files:
        # The command reads the clock of the machine, which is not in the year.
        now = partial(at_nine, sent.day)
        monkeypatch.setattr(doors, "Door", partial(Door, now=now))
        path = sent_in / sent.name
        path.write_bytes(sent.data)
        said = CliRunner().invoke(command_line, _command(own, sent, path))
        assert said.exit_code == 0, said.output
    own.end()
    assert months(own.database) == as_played


def _command(own: Begun, sent: Sent, path: Path) -> list[str]:
    for_payer = ["--organisation", sent.payer]
    if sent.stage != EMPTY:
        return ["reconcile", str(path), *for_payer]
    key = emptied(own, sent)
    stands = slices(own.database)[key]
    named = [key.provider, key.commissioner, key.financial_year, str(key.financial_month)]
    seen = ["--lines", str(stands.lines), "--total", str(stands.total)]
    return ["slices", "empty", *named, *for_payer, *seen, "--reason", "Wrong month."]
