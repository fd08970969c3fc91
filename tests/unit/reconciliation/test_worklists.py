"""What each worklist holds and leaves out, one row a case."""

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest

from app.reconciliation.model import LineOutcome
from app.reconciliation.worklists import Approved, Supplied, Worklist, entries

TODAY = dt.date(2026, 6, 15)
LIVE = Approved(
    treatment_id="T1",
    person="P1",
    reference="PA1",
    drug="adalimumab",
    provider="DEMO1",
    start_by=dt.date(2026, 6, 14),
    started=False,
    stopped_on=None,
    live=True,
)
SECOND = replace(LIVE, treatment_id="T2", reference="PA2")
SUPPLY = Supplied("T1", "DEMO1", dt.date(2026, 1, 10), "R1", 1, LineOutcome.MATCHED)
NEWER = replace(SUPPLY, treatment_id="T9", day=dt.date(2026, 5, 10), row=9)
AWAY = LineOutcome.NOT_THE_APPROVED_PROVIDER
W = Worklist


def on(day: str, **changes: Any) -> Supplied:
    return replace(SUPPLY, day=dt.date.fromisoformat(day), **changes)


CASES: list[tuple[str, Worklist, Any, list[Supplied], list[tuple[str, ...]]]] = [
    ("a day late", W.NOT_STARTED, LIVE, [], [("T1", "DEMO1")]),
    ("its last day", W.NOT_STARTED, replace(LIVE, start_by=TODAY), [], []),
    ("supplied", W.NOT_STARTED, LIVE, [SUPPLY], []),
    ("first dose recorded", W.NOT_STARTED, replace(LIVE, started=True), [], []),
    ("no day to start by", W.NOT_STARTED, replace(LIVE, start_by=None), [], []),
    ("not live", W.NOT_STARTED, replace(LIVE, live=False), [], []),
    (
        "the day after",
        W.SUPPLIED_AFTER_STOP,
        replace(LIVE, stopped_on=dt.date(2026, 1, 9)),
        [SUPPLY],
        [("T1", "DEMO1")],
    ),
    (
        "the day itself",
        W.SUPPLIED_AFTER_STOP,
        replace(LIVE, stopped_on=dt.date(2026, 1, 10)),
        [SUPPLY],
        [],
    ),
    ("never stopped", W.SUPPLIED_AFTER_STOP, LIVE, [SUPPLY], []),
    ("four months", W.NO_RECENT_SUPPLY, LIVE, [SUPPLY, NEWER], [("T1", "DEMO1")]),
    (
        "a day less",
        W.NO_RECENT_SUPPLY,
        LIVE,
        [SUPPLY, replace(NEWER, day=dt.date(2026, 5, 9))],
        [],
    ),
    ("later months are not in", W.NO_RECENT_SUPPLY, LIVE, [SUPPLY], []),
    (
        "another trust's months are in",
        W.NO_RECENT_SUPPLY,
        LIVE,
        [SUPPLY, replace(NEWER, provider="DEMO2")],
        [],
    ),
    ("stopped or paused", W.NO_RECENT_SUPPLY, replace(LIVE, live=False), [SUPPLY, NEWER], []),
    (
        "between the others",
        W.TWO_TRUSTS,
        LIVE,
        [SUPPLY, on("2026-02-10", provider="DEMO2", outcome=AWAY), on("2026-03-10")],
        [("T1", "DEMO1", "DEMO2")],
    ),
    (
        "one after the other",
        W.TWO_TRUSTS,
        LIVE,
        [SUPPLY, on("2026-02-10", provider="DEMO2", outcome=AWAY)],
        [],
    ),
    (
        "hub and spoke",
        W.TWO_TRUSTS,
        LIVE,
        [SUPPLY, on("2026-02-10", provider="DEMO2"), on("2026-03-10")],
        [],
    ),
    (
        "two treatments of one person",
        W.TWO_TRUSTS,
        LIVE,
        [
            SUPPLY,
            on("2026-01-10", provider="DEMO2", outcome=AWAY, treatment_id="T2"),
        ],
        [("T1", "DEMO1", "DEMO2")],
    ),
]


@pytest.mark.parametrize(
    ("which", "treatment", "supplies", "expected"),
    [case[1:] for case in CASES],
    ids=[f"{case[1]}: {case[0]}" for case in CASES],
)
def test_a_list_holds_what_is_to_be_looked_at(
    which: Worklist, treatment: Approved, supplies: list[Supplied], expected: list[tuple[str, ...]]
) -> None:
    newer = replace(LIVE, treatment_id="T9", person="P9", start_by=None)
    treatments = {"T1": treatment, "T9": newer}
    if any(each.treatment_id == "T2" for each in supplies):
        treatments["T2"] = SECOND
    for order in (supplies, supplies[::-1]):
        found = entries(which, treatments, order, TODAY)
        assert [(each.treatment_id, *each.providers) for each in found] == expected
    assert entries(which, {}, supplies, TODAY) == ()
