"""What is written on a short way is kept, refused and told of as on SQLAlchemy's own."""

import datetime as dt
import logging

import pytest
import sqlalchemy as sa

from app.db.statements import Statement
from app.db.tables import patient, patient_identifier
from app.db.transaction import Database
from app.db.work import Moment, Work
from tests.conftest import Transact
from tests.integration.db.rows import TEST_NUMBER, count
from tests.integration.db.run import Run

ADD = Statement(sa.insert(patient))
ADD_IDENTIFIER = Statement(sa.insert(patient_identifier))
BY_NUMBER = Statement(
    sa.select(patient).where(patient.c.nhs_number == sa.bindparam("number")).limit(5)
)
COUNT = Statement(sa.text("SELECT count(*) AS many FROM patient"))
FAIL = Statement(
    sa.text("DO $$ BEGIN RAISE EXCEPTION 'rival' USING ERRCODE = 'serialization_failure'; END $$")
)


def values(work: Work, nhs_number: str | None = None) -> dict[str, object]:
    return {
        "id": work.new_id(),
        "nhs_number": nhs_number,
        "no_nhs_number_reason": None,
        "registered_by": "DEMO1",
        "birth_date": dt.date(1980, 2, 29),
        "sex": "female",
        "linked_to": None,
        "created_at": work.moment.instant,
    }


def orphan(work: Work) -> dict[str, object]:
    return {
        "id": work.new_id(),
        "organisation": "DEMO1",
        "local_id": "L-1",
        "patient_id": "no such patient",
        "gp_practice": None,
        "recorded_at": work.moment.instant,
    }


def test_what_was_written_is_there_for_whatever_is_asked_next(transact: Transact) -> None:
    def look(work: Work) -> list[int]:
        seen = [count(work, patient)]
        work.write(ADD, values(work))
        seen.append(count(work, patient))
        work.write(ADD, values(work), values(work))
        seen.append(work.ask(COUNT, {})[0]["many"])
        work.write(ADD, values(work))
        return seen

    assert transact(look) == [0, 1, 3]
    assert transact(lambda work: count(work, patient)) == 4  # the last went with the commit


def test_an_answer_has_the_types_of_its_columns(transact: Transact, moment: Moment) -> None:
    def look(work: Work) -> list[dict[str, object]]:
        work.write(ADD, values(work, TEST_NUMBER))
        return work.ask(BY_NUMBER, {"number": TEST_NUMBER})

    (row,) = transact(look)
    assert row["birth_date"] == dt.date(1980, 2, 29)
    assert row["created_at"] == moment.instant
    assert row["linked_to"] is None
    assert list(row) == [column.name for column in patient.c]


def test_questions_are_answered_each_by_its_own_rows(transact: Transact) -> None:
    def look(work: Work) -> list[int]:
        before = work.wonder(COUNT, {})
        work.write(ADD, values(work))
        after = work.wonder(COUNT, {})
        return [work.answer(each)[0]["many"] for each in (after, before)]

    assert transact(look) == [1, 0]


def test_a_row_that_is_refused_undoes_all_and_is_not_quoted(
    transact: Transact, caplog: pytest.LogCaptureFixture
) -> None:
    def twice(work: Work) -> None:
        work.write(ADD, values(work, TEST_NUMBER))
        work.write(ADD, values(work, TEST_NUMBER))
        work.write(ADD, values(work))
        count(work, patient)

    with caplog.at_level(logging.DEBUG), pytest.raises(sa.exc.IntegrityError) as raised:
        transact(twice)
    assert "nhs_number" in str(raised.value)
    told = f"{raised.value} {raised.value.orig} {raised.value!r} {caplog.text}"
    assert TEST_NUMBER not in told
    assert transact(lambda work: count(work, patient)) == 0


def test_a_row_that_is_refused_at_the_end_of_the_use_case_undoes_all(transact: Transact) -> None:
    def broken(work: Work) -> str:
        work.write(ADD, values(work))
        work.write(ADD_IDENTIFIER, orphan(work))
        return "PA-1"

    with pytest.raises(sa.exc.IntegrityError):
        transact(broken)
    assert transact(lambda work: count(work, patient)) == 0


def test_values_that_are_not_the_statements_are_refused(transact: Transact) -> None:
    def broken(work: Work) -> None:
        work.write(ADD, values(work))
        work.write(ADD, {**values(work), "another": 1})

    with pytest.raises(ValueError, match="not those of the statement"):
        transact(broken)
    assert transact(lambda work: count(work, patient)) == 0


def test_a_savepoint_takes_back_what_was_not_sent_yet(transact: Transact) -> None:
    def step(work: Work) -> None:
        work.write(ADD, values(work))
        trial = work.savepoint()
        work.write(ADD, values(work))
        count(work, patient)
        work.write(ADD, values(work))
        trial.rollback()
        kept = work.savepoint()
        work.write(ADD, values(work))
        kept.commit()

    transact(step)
    assert transact(lambda work: count(work, patient)) == 2


def test_a_serialisation_failure_among_several_is_tried_again(
    postgres_database: Database, run: Run
) -> None:
    tries = []

    def once_refused(work: Work) -> None:
        tries.append(work)
        work.write(ADD, values(work))
        if len(tries) == 1:
            work.write(FAIL, {})
        work.write(ADD, values(work))

    run.on(postgres_database, once_refused)
    assert len(tries) == 2
    assert run.on(postgres_database, lambda work: count(work, patient)) == 2


def test_a_connection_that_was_cut_is_told_as_such_and_replaced(
    postgres_database: Database, run: Run
) -> None:
    def cut(work: Work) -> None:
        pid = work.connection.scalar(sa.text("SELECT pg_backend_pid()"))
        with sa.create_engine(postgres_database.engine.url).connect() as other:
            other.execute(sa.text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
        work.write(ADD, values(work))
        work.ask(COUNT, {})

    with pytest.raises(sa.exc.OperationalError) as raised:
        run.on(postgres_database, cut)
    assert raised.value.connection_invalidated
    assert run.on(postgres_database, lambda work: count(work, patient)) == 0
