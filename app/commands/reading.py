"""Reading a patient's record at the command line: on record before anything of it is printed."""

from collections.abc import Callable
from typing import TypeVar

from app.audit import Reading, record_reading
from app.auth.model import Caller
from app.commands.refusals import done
from app.db.work import Work
from app.door import Door

T = TypeVar("T")


def read_recorded(door: Door, caller: Caller, fn: Callable[[Work], tuple[T, Reading]]) -> T:
    """Answer a question on one snapshot, then commit what was read, then return it.

    Exit code 3 and the reason where the service refuses; where the reading cannot be kept there is
    no answer.
    """
    answer, reading = done(lambda: door.read(fn))
    door.transact(lambda work: record_reading(work, caller.actor(), reading))
    return answer
