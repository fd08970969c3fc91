"""What earlier lines use and state, counted by the SQL steps: the same as `before` says of them.

The steps know no credits that look for a charge, no fees and no decisions by hand. Lines on which
any of these bears are told `apart`, and the plain functions match them. A step tells of every other
line whether it stands and what it uses, by the same steps that find the coverages of a submission.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Final

import pyarrow as pa

from app.reconciliation.engines.coverage_tables import coverage_tables
from app.reconciliation.engines.in_sql import Executor
from app.reconciliation.engines.index import in_order
from app.reconciliation.engines.known import check_known
from app.reconciliation.engines.large_spacing import hold_lasting
from app.reconciliation.engines.limits import EXACT_DIGITS, ZERO, exact
from app.reconciliation.engines.open_charges import Counted, Place
from app.reconciliation.model import EarlierSpaced, Snapshot
from app.reconciliation.sql import steps, steps_before

#: What a row's place in its file is counted on from, file by file: no file has as many rows.
ROWS: Final = 10_000_000_000
#: The steps that find the coverage of each line, and what failed of it.
_FINDING: Final = ("supply", "candidate", "passed", "chosen", "dose", "priced")
_POS: Final = pa.schema([("pos", pa.int64())])


@dataclass(frozen=True, slots=True)
class Laid:
    """Earlier lines as Parquet: their rows (`line_sql`, beside them `file`, `stands` and `hidden`),
    those that are flagged for the plain functions, and what the submission's own lines state."""

    rows: Path
    flagged: Path
    own: Path


def place_of(pos: int) -> Place:
    """The file and the row of a line."""
    return divmod(pos, ROWS)


def count_before(
    executor: Executor, laid: Laid, seen: Callable[[bool], Snapshot], *, with_spacing: bool
) -> tuple[Counted, list[int]]:
    """What the lines say, and the `pos` of those that are told apart.

    `seen` is the snapshot, with pseudonyms or without. Raises NotTabular where it holds a number
    that the tables do not.
    """
    executor.look_at("earlier_row", laid.rows)
    executor.look_at("flagged", laid.flagged)
    executor.look_at("own_content", laid.own)
    _pair(executor)
    for name in ("settled", "apart", "chargeable", "kept", "stated"):
        executor.make(steps_before()[name])
    apart = executor.read("SELECT pos FROM apart").column("pos").to_pylist()
    stated = executor.read("SELECT content_hash FROM stated").column("content_hash").to_pylist()
    used: dict[tuple[str, str], Decimal] = {}
    spaced: list[tuple[Place, EarlierSpaced]] = []
    ways = executor.read("SELECT DISTINCT hidden FROM earlier_row").column("hidden").to_pylist()
    for hidden in sorted(ways):
        found, lasting = _counted(executor, seen(hidden), hidden, with_spacing=with_spacing)
        with localcontext(prec=EXACT_DIGITS):
            for key, quantity in found.items():
                used[key] = used.get(key, ZERO) + quantity
        spaced += lasting
    return Counted(used, frozenset(stated), tuple(spaced)), apart


def _pair(executor: Executor) -> None:
    """Make `paired` by the step that pairs a submission's own credits: there is one rule."""
    (reversal,) = (step for step in steps() if step.name == "reversal")
    executor.make(replace(steps_before()["in_one_file"], name="line"))
    executor.make(reversal)
    executor.make(steps_before()["paired"])
    for name in ("reversal", "line"):
        executor.drop(name)


def _counted(
    executor: Executor, snapshot: Snapshot, hidden: bool, *, with_spacing: bool
) -> tuple[dict[tuple[str, str], Decimal], Sequence[tuple[Place, EarlierSpaced]]]:
    """The same of the lines that are compared in one way."""
    held = _hold(executor, snapshot, hidden)
    made = ["line", *_FINDING]
    executor.make(steps_before()["line"])
    finding = {step.name: step for step in steps() if step.name in _FINDING}
    for name in _FINDING:
        executor.make(finding[name])
    executor.make(steps_before()["quantity_used"])
    used = {
        (reference, unit): exact(quantity)
        for reference, unit, quantity in _rows(executor, "quantity_used")
    }
    spaced: Sequence[tuple[Place, EarlierSpaced]] = ()
    if with_spacing:
        spaced = _spaced(executor)
        made += ["spaced", "dosed", "lasting"]
    for name in (*reversed(made), "quantity_used", *held):
        executor.drop(name)
    return used, spaced


def _hold(executor: Executor, snapshot: Snapshot, hidden: bool) -> list[str]:
    """Hold what the steps read beside the lines; returns its names."""
    check_known((), snapshot)
    tables = coverage_tables(in_order(snapshot.coverages))
    tables |= {
        "compared": pa.table({"hidden": [hidden]}),
        "duplicate": _POS.empty_table(),
        "named_by_hand": pa.schema([*_POS, ("cov", pa.int64())]).empty_table(),
    }
    for name, table in tables.items():
        executor.hold(name, table)
    return list(tables)


def _spaced(executor: Executor) -> list[tuple[Place, EarlierSpaced]]:
    for name in ("spaced", "dosed"):
        executor.make(steps_before()[name])
    hold_lasting(executor.hold, executor.read)
    rows = executor.read(_LASTING).sort_by("pos")
    return [
        (place_of(pos), EarlierSpaced(treatment_id, day, days))
        for pos, treatment_id, day, days in zip(*rows.to_pydict().values(), strict=True)
    ]


_LASTING: Final = """
SELECT spaced.pos, spaced.treatment_id, spaced.day, lasting.days
FROM spaced
LEFT JOIN dosed ON dosed.pos = spaced.pos
LEFT JOIN lasting
    ON lasting.quantity = dosed.quantity
    AND lasting.amount_text = dosed.amount_text
    AND lasting.days_text = dosed.days_text
"""


def _rows(executor: Executor, table: str) -> list[tuple[str, str, Decimal]]:
    columns = executor.read(f"SELECT approval_reference, unit, quantity FROM {table}")
    return list(zip(*columns.to_pydict().values(), strict=True))
