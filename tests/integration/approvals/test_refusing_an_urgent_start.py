"""A commissioner that does not fund an urgent start says what that means for doses given."""

import datetime as dt
from dataclasses import replace

import pytest

from app.approvals import correcting, reviewing
from app.approvals.doses_given import PATTERN
from app.approvals.errors import DetailsNotAccepted, NotFound, TransitionNotAllowed
from app.approvals.lifecycle import ApprovalState, RequestState
from app.approvals.model import Basis, RequestDetails, RequestView, Route
from app.approvals.reviewing import Refusal
from app.auth.errors import NotAllowed
from app.auth.model import Caller
from tests.integration.approvals.test_overturning import FIRST, RULED, days, urgent
from tests.world import CLINICIAN, COMMISSIONER, OTHER_COMMISSIONER, World

D = dt.date
PAID, NOT_PAID, SILENT = Refusal("no", True), Refusal("no", False), Refusal("no")


def refuse(
    world: World, view: RequestView, refusal: Refusal, by: Caller = COMMISSIONER
) -> RequestView:
    request = view.request
    return world.do(
        lambda w: reviewing.refuse_funding(
            w, world.office, by, request.id, refusal, request.version
        )
    )


def asked(world: World, route: Route = Route.INDIVIDUAL_FUNDING) -> RequestView:
    return urgent(world, route=route)


def test_a_refusal_that_says_nothing_of_doses_given_is_not_taken(wide: World) -> None:
    view = asked(wide)
    with pytest.raises(DetailsNotAccepted, match="whether they are paid for") as said:
        refuse(wide, view, SILENT)
    assert said.value.field == "doses_given"
    after = wide.request(view.request.id)
    assert (after.request, after.decisions) == (view.request, view.decisions)


@pytest.mark.parametrize("route", [Route.INDIVIDUAL_FUNDING, Route.GROUP_APPROVAL])
def test_what_is_paid_is_an_approval_of_these_days_alone(wide: World, route: Route) -> None:
    view = asked(wide, route)
    done = refuse(wide, view, replace(PAID, paid_to=D(2026, 6, 20)))
    assert (done.request.state, done.approval) == (RequestState.DECLINED, None)
    assert (done.decision.made_by, done.decision.outcome) == ("commissioner", "overturned")
    assert done.decision.doses_given == {
        "from_day": "2026-06-05", "to_day": "2026-06-20", "paid": True,
    }  # fmt: skip
    pays = done.doses_given
    assert (pays.state, pays.basis) == (ApprovalState.DOSES_GIVEN, Basis(route.value))
    assert pays.terms["pattern"] == PATTERN
    assert days(wide) == [(FIRST, D(2026, 6, 20))]


def test_not_paid_covers_nothing_and_says_so(wide: World) -> None:
    done = refuse(wide, asked(wide), NOT_PAID)
    assert (done.request.state, done.doses_given) == (RequestState.DECLINED, None)
    assert done.decision.doses_given["paid"] is False
    assert days(wide) == []


@pytest.mark.parametrize("refusal", [PAID, NOT_PAID, replace(SILENT, paid_to=FIRST)])
def test_where_no_dose_was_given_so_there_is_nothing_to_say_of_any(
    wide: World, refusal: Refusal
) -> None:
    view = urgent(wide, route=Route.INDIVIDUAL_FUNDING, details=RequestDetails())
    with pytest.raises(DetailsNotAccepted, match="nothing to say"):
        refuse(wide, view, refusal)
    assert refuse(wide, view, SILENT).decision.outcome == "declined"


@pytest.mark.parametrize("to", [D(2026, 6, 4), D(2026, 7, 21)])
def test_days_before_the_first_dose_and_after_the_decision_are_not_paid_for(
    wide: World, to: D
) -> None:
    with pytest.raises(DetailsNotAccepted, match=r"5 June 2026.*20 July 2026"):
        refuse(wide, asked(wide), replace(PAID, paid_to=to))
    assert days(wide) == []


def test_another_commissioner_and_the_hospital_refuse_nothing(wide: World) -> None:
    view = asked(wide)
    with pytest.raises(NotFound):
        refuse(wide, view, PAID, OTHER_COMMISSIONER)
    with pytest.raises(NotAllowed):
        refuse(wide, view, PAID, CLINICIAN)


def test_what_is_asked_of_the_policy_is_not_refused_so(wide: World) -> None:
    policys = urgent(wide)
    with pytest.raises(TransitionNotAllowed, match="asked of the policy"):
        refuse(wide, policys, PAID)


def test_corrected_and_refused_again_the_new_ruling_stands(wide: World) -> None:
    view = asked(wide)
    first = refuse(wide, view, PAID)
    again = wide.do(
        lambda w: correcting.correct(
            w, wide.office, CLINICIAN, view.request.id, {"score": "7.0"}, frozenset(), "typo",
            first.request.version,
        )
    )  # fmt: skip
    assert again.request.state is RequestState.REFERRED
    done = refuse(wide, again, NOT_PAID)
    assert days(wide) == []
    states = {each.state for each in wide.treatment(done.request.treatment_id).approvals}
    assert states == {ApprovalState.WITHDRAWN}
    assert wide.moment.day == RULED
