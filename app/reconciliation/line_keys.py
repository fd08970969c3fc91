"""By what a line is known from one file and run to the next: its content. Pure."""

from collections import Counter
from collections.abc import Sequence

from app.reconciliation.model import ContractLine


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
