"""What somebody should look at, from approvals and what was supplied. Pure.

A list is where people begin to ask, never a finding: a late start may be a late invoice, and a
supply after a stop may be the last delivery to a home.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

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


@dataclass(frozen=True, slots=True)
class Approved:
    """A treatment with its newest live approval, as the lists see it.

    `person` is the same for every treatment of one person. `live` says that an approval covers
    `today` and that the treatment is neither stopped nor paused.
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


@dataclass(frozen=True, slots=True)
class Supplied:
    """A supply that an invoice line states, and the treatment that the line was matched to."""

    treatment_id: str
    provider: str
    day: dt.date
    run_id: str
    row: int
    outcome: LineOutcome


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
    known = [each for each in supplies if each.treatment_id in treatments]
    found = _MAKERS[which](treatments, known, today)
    return tuple(sorted(found, key=lambda e: (e.day, e.treatment_id, e.providers, e.lines)))


def _by_treatment(supplies: Iterable[Supplied]) -> Mapping[str, list[Supplied]]:
    found: dict[str, list[Supplied]] = defaultdict(list)
    for each in supplies:
        found[each.treatment_id].append(each)
    return found


def _not_started(
    treatments: Mapping[str, Approved], supplies: Sequence[Supplied], today: dt.date
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
    treatments: Mapping[str, Approved], supplies: Sequence[Supplied], _today: dt.date
) -> Iterable[Entry]:
    for supply in supplies:
        each = treatments[supply.treatment_id]
        if each.stopped_on is not None and supply.day > each.stopped_on:
            stopped = f"{each.stopped_on:%d/%m/%Y}"
            why = f"Supplied on {supply.day:%d/%m/%Y}, after treatment stopped on {stopped}."
            yield _entry(each, (supply.provider,), supply.day, why, [supply])


def _quiet(
    treatments: Mapping[str, Approved], supplies: Sequence[Supplied], _today: dt.date
) -> Iterable[Entry]:
    """Measured to the newest supply that the provider invoiced: later months are not in yet."""
    newest: dict[str, dt.date] = {}
    for supply in supplies:
        newest[supply.provider] = max(supply.day, newest.get(supply.provider, supply.day))
    for treatment_id, own in _by_treatment(supplies).items():
        each, last = treatments[treatment_id], max(own, key=lambda s: (s.day, s.run_id, s.row))
        heard = newest[last.provider]
        quiet = add_months(last.day, QUIET_MONTHS)
        if each.live and quiet is not None and quiet <= heard:
            why = (
                f"Last supplied on {last.day:%d/%m/%Y}; invoices of {last.provider} go on to "
                f"{heard:%d/%m/%Y}. Ask whether treatment has stopped."
            )
            yield _entry(each, (last.provider,), last.day, why, [last])


def _two_trusts(
    treatments: Mapping[str, Approved], supplies: Sequence[Supplied], _today: dt.date
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
