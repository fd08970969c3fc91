"""Back-entry of a form that was signed on paper: what may be entered, and until when."""

import datetime as dt
from dataclasses import replace

import pytest

from app.approvals.details import details_from_json, details_to_json
from app.approvals.downtime import check_paper
from app.approvals.errors import DetailsNotAccepted
from app.approvals.model import PaperForm, RequestDetails
from app.policy import Kind

NOW = dt.datetime(2026, 6, 15, 11, 0, tzinfo=dt.UTC)
SIGNED = dt.datetime(2026, 6, 12, 23, 30, tzinfo=dt.UTC)  # half past midnight of the 13th, London
DECIDED = dt.date(2026, 6, 13)
PAPER = PaperForm("consultant rheumatologist", SIGNED, "downtime")


def test_a_form_within_the_days_is_taken_and_kept_to_the_second() -> None:
    details = RequestDetails(paper=PAPER)
    check_paper(details, Kind.INITIATION, DECIDED, NOW, 7)
    check_paper(details, Kind.CONTINUATION, DECIDED, SIGNED + dt.timedelta(days=7), 7)
    check_paper(RequestDetails(), Kind.STOP, DECIDED, NOW, 0)
    assert details_from_json(details_to_json(details)) == details


@pytest.mark.parametrize(
    ("changes", "kind", "decided", "days", "field"),
    [
        ({}, Kind.STOP, DECIDED, 7, "details.paper"),
        ({"signed_by": " "}, Kind.INITIATION, DECIDED, 7, "details.paper.signed_by"),
        ({"signed_at": SIGNED.replace(tzinfo=None)}, Kind.INITIATION, DECIDED, 7, ".signed_at"),
        ({"signed_at": NOW + dt.timedelta(seconds=1)}, Kind.INITIATION, DECIDED, 7, ".signed_at"),
        ({}, Kind.INITIATION, DECIDED, 2, "details.paper.signed_at"),
        ({}, Kind.INITIATION, DECIDED, 0, "details.paper.signed_at"),
        ({}, Kind.INITIATION, dt.date(2026, 6, 14), 7, "decision_to_treat"),
    ],
)
def test_one_that_does_not_fit_names_its_field(
    changes: dict[str, object], kind: Kind, decided: dt.date, days: int, field: str
) -> None:
    details = RequestDetails(paper=replace(PAPER, **changes))

    with pytest.raises(DetailsNotAccepted) as refused:
        check_paper(details, kind, decided, NOW, days)

    assert refused.value.field.endswith(field)
