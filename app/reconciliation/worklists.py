"""What somebody should look at, from approvals and what was supplied. Pure.

A list is where people begin to ask, never a finding: a late start may be a late invoice, and a
supply after a stop may be the last delivery to a home.
"""

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, NamedTuple

from app.policy.calendar import add_months
from app.reconciliation.model import LineOutcome


class Worklist(StrEnum):
    """The lists."""

    NOT_STARTED = "not-started"
    SUPPLIED_AFTER_STOP = "supplied-after-stop"
    NO_RECENT_SUPPLY = "no-recent-supply"
    TWO_TRUSTS = "supplied-by-two-trusts"


#: How long without a supply before somebody asks whether treatment has stopped.
QUIET_MONTHS: Final = 4
#: Provider → the newest day that it invoiced a supply of.
Heard = Mapping[str, dt.date]


@dataclass(frozen=True, slots=True)
class Approved:
    """A treatment with its newest live approval, as the lists see it.

    `person` is the same for every treatment of one person: the record that stands for it. `live`
    says that an approval covers `today` and that the treatment is neither stopped nor paused.
    """

    treatment_id: str
    person: str
    reference: str | None
    drug: str
    provider: str
    start_by: dt.date | None
    started: bool
    stopped_on: dt.date | None
    live: bool


class Stated(NamedTuple):
    """What a line says of a supply beside its day: product, or else drug, how much, for how much.

    The keys are the dictionary's, the amount is in pounds; None where it is not said.
    """

    product: str | None = None
    quantity: Decimal | None = None
    unit: str | None = None
    amount: Decimal | None = None


NOT_STATED: Final = Stated()


@dataclass(frozen=True, slots=True)
class Supplied:
    """A supply that an invoice line states, and the treatment that the line was matched to.

    No list looks at what is `stated`; it is read where it is to be kept.
    """

    treatment_id: str
    provider: str
    day: dt.date
    run_id: str
    row: int
    outcome: LineOutcome
    stated: Stated = NOT_STATED


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing to look at. It names no patient: the treatment leads there."""

    treatment_id: str
    reference: str | None
    drug: str
    providers: tuple[str, ...]
    day: dt.date
    why: str
    lines: tuple[tuple[str, int], ...] = ()


def entries(
    which: Worklist,
    treatments: Mapping[str, Approved],
    supplies: Sequence[Supplied],
    today: dt.date,
) -> tuple[Entry, ...]:
    """The entries of a list, the oldest first."""
    found = made(which, treatments, supplies, heard_from(supplies), today)
    return tuple(entry for _, entry in placed(found))


def made(
    which: Worklist,
    treatments: Mapping[str, Approved],
    supplies: Sequence[Supplied],
    heard: Mapping[str, dt.date],
    today: dt.date,
) -> Iterable[Entry]:
    """The entries of these treatments alone, of which all supplies are given, in no order.

    For supplies by two trusts they must be all of a person's treatments with the drug.
    """
    known = [each for each in supplies if each.treatment_id in treatments]
    return _MAKERS[which](treatments, known, heard, today)


def heard_from(supplies: Iterable[Supplied]) -> dict[str, dt.date]:
    """The day of the newest supply that each provider invoiced: later months are not in yet."""
    newest: dict[str, dt.date] = {}
    for each in supplies:
        newest[each.provider] = max(each.day, newest.get(each.provider, each.day))
    return newest


class Place(NamedTuple):
    """Where an entry stands in its list; `number` tells a treatment's entries apart."""

    day: dt.date
    treatment_id: str
    number: int


def placed(found: Iterable[Entry]) -> list[tuple[Place, Entry]]:
    """The entries in their order, each with its place; all of a treatment's must be given."""
    seen: Counter[str] = Counter()
    ordered = []
    for entry in sorted(found, key=lambda e: (e.day, e.treatment_id, e.providers, e.lines)):
        ordered.append((Place(entry.day, entry.treatment_id, seen[entry.treatment_id]), entry))
        seen[entry.treatment_id] += 1
    return ordered


@dataclass(frozen=True, slots=True)
class Listed:
    """Entries of a list in its order, and how many there are in all.

    `next` is the place of the last entry where others follow it; None at the end.
    """

    entries: tuple[Entry, ...]
    count: int
    next: Place | None = None

    def shown(self, which: Worklist) -> dict[str, Any]:
        """What a reading of the list names: which list, and whose treatments were shown."""
        treatments = sorted({each.treatment_id for each in self.entries})
        return {"worklist": which.value, "treatments": treatments}


def page_of(
    found: Iterable[tuple[Place, Entry]], count: int, limit: int | None, after: Place | None
) -> Listed:
    """The first entries after a place, of a list of so many."""
    ordered = sorted(found, key=lambda each: each[0])
    rest = [each for each in ordered if after is None or each[0] > after]
    shown = rest[:limit]
    more = limit is not None and len(rest) > limit
    return Listed(
        tuple(entry for _, entry in shown), count, shown[-1][0] if more and shown else None
    )


def _by_treatment(supplies: Iterable[Supplied]) -> Mapping[str, list[Supplied]]:
    found: dict[str, list[Supplied]] = defaultdict(list)
    for each in supplies:
        found[each.treatment_id].append(each)
    return found


def _not_started(
    treatments: Mapping[str, Approved], supplies: Sequence[Supplied], _heard: Heard, today: dt.date
) -> Iterable[Entry]:
    supplied = {each.treatment_id for each in supplies}
    for each in treatments.values():
        waits = each.live and not each.started and each.treatment_id not in supplied
        if waits and each.start_by is not None and each.start_by < today:
            why = (
                f"Treatment was to begin by {each.start_by:%d/%m/%Y}; no first dose is recorded "
                "and no supply was invoiced."
            )
            yield _entry(each, (each.provider,), each.start_by, why)


def _after_stop(
    treatments: Mapping[str, Approved], supplies: Sequence[Supplied], _heard: Heard, _today: dt.date
) -> Iterable[Entry]:
    for supply in supplies:
        each = treatments[supply.treatment_id]
        if each.stopped_on is not None and supply.day > each.stopped_on:
            stopped = f"{each.stopped_on:%d/%m/%Y}"
            why = f"Supplied on {supply.day:%d/%m/%Y}, after treatment stopped on {stopped}."
            yield _entry(each, (supply.provider,), supply.day, why, [supply])


def _quiet(
    treatments: Mapping[str, Approved], supplies: Sequence[Supplied], heard: Heard, _today: dt.date
) -> Iterable[Entry]:
    for treatment_id, own in _by_treatment(supplies).items():
        each, last = treatments[treatment_id], max(own, key=lambda s: (s.day, s.run_id, s.row))
        until = heard[last.provider]
        quiet = add_months(last.day, QUIET_MONTHS)
        if each.live and quiet is not None and quiet <= until:
            why = (
                f"Last supplied on {last.day:%d/%m/%Y}; invoices of {last.provider} go on to "
                f"{until:%d/%m/%Y}. Ask whether treatment has stopped."
            )
            yield _entry(each, (last.provider,), last.day, why, [last])


def _two_trusts(
    treatments: Mapping[str, Approved], supplies: Sequence[Supplied], _heard: Heard, _today: dt.date
) -> Iterable[Entry]:
    """Two trusts' supplies of one drug to one person overlap, and one is not approved to supply."""
    groups: dict[tuple[str, str], list[Supplied]] = defaultdict(list)
    for supply in supplies:
        each = treatments[supply.treatment_id]
        groups[each.person, each.drug].append(supply)
    for own in groups.values():
        yield from _overlaps(treatments, own)


def _overlaps(treatments: Mapping[str, Approved], supplies: Sequence[Supplied]) -> Iterable[Entry]:
    by_provider: dict[str, list[Supplied]] = defaultdict(list)
    for supply in supplies:
        by_provider[supply.provider].append(supply)
    names = sorted(by_provider)
    for i, first in enumerate(names):
        for second in names[i + 1 :]:
            one, two = by_provider[first], by_provider[second]
            within = [*_within(one, two), *_within(two, one)]
            odd = [s for s in (*one, *two) if s.outcome is LineOutcome.NOT_THE_APPROVED_PROVIDER]
            if within and odd:
                day = min(supply.day for supply in within)
                why = f"{first} and {second} supplied at the same time, from {day:%d/%m/%Y}."
                each = treatments[one[0].treatment_id]
                yield _entry(each, (first, second), day, why, [*one, *two])


def _within(some: Sequence[Supplied], others: Sequence[Supplied]) -> list[Supplied]:
    """Those of some between the first and the last day of the others."""
    first, last = min(s.day for s in others), max(s.day for s in others)
    return [supply for supply in some if first <= supply.day <= last]


def _entry(
    each: Approved,
    providers: tuple[str, ...],
    day: dt.date,
    why: str,
    lines: Sequence[Supplied] = (),
) -> Entry:
    found = tuple(sorted((line.run_id, line.row) for line in lines))
    return Entry(each.treatment_id, each.reference, each.drug, providers, day, why, found)


_MAKERS: Final = {
    Worklist.NOT_STARTED: _not_started,
    Worklist.SUPPLIED_AFTER_STOP: _after_stop,
    Worklist.NO_RECENT_SUPPLY: _quiet,
    Worklist.TWO_TRUSTS: _two_trusts,
}
