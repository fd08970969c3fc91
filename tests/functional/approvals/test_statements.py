"""How much a submission asks of the database: counted, so that it cannot creep up unseen.

A statement costs more processor time than most of what is done in Python, and a wait for an answer
more than a statement. A count does not depend on the machine, so that it can be a test where a
time cannot.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import sqlalchemy as sa

from app.audit import trail
from app.db import work as work_module
from app.db.transaction import Database
from app.db.work import Moment
from tests.functional.approvals.api import Api, good, initiation

#: Of a first request that is approved, with an invented patient who is not known yet. It counts
#: BEGIN (2), on PostgreSQL the ends of both transactions and each change of scope too.
MOST = {"sqlite": 25, "postgresql": 33}
#: The same of a version that has decided nothing before: its text is stored first.
FIRST = {"sqlite": 28, "postgresql": 36}
#: How often PostgreSQL is waited for, the commits and the look-up of the token included.
MOST_WAITS = 6
FIRST_WAITS = 10


@dataclass
class Sent:
    """What went to the database: statement by statement, and in how many goes."""

    statements: list[str] = field(default_factory=list)
    waits: int = 0


@contextmanager
def statements(engine: sa.Engine) -> Iterator[Sent]:
    """Every statement that the engine sends inside the block, and each wait for an answer."""
    sent, together = Sent(), work_module.send

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        sent.statements.append(statement)
        sent.waits += 1

    def note_end(connection: sa.Connection) -> None:
        driver: Any = connection.connection.driver_connection
        if engine.dialect.name == "sqlite" or driver.info.transaction_status:  # not ended yet
            sent.waits += 1

    def send(connection: sa.Connection, waiting: Any) -> None:
        waits = sent.waits
        together(connection, waiting)
        sent.waits = waits + 1

    events = (("before_cursor_execute", note), ("commit", note_end), ("rollback", note_end))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(work_module, "send", send)
        for name, listener in events:
            sa.event.listen(engine, name, listener)
        try:
            yield sent
        finally:
            for name, listener in events:
                sa.event.remove(engine, name, listener)


def test_a_submission_sends_no_more_statements_than_it_needs(
    clinician: Api, database: Database
) -> None:
    name = database.engine.dialect.name
    for sequence, most, waits in ((1, FIRST[name], FIRST_WAITS), (2, MOST[name], MOST_WAITS)):
        with statements(database.engine) as sent:
            request = good(clinician.post("/v1/requests", initiation(sequence)), 201)
        assert request["approval"] is not None
        assert len(sent.statements) <= most, "\n".join(sent.statements)
        if name == "postgresql":
            assert sent.waits <= waits


def test_the_events_of_a_submission_are_written_together_and_numbered_by_object(
    clinician: Api, database: Database, moment: Moment
) -> None:
    with statements(database.engine) as sent:
        request = good(clinician.post("/v1/requests", initiation()), 201)
    assert sum(text.startswith("INSERT INTO audit_event ") for text in sent.statements) == 1
    entries = database.read(lambda work: trail(work, "request", request["id"]), moment=moment)
    assert [entry.action for entry in entries] == [
        "initiation submitted",
        "decision: approved",
        "request: submit",
    ]
    assert [entry.object_number for entry in entries] == [1, 2, 3]
    assert [entry.id for entry in entries] == sorted(entry.id for entry in entries)


def test_the_answer_to_a_submission_is_what_a_reader_is_shown(clinician: Api) -> None:
    """It is made of what was stored without reading it anew."""
    for form in (initiation(1), initiation(2, answers={})):
        request = good(clinician.post("/v1/requests", form), 201)
        assert request == good(clinician.get(f"/v1/requests/{request['id']}"))
