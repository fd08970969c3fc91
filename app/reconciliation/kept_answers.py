"""Small answers about files that never change, kept in the memory of the process that worked them
out: of a file that is known by its content an answer stays true."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")


class KeptAnswers(Generic[T]):
    """The answers that were asked for last, at most so many. Safe to ask from several threads."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._answers: OrderedDict[Hashable, T] = OrderedDict()
        self._lock = Lock()

    def of(self, about: Hashable, work_out: Callable[[], T]) -> T:
        """The answer about this, worked out where it is not kept; what it raises is not kept."""
        with self._lock:
            if about in self._answers:
                self._answers.move_to_end(about)
                return self._answers[about]
        answer = work_out()
        with self._lock:
            self._answers[about] = answer
            while len(self._answers) > self._most:
                self._answers.popitem(last=False)
        return answer
