"""One file from its bytes to what goes back to the provider."""

from decimal import Decimal

from app.reconciliation import (
    LineOutcome,
    match_submission,
    summarise,
)
from app.reference_data.drugs import load_drugs
from app.reference_data.organisations import load_organisations
from tests.unit.reconciliation.builders import cells, coverage, snapshot, submission


def test_a_clean_line_under_an_approval_is_matched_whole() -> None:
    read = submission(cells())
    (line,) = match_submission(read.lines, snapshot(coverage()), load_drugs(), load_organisations())
    assert line.outcome is LineOutcome.MATCHED
    assert (line.accepted, line.queried) == (Decimal("1000.00"), Decimal(0))
    assert (line.reference, line.found_by) == ("PA0000000000001X", "NHS number")
    assert summarise([line]).grand.total == Decimal("1000.00")
