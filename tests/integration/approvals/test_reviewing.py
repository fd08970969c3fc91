"""What people decide: pharmacist, panel with waivers, commissioner with free terms."""

import datetime as dt
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from app.approvals import amending, reviewing
from app.approvals.errors import (
    AlreadyApproved,
    DetailsNotAccepted,
    NotFound,
    NotWaivable,
    TransitionNotAllowed,
    VersionMismatch,
)
from app.approvals.lifecycle import ApprovalEvent, RequestState
from app.approvals.model import Basis, Interest, RequestView, Route
from app.approvals.office import PANEL, PHARMACIST_AUTHORISATION, Office, adopt
from app.approvals.replaying import check_replays
from app.approvals.reviewing import FundingDecision
from app.audit import request_trail
from app.auth.errors import NotAllowed
from app.auth.model import Caller, Role
from app.policy import Kind
from tests.world import (
    CLINICIAN,
    COMMISSIONER,
    OTHER_CLINICIAN,
    OTHER_COMMISSIONER,
    PANEL_MEMBER,
    PHARMACIST,
    TRIAL_ANSWERS,
    World,
    patient,
)

D = dt.date
S = RequestState
UNUSUAL = {**TRIAL_ANSWERS, "usual": False}
LOW = {**TRIAL_ANSWERS, "score": "4.0"}
LATER = D(2026, 7, 20)


def panel_approve(world: World, view: RequestView, *waived: str, by: Any = COMMISSIONER) -> Any:
    request = view.request
    return world.do(
        lambda w: reviewing.panel_approve(
            w,
            world.office,
            by,
            request.id,
            "agreed",
            frozenset(waived),
            request.version,
            declares_no_interest=by.role is Role.PANEL_MEMBER,
        )
    )


def escalate(world: World, view: RequestView) -> RequestView:
    request = view.request
    return world.do(
        lambda w: amending.escalate(w, CLINICIAN, request.id, "please", request.version)
    )


def replays(world: World, view: RequestView) -> int:
    return world.do(lambda w: check_replays(w, world.office.library, CLINICIAN, view.request.id))


# --- pharmacist -----------------------------------------------------------------------------


def test_where_the_trust_wants_it_the_pharmacist_authorises_first(wide: World) -> None:
    wide.set("DEMO1", PHARMACIST_AUTHORISATION, True)
    view = wide.trial()
    assert view.request.state is S.AWAITING_AUTHORISATION
    assert view.approval is None
    wide.on(LATER)
    with pytest.raises(NotAllowed):
        wide.do(lambda w: reviewing.authorise(w, wide.office, CLINICIAN, view.request.id, 2))
    done = wide.do(lambda w: reviewing.authorise(w, wide.office, PHARMACIST, view.request.id, 2))
    assert done.request.state is S.APPROVED
    assert [d.made_by for d in done.decisions] == ["policy", "pharmacist"]
    assert done.approval.covers_from == D(2026, 6, 15)  # the day of the policy's decision
    assert done.approval.decision_id == done.decisions[0].id
    assert done.approval.basis is Basis.POLICY


def test_the_setting_of_one_trust_is_not_that_of_another(wide: World) -> None:
    wide.set("DEMO2", PHARMACIST_AUTHORISATION, True)
    assert wide.trial().request.state is S.APPROVED


def test_a_refused_authorisation_goes_back_with_its_reason_and_is_amended(wide: World) -> None:
    wide.set("DEMO1", PHARMACIST_AUTHORISATION, True)
    view = wide.trial()
    back = wide.do(
        lambda w: reviewing.refuse_authorisation(w, PHARMACIST, view.request.id, "Check dose", 2)
    )
    assert back.request.state is S.RETURNED
    assert back.decision.reason == "Check dose"
    again = wide.do(
        lambda w: amending.amend(w, wide.office, CLINICIAN, view.request.id, {"score": "7.0"}, 3)
    )
    assert again.request.state is S.AWAITING_AUTHORISATION
    assert again.revision.answers["score"]["value"] == "7.0"


def test_after_a_panel_the_pharmacist_does_not_move_coverage_back(wide: World) -> None:
    wide.set("DEMO1", PHARMACIST_AUTHORISATION, True)
    view = wide.trial(answers=UNUSUAL)
    wide.on(LATER)
    agreed = panel_approve(wide, view)
    assert agreed.request.state is S.AWAITING_AUTHORISATION
    wide.on(D(2026, 7, 25))
    done = wide.do(lambda w: reviewing.authorise(w, wide.office, PHARMACIST, view.request.id, 3))
    assert done.approval.basis is Basis.PANEL
    assert done.approval.covers_from == LATER


# --- panel ----------------------------------------------------------------------------------


def test_a_referred_request_is_approved_from_the_panels_day(wide: World) -> None:
    view = wide.trial(answers=UNUSUAL)
    assert view.request.state is S.REFERRED
    wide.on(LATER)
    done = panel_approve(wide, view)
    assert done.request.state is S.APPROVED
    assert done.approval.covers_from == LATER
    assert done.approval.covers_to == D(2027, 7, 19)
    assert done.decision.reason == "agreed"
    assert replays(wide, done) == 2


def test_an_urgent_treatment_is_covered_from_its_first_dose_however_late_the_panel(
    wide: World,
) -> None:
    view = wide.trial(
        answers=UNUSUAL,
        decision_to_treat=D(2026, 6, 1),
        first_dose=D(2026, 6, 2),
        retrospective_reason="urgent",
    )
    wide.on(LATER)
    done = panel_approve(wide, view)
    assert (done.approval.covers_from, done.approval.late) == (D(2026, 6, 2), True)


def test_the_panel_of_the_policy_decides_and_nobody_else(wide: World) -> None:
    wide.set("DEMQ1", PANEL, {"trial-policy": "DEMP1"})
    view = wide.trial(answers=UNUSUAL)
    assert view.request.panel == "DEMP1"
    with pytest.raises(NotAllowed):
        panel_approve(wide, view)
    with pytest.raises(NotFound):
        panel_approve(wide, view, by=replace(PANEL_MEMBER, organisation="DEMP2"))
    assert panel_approve(wide, view, by=PANEL_MEMBER).request.state is S.APPROVED


def decide_as(world: World, view: RequestView, by: Caller, how: str, declares: bool) -> RequestView:
    """One of the panel's three decisions on a request, by this member."""
    request = view.request
    steps = {
        "approve": lambda w: reviewing.panel_approve(
            w, world.office, by, request.id, "ok", frozenset(), request.version, declares
        ),
        "decline": lambda w: reviewing.panel_decline(
            w, world.office, by, request.id, "no", request.version, declares
        ),
        "return": lambda w: reviewing.panel_return(
            w, by, request.id, "why?", request.version, declares
        ),
    }
    return world.do(steps[how])


@pytest.mark.parametrize("how", ["approve", "decline", "return"])
def test_a_member_of_a_panel_declares_no_interest_with_each_decision(wide: World, how: str) -> None:
    wide.set("DEMQ1", PANEL, "DEMP1")
    view = wide.trial(answers=UNUSUAL)
    with pytest.raises(DetailsNotAccepted, match="no interest"):
        decide_as(wide, view, PANEL_MEMBER, how, declares=False)
    done = decide_as(wide, view, PANEL_MEMBER, how, declares=True)
    assert done.decision.interest == Interest.NONE
    assert [d.interest for d in done.decisions[:-1]] == [None]  # the policy declares nothing


def test_a_commissioner_in_a_panels_place_may_declare(wide: World) -> None:
    view = wide.trial(answers=UNUSUAL)
    assert decide_as(wide, view, COMMISSIONER, "return", declares=False).decision.interest is None
    other = wide.trial(answers=UNUSUAL, patient=patient(2))
    assert decide_as(wide, other, COMMISSIONER, "return", declares=True).decision.interest == "none"


@pytest.mark.parametrize("how", ["approve", "decline", "return"])
def test_a_member_who_declared_an_interest_never_decides_and_another_does(
    wide: World, how: str
) -> None:
    wide.set("DEMQ1", PANEL, "DEMP1")
    view = wide.trial(answers=UNUSUAL)
    stood = wide.do(
        lambda w: reviewing.declare_interest(w, PANEL_MEMBER, view.request.id, "My own ward.", 2)
    )
    assert (stood.request.state, stood.request.version) == (S.REFERRED, 3)
    last = stood.decision
    assert (last.outcome, last.interest, last.reason) == ("stood aside", "declared", "My own ward.")
    for declares in (True, False):
        with pytest.raises(NotAllowed, match="declared an interest"):
            decide_as(wide, stood, PANEL_MEMBER, how, declares)
    other = replace(PANEL_MEMBER, id="another member")
    assert decide_as(wide, stood, other, how, True).decision.decided_by == "another member"


def test_an_interest_is_declared_only_by_the_panel_that_the_request_waits_for(wide: World) -> None:
    wide.set("DEMQ1", PANEL, "DEMP1")
    view = wide.trial(answers=UNUSUAL)
    decided = wide.trial(patient=patient(2))

    def declare(by: Caller, of: RequestView) -> Any:
        request = of.request
        return wide.do(
            lambda w: reviewing.declare_interest(w, by, request.id, "x", request.version)
        )

    with pytest.raises(NotAllowed):
        declare(COMMISSIONER, view)
    with pytest.raises(NotFound):
        declare(replace(PANEL_MEMBER, organisation="DEMP2"), view)
    with pytest.raises(TransitionNotAllowed):
        declare(COMMISSIONER, decided) if decided.request.panel is None else None


def test_a_declaration_is_in_the_audit_trail(wide: World) -> None:
    wide.set("DEMQ1", PANEL, "DEMP1")
    view = wide.trial(answers=UNUSUAL)
    wide.do(lambda w: reviewing.declare_interest(w, PANEL_MEMBER, view.request.id, "My ward.", 2))
    events = wide.do(lambda w: request_trail(w, view.request.id))
    said = [e.after for e in events if e.action == "decision: stood aside"]
    assert [(after["interest"], after["reason"]) for after in said] == [("declared", "My ward.")]
    assert events[-1].action == "request: panel member stands aside"


@pytest.mark.parametrize("answer", ["decline", "return"])
def test_a_panel_declines_or_returns_with_a_reason(wide: World, answer: str) -> None:
    view = wide.trial(answers=UNUSUAL)
    given = (COMMISSIONER, view.request.id, "because", 2)
    if answer == "decline":
        done = wide.do(lambda w: reviewing.panel_decline(w, wide.office, *given))
    else:
        done = wide.do(lambda w: reviewing.panel_return(w, *given))
    assert done.request.state is (S.DECLINED if answer == "decline" else S.RETURNED)
    assert done.decision.made_by == "panel"
    assert done.decision.reason == "because"
    assert done.approval is None
    with pytest.raises(TransitionNotAllowed):
        panel_approve(wide, done)
    if answer == "return":
        again = wide.do(
            lambda w: amending.amend(w, wide.office, CLINICIAN, view.request.id, {"usual": True}, 3)
        )
        assert again.request.state is S.REFERRED  # whoever asked hears the answer


def test_a_waivable_criterion_is_waived_on_record(wide: World) -> None:
    failed = wide.trial(answers=LOW)
    assert failed.request.state is S.CRITERIA_NOT_MET
    referred = escalate(wide, failed)
    assert referred.request.state is S.REFERRED
    told = referred.decisions[-1]  # the panel reads why
    assert (told.made_by, told.outcome, told.reason) == ("provider", "escalated", "please")
    with pytest.raises(NotWaivable, match="T-1 failed and is not waived"):
        panel_approve(wide, referred)
    done = panel_approve(wide, referred, "T-1")
    assert done.request.state is S.APPROVED
    assert done.decision.waived == ["T-1"]
    found = {f["criterion"]: f["result"] for f in done.decision.findings}
    assert found["T-1"] == "not met"  # the finding stays what it is
    assert replays(wide, done) == 2


@pytest.mark.parametrize("waived", ["T-2", "T-3", "T-99", "T-C1"])
def test_no_other_criterion_is_waived(wide: World, waived: str) -> None:
    referred = escalate(wide, wide.trial(answers=LOW))
    with pytest.raises(NotWaivable, match="may be waived"):
        panel_approve(wide, referred, "T-1", waived)


def test_a_criterion_that_is_met_cannot_be_waived(wide: World) -> None:
    view = wide.trial(answers=UNUSUAL)
    with pytest.raises(NotWaivable, match="did not fail"):
        panel_approve(wide, view, "T-1")


def test_the_panel_does_not_approve_over_a_missing_answer(wide: World) -> None:
    answers = {"score": "4.0", "usual": True}  # T-1 fails, T-2 is not answered
    view = wide.trial(answers=answers)
    assert view.request.state is S.CRITERIA_NOT_MET
    referred = escalate(wide, view)
    with pytest.raises(NotWaivable, match="not answered: risk"):
        panel_approve(wide, referred, "T-1")
    assert wide.request(view.request.id).approval is None


@pytest.mark.parametrize("answers", [{**TRIAL_ANSWERS, "risk": True}, {**LOW, "risk": True}])
def test_what_cannot_be_waived_is_not_sent_to_the_panel(
    wide: World, answers: dict[str, Any]
) -> None:
    view = wide.trial(answers=answers)
    with pytest.raises(TransitionNotAllowed, match="cannot be waived"):
        escalate(wide, view)


def test_new_starts_of_obeticholic_acid_are_referred(world: World) -> None:
    answers = {
        "pbc_diagnosis": True,
        "udca_status": "inadequate",
        "udca_started_on": "2024-01-10",
        "udca_dose_mg": {"value": 1000, "unit": "mg"},
        "weight_kg": {"value": 70, "unit": "kg"},
        "alp_at_start": {"value": 300, "unit": "U/L"},
        "alp_upper_limit": {"value": 120, "unit": "U/L"},
        "bilirubin": {"value": 12, "unit": "umol/L"},
        "bilirubin_upper_limit": {"value": 21, "unit": "umol/L"},
        "mdt_delegated": True,
        "mdt_on": "2026-05-20",
        "mdt_meets_monthly": True,
        "service_24_7": True,
        "hepatologists_wte": "2.0",
        "centre_registry": True,
        "child_pugh": "none",
        "ever_decompensated": False,
        "portal_hypertension": False,
        "biliary_obstruction": False,
        "dose_mg": {"value": 5, "unit": "mg"},
    }
    view = world.submit(policy="obeticholic-acid-pbc", answers=answers)
    assert view.request.policy_version == "2024-12-19.1"
    assert view.request.state is S.REFERRED, view.decision
    assert view.approval is None


# --- the commissioner -----------------------------------------------------------------------

FUNDING = FundingDecision(
    basis=Basis.INDIVIDUAL_FUNDING,
    case_reference="IFR/1",
    from_day=D(2026, 6, 1),
    to_day=D(2026, 9, 30),
    terms="Three cycles, then report.",
    reason="Exceptional",
    unit_price_cap=Decimal("1234.56"),
    price_unit="vial",
    quantity_cap=Decimal(12),
    quantity_unit="vial",
)


def fund(world: World, view: RequestView, by: Any = COMMISSIONER, **changes: Any) -> RequestView:
    request = view.request
    funding = replace(FUNDING, **changes)
    return world.do(
        lambda w: reviewing.record_funding(
            w, world.office, by, request.id, funding, request.version
        )
    )


@pytest.mark.parametrize("route", [Route.INDIVIDUAL_FUNDING, Route.GROUP_APPROVAL])
def test_a_commissioner_funds_with_free_terms(wide: World, route: Route) -> None:
    view = wide.trial(route=route, answers=LOW)
    assert view.request.state is S.REFERRED
    with pytest.raises(TransitionNotAllowed, match="records its decision"):
        panel_approve(wide, view)
    done = fund(wide, view, basis=Basis(route.value))
    assert done.request.state is S.APPROVED
    assert done.approval.basis == route.value
    assert (done.approval.covers_from, done.approval.covers_to) == (D(2026, 6, 1), D(2026, 9, 30))
    assert done.approval.late  # the commissioner's own days reach back before the form
    assert done.approval.terms["terms"] == "Three cycles, then report."
    segment = wide.treatment(view.request.treatment_id).segments[0]
    assert segment.unit_price_cap == Decimal("1234.56")
    assert segment.quantity_unit == "vial"
    assert replays(wide, done) == 1


def test_a_first_dose_leaves_the_commissioners_days_alone(wide: World) -> None:
    view = fund(wide, wide.trial(route=Route.INDIVIDUAL_FUNDING))
    wide.on(LATER)
    treated = wide.first_dose(view.request.treatment_id, D(2026, 7, 1))
    assert treated.treatment.first_dose == D(2026, 7, 1)
    assert treated.segments[0].to_day == D(2026, 9, 30)


@pytest.mark.parametrize(
    "changes",
    [
        {"basis": Basis.POLICY},
        {"basis": Basis.PANEL},
        {"basis": Basis.IMPORTED},
        {"to_day": D(2026, 5, 31)},
        {"unit_price_cap": Decimal(0)},
        {"unit_price_cap": Decimal("NaN")},
        {"price_unit": None},
        {"quantity_cap": None},
    ],
)
def test_funding_that_cannot_be_is_refused(wide: World, changes: dict[str, Any]) -> None:
    view = wide.trial(route=Route.INDIVIDUAL_FUNDING)
    with pytest.raises(DetailsNotAccepted):
        fund(wide, view, **changes)


def test_funding_covers_no_day_a_second_time(wide: World) -> None:
    first = wide.trial()
    wide.on(D(2027, 6, 1))
    failed = wide.carry_on(first.request.treatment_id, answers={"score_now": "9.0"})
    assert failed.request.state is S.CRITERIA_NOT_MET
    with pytest.raises(DetailsNotAccepted, match="covered by an approval"):
        fund(wide, failed, from_day=D(2027, 6, 14), to_day=None)
    done = fund(wide, failed, from_day=D(2027, 6, 15), to_day=None)
    assert done.request.state is S.APPROVED
    # an approval without an end gives way to what continues it
    wide.on(D(2028, 1, 10))
    wide.carry_on(first.request.treatment_id)
    segments = wide.treatment(first.request.treatment_id).segments
    assert [(s.from_day, s.to_day) for s in segments][-2:] == [
        (D(2027, 6, 15), D(2028, 1, 9)),
        (D(2028, 1, 10), None),
    ]


def test_funding_does_not_make_a_second_live_approval(wide: World) -> None:
    failed = wide.trial(answers=LOW)
    wide.trial(OTHER_CLINICIAN)
    with pytest.raises(AlreadyApproved):
        fund(wide, failed)


def test_only_the_commissioner_who_pays_funds(wide: World) -> None:
    view = wide.trial(answers=LOW)
    with pytest.raises(NotFound):
        fund(wide, view, OTHER_COMMISSIONER)
    with pytest.raises(NotAllowed):
        fund(wide, view, CLINICIAN)
    with pytest.raises(VersionMismatch):
        wide.do(
            lambda w: reviewing.record_funding(
                w, wide.office, COMMISSIONER, view.request.id, FUNDING, 1
            )
        )


@pytest.mark.parametrize(
    "step", [ApprovalEvent.END, ApprovalEvent.QUERY, ApprovalEvent.NOT_STARTED]
)
def test_a_query_is_not_resolved_by_another_step(wide: World, step: ApprovalEvent) -> None:
    view = wide.trial()
    with pytest.raises(TransitionNotAllowed, match="A query is resolved by"):
        wide.do(
            lambda w: reviewing.resolve_query(
                w, COMMISSIONER, view.approval.reference, step, "why", 1
            )
        )
    assert len(wide.treatment(view.request.treatment_id).segments) == 1


# --- outside demonstration ------------------------------------------------------------------


def test_a_version_decides_only_where_it_was_adopted(wide: World) -> None:
    wide.office = Office(wide.office.library, demonstration=False)
    version = wide.office.library.deciding("trial-policy", "initiation", D(2026, 6, 10))
    refused = wide.trial(patient=patient(7))
    assert refused.request.state is S.REFERRED
    assert "has not adopted" in refused.decision.reasons[-1]
    missing = wide.trial(patient=patient(8), answers={})
    assert missing.request.state is S.MORE_INFORMATION_NEEDED
    wide.do(lambda w: adopt(w, version, "DEMQ1", D(2026, 6, 1), "One", "Two"))
    done = wide.trial()
    assert done.request.state is S.APPROVED
    assert {replays(wide, view) for view in (refused, missing, done)} == {1}
    elsewhere = wide.trial(patient=patient(9), commissioner="DEMQ2")
    assert elsewhere.request.state is S.REFERRED


def test_a_version_with_an_unverified_criterion_only_refers(world: World) -> None:
    world.office = Office(world.office.library, demonstration=False)
    version = world.office.library.deciding("adalimumab-ra-severe", "initiation", D(2026, 6, 10))
    assert version.unverified
    world.do(lambda w: adopt(w, version, "DEMQ1", D(2026, 6, 1), "One", "Two"))
    view = world.submit()
    assert view.request.state is S.REFERRED
    assert "not yet checked at their source" in view.decision.reasons[-1]
    assert view.approval is None
    assert replays(world, view) == 1


def test_without_authority_a_switch_is_referred_too(wide: World) -> None:
    view = wide.trial()
    wide.office = Office(wide.office.library, demonstration=False)
    switch = wide.change(
        view.request.treatment_id, Kind.SWITCH, product="tysabri", from_day=D(2026, 6, 15)
    )
    assert switch.request.state is S.REFERRED
    assert replays(wide, switch) == 1
