"""A client's calls are counted over every serving process together."""

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from app.api.limits import SETTLEMENTS
from app.approvals.library import Library
from app.auth.model import Role
from app.auth.rates import KEPT, PARTS, Bucket, draw
from app.auth.store import register_caller
from app.db.tables import rate_bucket
from app.db.transaction import Database
from app.db.work import Moment
from app.door import Door
from app.housekeeping import forgetting
from app.main import create_app
from app.settings import Settings
from tests.functional.approvals.api import Clock
from tests.functional.conftest import ADMINISTRATOR

TOKENS = ("token-of-one", "token-of-another")


@pytest.fixture
def clock(moment: Moment) -> Clock:
    return Clock(moment.instant)


@pytest.fixture
def serve(
    database: Database,
    clock: Clock,
    moment: Moment,
    ids: Callable[[], str],
    random_bytes: Callable[[int], bytes],
) -> Iterator[Callable[[int], list[TestClient]]]:
    """Two serving processes on one database, each with its own memory: `serve(rate)`."""
    for token in TOKENS:
        database.transact(
            lambda work, token=token: register_caller(
                work,
                ADMINISTRATOR,
                name=token,
                kind="system",
                organisation="DEMO1",
                role=Role.CLINICIAN,
                demonstration=True,
                token=token,
            ),
            moment=moment,
            new_id=ids,
            random_bytes=random_bytes,
        )
    with ExitStack() as stack:

        def start(rate: int) -> list[TestClient]:
            settings = Settings(demonstration=True, requests_per_minute=rate)
            return [
                stack.enter_context(
                    TestClient(
                        create_app(
                            settings,
                            database=database,
                            library=Library(()),
                            now=lambda: clock.instant,
                            new_id=ids,
                            random_bytes=random_bytes,
                        )
                    )
                )
                for _ in range(2)
            ]

        yield start


def statuses(processes: list[TestClient], calls: int, token: str = TOKENS[0]) -> list[int]:
    """What a client is told that calls the processes in turn."""
    sent = {"Authorization": f"Bearer {token}"}
    return [
        processes[number % len(processes)].get("/v1/policies", headers=sent).status_code
        for number in range(calls)
    ]


def test_two_processes_share_one_count(
    serve: Callable[[int], list[TestClient]], clock: Clock
) -> None:
    both = serve(30)
    assert statuses(both, 34) == [200] * 30 + [429] * 4
    assert statuses(both, 2, TOKENS[1]) == [200, 200]  # another client loses nothing

    sent = {"Authorization": f"Bearer {TOKENS[0]}"}
    reply = both[0].get("/v1/policies", headers=sent)
    assert (reply.status_code, reply.json()["code"]) == (429, "too-many-requests")
    clock.instant += dt.timedelta(seconds=int(reply.headers["Retry-After"]))
    assert statuses(both, 2) == [200, 429]


def test_a_process_lets_a_fiftieth_too_many_by_at_most(
    serve: Callable[[int], list[TestClient]], database: Database, moment: Moment
) -> None:
    rate = 100
    both = serve(rate)
    settled: list[str] = []
    listen = sa.event.listen
    listen(
        database.engine,
        "before_cursor_execute",
        lambda _c, _k, statement, *_: (
            settled.append(statement) if statement.startswith("UPDATE rate_bucket") else None
        ),
    )
    told = statuses(both, rate + 20)
    most = rate + 2 * (rate // SETTLEMENTS - 1)
    assert rate <= told.count(200) <= most
    assert told[-10:] == [429] * 10
    # One statement for every second call; refused calls are refused without the database.
    assert len(settled) <= most // (rate // SETTLEMENTS) + 2


def test_a_bucket_that_nobody_draws_on_is_forgotten(
    serve: Callable[[int], list[TestClient]], database: Database, clock: Clock, moment: Moment
) -> None:
    statuses(serve(30), 1)
    chore = forgetting(Settings(demonstration=True))
    door = Door(database, now=lambda: clock.instant)

    def kept() -> int:
        count = sa.select(sa.func.count()).select_from(rate_bucket)
        return database.read(lambda work: work.connection.scalar(count) or 0, moment=moment)

    chore.do(door)
    assert kept() == 1
    clock.instant += KEPT + dt.timedelta(seconds=1)
    chore.do(door)
    assert kept() == 0


NOW = dt.datetime(2026, 6, 15, 10, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("left", "passed", "used", "after", "wait"),
    [
        (60, 0, 1, 59, 0),
        (1, 0, 1, 0, 0),
        (0, 0, 1, 0, 1),
        (0, 1, 1, 0, 0),
        (0.5, 0, 1, 0.5, 1),
        (60, 500, 1, 59, 0),  # never over a minute's calls
        (2, 0, 5, -2, 3),  # four went through already, the fifth does not
        (-60, 0, 1, -60, 61),
        (-59, 0, 30, -60, 61),  # no deeper in debt than a minute's calls
        (10, -30, 1, 9, 0),  # a clock set back gives nothing and takes nothing
    ],
)
def test_a_bucket_fills_and_empties(
    left: float, passed: int, used: int, after: float, wait: int
) -> None:
    bucket = Bucket(int(left * PARTS), NOW)
    found, seconds = draw(bucket, used, 60, NOW + dt.timedelta(seconds=passed))
    assert (found.parts / PARTS, seconds) == (after, wait)
    assert found.at >= NOW
