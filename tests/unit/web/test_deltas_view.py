"""How the desk words what of a closed month, and of its lines, could not be tested."""

from decimal import Decimal

import pytest

from app.api.deltas import delta_list
from app.web.desk.deltas_view import delta_rows, month_rows
from tests.unit.reconciliation.test_untested_deltas import TEN, ZERO, delta, told


@pytest.mark.parametrize(
    ("was", "now", "more", "words"),
    [
        (TEN, ZERO, -TEN, ("£10.00", "£0.00", "−£10.00")),
        (ZERO, TEN, TEN, ("£0.00", "£10.00", "+£10.00")),
        (TEN, TEN, ZERO, ("£10.00", "£10.00", "£0.00")),
        (ZERO, ZERO, ZERO, ("", "", "")),  # nothing to tell of
        (None, ZERO, None, ("Not known", "£0.00", "Not known")),
        (None, None, None, ("Not known", "Not known", "Not known")),
    ],
)
def test_a_line_says_what_was_untested_before_and_is_now(
    was: Decimal | None, now: Decimal | None, more: Decimal | None, words: tuple[str, str, str]
) -> None:
    (row,) = delta_rows(delta_list(told(TEN, delta(was, now, more)), 1).deltas)
    assert (row.untested_before, row.untested, row.untested_more) == words


@pytest.mark.parametrize(
    ("frozen", "more", "words"),
    [
        (TEN, -TEN, ("£10.00", "−£10.00", "£0.00")),
        (TEN, None, ("£10.00", "Not known", "Not known")),
        (None, -TEN, ("Not known", "−£10.00", "Not known")),
    ],
)
def test_a_month_says_what_was_untested_what_changed_and_what_is_now(
    frozen: Decimal | None, more: Decimal | None, words: tuple[str, str, str]
) -> None:
    (row,) = month_rows(delta_list(told(frozen, delta(None, None, more)), 1).slices)
    assert (row.untested, row.untested_more, row.untested_now) == words
