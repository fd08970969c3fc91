"""What a refusal may ask of the door it goes out by. No room's: the door serves all of them."""

from collections.abc import Callable
from typing import Any


class CountedRefusal(Exception):
    """A refusal that a door counts, in a transaction of its own: its own was undone with it.

    `count` gets that transaction's `Work`.
    """

    count: Callable[[Any], object] | None = None
