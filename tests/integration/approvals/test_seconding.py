"""Two members of a panel agree where the policy asks for two; until then nothing is decided."""

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from app.approvals import amending, correcting, notices, reviewing, seconding, store
from app.approvals.errors import (
    NotFound,
    NotWaivable,
    TransitionNotAllowed,
    VersionMismatch,
)
from app.approvals.lifecycle import RequestState
from app.approvals.model import Basis, RequestView
from app.approvals.office import PANEL, PHARMACIST_AUTHORISATION
from app.approvals.replaying import check_replays
from app.approvals.seconding import PanelVote
from app.audit import request_trail
from app.auth import holders
from app.auth.errors import NotAllowed
from app.auth.model import Caller, Role
from app.auth.people import add_person, revoke_person
from app.auth.store import register_caller
from app.db import tables
from app.db.work import Work
from app.policy import Notice, from_resolved
from tests.functional.conftest import ADMINISTRATOR
from tests.pattern_policies import TWO_MEMBERS, office
from tests.world import CLINICIAN, COMMISSIONER, PANEL_MEMBER, PHARMACIST, TRIAL_ANSWERS, World

D = dt.date
S = RequestState
UNUSUAL = {**TRIAL_ANSWERS, "usual": False}
LOW = {**TRIAL_ANSWERS, "score": "4.0"}
LATER = D(2026, 7, 20)
NOTICE = Notice(
    "made-up", "A made-up warning", ("natalizumab",), (), LATER, None, "refer", "It is looked into",
    "Made up for tests", None, "verified",
)  # fmt: skip
REFUSING = replace(NOTICE, from_=D(2026, 6, 15), decide="refuse")


class Panel:
    """A panel of persons, and what they say of one request."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.ann, self.bea, self.cas = (self.person(name) for name in ("Ann", "Bea", "Cas"))

    def person(self, name: str, like: Caller = PANEL_MEMBER) -> Caller:
        made = self.world.do(
            lambda w: add_person(w, ADMINISTRATOR, issuer="https://x.test", subject=name, name=name)
        )
        return replace(like, id=made.id, name=name)

    def credential(self, of: Caller | None) -> Caller:
        """A token of a member, tied to the person where one is named."""

        def make(work: Work) -> str:
            id_, _ = register_caller(
                work,
                ADMINISTRATOR,
                name="A token",
                kind="person",
                organisation=PANEL_MEMBER.organisation,
                role=Role.PANEL_MEMBER,
                demonstration=True,
            )
            if of is not None:
                holders.tie(work, ADMINISTRATOR, id_, of.id)
            return id_

        return replace(PANEL_MEMBER, id=self.world.do(make), name="A token")

    def says(self, by: Caller, view: RequestView, how: str, *waived: str) -> RequestView:
        """One member approves, with waivers, declines or returns the request as it stands now."""
        world, id_ = self.world, view.request.id
        version = world.request(id_).request.version
        steps: dict[str, Callable[[Work], RequestView]] = {
            "approve": lambda w: reviewing.panel_approve(
                w, world.office, by, id_, f"{by.name} agrees", frozenset(waived), version, True
            ),
            "decline": lambda w: reviewing.panel_decline(
                w, world.office, by, id_, f"{by.name} does not", version, True
            ),
            "return": lambda w: reviewing.panel_return(w, by, id_, "Why?", version, True),
            "aside": lambda w: reviewing.declare_interest(w, by, id_, "My own ward.", version),
        }
        return world.do(steps[how])

    def standing(self, view: RequestView) -> list[str]:
        """Who has voted how, as it counts now."""
        id_ = view.request.id

        def read(work: Work) -> tuple[PanelVote, ...]:
            request = store.find_request(work, self.ann, id_)
            return seconding.standing_votes(work, self.world.office.library, request)

        names = {each.id: each.name for each in (self.ann, self.bea, self.cas)}
        votes = self.world.do(read)
        return [f"{names.get(v.voted_by, '?')} {v.outcome} {','.join(v.waived)}" for v in votes]


@pytest.fixture
def two(bare: World) -> World:
    """A world whose policy asks for two members, of the panel DEMP1."""
    bare.office = office(TWO_MEMBERS)
    bare.set("DEMQ1", PANEL, "DEMP1")
    return bare


@pytest.fixture
def panel(two: World) -> Panel:
    return Panel(two)


def escalated(world: World) -> RequestView:
    request = world.trial(answers=LOW).request
    return world.do(
        lambda w: amending.escalate(w, CLINICIAN, request.id, "please", request.version)
    )


# --- the rule -------------------------------------------------------------------------------


def test_one_member_decides_nothing_and_a_second_person_decides_with_both_on_record(
    two: World, panel: Panel
) -> None:
    view = two.trial(answers=UNUSUAL)
    first = panel.says(panel.ann, view, "approve")
    assert (first.request.state, first.request.version) == (S.REFERRED, view.request.version + 1)
    assert first.approval is None
    assert first.decisions == view.decisions, "a vote is no decision"
    assert panel.standing(view) == ["Ann approved "]

    two.on(LATER)
    done = panel.says(panel.bea, view, "approve")
    assert done.request.state is S.APPROVED
    assert done.approval.basis is Basis.PANEL
    assert done.approval.covers_from == LATER, "it is decided on the day of the second vote"
    made = done.decision
    assert (made.agreed_with, made.decided_by) == (panel.ann.id, panel.bea.id)
    assert made.reasons == ["Ann agrees", "Bea agrees"]
    assert made.interest == "none"
    assert two.do(lambda w: check_replays(w, two.office.library, CLINICIAN, view.request.id)) == 2

    trail = two.do(lambda w: request_trail(w, view.request.id))
    told = [(e.action, e.actor.id) for e in trail if "panel" in e.action or "approved" in e.action]
    assert told[:2] == [
        ("panel vote", panel.ann.id),
        ("request: panel member votes", panel.ann.id),
    ]
    decision = next(e for e in trail if e.action == "decision: approved")
    assert (decision.actor.id, decision.after["agreed_with"]) == (panel.bea.id, panel.ann.id)


def test_two_decline_together_and_the_running_treatment_is_not_touched(
    two: World, panel: Panel
) -> None:
    view = two.trial(answers=UNUSUAL)
    assert panel.says(panel.ann, view, "decline").request.state is S.REFERRED
    done = panel.says(panel.bea, view, "decline")
    assert done.request.state is S.DECLINED
    assert done.decision.reasons == ["Ann does not", "Bea does not"]
    assert done.decision.agreed_with == panel.ann.id
    with pytest.raises(TransitionNotAllowed):
        panel.says(panel.cas, view, "decline")


def test_returning_with_a_question_takes_one_member(two: World, panel: Panel) -> None:
    view = two.trial(answers=UNUSUAL)
    panel.says(panel.ann, view, "approve")
    done = panel.says(panel.bea, view, "return")
    assert (done.request.state, done.decision.agreed_with) == (S.RETURNED, None)


def test_where_the_policy_does_not_ask_for_two_one_member_decides(wide: World) -> None:
    wide.set("DEMQ1", PANEL, "DEMP1")
    panel = Panel(wide)
    done = panel.says(panel.ann, wide.trial(answers=UNUSUAL), "approve")
    assert (done.request.state, done.decision.agreed_with) == (S.APPROVED, None)
    assert done.decision.reasons == ["Ann agrees"]


def test_after_two_the_pharmacist_authorises_as_after_one(two: World, panel: Panel) -> None:
    two.set("DEMO1", PHARMACIST_AUTHORISATION, True)
    view = two.trial(answers=UNUSUAL)
    panel.says(panel.ann, view, "approve")
    done = panel.says(panel.bea, view, "approve")
    assert done.request.state is S.AWAITING_AUTHORISATION
    version = done.request.version
    issued = two.do(
        lambda w: reviewing.authorise(w, two.office, PHARMACIST, view.request.id, version)
    )
    assert issued.approval.decision_id == done.decision.id


# --- persons, not credentials -----------------------------------------------------------------


@pytest.mark.parametrize("how", ["approve", "decline"])
def test_one_person_is_not_two_whichever_credentials_they_have(
    two: World, panel: Panel, how: str
) -> None:
    view = two.trial(answers=UNUSUAL)
    token = panel.credential(panel.ann)
    panel.says(panel.ann, view, how)
    for again in (panel.ann, token):
        with pytest.raises(NotAllowed, match="you have voted so already"):
            panel.says(again, view, how)
    assert two.request(view.request.id).request.state is S.REFERRED
    assert len(panel.standing(view)) == 1


def test_a_token_tied_to_nobody_is_neither_the_first_nor_the_second(
    two: World, panel: Panel
) -> None:
    view, nobody = two.trial(answers=UNUSUAL), panel.credential(None)
    with pytest.raises(NotAllowed, match="tied to no person"):
        panel.says(nobody, view, "approve")
    panel.says(panel.ann, view, "approve")
    with pytest.raises(NotAllowed, match="tied to no person"):
        panel.says(nobody, view, "approve")
    assert panel.standing(view) == ["Ann approved "]


def test_a_vote_of_somebody_revoked_since_counts_for_nothing(two: World, panel: Panel) -> None:
    view = two.trial(answers=UNUSUAL)
    panel.says(panel.ann, view, "approve")
    two.do(lambda w: revoke_person(w, ADMINISTRATOR, panel.ann.id))
    assert panel.standing(view) == []
    assert panel.says(panel.bea, view, "approve").request.state is S.REFERRED
    done = panel.says(panel.cas, view, "approve")
    assert (done.request.state, done.decision.agreed_with) == (S.APPROVED, panel.bea.id)


def test_a_credential_that_is_tied_to_the_first_member_later_is_that_member(
    two: World, panel: Panel
) -> None:
    view, token = two.trial(answers=UNUSUAL), panel.credential(panel.bea)
    panel.says(token, view, "approve")
    two.do(lambda w: holders.untie(w, ADMINISTRATOR, token.id))
    two.do(lambda w: holders.tie(w, ADMINISTRATOR, token.id, panel.ann.id))
    with pytest.raises(NotAllowed, match="you have voted so already"):
        panel.says(panel.ann, view, "approve")


def test_two_commissioners_decide_in_a_panels_place(bare: World) -> None:
    bare.office = office(TWO_MEMBERS)
    panel = Panel(bare)
    one, other = (panel.person(name, COMMISSIONER) for name in ("Pat", "Quinn"))
    view = bare.trial(answers=UNUSUAL)
    assert view.request.panel is None
    assert panel.says(one, view, "approve").request.state is S.REFERRED
    with pytest.raises(NotAllowed):
        panel.says(one, view, "approve")
    assert panel.says(other, view, "approve").request.state is S.APPROVED


# --- members differ ---------------------------------------------------------------------------


def test_where_two_differ_both_votes_stand_and_either_changes_their_own(
    two: World, panel: Panel
) -> None:
    view = two.trial(answers=UNUSUAL)
    panel.says(panel.ann, view, "approve")
    assert panel.says(panel.bea, view, "decline").request.state is S.REFERRED
    assert panel.standing(view) == ["Ann approved ", "Bea declined "]
    done = panel.says(panel.ann, view, "decline")
    assert (done.request.state, done.decision.agreed_with) == (S.DECLINED, panel.bea.id)
    assert done.decision.reasons == ["Bea does not", "Ann does not"]


def test_a_third_member_decides_with_the_one_who_sees_it_so(two: World, panel: Panel) -> None:
    view = two.trial(answers=UNUSUAL)
    panel.says(panel.ann, view, "decline")
    panel.says(panel.bea, view, "approve")
    done = panel.says(panel.cas, view, "approve")
    assert (done.request.state, done.decision.agreed_with) == (S.APPROVED, panel.bea.id)


def test_who_changed_their_vote_is_counted_once(two: World, panel: Panel) -> None:
    view = two.trial(answers=UNUSUAL)
    for how in ("approve", "decline", "approve"):
        assert panel.says(panel.ann, view, how).request.state is S.REFERRED
    assert panel.standing(view) == ["Ann approved "]
    assert panel.says(panel.bea, view, "decline").request.state is S.REFERRED, "she took it back"


def test_who_changed_their_vote_with_another_credential_is_counted_once(
    two: World, panel: Panel
) -> None:
    view, token = two.trial(answers=UNUSUAL), panel.credential(panel.ann)
    panel.says(panel.ann, view, "approve")
    panel.says(token, view, "decline")
    assert panel.standing(view) == ["? declined "]
    assert panel.says(panel.bea, view, "approve").request.state is S.REFERRED, "it was taken back"


def test_other_waivers_are_another_vote(two: World, panel: Panel) -> None:
    view = two.trial(answers={**LOW, "usual": False})
    view = two.do(lambda w: amending.escalate(w, CLINICIAN, view.request.id, "please", 2))
    panel.says(panel.ann, view, "approve", "T-1")
    with pytest.raises(NotWaivable, match="T-1 failed and is not waived"):
        panel.says(panel.bea, view, "approve")
    with pytest.raises(NotWaivable):
        panel.says(panel.bea, view, "approve", "T-1", "T-2")
    assert panel.standing(view) == ["Ann approved T-1"]
    done = panel.says(panel.bea, view, "approve", "T-1")
    assert (done.request.state, done.decision.waived) == (S.APPROVED, ["T-1"])


def test_votes_that_agree_but_for_a_waiver_decide_nothing(two: World, panel: Panel) -> None:
    referring = '"id":"T-3","met_when":"usual","on_failure":"refer"'
    assert referring in TWO_MEMBERS.resolved
    text = TWO_MEMBERS.resolved.replace(referring, f'{referring},"waivable":true')
    two.office = office(from_resolved(text))
    view = two.trial(answers=UNUSUAL)
    panel.says(panel.ann, view, "approve", "T-3")
    assert panel.says(panel.bea, view, "approve").request.state is S.REFERRED
    assert panel.standing(view) == ["Ann approved T-3", "Bea approved "]
    done = panel.says(panel.bea, view, "approve", "T-3")
    assert (done.request.state, done.decision.waived) == (S.APPROVED, ["T-3"])


def test_the_policys_rules_hold_for_the_first_vote_too(two: World, panel: Panel) -> None:
    view = escalated(two)
    with pytest.raises(NotWaivable):
        panel.says(panel.ann, view, "approve")
    assert panel.standing(view) == []


# --- what a vote does not outlive -------------------------------------------------------------


def test_a_member_who_declares_an_interest_afterwards_has_not_voted(
    two: World, panel: Panel
) -> None:
    view = two.trial(answers=UNUSUAL)
    token = panel.credential(panel.ann)
    panel.says(panel.ann, view, "approve")
    panel.says(token, view, "aside")
    assert panel.standing(view) == []
    assert panel.says(panel.bea, view, "approve").request.state is S.REFERRED
    with pytest.raises(NotAllowed, match="declared an interest"):
        panel.says(panel.ann, view, "approve")
    assert panel.says(panel.cas, view, "approve").decision.agreed_with == panel.bea.id


def test_a_vote_on_earlier_answers_counts_for_nothing_once_they_were_corrected(
    two: World, panel: Panel
) -> None:
    view = two.trial(answers=UNUSUAL)
    panel.says(panel.ann, view, "approve")
    version = two.request(view.request.id).request.version
    two.do(
        lambda w: correcting.correct(
            w, two.office, CLINICIAN, view.request.id, {"score": "7.0"}, frozenset(), "x", version
        )
    )
    assert panel.standing(view) == []
    assert panel.says(panel.bea, view, "approve").request.state is S.REFERRED
    assert panel.says(panel.ann, view, "approve").request.state is S.APPROVED


def test_a_returned_request_needs_both_anew(two: World, panel: Panel) -> None:
    view = two.trial(answers=UNUSUAL)
    panel.says(panel.ann, view, "approve")
    back = panel.says(panel.bea, view, "return")
    two.do(
        lambda w: amending.amend(
            w, two.office, CLINICIAN, view.request.id, {"score": "8.0"}, back.request.version
        )
    )
    assert panel.standing(view) == []
    assert panel.says(panel.bea, view, "approve").request.state is S.REFERRED
    assert panel.says(panel.ann, view, "approve").request.state is S.APPROVED


def test_an_approval_of_before_a_safety_notice_is_voted_anew_by_who_did_not_know_it(
    two: World, panel: Panel
) -> None:
    view = two.trial(answers=UNUSUAL)
    panel.says(panel.ann, view, "approve")
    two.on(LATER)
    two.do(lambda w: notices.issue(w, two.office.library, NOTICE, "Cy", "Dee"))
    assert panel.standing(view) == []
    assert panel.says(panel.bea, view, "approve").request.state is S.REFERRED
    assert panel.says(panel.ann, view, "approve").request.state is S.APPROVED


def test_under_a_notice_that_refuses_nobody_votes_to_approve_and_two_decline(
    two: World, panel: Panel
) -> None:
    view = two.trial(answers=UNUSUAL)
    panel.says(panel.ann, view, "approve")
    two.do(lambda w: notices.issue(w, two.office.library, REFUSING, "Cy", "Dee"))
    with pytest.raises(TransitionNotAllowed, match="A made-up warning"):
        panel.says(panel.bea, view, "approve")
    panel.says(panel.bea, view, "decline")
    assert panel.says(panel.ann, view, "decline").request.state is S.DECLINED


@pytest.mark.parametrize("between", ["withdraw", "error", "fund"])
def test_what_closes_the_request_between_the_votes_leaves_nothing_to_second(
    two: World, panel: Panel, between: str
) -> None:
    view = two.trial(answers=UNUSUAL)
    panel.says(panel.ann, view, "approve")
    id_, version = view.request.id, two.request(view.request.id).request.version
    funding = reviewing.FundingDecision(
        Basis.INDIVIDUAL_FUNDING, "IFR-1", two.moment.day, None, "terms", "reason"
    )
    steps: dict[str, Callable[[Work], Any]] = {
        "withdraw": lambda w: amending.withdraw(w, CLINICIAN, id_, "x", version),
        "error": lambda w: correcting.enter_in_error(w, CLINICIAN, id_, "x", version),
        "fund": lambda w: reviewing.record_funding(
            w, two.office, COMMISSIONER, id_, funding, version
        ),
    }
    closed = two.do(steps[between])
    for how in ("approve", "decline"):
        with pytest.raises(TransitionNotAllowed):
            panel.says(panel.bea, view, how)
    now = two.request(id_)
    assert (now.request.state, now.decisions) == (closed.request.state, closed.decisions)
    approvals = two.do(lambda w: store.approvals_of(w, view.request.treatment_id))
    assert [each.basis for each in approvals] == (
        [Basis.INDIVIDUAL_FUNDING] if between == "fund" else []
    )


def test_who_read_it_before_the_first_vote_reads_it_again(two: World, panel: Panel) -> None:
    view = two.trial(answers=UNUSUAL)
    panel.says(panel.ann, view, "approve")
    with pytest.raises(VersionMismatch):
        two.do(
            lambda w: reviewing.panel_approve(
                w,
                two.office,
                panel.bea,
                view.request.id,
                "x",
                frozenset(),
                view.request.version,
                True,
            )
        )


# --- who else ---------------------------------------------------------------------------------


def test_another_panel_and_the_payer_beside_the_panel_second_nothing(
    two: World, panel: Panel
) -> None:
    view = two.trial(answers=UNUSUAL)
    panel.says(panel.ann, view, "approve")
    stranger = panel.person("Str", replace(PANEL_MEMBER, organisation="DEMP2"))
    with pytest.raises(NotFound):
        panel.says(stranger, view, "approve")
    payer = panel.person("Pay", COMMISSIONER)
    with pytest.raises(NotAllowed):
        panel.says(payer, view, "approve")


def test_only_the_panel_reads_a_vote_until_it_is_a_decision(two: World, panel: Panel) -> None:
    view = two.trial(answers=UNUSUAL)

    def shown(to: Caller) -> tuple[int, int]:
        def read(work: Work) -> tuple[int, int]:
            request = store.find_request(work, to, view.request.id)
            every, waiting = seconding.votes_shown(work, two.office.library, to, request)
            return len(every), len(waiting)

        return two.do(read)

    panel.says(panel.cas, view, "decline")
    panel.says(panel.ann, view, "approve")
    assert shown(panel.bea) == (2, 2)
    assert shown(CLINICIAN) == shown(COMMISSIONER) == (0, 0)
    panel.says(panel.bea, view, "approve")
    assert shown(panel.bea) == (3, 0)
    assert shown(CLINICIAN) == shown(COMMISSIONER) == (2, 0), "the two that decided it"


def test_a_vote_is_no_decision_in_any_count(two: World, panel: Panel) -> None:
    view = two.trial(answers=UNUSUAL)
    panel.says(panel.ann, view, "approve")
    count = sa.select(sa.func.count()).select_from(tables.decision)
    made = count.where(tables.decision.c.made_by == "panel")
    assert two.do(lambda w: w.connection.execute(made).scalar_one()) == 0
    panel.says(panel.bea, view, "approve")
    assert two.do(lambda w: w.connection.execute(made).scalar_one()) == 1
