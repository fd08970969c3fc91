"""What a later run changes of a frozen month: signed deltas, line by line. Pure.

The frozen result stays. What a line is accepted at is its frozen amount and all its deltas; a run
that says otherwise adds the difference and no more, so the same run again adds nothing.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext

from app.reconciliation.engines.limits import EXACT_DIGITS, ZERO
from app.reconciliation.errors import TotalsDoNotTie
from app.reconciliation.model import MatchedLine
from app.reconciliation.standing_store import Delta, Frozen, Mark

#: What is told first of a line that several changes touch.
_TOLD_FIRST = ("approval", "treatment", "request")


@dataclass(frozen=True, slots=True)
class Amounts:
    """How a line stands: its outcome, and the pounds accepted and queried of it."""

    outcome: str
    accepted: Decimal
    queried: Decimal
    reference: str | None
    treatment_id: str | None


@dataclass(frozen=True, slots=True)
class Change:
    """A line that a run accepts otherwise than it stood."""

    item: MatchedLine
    was: Amounts


def amounts_of(item: MatchedLine) -> Amounts:
    """How a run leaves a line."""
    return Amounts(
        item.outcome.value, item.accepted, item.queried, item.reference, item.treatment_id
    )


def standing_amounts(
    frozen: Mapping[int, Amounts], deltas: Iterable[Delta]
) -> Mapping[int, Amounts]:
    """By row, how lines stand after all their deltas, which come in the order they were made."""
    found = dict(frozen)
    with localcontext(prec=EXACT_DIGITS):
        for delta in deltas:
            was = found[delta.row]
            found[delta.row] = Amounts(
                delta.outcome,
                was.accepted + delta.accepted_more,
                was.queried + delta.queried_more,
                delta.reference,
                delta.treatment_id,
            )
    return found


def changes(
    standing: Mapping[int, Amounts], now: Sequence[MatchedLine], taken_away: Collection[int]
) -> tuple[Change, ...]:
    """The lines whose pounds a run changes, but for those that a correction has taken away."""
    found = []
    for item in now:
        was = standing[item.line.row]
        differs = (item.accepted, item.queried) != (was.accepted, was.queried)
        if differs and item.line.row not in taken_away:
            found.append(Change(item, was))
    return tuple(found)


def cause_of(change: Change, line_key: str, marks: Sequence[Mark]) -> Mark | None:
    """The change that a delta comes of: the newest of the line's decision, else of its approval."""
    by_hand = [mark for mark in marks if mark.line_key == line_key]
    if by_hand:
        return max(by_hand, key=lambda mark: mark.changed_at)
    treatments = {None, change.was.treatment_id, change.item.treatment_id}
    rest = [m for m in marks if m.line_key is None and m.treatment_id in treatments]
    return max(rest, key=_telling, default=None)


def _telling(mark: Mark) -> tuple[bool, int, int]:
    """A change of the line's own approval tells most; of several, the newest."""
    kind = mark.action.split()[0].rstrip(":")
    of_kind = -_TOLD_FIRST.index(kind) if kind in _TOLD_FIRST else -len(_TOLD_FIRST)
    return mark.treatment_id is not None, of_kind, mark.event_id or 0


def check_tie(
    frozen: Frozen,
    deltas: Sequence[Delta],
    was: Mapping[int, Amounts],
    now: Sequence[MatchedLine],
    taken_away: Collection[int],
) -> None:
    """Raise TotalsDoNotTie unless the frozen sums and all deltas are what the lines now stand at.

    `deltas` are as the database holds them, `was` how lines stood before. Accepted and queried of
    the frozen lines are still their total: a delta moves pounds, it makes none.
    """
    with localcontext(prec=EXACT_DIGITS):
        accepted = frozen.accepted + sum((d.accepted_more for d in deltas), ZERO)
        queried = frozen.queried + sum((d.queried_more for d in deltas), ZERO)
        lines = [
            was[item.line.row] if item.line.row in taken_away else amounts_of(item) for item in now
        ]
        found = (sum((x.accepted for x in lines), ZERO), sum((x.queried for x in lines), ZERO))
        if found != (accepted, queried):
            raise TotalsDoNotTie("A frozen month with its deltas", found, (accepted, queried))
        if accepted + queried != frozen.total:
            raise TotalsDoNotTie("A frozen month's total", frozen.total, accepted + queried)
