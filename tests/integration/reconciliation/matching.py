"""Invoice lines for the tests, and what the approvals of a world make of them."""

import datetime as dt
from collections.abc import Mapping

from app.auth.model import Caller
from app.reconciliation import Coverage, MatchedLine, Snapshot, match_submission, read_submission
from app.reconciliation.scope import scope_of
from app.reconciliation.snapshots import take_snapshot
from app.reference_data.drugs import load_drugs
from app.reference_data.organisations import load_organisations
from tests.unit.reconciliation.builders import cells, csv_bytes
from tests.world import COMMISSIONER, World

START = dt.date(2026, 6, 15)
END = dt.date(2027, 6, 14)
GRACE_END = dt.date(2027, 7, 12)
LATER = dt.date(2026, 8, 1)


def line(day: dt.date, **changes: str) -> dict[str, str]:
    """A supply of natalizumab to the world's first patient at DEMO1, for £1,000."""
    year = day.year if day.month >= 4 else day.year - 1
    own = {
        "date": day.isoformat(),
        "year": f"{year}{(year + 1) % 100:02d}",
        "month": str((day.month - 4) % 12 + 1),
        "born": "1970-01-01",
        "local": "H000001",
    }
    return cells(**{**own, **changes})


def take(world: World, caller: Caller = COMMISSIONER) -> Snapshot:
    scope = scope_of(caller)
    return world.database.read(
        lambda work: take_snapshot(work, world.office, scope, work.moment.day),
        moment=world.moment,
    )


def match(
    world: World, *rows: Mapping[str, str], caller: Caller = COMMISSIONER
) -> tuple[MatchedLine, ...]:
    """What reconciling these lines now gives, for a commissioner unless another caller is named."""
    read = read_submission(csv_bytes(rows), "lines.csv")
    return match_submission(read.lines, take(world, caller), load_drugs(), load_organisations())


def outcome(
    world: World, day: dt.date, caller: Caller = COMMISSIONER, **changes: str
) -> MatchedLine:
    """What reconciling one line now gives."""
    return match(world, line(day, **changes), caller=caller)[0]


def days(snapshot: Snapshot) -> list[tuple[dt.date, dt.date | None, str, bool]]:
    """The coverages as (from, to, provider, late), in order."""
    key = [(c.from_, c.to, c.provider, c.late) for c in snapshot.coverages]
    return sorted(key, key=lambda c: (c[0], c[1] or dt.date.max, c[2]))


def only(snapshot: Snapshot) -> Coverage:
    (coverage,) = snapshot.coverages
    return coverage
