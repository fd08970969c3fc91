"""What goes to PostgreSQL past psycopg's cursors is prepared once, and found again or made anew."""

import contextlib

import psycopg
import pytest
import sqlalchemy as sa

from app.db.pipeline import Call, pipeline_of
from app.db.statements import Statement
from app.db.tables import patient
from app.db.transaction import Database
from app.db.work import Moment, Work
from tests.integration.db.rows import count
from tests.integration.db.run import Run
from tests.integration.db.test_statements import ADD, COUNT, values

ECHO = Statement(sa.text("SELECT CAST(:text AS text) AS text, CAST(:flag AS boolean) AS flag"))
PERCENT = Statement(sa.text("SELECT '100%' AS text, CAST(:one AS integer) + :one AS two"))
FAIL = Statement(sa.text("SELECT 1 / CAST(:zero AS integer) AS never"))
PREPARED = sa.text("SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'assent%'")
OWN = sa.text("SELECT CAST(:turn AS integer)")


@pytest.fixture
def alone(postgres_database: Database) -> Database:
    """A database whose pool is empty, so that every transaction gets the same connection."""
    postgres_database.engine.dispose()
    return postgres_database


def prepared(work: Work) -> int:
    return int(work.connection.execute(PREPARED).scalar_one())


def forget(database: Database) -> None:
    """Throw away all that the session has prepared, as a pooler may between two transactions."""
    with database.engine.connect() as connection:
        assert connection.scalar(PREPARED) > 0
        connection.execute(sa.text("DEALLOCATE ALL"))
        assert connection.scalar(PREPARED) == 0


def test_a_statement_is_prepared_once_in_a_session(alone: Database, run: Run) -> None:
    def ask(work: Work) -> int:
        for _ in range(3):
            assert work.ask(ECHO, {"text": "one", "flag": True}) == [{"text": "one", "flag": True}]
        return prepared(work)

    first = run.on(alone, ask)
    assert first > 0
    assert run.on(alone, ask) == first + 1  # the COMMIT of the first one came after it counted


def test_psycopg_throws_nothing_away(alone: Database, run: Run) -> None:
    """It would at each ROLLBACK, which ends every read, once it had prepared something itself."""
    had = run.on(alone, lambda work: work.ask(COUNT, {}) and prepared(work))
    for ended in ("rollback", "commit"):
        with alone.engine.connect() as connection:
            for turn in range(12):
                connection.execute(OWN, {"turn": turn})
            getattr(connection, ended)()
    with alone.engine.connect() as connection:
        assert connection.scalar(PREPARED) >= had
        assert connection.scalar(sa.text("SELECT count(*) FROM pg_prepared_statements")) >= had


@pytest.mark.parametrize("before", ["a write", "a read"])
def test_what_was_thrown_away_is_prepared_anew(
    alone: Database, run: Run, moment: Moment, before: str
) -> None:
    """Also where only what follows the BEGIN is gone: a read's BEGIN is another statement."""
    if before == "a write":
        run.on(alone, lambda work: work.ask(COUNT, {}))
    else:
        alone.read(lambda work: work.ask(COUNT, {}), moment=moment)
    forget(alone)

    def add(work: Work) -> int:
        work.write(ADD, values(work))
        return int(work.ask(COUNT, {})[0]["many"])

    assert run.on(alone, add) == 1
    assert run.on(alone, lambda work: count(work, patient)) == 1


def test_a_transaction_that_is_one_round_trip_is_not_done_twice(
    alone: Database, run: Run, moment: Moment
) -> None:
    """Its COMMIT came after what was missing, so nothing of the first try was kept."""
    alone.read(lambda work: work.ask(COUNT, {}), moment=moment)
    row = run.on(alone, values)
    forget(alone)
    run.on(alone, lambda work: work.write(ADD, row))
    assert run.on(alone, lambda work: count(work, patient)) == 1


def test_a_savepoint_that_psycopg_rolls_back_leaves_the_transaction_whole(
    alone: Database, run: Run
) -> None:
    def step(work: Work) -> int:
        work.write(ADD, values(work))
        for turn in range(8):
            work.connection.execute(OWN, {"turn": turn})
        trial = work.savepoint()
        work.write(ADD, values(work))
        assert count(work, patient) == 2
        trial.rollback()
        work.write(ADD, values(work))
        return int(work.ask(COUNT, {})[0]["many"])

    assert run.on(alone, step) == 2
    assert run.on(alone, lambda work: count(work, patient)) == 2


def test_a_failure_names_its_statement_and_leaves_the_connection_usable(
    alone: Database, run: Run
) -> None:
    def broken(work: Work) -> None:
        work.write(ADD, values(work))
        work.write(FAIL, {"zero": 0})
        work.ask(COUNT, {})

    for _ in range(2):  # once as it is prepared, once as it is known
        with pytest.raises(sa.exc.DataError) as raised:
            run.on(alone, broken)
        assert raised.value.statement == "SELECT 1 / CAST($1 AS integer) AS never"
        assert not raised.value.connection_invalidated
    assert run.on(alone, lambda work: work.ask(COUNT, {})) == [{"many": 0}]


def test_a_commit_that_keeps_nothing_is_an_error(alone: Database, run: Run) -> None:
    """PostgreSQL answers it without one: whoever relied on that would acknowledge what is lost."""

    def swallowed(work: Work) -> None:
        work.write(ADD, values(work))
        with contextlib.suppress(sa.exc.DataError):
            work.ask(FAIL, {"zero": 0})

    with pytest.raises(sa.exc.InternalError, match="was not committed"):
        run.on(alone, swallowed)
    assert run.on(alone, lambda work: count(work, patient)) == 0


def test_values_go_and_come_as_they_are(alone: Database, run: Run) -> None:
    for text in ("", "ü\n'\"\\ %s $1", "x" * 3_000_000):
        for flag in (True, False, None):
            found = run.on(
                alone, lambda work, t=text, f=flag: work.ask(ECHO, {"text": t, "flag": f})
            )
            assert found == [{"text": text, "flag": flag}]
    assert run.on(alone, lambda work: work.ask(PERCENT, {"one": 1})) == [{"text": "100%", "two": 2}]


def test_much_is_sent_and_answered_at_once(alone: Database, run: Run) -> None:
    def ask(work: Work) -> list[int]:
        text = "x" * 1_000_000  # more than either side takes in before the other reads
        asked = [work.wonder(ECHO, {"text": text, "flag": None}) for _ in range(20)]
        return [len(work.answer(each)[0]["text"]) for each in asked]

    assert run.on(alone, ask) == [1_000_000] * 20


def test_a_text_that_postgres_cannot_hold_is_refused_as_its_own_error(
    alone: Database, run: Run
) -> None:
    with pytest.raises(sa.exc.DataError):
        run.on(alone, lambda work: work.ask(ECHO, {"text": "a\x00b", "flag": None}))
    assert run.on(alone, lambda work: work.ask(COUNT, {})) == [{"many": 0}]


def test_nothing_is_sent_outside_of_a_transaction(alone: Database, run: Run) -> None:
    def after_the_end(work: Work) -> None:
        work.commit()
        work.write(ADD, values(work))
        work.send()

    with pytest.raises(RuntimeError, match="no transaction is open"):
        run.on(alone, after_the_end)
    assert run.on(alone, lambda work: count(work, patient)) == 0


def test_a_read_that_says_what_it_asks_may_ask_nothing_else(
    alone: Database, moment: Moment
) -> None:
    def twice(work: Work) -> int:
        many = work.ask(COUNT, {})[0]["many"]
        work.ask(ECHO, {"text": "more", "flag": None})
        return int(many)

    asked = lambda _: [(COUNT, {})]  # noqa: E731
    found = alone.read(lambda work: work.ask(COUNT, {}), moment=moment, asking=asked)
    assert found == [{"many": 0}]
    with pytest.raises(RuntimeError, match="has ended"):
        alone.read(twice, moment=moment, asking=asked)


def test_a_write_in_a_read_is_refused_by_the_database(
    alone: Database, moment: Moment, run: Run
) -> None:
    row = run.on(alone, values)
    with pytest.raises(sa.exc.InternalError, match="read-only transaction"):
        alone.read(lambda work: work.write(ADD, row) or work.ask(COUNT, {}), moment=moment)


def test_a_connection_whose_answers_are_lost_is_closed(
    alone: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    with alone.engine.connect() as connection:
        monkeypatch.setattr("app.db.pipeline._received", interrupted)
        with pytest.raises(KeyboardInterrupt):
            pipeline_of(connection.connection).carry_out([Call(b"begin", b"BEGIN", ())])
        driver = connection.connection.driver_connection
        assert isinstance(driver, psycopg.Connection)
        assert driver.closed
        connection.invalidate()
