"""Who pays for a treatment stays as it was unless a request says otherwise."""

import datetime as dt
from dataclasses import replace

import pytest

from app.approvals import submitting
from app.approvals.model import FollowUpCommand, FundingOrigin, RequestDetails
from app.approvals.views import treatment_view
from app.policy import Kind
from tests.world import ADALIMUMAB_REVIEW, CLINICIAN, World, initiation


@pytest.mark.parametrize(
    ("first", "then", "expected"),
    [
        (None, None, ["NHS", "NHS"]),
        (FundingOrigin.FREE_OF_CHARGE, None, ["free of charge", "free of charge"]),
        (FundingOrigin.FREE_OF_CHARGE, FundingOrigin.NHS, ["free of charge", "NHS"]),
    ],
)
def test_a_continuation_keeps_who_pays_unless_it_says_otherwise(
    world: World,
    first: FundingOrigin | None,
    then: FundingOrigin | None,
    expected: list[str],
) -> None:
    command = initiation()
    command = replace(command, details=replace(command.details, funding_origin=first))
    view = world.do(lambda w: submitting.submit_initiation(w, world.office, CLINICIAN, command))
    world.on(dt.date(2026, 12, 1))
    continuation = FollowUpCommand(
        treatment_id=view.request.treatment_id,
        kind=Kind.CONTINUATION,
        decision_to_treat=dt.date(2026, 12, 1),
        answers=ADALIMUMAB_REVIEW,
        details=RequestDetails(funding_origin=then),
    )
    world.do(lambda w: submitting.submit_continuation(w, world.office, CLINICIAN, continuation))
    treatment = world.do(lambda w: treatment_view(w, CLINICIAN, view.request.treatment_id))
    assert [s.funding_origin.value for s in treatment.segments] == expected
