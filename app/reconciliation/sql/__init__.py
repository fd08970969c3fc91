"""The steps of matching as SQL files in DuckDB's dialect, run in the order of their numbers.

Each file is one SELECT, and its result is a table named as the file is, without the number; a view
where its first line says so.
"""

from dataclasses import dataclass
from functools import cache
from importlib import resources

VIEW = "-- view"


@dataclass(frozen=True, slots=True)
class Step:
    """A step's name and its statement; a view is not stored."""

    name: str
    select: str
    is_view: bool


@cache
def steps() -> tuple[Step, ...]:
    """Every step, in order."""
    files = sorted(
        (entry for entry in resources.files(__name__).iterdir() if entry.name.endswith(".sql")),
        key=lambda entry: entry.name,
    )
    return tuple(_step(entry.name, entry.read_text(encoding="utf-8")) for entry in files)


def _step(file: str, text: str) -> Step:
    return Step(file.removesuffix(".sql").partition("_")[2], text, text.startswith(VIEW))
