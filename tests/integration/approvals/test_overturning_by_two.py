"""Where the policy asks for two members, an urgent start is overturned by two who rule the same."""

import datetime as dt

import pytest

from app.approvals import reviewing
from app.approvals.errors import TransitionNotAllowed
from app.approvals.lifecycle import ApprovalState, RequestState
from app.approvals.model import RequestView
from app.approvals.office import PANEL
from app.approvals.reviewing import Ruling
from app.auth.errors import NotAllowed
from app.auth.model import Caller
from tests.integration.approvals.test_overturning import FIRST, RULED, urgent
from tests.integration.approvals.test_seconding import Panel
from tests.pattern_policies import TWO_MEMBERS, office
from tests.world import World

EARLIER = RULED - dt.timedelta(days=10)


@pytest.fixture
def two(bare: World) -> World:
    bare.office = office(TWO_MEMBERS)
    bare.set("DEMQ1", PANEL, "DEMP1")
    return bare


@pytest.fixture
def panel(two: World) -> Panel:
    return Panel(two)


def rules(world: World, by: Caller, view: RequestView, ruling: Ruling) -> RequestView:
    version = world.request(view.request.id).request.version
    return world.do(
        lambda w: reviewing.overturn(w, world.office, by, view.request.id, ruling, version, True)
    )


def paid(to: dt.date | None = None) -> Ruling:
    return Ruling("Not funded.", paid=True, paid_to=to)


def test_one_ruling_pays_nothing_and_refuses_nothing(two: World, panel: Panel) -> None:
    view = urgent(two)
    first = rules(two, panel.ann, view, paid(EARLIER))
    assert (first.request.state, first.doses_given) == (RequestState.REFERRED, None)
    assert first.decisions == view.decisions
    with pytest.raises(NotAllowed):
        rules(two, panel.ann, view, paid(EARLIER))
    with pytest.raises(TransitionNotAllowed):
        panel.says(panel.bea, view, "decline")


def test_two_who_rule_the_same_pay_up_to_the_day_that_both_named(two: World, panel: Panel) -> None:
    view = urgent(two)
    rules(two, panel.ann, view, paid(EARLIER))
    done = rules(two, panel.bea, view, paid(EARLIER))
    assert (done.request.state, done.approval) == (RequestState.DECLINED, None)
    pays = done.doses_given
    assert pays is not None
    assert (pays.state, pays.covers_from, pays.covers_to) == (
        ApprovalState.DOSES_GIVEN,
        FIRST,
        EARLIER,
    )
    assert done.decisions[-1].agreed_with == panel.ann.id


def test_rulings_that_pay_up_to_other_days_decide_nothing(two: World, panel: Panel) -> None:
    view = urgent(two)
    rules(two, panel.ann, view, paid(EARLIER))
    for other in (paid(), Ruling("Not funded.", paid=False)):
        assert rules(two, panel.bea, view, other).request.state is RequestState.REFERRED
    done = rules(two, panel.ann, view, Ruling("Nor do I.", paid=False))
    assert (done.request.state, done.doses_given) == (RequestState.DECLINED, None)


def test_that_nothing_is_paid_is_the_same_on_whichever_day_it_was_said(
    two: World, panel: Panel
) -> None:
    view = urgent(two)
    not_paid = Ruling("Not funded.", paid=False)
    rules(two, panel.ann, view, not_paid)
    two.on(RULED + dt.timedelta(days=3))
    assert rules(two, panel.bea, view, not_paid).request.state is RequestState.DECLINED


def test_an_approval_and_an_overturning_are_not_the_same(two: World, panel: Panel) -> None:
    view = urgent(two)
    rules(two, panel.ann, view, paid(EARLIER))
    after = panel.says(panel.bea, view, "approve")
    assert (after.request.state, after.approval, after.doses_given) == (
        RequestState.REFERRED,
        None,
        None,
    )
