"""The panel overturns an urgent start: what is paid for doses given, and that nothing goes on."""

import datetime as dt
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from app.approvals import (
    amending,
    changing,
    claiming,
    correcting,
    due,
    reviewing,
    searching,
    starting,
    store,
)
from app.approvals.doses_given import PATTERN
from app.approvals.errors import DetailsNotAccepted, TransitionNotAllowed
from app.approvals.lifecycle import ApprovalState, RequestState
from app.approvals.model import (
    Basis,
    Dose,
    EmergencyStart,
    FollowUpCommand,
    RequestDetails,
    RequestView,
    Route,
    SegmentRecord,
    StopReason,
)
from app.approvals.office import PANEL
from app.approvals.replaying import check_replays
from app.approvals.reviewing import FundingDecision, Ruling
from app.approvals.standing import has_standing, is_live
from app.audit import request_trail
from app.auth.errors import NotAllowed
from app.auth.model import Caller, Role
from app.db import tables
from app.insight import counting
from app.insight.figures import Name
from app.policy import Kind
from tests.world import (
    CLINICIAN,
    COMMISSIONER,
    OTHER_CLINICIAN,
    PANEL_MEMBER,
    TRIAL_ANSWERS,
    World,
    patient,
)

D = dt.date
S, A = RequestState, ApprovalState
UNUSUAL = {**TRIAL_ANSWERS, "usual": False}
NIGHT = dt.datetime(2026, 6, 5, 2, 30, tzinfo=dt.UTC)
FIRST, FORM, RULED = D(2026, 6, 5), D(2026, 6, 15), D(2026, 7, 20)
URGENT: dict[str, Any] = {
    "answers": UNUSUAL,
    "decision_to_treat": FIRST,
    "first_dose": FIRST,
    "retrospective_reason": "urgent",
    "details": RequestDetails(
        emergency=EmergencyStart("haematologist on call", "the panel's emergency line", NIGHT)
    ),
}
PAID, NOT_PAID = Ruling("not funded", paid=True), Ruling("not funded", paid=False)


def urgent(world: World, **changes: Any) -> RequestView:
    """An urgent start that was referred; the clock is then at the panel's day."""
    view = world.trial(**{**URGENT, **changes})
    assert view.request.state is S.REFERRED
    world.on(RULED)
    return view


def overturn(
    world: World, view: RequestView, ruling: Ruling = PAID, by: Caller = COMMISSIONER
) -> RequestView:
    request = view.request
    declares = by.role is Role.PANEL_MEMBER
    return world.do(
        lambda w: reviewing.overturn(
            w, world.office, by, request.id, ruling, request.version, declares
        )
    )


def fund(world: World, view: RequestView, first: D, last: D | None = None) -> RequestView:
    funding = FundingDecision(Basis.INDIVIDUAL_FUNDING, "IFR-1", first, last, "terms", "why")
    return world.do(
        lambda w: reviewing.record_funding(
            w, world.office, COMMISSIONER, view.request.id, funding, view.request.version
        )
    )


def correct(world: World, view: RequestView, **answers: Any) -> RequestView:
    return world.do(
        lambda w: correcting.correct(
            w,
            world.office,
            CLINICIAN,
            view.request.id,
            answers,
            frozenset(),
            "was wrong",
            view.request.version,
        )
    )


def error(world: World, view: RequestView) -> RequestView:
    request = view.request
    return world.do(
        lambda w: correcting.enter_in_error(w, CLINICIAN, request.id, "x", request.version)
    )


def segments(world: World) -> tuple[SegmentRecord, ...]:
    """Every coverage in force, of any treatment, by day."""
    s = tables.segment
    query = (
        sa.select(s)
        .where(s.c.kind == "coverage", s.c.superseded_at.is_(None))
        .order_by(s.c.from_day)
    )
    rows = world.do(lambda w: w.connection.execute(query).mappings().all())
    return tuple(store.as_record(SegmentRecord, row) for row in rows)


def days(world: World) -> list[tuple[D, D | None]]:
    return [(s.from_day, s.to_day) for s in segments(world)]


# --- what a refusal says ------------------------------------------------------------------------


def test_an_urgent_start_is_not_plainly_declined(wide: World) -> None:
    view = urgent(wide)
    with pytest.raises(TransitionNotAllowed, match="Overturn the urgent start"):
        wide.do(
            lambda w: reviewing.panel_decline(
                w, wide.office, COMMISSIONER, view.request.id, "no", 2
            )
        )
    after = wide.request(view.request.id)
    assert (after.request, after.decisions) == (view.request, view.decisions)


@pytest.mark.parametrize(
    "changes",
    [
        {"details": RequestDetails(), "first_dose": None, "retrospective_reason": None},
        {"details": RequestDetails()},  # late, but no office let it begin
    ],
)
def test_of_any_other_request_nothing_is_overturned_and_it_is_declined(
    wide: World, changes: dict[str, Any]
) -> None:
    view = urgent(wide, **changes)
    with pytest.raises(TransitionNotAllowed, match="nothing to overturn"):
        overturn(wide, view)
    done = wide.do(
        lambda w: reviewing.panel_decline(w, wide.office, COMMISSIONER, view.request.id, "no", 2)
    )
    assert done.request.state is S.DECLINED


def test_where_the_first_dose_is_still_ahead_no_dose_was_given(wide: World) -> None:
    ahead = {**URGENT, "first_dose": D(2026, 6, 20)}
    view = wide.trial(**ahead)
    with pytest.raises(TransitionNotAllowed, match="nothing to overturn"):
        overturn(wide, view)
    wide.on(D(2026, 6, 20))
    with pytest.raises(TransitionNotAllowed, match="Overturn the urgent start"):
        wide.do(
            lambda w: reviewing.panel_decline(
                w, wide.office, COMMISSIONER, view.request.id, "no", 2
            )
        )
    assert overturn(wide, view).doses_given.covers_from == D(2026, 6, 20)


def test_what_is_asked_outside_the_policy_is_the_commissioners(wide: World) -> None:
    view = urgent(wide, route=Route.INDIVIDUAL_FUNDING)
    with pytest.raises(TransitionNotAllowed, match="records its decision"):
        overturn(wide, view)


def test_only_the_panel_that_it_waits_for_overturns_declaring_no_interest(wide: World) -> None:
    wide.set("DEMQ1", PANEL, "DEMP1")
    view = urgent(wide)
    with pytest.raises(NotAllowed):
        overturn(wide, view)
    with pytest.raises(DetailsNotAccepted, match="no interest"):
        wide.do(
            lambda w: reviewing.overturn(w, wide.office, PANEL_MEMBER, view.request.id, PAID, 2)
        )
    other = replace(PANEL_MEMBER, id="another member")
    aside = wide.do(
        lambda w: reviewing.declare_interest(w, PANEL_MEMBER, view.request.id, "My ward.", 2)
    )
    with pytest.raises(NotAllowed, match="declared an interest"):
        overturn(wide, aside, by=PANEL_MEMBER)
    done = overturn(wide, aside, by=other)
    assert (done.decision.interest, done.decision.decided_by) == ("none", "another member")


@pytest.mark.parametrize(
    ("to", "accepted"),
    [(D(2026, 6, 4), False), (FIRST, True), (RULED, True), (D(2026, 7, 21), False), (None, True)],
)
def test_doses_are_paid_for_from_the_first_to_the_day_of_the_decision_at_most(
    wide: World, to: D | None, accepted: bool
) -> None:
    view = urgent(wide)
    ruling = replace(PAID, paid_to=to)
    if not accepted:
        with pytest.raises(DetailsNotAccepted, match=r"5 June 2026.*20 July 2026"):
            overturn(wide, view, ruling)
        assert days(wide) == []
        return
    done = overturn(wide, view, ruling)
    assert days(wide) == [(FIRST, to or RULED)]
    assert done.decision.doses_given == {
        "from_day": "2026-06-05",
        "to_day": (to or RULED).isoformat(),
        "paid": True,
    }


def test_doses_that_are_not_paid_for_have_no_last_day(wide: World) -> None:
    with pytest.raises(DetailsNotAccepted, match="no last day"):
        overturn(wide, urgent(wide), replace(NOT_PAID, paid_to=FIRST))


def test_after_a_recorded_stop_no_later_day_is_paid_for(wide: World) -> None:
    view = wide.trial(**URGENT)
    stop = {"from_day": D(2026, 6, 12), "stop_reason": StopReason.ADVERSE_EFFECT}
    wide.change(view.request.treatment_id, Kind.STOP, **stop)
    wide.on(RULED)
    with pytest.raises(DetailsNotAccepted, match="recorded stop, 12 June 2026"):
        overturn(wide, view, replace(PAID, paid_to=RULED))
    overturn(wide, view)
    assert days(wide) == [(FIRST, D(2026, 6, 12))]


# --- what is issued -----------------------------------------------------------------------------


def test_what_is_paid_for_is_an_approval_of_these_days_alone(wide: World) -> None:
    view = urgent(wide)
    done = overturn(wide, view)
    assert done.request.state is S.DECLINED
    assert done.approval is None  # nobody who reads the request takes it for approved
    pays = done.doses_given
    assert (pays.state, pays.basis, pays.late) == (A.DOSES_GIVEN, Basis.PANEL, True)
    assert (pays.covers_from, pays.covers_to, pays.start_by) == (FIRST, RULED, None)
    assert (pays.decision_id, pays.retrospective_reason) == (done.decision.id, "urgent")
    assert pays.terms["pattern"] == PATTERN
    assert pays.terms["products"] == ["tysabri"]
    assert "grace_days" not in pays.terms
    (segment,) = segments(wide)
    assert (segment.approval_id, segment.provider) == (pays.id, "DEMO1")
    assert check_count(wide, view) == 1
    assert wide.treatment(view.request.treatment_id).treatment.first_dose == FIRST


def check_count(world: World, view: RequestView) -> int:
    library = world.office.library
    return world.do(lambda w: check_replays(w, library, CLINICIAN, view.request.id))


def test_not_paid_covers_nothing(wide: World) -> None:
    done = overturn(wide, urgent(wide), NOT_PAID)
    assert (done.request.state, done.approval, done.doses_given) == (S.DECLINED, None, None)
    assert done.decision.doses_given == {
        "from_day": "2026-06-05",
        "to_day": "2026-07-20",
        "paid": False,
    }
    assert wide.treatment(done.request.treatment_id).approvals == ()
    assert days(wide) == []


def test_the_trail_tells_who_overturned_what_before_and_after(wide: World) -> None:
    wide.set("DEMQ1", PANEL, "DEMP1")
    view = urgent(wide)
    overturn(wide, view, by=PANEL_MEMBER)
    events = wide.do(lambda w: request_trail(w, view.request.id))
    told = {e.action: e for e in events if e.actor.id == PANEL_MEMBER.id}
    assert list(told) == [
        "decision: overturned",
        "request: panel overturns an urgent start",
        "doses given are paid for",
        "first dose recorded",
    ]
    given = {"from_day": "2026-06-05", "to_day": "2026-07-20", "paid": True}
    assert told["decision: overturned"].after["doses_given"] == given
    moved = told["request: panel overturns an urgent start"]
    assert (moved.before, moved.after["state"]) == ({"state": "referred"}, "declined")
    assert told["doses given are paid for"].after["state"] == "doses given only"


# --- nothing takes it for a live one ------------------------------------------------------------


def test_no_reader_takes_it_for_a_live_approval(wide: World) -> None:
    view = urgent(wide)
    done = overturn(wide, view)
    tid = view.request.treatment_id
    known = wide.treatment(tid).treatment
    for day in (FIRST, RULED, D(2026, 7, 21)):
        assert not wide.do(lambda w, d=day: is_live(w, known, d))
    assert not wide.do(lambda w: has_standing(w, tid))
    assert wide.do(lambda w: w.connection.execute(sa.select(tables.live_treatment)).all()) == []
    span = (D(2026, 1, 1), D(2028, 1, 1))
    assert wide.do(lambda w: due.approvals_due(w, CLINICIAN, *span, 10)) == ()
    listed = searching.SearchQuery(review_due_by=D(2030, 1, 1))
    assert wide.do(lambda w: searching.search(w, CLINICIAN, listed)).hits == ()
    hit = wide.do(lambda w: searching.search(w, CLINICIAN, searching.SearchQuery())).hits[0]
    assert (hit.covered_to, hit.references) == (None, (done.doses_given.reference,))
    number = wide.treatment(tid).patient.nhs_number
    asked = (number, patient().birth_date, "natalizumab", "invented", "Referred.")
    for who in (CLINICIAN, OTHER_CLINICIAN):
        told = wide.do(lambda w, c=who: searching.approval_exists(w, c, *asked))
        assert (told.exists, told.own) == (False, False)
    claimed = wide.do(lambda w: claiming.claim(w, wide.office, OTHER_CLINICIAN, *asked))
    assert (claimed.approval, claimed.first_dose, claimed.baseline) == (None, None, {})


def test_it_is_no_approval_issued_and_no_treatment_under_approval(wide: World) -> None:
    overturn(wide, urgent(wide))
    figures = wide.do(lambda w: tuple(f.name for f in _counted(w)))
    assert Name.REQUESTS in figures
    assert not {Name.APPROVALS_ISSUED, Name.UNDER_APPROVAL, Name.OVERDUE} & set(figures)


def _counted(work: Any) -> Any:
    return (
        *counting._approvals(work, "DEMQ1"),
        *counting._continuations(work, "DEMQ1"),
        *counting._requests(work, "DEMQ1"),
    )


def test_nothing_builds_on_it(wide: World) -> None:
    view = urgent(wide)
    overturn(wide, view)
    tid = view.request.treatment_id
    with pytest.raises(DetailsNotAccepted, match="no standing approval"):
        wide.carry_on(tid)
    for kind, details in (
        (Kind.SWITCH, {"product": "tysabri", "from_day": RULED}),
        (Kind.TRANSFER, {"to_provider": "DEMO2", "from_day": RULED}),
    ):
        with pytest.raises((TransitionNotAllowed, DetailsNotAccepted)):
            wide.change(tid, kind, **details)
    for step in (
        lambda w: starting.record_first_dose(w, wide.office, CLINICIAN, tid, FIRST, 2),
        lambda w: starting.record_not_started(w, CLINICIAN, tid, "x", 2),
    ):
        with pytest.raises(TransitionNotAllowed):
            wide.do(step)
    assert days(wide) == [(FIRST, RULED)]


# --- what may follow, and that no day is covered twice --------------------------------------------


def allow(world: World, view: RequestView) -> RequestView:
    """The new form comes to whoever overturned the old one (ADR 76), and is approved."""
    assert view.request.state is S.REFERRED
    request, none = view.request, frozenset[str]()
    return world.do(
        lambda w: reviewing.panel_approve(
            w, world.office, COMMISSIONER, request.id, "yes", none, request.version
        )
    )


def test_a_new_first_request_is_approved_and_covers_no_day_twice(wide: World) -> None:
    overturn(wide, urgent(wide))
    again = allow(
        wide,
        wide.trial(
            decision_to_treat=D(2026, 7, 10),
            first_dose=D(2026, 7, 10),
            retrospective_reason="urgent",
        ),
    )
    assert again.request.state is S.APPROVED
    assert days(wide) == [(FIRST, RULED), (D(2026, 7, 21), again.approval.covers_to)]
    known = wide.treatment(again.request.treatment_id).treatment
    assert wide.do(lambda w: is_live(w, known, RULED))


def test_a_new_first_request_after_nothing_was_paid_covers_as_any_other(wide: World) -> None:
    view = overturn(wide, urgent(wide), NOT_PAID)
    again = allow(wide, wide.trial())
    assert again.request.treatment_id == view.request.treatment_id
    assert again.approval.covers_from == RULED


def test_the_commissioner_funds_the_rest_and_never_a_day_twice(wide: World) -> None:
    done = overturn(wide, urgent(wide), replace(PAID, paid_to=D(2026, 6, 30)))
    with pytest.raises(DetailsNotAccepted, match="covered by an approval"):
        fund(wide, done, D(2026, 6, 30), D(2027, 6, 30))
    funded = fund(wide, done, D(2026, 7, 1), D(2027, 6, 30))
    assert (funded.request.state, funded.approval.basis) == (S.APPROVED, Basis.INDIVIDUAL_FUNDING)
    assert funded.approval.state is A.LIVE
    assert funded.doses_given.state is A.DOSES_GIVEN
    assert days(wide) == [(FIRST, D(2026, 6, 30)), (D(2026, 7, 1), D(2027, 6, 30))]
    assert wide.carry_on(funded.request.treatment_id).request.kind is Kind.CONTINUATION


def test_the_commissioner_may_fund_what_the_panel_did_not_pay_for(wide: World) -> None:
    done = overturn(wide, urgent(wide), NOT_PAID)
    funded = fund(wide, done, FIRST, D(2027, 6, 4))
    assert (funded.request.state, funded.approval.late) == (S.APPROVED, True)


def test_days_that_another_approval_covers_are_not_paid_for_again(wide: World) -> None:
    view = wide.trial(**{**URGENT, "patient": patient(2)})
    # An earlier course of the patient's at the same hospital, stopped on the day that it covers to.
    earlier = wide.trial(**{**URGENT, "patient": patient(1)})
    wide.on(RULED)
    fund(wide, earlier, D(2026, 6, 10), D(2026, 6, 12))
    with_other = _same_patient(wide, earlier, view)
    overturn(wide, with_other)
    assert days(wide) == [
        (FIRST, D(2026, 6, 9)),
        (D(2026, 6, 10), D(2026, 6, 12)),
        (D(2026, 6, 13), RULED),
    ]


def _same_patient(world: World, earlier: RequestView, view: RequestView) -> RequestView:
    """The second request, its treatment become one of the first one's patient."""
    t = tables.treatment
    patient_id = world.treatment(earlier.request.treatment_id).treatment.patient_id
    world.do(
        lambda w: w.connection.execute(
            sa.update(t).where(t.c.id == view.request.treatment_id).values(patient_id=patient_id)
        )
    )
    return view


def test_where_another_approval_covers_every_day_nothing_is_paid_for(wide: World) -> None:
    earlier = wide.trial(**{**URGENT, "patient": patient(1)})
    view = wide.trial(**{**URGENT, "patient": patient(2)})
    wide.on(RULED)
    fund(wide, earlier, FIRST, None)
    with pytest.raises(DetailsNotAccepted, match="covered by another approval already"):
        overturn(wide, _same_patient(wide, earlier, view))
    assert days(wide) == [(FIRST, None)]


# --- a continuation that could not wait ---------------------------------------------------------


def test_an_urgent_continuation_is_paid_from_its_authorisation_and_the_old_approval_stands(
    wide: World,
) -> None:
    first = wide.trial()  # covers a year from 15 June 2026
    tid = first.request.treatment_id
    wide.first_dose(tid, FORM)
    wide.on(D(2027, 8, 10))  # past the days of grace
    night = dt.datetime(2027, 8, 3, 1, 0, tzinfo=dt.UTC)
    details = RequestDetails(emergency=EmergencyStart("registrar", "the office", night))
    view = wide.carry_on(
        tid,
        answers={"score_now": "9.5"},
        details=details,
        retrospective_reason="urgent",
        route=Route.POLICY,
    )
    if view.request.state is S.CRITERIA_NOT_MET:
        view = _referred(wide, view)
    done = overturn(wide, view)
    assert (done.doses_given.covers_from, done.doses_given.covers_to) == (
        D(2027, 8, 3),
        D(2027, 8, 10),
    )
    assert days(wide) == [(FORM, D(2027, 6, 14)), (D(2027, 8, 3), D(2027, 8, 10))]
    assert wide.request(first.request.id).approval.state is A.LIVE  # past, and as it was
    assert wide.treatment(tid).treatment.first_dose == FORM
    error(wide, done)
    assert days(wide) == [(FORM, D(2027, 6, 14))]


def _referred(world: World, view: RequestView) -> RequestView:
    """As if the policy had referred it: none of the invented one's continuations is."""
    r = tables.request
    world.do(
        lambda w: w.connection.execute(
            sa.update(r).where(r.c.id == view.request.id).values(state=S.REFERRED)
        )
    )
    return world.request(view.request.id)


# --- corrections, errors, stops -------------------------------------------------------------------


def test_a_correction_leads_back_to_the_panel_and_what_was_paid_stays_paid(wide: World) -> None:
    done = overturn(wide, urgent(wide))
    back = correct(wide, done, score="8.0")
    assert back.request.state is S.REFERRED
    assert back.doses_given.state is A.DOSES_GIVEN
    approved = wide.do(
        lambda w: reviewing.panel_approve(
            w, wide.office, COMMISSIONER, back.request.id, "ok", frozenset(), back.request.version
        )
    )
    assert approved.approval.state is A.LIVE
    assert days(wide) == [(FIRST, RULED), (D(2026, 7, 21), D(2027, 6, 4))]


def test_a_correction_that_changes_nothing_for_the_panel_leaves_it_overturned(wide: World) -> None:
    done = overturn(wide, urgent(wide))
    still = correct(wide, done, risk=True)
    assert (still.request.state, still.approval) == (S.DECLINED, None)
    assert days(wide) == [(FIRST, RULED)]


@pytest.mark.parametrize(
    ("then", "left"),
    [(NOT_PAID, []), (replace(PAID, paid_to=D(2026, 6, 10)), [(FIRST, D(2026, 6, 10))])],
)
def test_a_second_ruling_stands_in_the_place_of_the_first(
    wide: World, then: Ruling, left: list[Any]
) -> None:
    first = overturn(wide, urgent(wide))
    again = overturn(wide, correct(wide, first, score="8.0"), then)
    assert days(wide) == left
    assert again.approval is None
    known = wide.treatment(again.request.treatment_id).approvals
    assert [a.state for a in known] == [A.WITHDRAWN, *([A.DOSES_GIVEN] if left else [])]


def test_entered_in_error_it_pays_for_nothing_any_more(wide: World) -> None:
    done = overturn(wide, urgent(wide))
    gone = error(wide, done)
    assert (gone.request.state, gone.approval, gone.doses_given) == (S.ENTERED_IN_ERROR, None, None)
    assert days(wide) == []
    (known,) = wide.treatment(gone.request.treatment_id).approvals
    assert known.state is A.ENTERED_IN_ERROR  # at once: it never goes under query, nor counts
    assert not wide.do(lambda w: has_standing(w, gone.request.treatment_id))


def test_entered_in_error_after_funding_the_funding_is_queried_and_the_rest_goes(
    wide: World,
) -> None:
    done = overturn(wide, urgent(wide), replace(PAID, paid_to=D(2026, 6, 30)))
    funded = fund(wide, done, D(2026, 7, 1), D(2027, 6, 30))
    gone = error(wide, funded)
    assert gone.approval.state is A.UNDER_QUERY
    assert days(wide) == [(D(2026, 7, 1), D(2027, 6, 30))]


def test_a_stop_taken_back_does_not_make_it_live_and_loses_no_day(wide: World) -> None:
    done = overturn(wide, urgent(wide))
    tid = done.request.treatment_id
    command = FollowUpCommand(
        treatment_id=tid,
        kind=Kind.STOP,
        decision_to_treat=RULED,
        answers={},
        details=RequestDetails(from_day=D(2026, 6, 20), stop_reason=StopReason.OTHER),
    )
    stop = wide.do(lambda w: changing.submit_change(w, wide.office, CLINICIAN, command))
    assert days(wide) == [(FIRST, D(2026, 6, 20))]
    error(wide, stop)
    assert days(wide) == [(FIRST, RULED)]
    (known,) = wide.treatment(tid).approvals
    assert known.state is A.DOSES_GIVEN
    assert not wide.do(lambda w: has_standing(w, tid))


def test_a_request_taken_back_after_a_correction_leaves_what_the_panel_paid(wide: World) -> None:
    back = correct(wide, overturn(wide, urgent(wide)), score="8.0")
    gone = wide.do(
        lambda w: amending.withdraw(w, CLINICIAN, back.request.id, "x", back.request.version)
    )
    assert gone.request.state is S.WITHDRAWN
    assert days(wide) == [(FIRST, RULED)]


def test_the_dose_that_was_asked_for_is_the_segments(wide: World) -> None:
    details = replace(URGENT["details"], dose=Dose(Decimal(300), "mg", 28))
    overturn(wide, urgent(wide, details=details))
    (segment,) = segments(wide)
    assert (segment.dose_amount, segment.dose_every_days) == (Decimal(300), 28)
