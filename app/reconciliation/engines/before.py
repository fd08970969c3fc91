"""What the lines of earlier submissions use, state and leave to be given back. Pure.

The same rules as for any line: they are matched against the same approvals and decisions, file by
file in the order of acceptance. Only lines of slices that still stand, and that the submission does
not state itself, count; whether a line repeats another is told within its own file and before it.
What counts does not depend on whether, or when, the earlier files were reconciled.

A credit whose charge comes in a later file than itself waits for it, so that the order of files
changes nothing of what stands (ADR 79).
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from app.reconciliation.engines.by_hand import decisions_on
from app.reconciliation.engines.debits import Debits, find_debits, still_open
from app.reconciliation.engines.fees import SupplySide, is_fee
from app.reconciliation.engines.index import Folder, SnapshotIndex, index_snapshot
from app.reconciliation.engines.open_charges import (
    NONE_COUNTED,
    Bearing,
    Counted,
    OpenCharge,
    OpenFee,
    charge_of,
    fee_of,
    tell,
    without_fees,
)
from app.reconciliation.engines.plain import fees_and_supplies, spaced_of, uses_of
from app.reconciliation.engines.prepare import Prepared, prepare
from app.reconciliation.engines.repeats import (
    Repeats,
    can_repeat,
    find_repeats,
    find_reversals,
)
from app.reconciliation.engines.spacing import Spaced
from app.reconciliation.engines.told import Told
from app.reconciliation.model import (
    ContractLine,
    Earlier,
    EarlierCharge,
    EarlierFee,
    LineKind,
    Snapshot,
    TestResult,
    UsedQuantity,
)
from app.reference_data.drugs import DrugDictionary
from app.reference_data.organisations import OrganisationDirectory


@dataclass(frozen=True, slots=True)
class EarlierFile:
    """Lines of an earlier submission that may bear on this one.

    `standing` are the rows of slices that stand and that this one does not state itself.
    """

    lines: Sequence[ContractLine]
    standing: frozenset[int]
    snapshot: Snapshot


def what_stands_before(
    files: Sequence[EarlierFile],
    bearing: Bearing,
    dictionary: DrugDictionary,
    organisations: OrganisationDirectory,
    counted: Counted = NONE_COUNTED,
) -> Earlier:
    """What they say that bears on the submission; `files` in the order of acceptance.

    `counted` is what their other lines say, where these are not held in memory.
    """
    fold = Folder(organisations)
    open_: list[OpenCharge] = []
    unpaid: list[OpenFee] = []
    waiting: list[Prepared] = []  # credits without a charge so far
    others: set[str] = set()  # devices, and fees of no amount: no credit takes them back
    indexes: dict[tuple[int, ...], SnapshotIndex] = {}
    for number, file in enumerate(files):
        snapshot = file.snapshot
        # Files differ in their layouts, which no index looks at: one index serves most.
        index = indexes.get(_indexed(snapshot)) or index_snapshot(snapshot)
        indexes[_indexed(snapshot)] = index
        known = snapshot.as_at, snapshot.layout, snapshot.terms.supplies
        prepared = prepare(file.lines, dictionary, fold, *known)
        standing = [n for n, item in enumerate(prepared) if item.line.row in file.standing]
        charges = [each.charge for each in open_]
        held = sorted(
            [*((n, fee) for n, each in enumerate(open_) for fee in each.fees),
             *((None, fee) for fee in unpaid)],
            key=lambda each: each[1].place,
        )  # fmt: skip
        fees = [fee.of(n) for n, fee in held]
        stated = others.union(charge.content_hash for charge in charges)
        stated |= {fee.content_hash for fee in fees}
        reverses = find_reversals(prepared)
        debits, waiting = _taken_back(prepared, reverses, standing, waiting, charges, fees, stated)
        taken = debits.taken
        back = [held[n] for n in debits.fees_released]
        open_ = without_fees(open_, [(n, fee) for n, fee in back if n is not None])
        open_ = still_open(open_, debits.released)
        gone_ = {fee.place for _, fee in back}
        unpaid = [fee for fee in unpaid if fee.place not in gone_]
        repeats = find_repeats(prepared, reverses, stated - debits.freed, taken | debits.fees_taken)
        uses = _uses(prepared, repeats, file, index)
        lasting = _lasting(prepared, repeats, file, index) if bearing.spaced else {}
        sides: Mapping[int, tuple[SupplySide, tuple[OpenFee, ...]]] = {}
        if bearing.fees:
            gone = taken | _not(standing, prepared)
            open_, sides = _supplied(
                number, prepared, repeats, gone, debits.fees_taken, file, index, open_
            )
        for n in standing:
            item = prepared[n]
            if n in taken or n in repeats.stated_before or n in repeats.duplicate_of:
                continue
            place = number, item.line.row
            if item.kind is LineKind.DRUG:
                charge = charge_of(item, uses.get(n))
                supply, paid = sides.get(n, (None, ()))
                open_.append(OpenCharge(place, charge, supply, lasting.get(n), paid))
            elif is_fee(item):
                unpaid += [fee_of(place, item)] if n not in debits.fees_taken else []
            elif can_repeat(item):
                others.add(item.line.content_hash)
        settled = {fee.place for each in open_ for fee in each.fees}
        unpaid = [fee for fee in unpaid if fee.place not in settled]
    return tell(open_, unpaid, others, bearing, counted)


def _indexed(snapshot: Snapshot) -> tuple[int, ...]:
    """Which objects an index is made of; they live as long as the files that name them."""
    parts = (snapshot.coverages, snapshot.pending, snapshot.policies, snapshot.terms)
    return tuple(map(id, (*parts, snapshot.earlier)))


def _lasting(
    prepared: Sequence[Prepared], repeats: Repeats, file: EarlierFile, index: SnapshotIndex
) -> Mapping[int, Spaced]:
    told = Told(replace(repeats, reverses={}), Debits())
    by_hand = decisions_on(file.lines, file.snapshot.decisions)
    found = spaced_of(prepared, index, by_hand, told)
    return {each.place: each for each in found}


def _not(standing: Sequence[int], prepared: Sequence[Prepared]) -> frozenset[int]:
    return frozenset(range(len(prepared))) - frozenset(standing)


def _supplied(
    number: int,
    prepared: Sequence[Prepared],
    repeats: Repeats,
    gone: frozenset[int],
    fees_back: frozenset[int],
    file: EarlierFile,
    index: SnapshotIndex,
    before: Sequence[OpenCharge],
) -> tuple[list[OpenCharge], Mapping[int, tuple[SupplySide, tuple[OpenFee, ...]]]]:
    """The charges before, and the file's accepted supplies, with the fees that they pay for.

    `gone` are lines that do not stand, or that a credit took back: neither supplies nor fees.
    `fees_back` are fees that one took back, which no supply pays for.
    """
    left = {n: item for n, item in enumerate(prepared) if n not in gone}
    places = {n: place for place, n in enumerate(left)}
    kept = Repeats(
        {
            places[n]: places.get(other, places[n])
            for n, other in repeats.duplicate_of.items()
            if n in places
        },
        {},
        frozenset(places[n] for n in repeats.stated_before if n in places),
    )
    by_hand = {
        places[n]: each
        for n, each in decisions_on(file.lines, file.snapshot.decisions).items()
        if n in places
    }
    back = frozenset(places[n] for n in fees_back if n in places)
    told = Told(kept, Debits(fees_taken=back))
    known = [
        replace(each.supply, place=n, before=True)
        for n, each in enumerate(before)
        if each.supply is not None
    ]
    supplies, cases = fees_and_supplies(list(left.values()), index, by_hand, told, known)
    lines = list(left)
    paid: dict[tuple[bool, int], tuple[OpenFee, ...]] = defaultdict(tuple)
    for case in cases:
        if case.supply is not None and case.place not in back:
            item = prepared[lines[case.place]]
            fee = fee_of((number, item.line.row), item)
            paid[case.supply.before, case.supply.place] += (fee,)
    return [
        replace(
            each,
            supply=each.supply and _paying(each.supply, paid[True, n]),
            fees=each.fees + paid[True, n],
        )
        for n, each in enumerate(before)
    ], {
        lines[each.place]: (_paying(each, paid[False, each.place]), paid[False, each.place])
        for each in supplies
    }


def _paying(supply: SupplySide, fees: Sequence[OpenFee]) -> SupplySide:
    return replace(supply, paid=supply.paid.union(fee.sort for fee in fees))


def _taken_back(
    prepared: Sequence[Prepared],
    reverses: Mapping[int, int],
    standing: Sequence[int],
    waiting: Sequence[Prepared],
    before: Sequence[EarlierCharge],
    fees: Sequence[EarlierFee],
    stated: Collection[str],
) -> tuple[Debits, list[Prepared]]:
    """Charges and fees of the file, and places among those before, that credits which stand take
    back; and the credits that still wait for their charge.

    A credit of a slice that a newer submission states takes nothing back: the newer one says so,
    or does not.
    """
    places = {n: place for place, n in enumerate(standing)}
    settled = {
        places[credit]: places[charge]
        for credit, charge in reverses.items()
        if credit in places and charge in places
    }
    looked_at = [*(prepared[n] for n in standing), *waiting]
    debits = find_debits(looked_at, settled, before, fees, stated)
    back = debits.taken | set(settled.values())
    told = replace(
        debits,
        taken=frozenset(standing[place] for place in back),
        fees_taken=frozenset(standing[place] for place in debits.fees_taken),
    )
    still = [n for n, test in sorted(debits.tests.items()) if test.result is not TestResult.PASSED]
    return told, [looked_at[n] for n in still]


def _uses(
    prepared: Sequence[Prepared], repeats: Repeats, file: EarlierFile, index: SnapshotIndex
) -> Mapping[int, UsedQuantity]:
    """What each line would use if no credit took it back."""
    told = Told(replace(repeats, reverses={}), Debits())
    by_hand = decisions_on(file.lines, file.snapshot.decisions)
    return uses_of(prepared, index, by_hand, told)
