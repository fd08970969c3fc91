"""The snapshot, indexed by patient and reference, in an order of its own."""

import datetime as dt
from abc import abstractmethod
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import groupby
from typing import Any, TypeVar

from app.reconciliation.model import (
    NO_EARLIER,
    Coverage,
    Earlier,
    PayerHeir,
    PendingRequest,
    PolicyHeld,
    Snapshot,
)
from app.reconciliation.parse import normalise_reference
from app.reconciliation.terms_model import (
    AgreedPrice,
    ContractTerm,
    ResponsiblePayer,
    SupplyTerm,
)
from app.reference_data.organisations import OrganisationDirectory

LocalId = tuple[str, str]
K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class SnapshotIndex:
    """Coverages and pending requests by each key that a line can carry."""

    by_nhs: Mapping[str, tuple[Coverage, ...]]
    by_local: Mapping[LocalId, tuple[Coverage, ...]]
    by_reference: Mapping[str, tuple[Coverage, ...]]
    pending_by_nhs: Mapping[str, tuple[PendingRequest, ...]]
    pending_by_local: Mapping[LocalId, tuple[PendingRequest, ...]]
    policies: Mapping[str, tuple[PolicyHeld, ...]]
    contracts: Mapping[tuple[str | None, str | None], tuple[ContractTerm, ...]]
    payers: Mapping[str, tuple[ResponsiblePayer, ...]]
    prices: Mapping[tuple[str | None, str | None], tuple[AgreedPrice, ...]]
    keep_prices: frozenset[str | None]
    supplies: Mapping[str | None, tuple[SupplyTerm, ...]]
    earlier: Earlier = NO_EARLIER
    heirs: Mapping[str, tuple[PayerHeir, ...]] = field(default_factory=dict)

    def payer_on(self, coverage: Coverage, day: dt.date) -> str:
        """The code of who pays for a coverage, as lines of that day state it once folded."""
        held = self.heirs.get(coverage.commissioner, ())
        found = (each.heir for each in held if each.from_ <= day <= each.to)
        return next(found, coverage.commissioner)


class Held(Sequence[Coverage]):
    """Coverages in `coverage_order` that are indexed where they are held, not as objects."""

    @property
    @abstractmethod
    def by_nhs(self) -> Mapping[str, tuple[Coverage, ...]]:
        """NHS number → its coverages."""

    @property
    @abstractmethod
    def by_local(self) -> Mapping[LocalId, tuple[Coverage, ...]]:
        """Local identifier, as lines state it → its coverages."""

    @property
    @abstractmethod
    def by_reference(self) -> Mapping[str, tuple[Coverage, ...]]:
        """Reference, as references are compared → its coverages."""

    @abstractmethod
    def distinct(self, name: str) -> frozenset[Any]:
        """The values of a field that many share."""

    @abstractmethod
    def that_state(self, name: str) -> Iterable[Coverage]:
        """Those of which such a field says anything, in order."""

    @abstractmethod
    def told(self, say: Callable[[str, Any], str]) -> Iterable[tuple[str, Sequence[str]]]:
        """Of each in order its treatment and what is said of each field, by name and value."""


class Folder:
    """Folds a site's code to its parent's, remembering what it has folded.

    Between two days on which no entry of the directory begins or ends all days are alike.
    """

    def __init__(self, organisations: OrganisationDirectory) -> None:
        self._organisations = organisations
        self._turns = organisations.changes()
        self._seen: dict[tuple[str, int], str] = {}

    def __call__(self, code: str, on: dt.date) -> str:
        key = (code, self.turn(on))
        if key not in self._seen:
            self._seen[key] = self._organisations.fold(code, on)
        return self._seen[key]

    def turn(self, on: dt.date) -> int:
        """Which of those times a day lies in."""
        return bisect_right(self._turns, on)


def index_snapshot(snapshot: Snapshot) -> SnapshotIndex:
    """Index once, so that each line looks at its own patient's approvals only."""
    coverages = in_order(snapshot.coverages)
    pending = sorted(snapshot.pending, key=pending_order)
    policies = sorted(
        snapshot.policies,
        key=lambda p: (
            *(p.drug, p.commissioner or "", p.indication_key, p.from_, p.to or dt.date.max),
            p.approval_required,
        ),
    )
    return SnapshotIndex(
        by_nhs=coverages.by_nhs if isinstance(coverages, Held) else _by_nhs(coverages),
        by_local=coverages.by_local if isinstance(coverages, Held) else _by_local(coverages),
        by_reference=(
            coverages.by_reference if isinstance(coverages, Held) else _by_reference(coverages)
        ),
        pending_by_nhs=_group((p.nhs_number, p) for p in pending if p.nhs_number),
        pending_by_local=_group((key, p) for p in pending for key in local_keys(p.local_ids)),
        policies=_group((p.drug, p) for p in policies),
        contracts=_group(((t.provider, t.commissioner), t) for t in snapshot.terms.contracts),
        payers=_group((p.drug, p) for p in snapshot.terms.payers),
        prices=_group(((p.commissioner, p.drug), p) for p in snapshot.terms.prices),
        keep_prices=frozenset(p.commissioner for p in snapshot.terms.prices),
        supplies=_group((t.commissioner, t) for t in snapshot.terms.supplies),
        earlier=snapshot.earlier,
        heirs=_group((each.code, each) for each in snapshot.heirs),
    )


def _by_nhs(coverages: Iterable[Coverage]) -> Mapping[str, tuple[Coverage, ...]]:
    return _group((c.nhs_number, c) for c in coverages if c.nhs_number)


def _by_local(coverages: Iterable[Coverage]) -> Mapping[LocalId, tuple[Coverage, ...]]:
    return _group((key, c) for c in coverages for key in local_keys(c.local_ids))


def _by_reference(coverages: Iterable[Coverage]) -> Mapping[str, tuple[Coverage, ...]]:
    return _group((ref, c) for c in coverages for ref in references(c))


def _group(pairs: Iterable[tuple[K, V]]) -> Mapping[K, tuple[V, ...]]:
    groups: dict[K, list[V]] = defaultdict(list)
    for key, value in pairs:
        groups[key].append(value)
    return {key: tuple(values) for key, values in groups.items()}


def local_keys(local_ids: Iterable[LocalId]) -> frozenset[LocalId]:
    """Local identifiers in the form in which lines state them."""
    return frozenset((org.upper(), local.upper().replace(" ", "")) for org, local in local_ids)


def references(coverage: Coverage) -> frozenset[str]:
    """Every reference by which a coverage is known, in the form in which they are compared."""
    stated = (coverage.approval_reference, *coverage.legacy_references)
    return frozenset(ref for ref in (normalise_reference(r or "") for r in stated) if ref)


def coverage_order(coverage: Coverage) -> tuple[object, ...]:
    """A total order over coverages, for breaking the last ties: ids first, then all else they say.

    Two coverages that are equal in this order are equal in everything that matching looks at.
    """
    said = (_text(getattr(coverage, name)) for name in _COVERAGE_FIELDS)
    return *_ids(coverage), *said


def in_order(coverages: Sequence[Coverage]) -> Sequence[Coverage]:
    """The coverages in `coverage_order`; all that they say is looked at where ids leave a tie."""
    if isinstance(coverages, Held):
        return coverages
    by_ids = groupby(sorted(coverages, key=_ids), key=_ids)
    ties = (list(tied) for _, tied in by_ids)
    return tuple(
        each
        for tied in ties
        for each in (sorted(tied, key=coverage_order) if len(tied) > 1 else tied)
    )


def _ids(coverage: Coverage) -> tuple[str, str, dt.date]:
    return coverage.treatment_id, coverage.approval_reference or "", coverage.from_


def pending_order(pending: PendingRequest) -> tuple[object, ...]:
    """A total order over waiting requests: the oldest first, then all that they say."""
    said = (_text(getattr(pending, name)) for name in _PENDING_FIELDS)
    return pending.submitted_on, pending.request_id, *said


_PENDING_FIELDS = tuple(field.name for field in fields(PendingRequest))
_COVERAGE_FIELDS = tuple(field.name for field in fields(Coverage))


def _text(value: object) -> str:
    return str(sorted(value)) if isinstance(value, frozenset) else str(value)
