"""What the worker tells Prometheus: jobs by how they ended, and how long things have waited."""

import datetime as dt
import urllib.request
from collections.abc import Callable

import pytest
from prometheus_client import start_http_server

from app.audit import Keyring
from app.audit.sealing import seal
from app.db import jobs
from app.db.transaction import Database
from app.db.work import Moment
from app.door import Door
from app.gauges import Gauges
from app.work import Chore, Held, JobRefused, Saving, run_next
from tests.conftest import AUDIT_KEY
from tests.integration.audit.rows import note


class Later:
    """A clock that a test turns."""

    def __init__(self, instant: dt.datetime) -> None:
        self.instant = instant

    def __call__(self) -> dt.datetime:
        return self.instant


@pytest.fixture
def clock(moment: Moment) -> Later:
    return Later(moment.instant)


@pytest.fixture
def door(
    database: Database,
    clock: Later,
    ids: Callable[[], str],
    random_bytes: Callable[[int], bytes],
) -> Door:
    return Door(database, clock, ids, random_bytes)


def lines(gauges: Gauges) -> list[str]:
    return gauges.text().decode().splitlines()


def test_jobs_are_counted_by_kind_and_by_how_they_ended(door: Door) -> None:
    def works(held: Held) -> Saving:
        return lambda work: {}

    def refuses(held: Held) -> Saving:
        raise JobRefused("no patient 943 476 5919 here")

    def fails(held: Held) -> Saving:
        raise RuntimeError("943 476 5919")

    gauges = Gauges()
    handlers = {"works": works, "refuses": refuses, "fails": fails}
    for kind in (*handlers, "943 476 5919"):
        door.transact(
            lambda work, kind=kind: jobs.enqueue(
                work, kind, organisation="DEMO1", created_by="somebody", payload={}
            )
        )
        assert run_next(door, handlers, gauges)
    told = lines(gauges)
    for kind, how in (
        ("works", "done"),
        ("refuses", "refused"),
        ("fails", "failed"),
        ("unknown", "refused"),
    ):
        assert f'assent_job_seconds_count{{how="{how}",kind="{kind}"}} 1.0' in told
    assert "943 476" not in "\n".join(told)


def test_what_waits_and_for_how_long_is_told(
    door: Door, clock: Later, database: Database, settle: Callable[[Database], None]
) -> None:
    gauges = Gauges()
    queues = gauges.queues(60)
    queues.do(door)
    assert "assent_jobs_waiting 0.0" in lines(gauges)
    assert "assent_oldest_unsealed_row_seconds 0.0" in lines(gauges)

    door.transact(lambda work: note(work))
    door.transact(
        lambda work: jobs.enqueue(
            work, "later", organisation="DEMO1", created_by="somebody", payload={}
        )
    )
    clock.instant += dt.timedelta(minutes=2)
    queues.do(door)
    assert "assent_jobs_waiting 1.0" in lines(gauges)
    assert "assent_oldest_job_seconds 120.0" in lines(gauges)
    assert "assent_oldest_unsealed_row_seconds 120.0" in lines(gauges)

    settle(database)
    door.transact(lambda work: seal(work, Keyring.of(AUDIT_KEY)))
    queues.do(door)
    assert "assent_oldest_unsealed_row_seconds 0.0" in lines(gauges)


def test_a_chore_that_fails_is_counted_by_its_name_and_the_type_of_its_fault(door: Door) -> None:
    def fail(door: Door) -> None:
        raise ValueError("943 476 5919")

    gauges = Gauges()
    Chore("seal the audit log", dt.timedelta(minutes=1), fail).run_if_due(door, gauges)
    line = 'assent_chore_failures_total{chore="seal the audit log",error="ValueError"} 1.0'
    assert line in lines(gauges)


def test_prometheus_can_fetch_them() -> None:
    gauges = Gauges()
    server, thread = start_http_server(0, "127.0.0.1", gauges.registry)
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/metrics") as reply:
            assert b"assent_jobs_waiting" in reply.read()
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
