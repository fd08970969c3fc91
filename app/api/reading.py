"""Reading a patient's record: the audit event is committed before the reply goes out."""

from collections.abc import Callable
from typing import TypeVar

from fastapi import Request

from app.api.callers import door_of
from app.audit import Reading, record_reading
from app.auth.model import Caller
from app.db.work import Work

T = TypeVar("T")


def read_recorded(
    request: Request, caller: Caller, fn: Callable[[Work], tuple[T, Reading | tuple[Reading, ...]]]
) -> T:
    """Answer a question on one snapshot, then commit what was read, then reply.

    Two transactions, so that a long answer holds no write lock: the second is one insert, for an
    object that nobody else waits for. Where it fails the caller gets no answer, only the problem.
    An answer that tells of nobody gives no readings.
    """
    door = door_of(request)
    answer, found = door.read(fn)
    readings = found if isinstance(found, tuple) else (found,)

    def keep(work: Work) -> None:
        for reading in readings:
            record_reading(work, caller.actor(), reading)

    if readings:
        door.transact(keep)
    return answer
