"""What befalls the service. Each scenario has a database of its own and leaves its findings."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.faults.disks import MEBIBYTE, grow, leave
from tests.faults.house import House
from tests.faults.proxy import CUTS, Proxy

#: Kills, or seconds at least, between two checks while the load runs; the last sees everything.
KILLS_A_CHECK = 25
SECONDS_A_CHECK = 20.0
#: One kill in this many is the worker's; on PostgreSQL another is the whole cluster's.
WORKERS_SHARE, CRASHES_SHARE = 4, 5
#: That a COMMIT is cut.
CHANCE = 0.5
DAY = 24 * 3600


def kills(house: House, count: int) -> None:
    """kill -9 of the service or of the worker, under load."""
    with house.under_load():
        for number in range(1, count + 1):
            if house.time_is_up():
                break
            _at_a_random_moment(house)
            _kill(house, number)
            if number % KILLS_A_CHECK == 0:
                house.check()
    house.finish()


def _at_a_random_moment(house: House) -> None:
    house.wait_for_answers(house.draw.randint(1, 12))
    time.sleep(house.draw.uniform(0.0, 0.04))


def _kill(house: House, number: int) -> None:
    if number % WORKERS_SHARE == 0:
        house.kill_worker()
        house.start_worker()
        house.made("kill -9 of the worker")
    else:
        house.kill_service()
        house.start_service()
        house.made("kill -9 of the service")


def crashes(house: House, count: int) -> None:
    """Immediate stop and start of PostgreSQL, under load."""
    assert house.cluster is not None
    with house.under_load():
        for number in range(1, count + 1):
            if house.time_is_up():
                break
            _at_a_random_moment(house)
            house.cluster.stop("immediate")
            time.sleep(house.draw.uniform(0.0, 0.2))
            house.cluster.start()
            house.made("immediate stop")
            if number % KILLS_A_CHECK == 0:
                house.check()
    house.finish()


def cuts(house: House, proxy: Proxy, count: int) -> None:
    """Connections cut before, while and after a writing transaction's COMMIT, under load."""
    with house.under_load(), _cutting(house, proxy):
        _cut(house, proxy, count)
    house.finish()


def kills_and_cuts(house: House, proxy: Proxy, count: int, cuts: int) -> None:
    """Kills of the service and of the worker while connections are cut at COMMIT, under load.

    Between two kills there is their share of the cuts. Of three kills one meets a service whose
    connections were left alone for the moments before it.
    """
    with house.under_load(), _cutting(house, proxy):
        for number in range(1, count + 1):
            _cut(house, proxy, cuts * number // count)
            if house.time_is_up():
                break
            proxy.chance = house.draw.choice((0.0, CHANCE, CHANCE))
            _at_a_random_moment(house)
            _kill(house, number)
    house.finish()


@contextmanager
def _cutting(house: House, proxy: Proxy) -> Iterator[None]:
    """Count the proxy's cuts in the house; none is made after it."""
    proxy.tell = house.made
    try:
        yield
    finally:
        proxy.chance = 0.0


def _cut(house: House, proxy: Proxy, until: int) -> None:
    """Let connections be cut until there were so many in this house, with checks now and then."""
    proxy.chance = CHANCE
    while sum(house.faults[cut] for cut in CUTS) < until and not house.time_is_up():
        house.wait_for_answers(1)
        house.check_after(SECONDS_A_CHECK)


def slowness(house: House, proxy: Proxy, seconds: float) -> None:
    """A database so slow that clients call again while the first call is still at work."""
    with house.under_load() as load:
        load.timeout = 1.0
        proxy.delay = 0.05
        time.sleep(seconds)
        proxy.delay = 0.0
        house.made("slow database")
    house.finish()


def clock_jumps(house: House, count: int) -> None:
    """The service's clock jumps by up to two days back and sixty forth, under load."""
    with house.under_load():
        for _ in range(count):
            if house.time_is_up():
                break
            house.move_clock(house.draw.uniform(-2 * DAY, 60 * DAY))
            house.made("clock jump")
            house.wait_for_answers(house.draw.randint(1, 12))
    # A day that lies ahead of the clock is refused, and rightly: such a refusal leaves nothing.
    house.finish(may_refuse=True)


def full_disk(house: House, failures: int, small: bool) -> None:
    """The disk fills up under load; it is enlarged after a kill, and the clients' repeats pass.

    `small`: the data folder lies on a small disk. Otherwise no file may grow beyond a limit.
    """
    if not small:
        house.largest_file = (house.data / "assent.db").stat().st_size + MEBIBYTE
    with house.under_load():
        _wait_for(lambda: house.ledger.counts["failures answered"] >= failures)
        house.faults["refusal of a full disk"] = house.ledger.counts["failures answered"]
        house.check()
        house.kill_worker()
        house.kill_service()
        house.check()
        house.largest_file = None
        if small:
            grow(house.data.parent)
        house.start_service()
        house.start_worker()
        time.sleep(1)
    if not house.faults.total():
        house.found.unsound.append("the disk did not fill up: this scenario shows nothing")
    house.finish()


def full_tablespace(house: House, failures: int) -> None:
    """The disk under PostgreSQL's tables fills up under load, then grows.

    PostgreSQL refuses each write that wants room and goes on, and so does the service.
    """
    assert house.tablespace is not None
    leave(house.tablespace, MEBIBYTE // 4)
    with house.under_load():
        _wait_for(lambda: house.ledger.counts["failures answered"] >= failures)
        house.faults["refusal of a full disk"] = house.ledger.counts["failures answered"]
        house.check()
        if house.status_of("/readyz") != 200:
            house.found.unsound.append("nothing is read while the disk is full")
        grow(house.tablespace)
        house.wait_for_answers(5)
        house.check()
    _must_have_been_full(house)
    house.finish()


def full_wal(house: House, failures: int) -> None:
    """The disk under PostgreSQL's write-ahead log fills up under load: PostgreSQL falls.

    It is started again once there is room, as its operator would do.
    """
    assert house.cluster is not None
    assert house.cluster.wal is not None
    leave(house.cluster.wal, MEBIBYTE)
    with house.under_load():
        _wait_for(lambda: house.ledger.counts["failures answered"] >= failures)
        house.faults["refusal of a full disk"] = house.ledger.counts["failures answered"]
        if "PANIC" not in house.cluster.log():
            house.found.unsound.append("PostgreSQL did not fall: this scenario shows nothing")
        house.cluster.close()
        grow(house.cluster.wal)
        house.cluster.start()
        house.wait_for_answers(5)
        house.check()
    _must_have_been_full(house)
    house.finish()


def _must_have_been_full(house: House) -> None:
    assert house.cluster is not None
    if not house.faults.total() or "No space left on device" not in house.cluster.log():
        house.found.unsound.append("the disk did not fill up: this scenario shows nothing")


def _wait_for(come: Callable[[], bool]) -> None:
    """Two minutes at most."""
    for _ in range(6000):
        if come():
            return
        time.sleep(0.02)
