"""What the lines of earlier submissions use, state and leave to be given back. Pure.

The same rules as for any line: they are matched against the same approvals and decisions, file by
file in the order of acceptance. Only lines of slices that still stand, and that the submission does
not state itself, count; whether a line repeats another is told within its own file and before it.
What counts does not depend on whether, or when, the earlier files were reconciled.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, localcontext

from app.reconciliation.engines.by_hand import decisions_on
from app.reconciliation.engines.debits import Debits, find_debits, still_open
from app.reconciliation.engines.fees import SupplySide
from app.reconciliation.engines.index import Folder, index_snapshot
from app.reconciliation.engines.limits import EXACT_DIGITS
from app.reconciliation.engines.plain import fees_and_supplies, spaced_of, uses_of
from app.reconciliation.engines.prepare import Prepared, prepare
from app.reconciliation.engines.repeats import Repeats, can_repeat, find_repeats
from app.reconciliation.engines.spacing import Spaced
from app.reconciliation.engines.told import Told
from app.reconciliation.model import (
    ContractLine,
    Earlier,
    EarlierCharge,
    EarlierSpaced,
    EarlierSupply,
    LineKind,
    Snapshot,
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


@dataclass(frozen=True, slots=True)
class Bearing:
    """What of them bears on the submission: its lines' contents, all that its credits name, and
    whom its fees name; and whether any commissioner agreed how early a supply may be."""

    contents: frozenset[str]
    credited: frozenset[str]
    fees: frozenset[str] = frozenset()
    spaced: bool = False

    def may_be_charged_for(self, supply: SupplySide) -> bool:
        """Whether a fee of the submission names the same patient."""
        return not self.fees.isdisjoint({supply.nhs_number, supply.local_id})

    def may_be_given_back(self, charge: EarlierCharge) -> bool:
        """Whether a credit of the submission names the same patient or reference."""
        names = {charge.nhs_number, charge.local_patient_id, charge.reference}
        return not self.credited.isdisjoint(names)


def what_stands_before(
    files: Sequence[EarlierFile],
    bearing: Bearing,
    dictionary: DrugDictionary,
    organisations: OrganisationDirectory,
) -> Earlier:
    """What they say that bears on the submission; `files` in the order of acceptance."""
    fold = Folder(organisations)
    open_: list[_Open] = []
    others: set[str] = set()  # fees and devices, which no credit takes back
    for file in files:
        snapshot = file.snapshot
        prepared = prepare(file.lines, dictionary, fold, snapshot.as_at, snapshot.layout)
        charges = [each.charge for each in open_]
        repeats = find_repeats(prepared, others | {each.content_hash for each in charges})
        standing = [n for n, item in enumerate(prepared) if item.line.row in file.standing]
        taken, given_back = _taken_back(prepared, repeats, standing, charges)
        open_ = still_open(open_, given_back)
        uses = _uses(prepared, repeats, file)
        lasting = _lasting(prepared, repeats, file) if bearing.spaced else {}
        sides: Mapping[int, SupplySide] = {}
        if bearing.fees:
            gone = taken | _not(standing, prepared)
            open_, sides = _supplied(prepared, repeats, gone, file, open_)
        for n in standing:
            item = prepared[n]
            if n in taken or n in repeats.stated_before or n in repeats.duplicate_of:
                continue
            if item.kind is LineKind.DRUG:
                charge = _charge(item, uses.get(n))
                open_.append(_Open(charge, sides.get(n), lasting.get(n)))
            elif can_repeat(item):
                others.add(item.line.content_hash)
    return _told(open_, others, bearing)


@dataclass(frozen=True, slots=True)
class _Open:
    """A charge that no credit took back, as a supply that fees belong to, and how long it lasts."""

    charge: EarlierCharge
    supply: SupplySide | None
    lasts: Spaced | None


def _lasting(
    prepared: Sequence[Prepared], repeats: Repeats, file: EarlierFile
) -> Mapping[int, Spaced]:
    told = Told(replace(repeats, reverses={}), Debits())
    by_hand = decisions_on(file.lines, file.snapshot.decisions)
    found = spaced_of(prepared, index_snapshot(file.snapshot), by_hand, told)
    return {each.place: each for each in found}


def _not(standing: Sequence[int], prepared: Sequence[Prepared]) -> frozenset[int]:
    return frozenset(range(len(prepared))) - frozenset(standing)


def _supplied(
    prepared: Sequence[Prepared],
    repeats: Repeats,
    gone: frozenset[int],
    file: EarlierFile,
    before: Sequence[_Open],
) -> tuple[list[_Open], Mapping[int, SupplySide]]:
    """The charges before, and the file's accepted supplies, with the sorts of fee that are paid.

    `gone` are lines that do not stand, or that a credit took back: neither supplies nor fees.
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
    index, told = index_snapshot(file.snapshot), Told(kept, Debits())
    known = [
        replace(each.supply, place=n, before=True)
        for n, each in enumerate(before)
        if each.supply is not None
    ]
    supplies, cases = fees_and_supplies(list(left.values()), index, by_hand, told, known)
    paid: dict[tuple[bool, int], set[str]] = defaultdict(set)
    for case in cases:
        if case.supply is not None:
            paid[case.supply.before, case.supply.place].add(case.sort)
    lines = list(left)
    return [
        replace(
            each,
            supply=each.supply and replace(each.supply, paid=each.supply.paid | paid[True, n]),
        )
        for n, each in enumerate(before)
    ], {
        lines[each.place]: replace(each, paid=each.paid | paid[False, each.place])
        for each in supplies
    }


def _earlier_supply(side: SupplySide, charge: int | None) -> EarlierSupply:
    return EarlierSupply(
        side.content,
        side.nhs_number,
        side.local_id,
        side.provider,
        side.commissioner,
        side.drug,
        side.first,
        side.last,
        side.paid,
        charge,
    )


def _taken_back(
    prepared: Sequence[Prepared],
    repeats: Repeats,
    standing: Sequence[int],
    before: Sequence[EarlierCharge],
) -> tuple[frozenset[int], frozenset[int]]:
    """Charges of the file, and places among those before, that credits which stand take back.

    A credit of a slice that a newer submission states takes nothing back: the newer one says so,
    or does not.
    """
    places = {n: place for place, n in enumerate(standing)}
    reverses = {
        places[credit]: places[charge]
        for credit, charge in repeats.reverses.items()
        if credit in places and charge in places
    }
    debits = find_debits([prepared[n] for n in standing], reverses, before)
    back = debits.taken | set(reverses.values())
    return frozenset(standing[place] for place in back), debits.released


def _uses(
    prepared: Sequence[Prepared], repeats: Repeats, file: EarlierFile
) -> Mapping[int, UsedQuantity]:
    """What each line would use if no credit took it back."""
    told = Told(replace(repeats, reverses={}), Debits())
    by_hand = decisions_on(file.lines, file.snapshot.decisions)
    return uses_of(prepared, index_snapshot(file.snapshot), by_hand, told)


def _told(open_: Sequence[_Open], others: set[str], bearing: Bearing) -> Earlier:
    """What bears on the submission, in an order of its own."""
    charges = [each.charge for each in open_]
    sums: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    with localcontext(prec=EXACT_DIGITS):
        for each in charges:
            if each.uses is not None:
                sums[each.uses.approval_reference, each.uses.unit] += each.uses.quantity
    stated = {each.content_hash for each in charges} | others
    credited = [n for n, each in enumerate(charges) if bearing.may_be_given_back(each)]
    places = {n: place for place, n in enumerate(credited)}
    return Earlier(
        tuple(UsedQuantity(*key, quantity) for key, quantity in sorted(sums.items())),
        tuple(charges[n] for n in credited),
        frozenset(stated & bearing.contents),
        tuple(
            _earlier_supply(each.supply, places.get(n))
            for n, each in enumerate(open_)
            if each.supply is not None and bearing.may_be_charged_for(each.supply)
        ),
        tuple(
            EarlierSpaced(each.lasts.treatment_id, each.lasts.day, each.lasts.lasts, places.get(n))
            for n, each in enumerate(open_)
            if each.lasts is not None
        ),
    )


def _charge(item: Prepared, uses: UsedQuantity | None) -> EarlierCharge:
    line = item.line
    return EarlierCharge(
        content_hash=line.content_hash if can_repeat(item) else "",
        nhs_number=line.nhs_number,
        local_patient_id=line.local_patient_id,
        reference=line.reference,
        provider=item.provider,
        drug=item.recognition.drug or "",
        amount=line.total_cost or Decimal(0),
        day=item.period.first if item.period else None,
        uses=uses,
    )
