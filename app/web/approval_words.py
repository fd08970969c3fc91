"""What to do next with an approval, as its treatment's other approvals leave it. Pure."""

import datetime as dt
from collections.abc import Sequence

from app.api.approvals_model import ApprovalDocument
from app.approvals.lifecycle import ApprovalState
from app.web.words import day_words

_DAY = dt.timedelta(days=1)


def next_words(
    approval: ApprovalDocument, among: Sequence[ApprovalDocument], today: dt.date
) -> str:
    """What to do next. Where another goes on from its last day, no continuation is asked for."""
    ends = approval.covers_to
    if ends is None or approval.state is not ApprovalState.LIVE:
        return approval.next
    following = [
        each
        for each in among
        if each.state is ApprovalState.LIVE
        and approval.covers_from < each.covers_from <= ends + _DAY
    ]
    if not following:
        return approval.next
    after = following[0]
    goes_on = f"{after.reference} covers from {day_words(after.covers_from)}."
    if ends < today:
        return f"Its days are over. {goes_on}"
    return f"Quote it for supplies until {day_words(ends)}. {goes_on}"
