"""Which engine matches, and what it may use of the machine."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path

from app.reconciliation.engines import duckdb, plain
from app.reconciliation.model import ContractLine, MatchedLine, Snapshot
from app.reference_data.drugs import DrugDictionary
from app.reference_data.organisations import OrganisationDirectory

Matcher = Callable[
    [Sequence[ContractLine], Snapshot, DrugDictionary, OrganisationDirectory],
    tuple[MatchedLine, ...],
]


class Engine(StrEnum):
    """The engines, by the name that a run records."""

    PLAIN = "plain"
    DUCKDB = "duckdb"


@dataclass(frozen=True, slots=True)
class Choice:
    """An engine with the memory that DuckDB may take ("2GB") and where it spills beyond that."""

    engine: Engine = Engine.PLAIN
    memory_limit: str = "2GB"
    spill_to: Path | None = None

    def matcher(self) -> Matcher:
        """What gives a MatchedLine for each line of a submission, in its order."""
        if self.engine is Engine.PLAIN:
            return plain.match_submission
        machine = duckdb.Machine(self.memory_limit, spill_to=self.spill_to)
        return partial(duckdb.match_submission, machine=machine)


BY_DEFAULT = Choice()
