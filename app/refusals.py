"""What a use case may ask of the door it goes out by. No room's: the door serves all of them."""

from abc import ABC, abstractmethod
from typing import Any


class Reserve(ABC):
    """Something limited that a use case may use up, set aside before it begins.

    Its `work` is that of a transaction, which the room that reserves knows.
    """

    @abstractmethod
    def take(self, work: Any) -> None:
        """Set it aside, in a transaction of its own; raises a refusal where none is left."""

    @abstractmethod
    def enter(self, work: Any) -> None:
        """Tell the use case's own transaction that it is set aside."""

    @abstractmethod
    def give_back(self, work: Any) -> None:
        """It was not used after all."""

    @abstractmethod
    def settle(self, work: Any, refused: Exception) -> None:
        """After a refusal, whose transaction was undone: give it back, or leave it used."""


class ReserveFirst(Exception):
    """The use case goes on only with this set aside; the door does so and begins it anew.

    Raised before anything is told that whoever has none left may not hear.
    """

    def __init__(self, reserve: Reserve) -> None:
        self.reserve = reserve
        super().__init__("Set aside what is limited, then begin again.")
