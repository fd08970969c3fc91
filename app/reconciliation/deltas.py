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
from app.reconciliation.untested import sum_known, untested_amount

#: What is told first of a line that several changes touch.
_TOLD_FIRST = ("approval", "treatment", "request")


@dataclass(frozen=True, slots=True)
class Amounts:
    """How a line stands: its outcome, and the pounds accepted and queried of it.

    `not_testable` is what was accepted though a test could not be made. None: not known, of a line
    whose last delta was added before that was kept.
    """

    outcome: str
    accepted: Decimal
    queried: Decimal
    reference: str | None
    treatment_id: str | None
    not_testable: Decimal | None


@dataclass(frozen=True, slots=True)
class Change:
    """A line that a run accepts otherwise than it stood."""

    item: MatchedLine
    was: Amounts


@dataclass(frozen=True, slots=True)
class Differences:
    """Lines of a slice that two runs may leave otherwise: how each stood in the first, how it
    stands in the second, and its key. `was` and `now` are what each run accepted untested of the
    whole slice.
    """

    lines: Sequence[tuple[Amounts, MatchedLine, str]]
    was: Decimal
    now: Decimal


def amounts_of(item: MatchedLine) -> Amounts:
    """How a run leaves a line."""
    return Amounts(
        item.outcome.value,
        item.accepted,
        item.queried,
        item.reference,
        item.treatment_id,
        untested_amount(item),
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
                delta.not_testable,
            )
    return found


def changes(
    standing: Mapping[int, Amounts], now: Sequence[MatchedLine], taken_away: Collection[int]
) -> tuple[Change, ...]:
    """The lines whose pounds a run changes, or how much of them could not be tested, but for those
    that a correction has taken away.
    """
    found = []
    for item in now:
        was = standing[item.line.row]
        if item.line.row not in taken_away and differs(was, amounts_of(item)):
            found.append(Change(item, was))
    return tuple(found)


def differs(was: Amounts, now: Amounts) -> bool:
    """Whether a line has other pounds now, or other pounds of it could not be tested.

    Where it is not known what could not be tested before, that alone is no difference.
    """
    if (now.accepted, now.queried) != (was.accepted, was.queried):
        return True
    return was.not_testable is not None and now.not_testable != was.not_testable


def more(was: Decimal | None, now: Decimal | None) -> Decimal | None:
    """A signed difference; None where one side is not known."""
    with localcontext(prec=EXACT_DIGITS):
        return None if was is None or now is None else now - was


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
    not_testable: Decimal | None,
    deltas: Sequence[Delta],
    was: Mapping[int, Amounts],
    now: Sequence[MatchedLine],
    taken_away: Collection[int],
) -> None:
    """Raise TotalsDoNotTie unless the frozen sums and all deltas are what the lines now stand at.

    `deltas` are as the database holds them, `was` how lines stood before, `not_testable` what of
    the frozen lines was accepted untested. Accepted and queried of the frozen lines are still their
    total: a delta moves pounds, it makes none.
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
        check_untested(not_testable, deltas, sum_known(x.not_testable for x in lines))


def check_untested(frozen: Decimal | None, deltas: Sequence[Delta], stand: Decimal | None) -> None:
    """Raise TotalsDoNotTie unless what was accepted untested at the freeze and all deltas of it are
    what lines now stand at. Where one of these does not know it, nothing can be said.
    """
    added = sum_known((frozen, *(each.not_testable_more for each in deltas)))
    if added is not None and stand is not None and added != stand:
        raise TotalsDoNotTie("What a frozen month accepted untested, with its deltas", stand, added)
