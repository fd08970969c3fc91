"""Lines that repeat or take back other lines of the same submission, or repeat an earlier one's.

A credit that states the same supply as an earlier charge, with the amount negated, reverses it.
Each credit reverses one charge and each charge is reversed once. A charge whose content stands in
the file already is a duplicate, and so is one whose content stands in a current slice of an earlier
submission. A charge that a credit took back does not count as standing, whichever way the two were
paired (`debits`): billed, given back and billed again is one supply, or one fee (ADR 79).
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from app.reconciliation.engines.prepare import Prepared
from app.reconciliation.line_keys import content_key
from app.reconciliation.model import LineKind

_CHARGES = frozenset({LineKind.DRUG, LineKind.FEE, LineKind.DEVICE})


@dataclass(frozen=True, slots=True)
class Repeats:
    """Positions of lines: duplicate → the line it repeats; credit → the charge it reverses.

    `stated_before` repeat a line of an earlier submission.
    """

    duplicate_of: dict[int, int]
    reverses: dict[int, int]
    stated_before: frozenset[int] = frozenset()

    @property
    def reversed(self) -> frozenset[int]:
        """Positions of the charges that a credit takes back."""
        return frozenset(self.reverses.values())


def find_repeats(
    prepared: Sequence[Prepared],
    reverses: Mapping[int, int],
    stated: Collection[str] = (),
    taken: Collection[int] = (),
) -> Repeats:
    """Duplicates, told in the order of the file, beside the reversals that were found in it.

    `stated` is content that stands before; `taken` are charges that credits take back otherwise.
    """
    gone = frozenset(reverses.values()).union(taken)
    duplicate_of: dict[int, int] = {}
    stated_before: set[int] = set()
    standing: dict[str, int] = {}
    for position, item in enumerate(prepared):
        if not can_repeat(item) or position in gone:
            continue
        if item.line.content_hash in stated:
            stated_before.add(position)
            continue
        first = standing.setdefault(item.line.content_hash, position)
        if first != position:
            duplicate_of[position] = first
    return Repeats(duplicate_of, dict(reverses), frozenset(stated_before))


def can_repeat(item: Prepared) -> bool:
    """Two rows can be called one charge only if they name their patient and their time."""
    tells_apart = item.has_identity and item.period is not None and not item.line.shifted
    return item.kind in _CHARGES and tells_apart


def find_reversals(prepared: Sequence[Prepared]) -> dict[int, int]:
    """Credits that take back a charge of their own file to the day, each with its charge.

    Both in the order of their content: charges of one amount may differ in what else they state,
    and the order of rows must not tell which of them is given back.
    """
    ordered = sorted(enumerate(prepared), key=lambda each: (content_key(each[1].line), each[0]))
    charges: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for position, item in ordered:
        if item.kind is LineKind.DRUG and (key := _supply(item)):
            charges[key].append(position)
    reverses: dict[int, int] = {}
    for position, item in ordered:
        if item.kind is LineKind.CREDIT and (key := _supply(item)) and charges.get(key):
            reverses[position] = charges[key].pop(0)
    return reverses


def _supply(item: Prepared) -> tuple[object, ...] | None:
    """What a charge and its reversal have in common; None where too little is legible."""
    line, day = item.line, item.day
    legible = item.has_identity and day is not None and item.recognition.drug
    if not legible or not line.total_cost:
        return None
    return (
        line.nhs_number,
        line.local_patient_id,
        item.provider,
        item.recognition.drug,
        day,
        abs(line.total_cost),
    )
