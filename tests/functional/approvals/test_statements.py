"""How many statements a submission sends: counted, so that the number cannot creep up unseen.

A statement costs more processor time than anything else in a submission. A count does not depend
on the machine, so that it can be a test where a time cannot.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from app.audit import trail
from app.db.transaction import Database
from app.db.work import Moment
from tests.functional.approvals.api import Api, good, initiation

#: Of a first request that is approved, with an invented patient who is not known yet. On
#: SQLite it counts PRAGMA and BEGIN (4), on PostgreSQL each change of scope.
MOST = {"sqlite": 28, "postgresql": 29}
#: The same of a version that has decided nothing before: its text is stored first.
FIRST = {"sqlite": 31, "postgresql": 32}


@contextmanager
def statements(engine: sa.Engine) -> Iterator[list[str]]:
    """Every statement that the engine sends inside the block."""
    sent: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        sent.append(statement)

    sa.event.listen(engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)


def test_a_submission_sends_no_more_statements_than_it_needs(
    clinician: Api, database: Database
) -> None:
    name = database.engine.dialect.name
    for sequence, most in ((1, FIRST[name]), (2, MOST[name])):
        with statements(database.engine) as sent:
            request = good(clinician.post("/v1/requests", initiation(sequence)), 201)
        assert request["approval"] is not None
        assert len(sent) <= most, "\n".join(sent)


def test_the_events_of_a_submission_are_written_together_and_numbered_by_object(
    clinician: Api, database: Database, moment: Moment
) -> None:
    with statements(database.engine) as sent:
        request = good(clinician.post("/v1/requests", initiation()), 201)
    assert sum(text.startswith("INSERT INTO audit_event ") for text in sent) == 1
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
