"""What a search knows of approvals, and how it prepares a line: the same for runs of any size."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.reconciliation import service
from app.reconciliation.engines.index import Folder, SnapshotIndex, index_snapshot
from app.reconciliation.engines.prepare import Prepared, prepare
from app.reconciliation.linkage.comparing import parameters_of
from app.reconciliation.linkage.seeking import Approvals, approvals_of
from app.reconciliation.linkage.weighing import Judge, Refusal
from app.reconciliation.model import ContractLine, Snapshot
from app.reconciliation.service import Desk
from app.reference_data.drugs import DrugDictionary


@dataclass(frozen=True, slots=True)
class Known:
    """Approvals as they are searched, what was refused of them, and the model."""

    snapshot: Snapshot
    index: SnapshotIndex
    approvals: Approvals
    practices: Mapping[str, Sequence[str]]
    refused: frozenset[Refusal]
    parameters: Mapping[str, Any]
    dictionary: DrugDictionary
    fold: Folder

    @classmethod
    def of(
        cls,
        desk: Desk,
        snapshot: Snapshot,
        practices: Mapping[str, Sequence[str]],
        refused: frozenset[Refusal],
        parameters: Mapping[str, Any] | None = None,
    ) -> "Known":
        """The same of a snapshot within the caller's scope; by the model in force, or another."""
        return cls(
            snapshot,
            index_snapshot(snapshot),
            approvals_of(snapshot.coverages),
            practices,
            refused,
            parameters_of() if parameters is None else parameters,
            service.knowing(desk.dictionary, snapshot.terms.spellings),
            Folder(desk.organisations),
        )

    @property
    def judge(self) -> Judge:
        """The model's odds and limits."""
        return Judge.of(self.parameters)

    def prepare(self, lines: Sequence[ContractLine]) -> list[Prepared]:
        """Lines as matching prepares them, with the names and terms that are known now."""
        held = self.snapshot.as_at, self.snapshot.layout, self.snapshot.terms.supplies
        return prepare(lines, self.dictionary, self.fold, *held)
