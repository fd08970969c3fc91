"""Whoever follows the change feed sees every event once, however late it was committed."""

import itertools
import threading
from collections.abc import Callable

import pytest

from app.audit import InvalidCursor, changes_after, trail, verify_rows
from app.audit.model import TrailEntry
from app.db.tables import audit_event
from app.db.transaction import Database
from app.db.work import Moment, Work
from tests.conftest import Transact
from tests.integration.audit.rows import note
from tests.integration.db.rows import add_patient
from tests.integration.db.run import Run
from tests.integration.db.together import SECONDS, together

Settle = Callable[[Database], None]
Page = tuple[tuple[TrailEntry, ...], str]


def names(page: Page) -> list[str]:
    """The objects of a page, in its order."""
    return [entry.object_id for entry in page[0]]


def follow(read: Transact, limit: int, cursor: str | None = None) -> list[str]:
    """Page to the end of the feed."""
    found: list[str] = []
    while True:
        page = read(lambda work, after=cursor: changes_after(work, after, limit))
        if not page[0]:
            return found
        found += names(page)
        cursor = page[1]


@pytest.mark.parametrize("limit", [1, 2, 5, 100])
def test_pages_of_any_size_give_every_event_once_in_order(
    database: Database, settle: Settle, transact: Transact, read: Transact, limit: int
) -> None:
    for number in range(5):
        transact(lambda work, n=number: note(work, f"r-{n}"))
    settle(database)
    assert follow(read, limit) == [f"r-{n}" for n in range(5)]


def test_events_of_one_transaction_may_lie_on_two_pages(
    database: Database, settle: Settle, transact: Transact, read: Transact
) -> None:
    transact(lambda work: [note(work, f"r-{n}") for n in range(5)])
    settle(database)
    assert follow(read, 2) == [f"r-{n}" for n in range(5)]


def test_a_caller_sees_only_what_is_visible_and_need_not_look_at_the_rest_again(
    database: Database, settle: Settle, transact: Transact, read: Transact
) -> None:
    for name in ("mine-1", "other", "mine-2", "other"):
        transact(lambda work, n=name: note(work, n))
    settle(database)
    mine = audit_event.c.object_id.like("mine%")
    first = read(lambda work: changes_after(work, None, 1, mine))
    assert names(first) == ["mine-1"]
    rest = read(lambda work: changes_after(work, first[1], 10, mine))
    assert names(rest) == ["mine-2"]
    assert names(read(lambda work: changes_after(work, rest[1], 10))) == []
    transact(lambda work: note(work, "mine-3"))
    settle(database)
    assert names(read(lambda work: changes_after(work, rest[1], 10, mine))) == ["mine-3"]


def test_a_page_looks_at_so_many_events_only_and_skips_none(
    database: Database, settle: Settle, transact: Transact, read: Transact
) -> None:
    for name in ("other", "other", "other", "mine-1", "other", "mine-2", "other"):
        transact(lambda work, n=name: note(work, n))
    settle(database)
    mine = audit_event.c.object_id.like("mine%")
    cursor, pages = None, []
    for _ in range(5):
        page = read(lambda work, after=cursor: changes_after(work, after, 10, mine, most=2))
        pages.append(names(page))
        cursor = page[1]
    assert pages == [[], ["mine-1"], ["mine-2"], [], []]
    transact(lambda work: note(work, "mine-3"))
    settle(database)
    assert names(read(lambda work: changes_after(work, cursor, 10, mine, most=2))) == ["mine-3"]


def test_an_event_of_the_open_transaction_itself_waits_for_its_commit(
    postgres_database: Database, run: Run
) -> None:
    def write_and_look(work: Work) -> Page:
        note(work)
        return changes_after(work, None, 10)

    assert names(run.on(postgres_database, write_and_look)) == []


def test_an_event_that_commits_late_is_not_skipped(
    postgres_database: Database, settle: Settle, run: Run, moment: Moment
) -> None:
    early_wrote, late_committed = threading.Event(), threading.Event()

    def look(cursor: str | None) -> Page:
        return postgres_database.read(lambda w: changes_after(w, cursor, 10), moment=moment)

    def early(work: Work) -> None:
        note(work, "began first, committed last")
        early_wrote.set()
        assert late_committed.wait(SECONDS)

    def act(number: int) -> list[list[str]]:
        if number == 0:
            run.on(postgres_database, early)
            return []
        assert early_wrote.wait(SECONDS)
        run.on(postgres_database, lambda work: note(work, "began last, committed first"))
        saved = postgres_database.read(
            lambda w: trail(w, "request", "began last, committed first"), moment=moment
        )
        assert len(saved) == 1  # it is there, with a higher id than the open one's
        between = look(None)
        late_committed.set()
        return [names(between), [between[1]]]

    _, (between, (cursor,)) = together(2, act)
    assert between == []
    settle(postgres_database)
    after = look(cursor)
    assert names(after) == ["began first, committed last", "began last, committed first"]
    assert names(look(after[1])) == []


def test_an_event_whose_row_was_numbered_before_a_slower_rivals_is_not_skipped(
    postgres_database: Database, settle: Settle, run: Run, moment: Moment
) -> None:
    """The rival takes its xid first and its row's id last: order by id alone would skip it."""
    began, rival_committed = threading.Event(), threading.Event()

    def slow(work: Work) -> None:
        add_patient(work)  # takes the transaction's xid
        began.set()
        assert rival_committed.wait(SECONDS)
        note(work, "slow")

    def act(number: int) -> Page | None:
        if number == 0:
            run.on(postgres_database, slow)
            return None
        assert began.wait(SECONDS)
        run.on(postgres_database, lambda work: note(work, "quick"))
        page = postgres_database.read(lambda w: changes_after(w, None, 10), moment=moment)
        rival_committed.set()
        return page

    _, page = together(2, act)
    assert page is not None
    assert names(page) == []
    settle(postgres_database)
    rest = postgres_database.read(lambda w: changes_after(w, page[1], 10), moment=moment)
    assert names(rest) == ["slow", "quick"]


def test_a_reader_beside_eight_busy_writers_misses_nothing_and_sees_nothing_twice(
    database: Database, settle: Settle, run: Run, read: Transact
) -> None:
    running = itertools.count(8, -1)
    left = {"writers": next(running)}
    lock = threading.Lock()

    def write(number: int) -> None:
        for turn in range(8):
            run.on(database, lambda work, t=turn: note(work, f"w{number}-{t}"))
        with lock:
            left["writers"] = next(running)

    def act(number: int) -> list[str]:
        if number < 8:
            write(number)
            return []
        seen: list[str] = []
        cursor: str | None = None
        ended = False
        while not ended:
            ended = left["writers"] == 0  # looked at before the last page is read
            if ended:
                settle(database)
            page = read(lambda work, after=cursor: changes_after(work, after, 3))
            seen += names(page)
            cursor = page[1]
            ended = ended and not page[0]
        return seen

    seen = together(9, act)[8]
    assert sorted(seen) == sorted(f"w{n}-{t}" for n in range(8) for t in range(8))


def test_numbers_of_one_object_are_dense_under_eight_threads(
    database: Database, run: Run, read: Transact
) -> None:
    class Refused(Exception):
        """Every third write is refused after it was recorded."""

    def refused(work: Work) -> None:
        note(work, "shared")
        raise Refused

    def write(_number: int) -> None:
        for turn in range(6):
            run.on(database, lambda work, t=turn: note(work, "shared"))
            if turn % 3 == 0:
                with pytest.raises(Refused):
                    run.on(database, refused)

    together(8, write)
    found = read(lambda work: trail(work, "request", "shared"))
    assert [entry.object_number for entry in found] == list(range(1, 49))
    assert read(verify_rows) == []


def test_two_objects_recorded_in_opposite_orders_by_rivals_are_all_recorded(
    database: Database, run: Run, read: Transact
) -> None:
    def write(number: int) -> None:
        order = ("a", "b") if number % 2 else ("b", "a")
        for _ in range(4):
            run.on(database, lambda work: [note(work, name) for name in order])

    together(2, write)
    for name in ("a", "b"):
        assert len(read(lambda work, n=name: trail(work, "request", n))) == 8


@pytest.mark.parametrize(
    "cursor", ["x", "1", "1.", "-1.0", "01.2", "1.2.3.4", "1.02.3", "٣.٤", "1.1 ", "9" * 40]
)
def test_a_cursor_that_the_feed_did_not_give_out_is_refused(read: Transact, cursor: str) -> None:
    with pytest.raises(InvalidCursor, match="none to start from the beginning"):
        read(lambda work: changes_after(work, cursor, 10))


def test_a_page_of_nothing_is_refused(read: Callable[[Callable[[Work], Page]], Page]) -> None:
    with pytest.raises(ValueError, match="at least one event"):
        read(lambda work: changes_after(work, None, 0))
