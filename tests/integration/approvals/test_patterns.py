"""The patterns of approval from the policy's terms to the treatment, on both databases."""

import datetime as dt
from decimal import Decimal

import pytest

from app.approvals import checking
from app.approvals.errors import AlreadyApproved, DetailsNotAccepted, NoPolicyInForce
from app.approvals.lifecycle import ApprovalState, RequestState
from app.approvals.model import Dose, FundingOrigin, RequestDetails, RequestView, StopReason
from app.approvals.replaying import check_replays
from app.policy import Kind
from tests import pattern_policies as policies
from tests.pattern_policies import office
from tests.world import CLINICIAN, OTHER_CLINICIAN, TRIAL_ANSWERS, World, initiation

D = dt.date
START = D(2026, 6, 15)


@pytest.fixture
def world(bare: World) -> World:
    return bare


def covered(world: World, treatment_id: str, kind: str = "coverage") -> list[tuple]:
    found = world.treatment(treatment_id).segments
    return [(s.from_day, s.to_day) for s in found if s.kind == kind]


def states(world: World, treatment_id: str) -> list[ApprovalState]:
    return [a.state for a in world.treatment(treatment_id).approvals]


def approved(view: RequestView) -> str:
    assert view.request.state is RequestState.APPROVED, view.decision
    return view.request.treatment_id


# --- lengths ------------------------------------------------------------------------------------


def test_a_continuation_lasts_longer_than_the_first_approval(world: World) -> None:
    world.office = office(policies.THEN_TWELVE)
    treatment = approved(world.trial())
    world.on(D(2026, 10, 1))
    approved(world.carry_on(treatment))
    assert covered(world, treatment) == [
        (START, D(2026, 10, 14)),
        (D(2026, 10, 15), D(2027, 10, 14)),
    ]


def test_the_first_dose_moves_the_end_of_the_first_approval_only(world: World) -> None:
    world.office = office(policies.THEN_TWELVE)
    treatment = approved(world.trial())
    world.on(D(2026, 7, 20))
    world.first_dose(treatment, D(2026, 7, 15))
    assert covered(world, treatment) == [(START, D(2026, 11, 14))]


# --- courses and episodes -----------------------------------------------------------------------


def test_a_second_course_waits_for_its_window_and_a_third_is_for_the_panel(world: World) -> None:
    world.office = office(policies.COURSES)
    treatment = approved(world.trial())
    world.on(D(2026, 8, 1))
    approved(world.carry_on(treatment))
    assert covered(world, treatment) == [
        (START, D(2026, 8, 13)),
        (D(2027, 4, 15), D(2027, 6, 13)),
    ]
    world.on(D(2027, 8, 1))
    third = world.carry_on(treatment)
    assert third.request.state is RequestState.REFERRED
    assert third.decision is not None
    assert "funds 2 courses" in third.decision.reasons[-1]
    world.do(lambda w: check_replays(w, world.office.library, CLINICIAN, third.request.id))


def test_a_course_after_its_window_is_for_the_panel(world: World) -> None:
    world.office = office(policies.COURSES)
    treatment = approved(world.trial())
    world.on(D(2027, 12, 16))  # 18 months and a day
    assert world.carry_on(treatment).request.state is RequestState.REFERRED


def test_an_episode_is_not_continued_but_asked_for_anew(world: World) -> None:
    world.office = office(policies.EPISODE)
    first = approved(world.trial())
    assert covered(world, first) == [(START, D(2026, 7, 26))]
    with pytest.raises(AlreadyApproved):
        world.trial()
    with pytest.raises(DetailsNotAccepted, match="new episode"):
        world.carry_on(first)
    world.on(D(2026, 7, 27))
    again = approved(world.trial())
    assert again != first


# --- doses --------------------------------------------------------------------------------------


def dose(amount: str, **changes: object) -> dict:
    return {"dose": Dose(Decimal(amount), "mg", 28), **changes}


@pytest.mark.parametrize(
    ("amount", "day", "ground", "state"),
    [
        ("600", D(2026, 8, 1), None, RequestState.APPROVED),  # loading
        ("600", D(2026, 9, 7), None, RequestState.REFERRED),  # the first day of maintenance
        ("300", D(2026, 9, 7), None, RequestState.APPROVED),
        ("450", D(2026, 10, 1), None, RequestState.REFERRED),  # no ground stated
        ("450", D(2026, 10, 1), "lost", RequestState.APPROVED),
        ("451", D(2026, 10, 1), "lost", RequestState.REFERRED),
    ],
)
def test_the_largest_dose_is_that_of_the_phase_or_of_a_stated_escalation(
    world: World, amount: str, day: dt.date, ground: str | None, state: RequestState
) -> None:
    world.office = office(policies.PHASED)
    treatment = approved(world.trial())
    world.first_dose(treatment, START)
    world.on(day)
    view = world.change(
        treatment, Kind.DOSE_CHANGE, **dose(amount, from_day=day, dose_ground=ground)
    )
    assert view.request.state is state
    world.do(lambda w: check_replays(w, world.office.library, CLINICIAN, view.request.id))


def test_a_temporary_escalation_ends_by_itself_and_the_former_dose_returns(world: World) -> None:
    world.office = office(policies.PHASED)
    details = RequestDetails(dose=Dose(Decimal(300), "mg", 28))
    treatment = approved(world.trial(details=details))
    world.on(D(2026, 10, 1))
    changed = dose("450", from_day=D(2026, 10, 1), dose_ground="lost")
    approved(world.change(treatment, Kind.DOSE_CHANGE, **changed))
    segments = world.treatment(treatment).segments
    assert [(s.from_day, s.to_day, s.dose_amount) for s in segments] == [
        (START, D(2026, 9, 30), Decimal(300)),
        (D(2026, 10, 1), D(2026, 11, 25), Decimal(450)),
        (D(2026, 11, 26), D(2027, 6, 14), Decimal(300)),
    ]


def test_a_temporary_escalation_beyond_its_length_is_for_the_panel(world: World) -> None:
    world.office = office(policies.PHASED)
    treatment = approved(world.trial())
    world.on(D(2026, 10, 1))
    longer = dose("450", from_day=D(2026, 10, 1), to_day=D(2026, 11, 26), dose_ground="lost")
    view = world.change(treatment, Kind.DOSE_CHANGE, **longer)
    assert view.request.state is RequestState.REFERRED


# --- drugs barred together ----------------------------------------------------------------------


def barred(world: World, caller=CLINICIAN) -> str:
    return approved(world.trial(caller, policy="barred-policy"))


def test_a_drug_barred_with_a_running_one_is_for_people(world: World) -> None:
    world.office = office(policies.BARRING, policies.BARRED)
    barred(world)
    view = world.trial()
    assert view.request.state is RequestState.REFERRED
    assert view.decision is not None
    assert "cladribine" in view.decision.reasons[-1]
    assert "switching_from" in view.decision.reasons[-1]
    world.do(lambda w: check_replays(w, world.office.library, CLINICIAN, view.request.id))


def test_the_bar_holds_whichever_of_the_two_drugs_came_first(world: World) -> None:
    world.office = office(policies.BARRING, policies.BARRED)
    approved(world.trial())
    assert world.trial(policy="barred-policy").request.state is RequestState.REFERRED


def test_of_another_provider_no_more_is_told_than_that_an_approval_exists(world: World) -> None:
    world.office = office(policies.BARRING, policies.BARRED)
    barred(world, OTHER_CLINICIAN)
    view = world.trial(details=RequestDetails(switching_from="cladribine"))
    assert view.request.state is RequestState.REFERRED
    assert view.decision is not None
    told = view.decision.reasons[-1]
    assert "exists at another provider" in told
    assert "cladribine" not in told
    assert "DEMO2" not in told


def test_a_switch_ends_the_former_drug_after_the_permitted_overlap(world: World) -> None:
    world.office = office(policies.BARRING, policies.BARRED)
    former = barred(world)
    approved(world.trial(details=RequestDetails(switching_from="cladribine")))
    assert covered(world, former) == [(START, D(2026, 6, 28))]  # 14 days of both
    assert states(world, former) == [ApprovalState.ENDED]


def test_a_barred_drug_that_has_ended_stands_in_nobodys_way(world: World) -> None:
    world.office = office(policies.BARRING, policies.BARRED)
    former = barred(world)
    world.on(D(2026, 7, 1))
    reason = {"from_day": D(2026, 6, 30), "stop_reason": StopReason.NO_RESPONSE}
    world.change(former, Kind.STOP, **reason)
    approved(world.trial(decision_to_treat=D(2026, 7, 1)))


def test_a_dry_run_tells_of_a_barred_drug_too(world: World) -> None:
    world.office = office(policies.BARRING, policies.BARRED)
    barred(world)
    command = initiation(policy="trial-policy", answers=dict(TRIAL_ANSWERS))
    run = world.do(lambda w: checking.check_initiation(w, world.office, CLINICIAN, command))
    assert run.decision.outcome == "referred"


# --- one policy after another -------------------------------------------------------------------


def test_a_long_treatment_begins_while_the_short_one_runs_and_supersedes_it(world: World) -> None:
    world.office = office(policies.SHORT, policies.LONG)
    short = approved(world.trial(policy="short-policy"))
    world.on(D(2026, 7, 1))
    long = approved(world.trial(policy="long-policy", decision_to_treat=D(2026, 7, 1)))
    assert covered(world, short) == [(START, D(2026, 6, 30))]
    assert states(world, short) == [ApprovalState.ENDED]
    assert covered(world, long) == [(D(2026, 7, 1), D(2027, 6, 30))]
    with pytest.raises(AlreadyApproved):
        world.trial(policy="short-policy", decision_to_treat=D(2026, 7, 1))


def test_a_short_treatment_of_another_provider_is_not_superseded(world: World) -> None:
    world.office = office(policies.SHORT, policies.LONG)
    approved(world.trial(OTHER_CLINICIAN, policy="short-policy"))
    with pytest.raises(AlreadyApproved, match="another provider"):
        world.trial(policy="long-policy")


def test_a_treatment_goes_on_under_the_successor_by_a_continuation(world: World) -> None:
    world.office = office(policies.CHILD, policies.ADULT)
    treatment = approved(world.trial(policy="child-policy"))
    world.on(D(2026, 9, 1))
    view = world.carry_on(treatment, policy="adult-policy")
    approved(view)
    assert view.revision.answers["score"]["origin"] == "carried forward"  # the baseline
    seen = world.treatment(treatment)
    assert seen.treatment.policy == "adult-policy"
    assert [request.policy for request in seen.requests] == ["child-policy", "adult-policy"]
    assert covered(world, treatment) == [
        (START, D(2026, 8, 31)),
        (D(2026, 9, 1), D(2027, 8, 31)),
    ]
    assert states(world, treatment) == [ApprovalState.ENDED, ApprovalState.LIVE]
    world.do(lambda w: check_replays(w, world.office.library, CLINICIAN, view.request.id))
    world.on(D(2027, 8, 1))
    approved(world.carry_on(treatment))  # the treatment is the successor's from then on


def test_only_a_successor_takes_a_running_treatment_over(world: World) -> None:
    world.office = office(policies.CHILD, policies.ADULT, policies.LONG)
    treatment = approved(world.trial(policy="child-policy"))
    world.on(D(2026, 9, 1))
    with pytest.raises(DetailsNotAccepted, match="does not take over"):
        world.carry_on(treatment, policy="long-policy")
    with pytest.raises(DetailsNotAccepted, match="no policy of that key"):
        world.carry_on(treatment, policy="nowhere")


def test_after_the_last_continuation_the_policy_says_what_follows(world: World) -> None:
    world.office = office(policies.ENDING)
    treatment = approved(world.trial())
    world.on(D(2026, 10, 1))
    with pytest.raises(NoPolicyInForce, match=r"runs to its end\. Ask the panel about others"):
        world.carry_on(treatment)
    assert states(world, treatment) == [ApprovalState.LIVE]


# --- funding before -----------------------------------------------------------------------------

BEFORE = {"started_under": FundingOrigin.TRIAL, "started_on": D(2026, 1, 5)}


def test_a_conversion_is_judged_as_of_the_start_and_covered_from_the_decision(
    world: World,
) -> None:
    world.office = office(policies.CONVERTING)
    view = world.trial(details=RequestDetails(**BEFORE))
    treatment = approved(view)
    assert view.revision.context["decision_to_treat"] == "2026-01-05"
    assert view.request.decision_to_treat == D(2026, 6, 10)
    assert covered(world, treatment) == [(START, D(2027, 6, 14))]
    assert covered(world, treatment, "elsewhere") == [(D(2026, 1, 5), D(2026, 6, 14))]
    seen = world.treatment(treatment)
    assert [s.funding_origin.value for s in seen.segments] == ["trial", "NHS"]
    assert seen.treatment.first_dose == D(2026, 1, 5)
    world.do(lambda w: check_replays(w, world.office.library, CLINICIAN, view.request.id))
    world.on(D(2027, 6, 1))
    approved(world.carry_on(treatment))


def test_a_conversion_under_a_policy_that_says_nothing_of_it_is_for_people(world: World) -> None:
    world.office = office(policies.CHILD)
    view = world.trial(policy="child-policy", details=RequestDetails(**BEFORE))
    assert view.request.state is RequestState.REFERRED
    assert view.revision.context["decision_to_treat"] == "2026-06-10"


@pytest.mark.parametrize(
    ("details", "changes", "field"),
    [
        ({"started_under": FundingOrigin.TRIAL}, {}, "details.started_on"),
        ({"started_on": D(2026, 1, 5)}, {}, "details.started_under"),
        ({**BEFORE, "started_under": FundingOrigin.NHS}, {}, "details.started_under"),
        ({**BEFORE, "started_on": D(2026, 6, 11)}, {}, "details.started_on"),
        (BEFORE, {"first_dose": D(2026, 6, 20)}, "first_dose"),
    ],
)
def test_the_funding_before_and_its_day_must_fit(
    world: World, details: dict, changes: dict, field: str
) -> None:
    world.office = office(policies.CONVERTING)
    with pytest.raises(DetailsNotAccepted) as refused:
        world.trial(details=RequestDetails(**details), **changes)
    assert refused.value.field == field


# --- best value ---------------------------------------------------------------------------------


def test_another_product_than_the_best_value_needs_a_reason_of_the_policy(world: World) -> None:
    world.office = office(policies.BEST_VALUE)
    with pytest.raises(DetailsNotAccepted, match="asks for tyruko first"):
        world.trial(details=RequestDetails(product="tysabri"))
    with pytest.raises(DetailsNotAccepted, match="no reason of that key"):
        world.trial(details=RequestDetails(product="tysabri", product_reason="habit"))
    view = world.trial(details=RequestDetails(product="tysabri", product_reason="intolerance"))
    approved(view)
    assert view.request.details["product_reason"] == "intolerance"


def test_the_best_value_product_needs_no_reason_nor_does_any_once_its_time_is_over(
    world: World,
) -> None:
    world.office = office(policies.BEST_VALUE)
    treatment = approved(world.trial(details=RequestDetails(product="tyruko")))
    world.on(D(2027, 1, 1))
    approved(world.change(treatment, Kind.SWITCH, product="tysabri", from_day=D(2027, 1, 1)))
