"""The charged supplies of a run, out of its outcomes alone, are those that its lines tell."""

import io

import pyarrow.parquet as pq

from app.reconciliation import LineKind, LineOutcome, read_submission
from app.reconciliation.line_keys import keys_of
from app.reconciliation.outcome_files import charged_supplies, to_parquet
from tests.unit.reconciliation.builders import cells, csv_bytes
from tests.unit.reconciliation.test_end_to_end import MIXED, match

#: The same line again, and one that was charged another day.
ROWS = (*MIXED, cells(), cells(date="2025-06-20"), cells(total="0.01", date="2025-06-21"))


def test_they_are_those_of_the_lines() -> None:
    matched = match(read_submission(csv_bytes(ROWS), "month.csv"))
    by_lines = [
        (key, item.treatment_id, item.provider, item.line.supply_date, item.line.row, item.outcome)
        for item, key in zip(matched, keys_of([m.line for m in matched]), strict=True)
        if item.treatment_id and item.provider and item.line.supply_date
        if item.kind is LineKind.DRUG and item.outcome is not LineOutcome.DUPLICATE_LINE
        if item.line.total_cost is not None and item.line.total_cost > 0
    ]

    found = charged_supplies(to_parquet(matched))

    assert found == by_lines
    assert 1 < len(by_lines) < len(ROWS)
    assert LineOutcome.DUPLICATE_LINE in {item.outcome for item in matched}


def test_outcomes_without_days_are_left_to_the_lines() -> None:
    table = pq.read_table(io.BytesIO(to_parquet(match(read_submission(csv_bytes([cells()]), "m")))))
    out = io.BytesIO()
    pq.write_table(table.drop_columns(["supplied_on"]), out)

    assert charged_supplies(out.getvalue()) is None
