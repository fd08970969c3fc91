"""What a reading of a list names: whom it showed, so that a patient's story can hold it."""

import datetime as dt

from app.reconciliation.worklists import Entry, Listed, Worklist


def test_a_list_names_each_treatment_that_it_showed_once() -> None:
    def entry(treatment: str, day: int) -> Entry:
        return Entry(treatment, None, "adalimumab", ("DEMO1",), dt.date(2026, 6, day), "Why.")

    shown = Listed((entry("t-2", 1), entry("t-1", 2), entry("t-2", 3)), 3).shown(
        Worklist.NO_RECENT_SUPPLY
    )

    assert shown == {"worklist": "no-recent-supply", "treatments": ["t-1", "t-2"]}
