"""The packaged library, which commands read from its files, read once in a process of the tests.

Reading it takes two seconds of a processor, and five where every expression is checked again; many
tests call a command or build an application that begins with it. A version never changes once it
is read, so the tests may share them. Any other folder is read each time.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from app.approvals.library import Library
from tests.world import POLICIES

Load = Callable[..., Library]


def once(load: Load) -> Load:
    """`load_library`, which reads the packaged folder once for each way of reading it."""
    known: list[tuple[Mapping[str, frozenset[str]] | None, bool, Library]] = []

    def loaded(
        folder: Path,
        drug_keys: Mapping[str, frozenset[str]] | None = None,
        *,
        trusting_lock: bool = False,
    ) -> Library:
        if Path(folder).resolve() != POLICIES:
            return load(folder, drug_keys, trusting_lock=trusting_lock)
        for keys, trusting, library in known:
            if (keys, trusting) == (drug_keys, trusting_lock):
                return library
        library = load(folder, drug_keys, trusting_lock=trusting_lock)
        known.append((drug_keys, trusting_lock, library))
        return library

    return loaded
