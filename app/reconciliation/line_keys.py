"""By what a line is known from one file and run to the next: its content. Pure."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from app.reconciliation.model import ContractLine

#: Hexadecimal: 60 bits of the hash, which a signed 64-bit integer holds.
KEY_DIGITS: Final = 15


def content_key(line: ContractLine) -> int:
    """A number for what a line says, by which lines of one day are put in order.

    The head of the hash of its content, which no row and no order of columns changes.
    """
    return int(line.content_hash[:KEY_DIGITS], 16)


def keys_of(lines: Sequence[ContractLine]) -> tuple[str, ...]:
    """A key for each line: the hash of its content and which of that content's lines it is.

    Lines of one content are alike, so their order among each other tells nothing apart: a file
    that states them again gives the same keys.
    """
    seen: Counter[str] = Counter()
    keys = []
    for line in lines:
        seen[line.content_hash] += 1
        keys.append(f"{line.content_hash}.{seen[line.content_hash]}")
    return tuple(keys)
