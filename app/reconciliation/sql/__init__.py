"""The steps of matching as SQL files in DuckDB's dialect, run in the order of their numbers.

Those in `before/` count what earlier submissions state, around the steps that find coverages.

Each file is one SELECT, and its result is a table named as the file is, without the number; a view
where its first line says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable

VIEW = "-- view"


@dataclass(frozen=True, slots=True)
class Step:
    """A step's name and its statement; a view is not stored."""

    name: str
    select: str
    is_view: bool


@cache
def steps() -> tuple[Step, ...]:
    """Every step of matching a submission, in order."""
    return _steps_in(resources.files(__name__))


@cache
def steps_before() -> Mapping[str, Step]:
    """The steps of counting earlier lines, in order, by their names."""
    found = _steps_in(resources.files(__name__) / "before")
    return {step.name: step for step in found}


def _steps_in(folder: Traversable) -> tuple[Step, ...]:
    files = sorted(
        (entry for entry in folder.iterdir() if entry.name.endswith(".sql")),
        key=lambda entry: entry.name,
    )
    return tuple(_step(entry.name, entry.read_text(encoding="utf-8")) for entry in files)


def _step(file: str, text: str) -> Step:
    return Step(file.removesuffix(".sql").partition("_")[2], text, text.startswith(VIEW))
