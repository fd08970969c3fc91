"""What a page says to do next with an approval that another goes on from."""

import datetime as dt

import pytest

from app.api.approvals_model import ApprovalDocument
from app.approvals.lifecycle import ApprovalState
from app.web.approval_words import next_words

SEND = "Send a continuation."


def approval(
    reference: str,
    first: tuple[int, int],
    last: tuple[int, int] | None,
    state: ApprovalState = ApprovalState.LIVE,
) -> ApprovalDocument:
    return ApprovalDocument.model_construct(
        reference=reference,
        state=state,
        covers_from=dt.date(2026, *first),
        covers_to=None if last is None else dt.date(2026, *last),
        next=SEND,
    )


FIRST = approval("PA1", (1, 1), (6, 30))


@pytest.mark.parametrize(
    ("later", "today", "said"),
    [
        (approval("PA2", (7, 1), (12, 31)), (8, 1), "Its days are over. PA2 covers from 1 July"),
        (approval("PA2", (7, 1), (12, 31)), (6, 1), "Quote it for supplies until 30 June 2026."),
        (approval("PA2", (8, 1), (12, 31)), (9, 1), SEND),  # days between them are not covered
        (approval("PA2", (7, 1), (12, 31), ApprovalState.WITHDRAWN), (8, 1), SEND),
        (approval("PA2", (1, 1), (3, 31)), (8, 1), SEND),
    ],
)
def test_a_continuation_is_asked_for_only_where_none_was_given(
    later: ApprovalDocument, today: tuple[int, int], said: str
) -> None:
    assert next_words(FIRST, [FIRST, later], dt.date(2026, *today)).startswith(said)


@pytest.mark.parametrize(
    "one",
    [approval("PA1", (1, 1), None), approval("PA1", (1, 1), (6, 30), ApprovalState.UNDER_QUERY)],
)
def test_what_has_no_end_or_stands_no_more_keeps_its_words(one: ApprovalDocument) -> None:
    assert next_words(one, [one, approval("PA2", (3, 1), (12, 31))], dt.date(2026, 8, 1)) == SEND
