"""Every state that approvals come to, as matching sees it and as an invoice line then ends."""

import csv
import datetime as dt
import io
from decimal import Decimal
from typing import Any

import pytest

from app.approvals import correcting, importing, patients, reviewing, starting
from app.approvals.claiming import claim
from app.approvals.lifecycle import ApprovalEvent, RequestState
from app.approvals.model import (
    Basis,
    Dose,
    FundingOrigin,
    NoNumberReason,
    RequestDetails,
    RequestView,
    Route,
    StopReason,
)
from app.approvals.office import PHARMACIST_AUTHORISATION
from app.approvals.reviewing import FundingDecision
from app.policy import Kind
from app.reconciliation import LineOutcome as O
from app.reference_data.drugs import load_drugs
from app.reference_data.nhs_number import test_number as invented_nhs_number
from app.reference_data.organisations import load_organisations
from tests.integration.reconciliation.matching import (
    END,
    GRACE_END,
    LATER,
    START,
    days,
    line,
    match,
    only,
    outcome,
    take,
)
from tests.world import (
    CLINICIAN,
    COMMISSIONER,
    OTHER_CLINICIAN,
    PHARMACIST,
    TRIAL_ANSWERS,
    World,
    patient,
)

D = dt.date
DAY = dt.timedelta(days=1)
LOW = {**TRIAL_ANSWERS, "score": "4.0"}
UNUSUAL = {**TRIAL_ANSWERS, "usual": False}
UNANSWERED = {"score": "6.0", "usual": True}


@pytest.fixture
def running(world: World) -> str:
    """A treatment approved on 15 June, seen on 1 August."""
    view = world.trial()
    assert view.request.state is RequestState.APPROVED
    world.on(LATER)
    return view.request.treatment_id


# --- approved -----------------------------------------------------------------------------------


def test_an_approved_treatment_is_one_coverage_with_all_that_matching_needs(world: World) -> None:
    view = world.trial(
        details=RequestDetails(product="tysabri", supplying_providers=("DEMO3", "DEMO2"))
    )
    assert view.approval is not None
    seen = only(take(world))
    assert (seen.from_, seen.to, seen.grace_to, seen.continuation_due) == (
        START,
        END,
        GRACE_END,
        END,
    )
    assert seen.treatment_id == view.request.treatment_id
    assert seen.approval_reference == view.approval.reference
    assert (seen.drug, seen.indication_key) == ("natalizumab", "invented")
    assert seen.nhs_number == patient().nhs_number
    assert seen.local_ids == {("DEMO1", "H000001")}
    assert seen.birth_date == D(1970, 1, 1)
    assert (seen.provider, seen.commissioner) == ("DEMO1", "DEMQ1")
    assert seen.supplying_providers == {"DEMO2", "DEMO3"}
    assert (seen.product, seen.products, seen.interchangeable) == ("tysabri", {"tysabri"}, False)
    assert (seen.status, seen.funding_origin, seen.late) == ("live", "NHS", False)


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (START - DAY, O.OUTSIDE_APPROVAL_PERIOD),
        (START, O.MATCHED),
        (END, O.MATCHED),
        (GRACE_END, O.MATCHED),
        (GRACE_END + DAY, O.CONTINUATION_OVERDUE),
    ],
)
def test_a_supply_is_covered_from_the_first_day_to_the_end_of_the_grace(
    world: World, day: dt.date, expected: O
) -> None:
    view = world.trial()
    found = outcome(world, day)
    assert found.outcome is expected, found.reason
    assert found.treatment_id == view.request.treatment_id


def test_a_late_form_covers_the_days_before_it_late_and_its_own_day_on_time(world: World) -> None:
    first = D(2026, 6, 5)
    world.trial(decision_to_treat=D(2026, 6, 1), first_dose=first, retrospective_reason="urgent")
    assert days(take(world)) == [
        (first, START - DAY, "DEMO1", True),
        (START, D(2027, 6, 4), "DEMO1", False),
    ]
    expected = {
        first - DAY: O.OUTSIDE_APPROVAL_PERIOD,
        first: O.APPROVED_LATE,
        START - DAY: O.APPROVED_LATE,
        START: O.MATCHED,
    }
    assert {day: outcome(world, day).outcome for day in expected} == expected
    (early,) = [c for c in take(world).coverages if c.late]
    assert (early.grace_to, early.continuation_due) == (None, None)


# --- not decided, or not met --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "answers"),
    [
        (RequestState.AWAITING_AUTHORISATION, TRIAL_ANSWERS),
        (RequestState.REFERRED, UNUSUAL),
        (RequestState.MORE_INFORMATION_NEEDED, UNANSWERED),
    ],
)
def test_an_undecided_request_awaits_its_decision(
    world: World, state: RequestState, answers: dict[str, Any]
) -> None:
    if state is RequestState.AWAITING_AUTHORISATION:
        world.set("DEMO1", PHARMACIST_AUTHORISATION, True)
    view = world.trial(answers=answers)
    assert view.request.state is state
    seen = take(world)
    assert seen.coverages == ()
    (waiting,) = seen.pending
    assert (waiting.request_id, waiting.status) == (view.request.id, state)
    assert (waiting.submitted_on, waiting.kind) == (START, "initiation")
    assert outcome(world, START).outcome is O.AWAITING_DECISION


def test_a_request_that_meets_no_criteria_gives_no_approval(world: World) -> None:
    assert world.trial(answers=LOW).request.state is RequestState.CRITERIA_NOT_MET
    assert take(world).coverages == take(world).pending == ()
    assert outcome(world, START).outcome is O.NO_APPROVAL


# --- continuation -------------------------------------------------------------------------------

AFTER = D(2027, 8, 2)


def test_a_waiting_continuation_awaits_its_decision(world: World) -> None:
    treatment = world.trial().request.treatment_id
    world.on(D(2027, 6, 1))
    waiting = world.carry_on(treatment, answers={})
    assert waiting.request.state is RequestState.MORE_INFORMATION_NEEDED
    assert only(take(world)).continuation_submitted
    assert outcome(world, AFTER).outcome is O.AWAITING_DECISION
    assert outcome(world, END).outcome is O.MATCHED


def test_a_refused_continuation_leaves_the_supply_outside_the_period(world: World) -> None:
    treatment = world.trial().request.treatment_id
    world.on(D(2027, 6, 1))
    refused = world.carry_on(treatment, answers={"score_now": "9.0"})
    assert refused.request.state is RequestState.CRITERIA_NOT_MET
    assert only(take(world)).continuation_due is None
    assert outcome(world, AFTER).outcome is O.OUTSIDE_APPROVAL_PERIOD


def test_a_refusal_of_long_ago_does_not_excuse_the_next_continuation(world: World) -> None:
    treatment = world.trial().request.treatment_id
    world.on(D(2027, 5, 1))
    world.carry_on(treatment, answers={"score_now": "9.0"})
    world.on(D(2027, 6, 1))
    assert world.carry_on(treatment).request.state is RequestState.APPROVED
    assert outcome(world, D(2028, 9, 1)).outcome is O.CONTINUATION_OVERDUE


def test_an_approved_continuation_follows_and_only_the_last_part_is_due_another(
    world: World,
) -> None:
    treatment = world.trial().request.treatment_id
    world.on(D(2027, 6, 1))
    world.carry_on(treatment)
    assert days(take(world)) == [
        (START, END, "DEMO1", False),
        (END + DAY, D(2028, 6, 14), "DEMO1", False),
    ]
    assert {c.continuation_due for c in take(world).coverages} == {None, D(2028, 6, 14)}
    assert outcome(world, AFTER).outcome is O.MATCHED
    assert outcome(world, D(2028, 9, 1)).outcome is O.CONTINUATION_OVERDUE


# --- changes ------------------------------------------------------------------------------------


def test_a_switch_is_seen_from_its_day_and_the_old_product_has_no_grace(world: World) -> None:
    treatment = world.trial(details=RequestDetails(product="tysabri")).request.treatment_id
    world.on(LATER)
    view = world.change(treatment, Kind.SWITCH, product="tyruko", from_day=LATER)
    world.do(
        lambda w: reviewing.panel_approve(
            w, world.office, COMMISSIONER, view.request.id, "agreed", frozenset(), 2
        )
    )
    seen = sorted(take(world).coverages, key=lambda c: c.from_)
    assert [(c.from_, c.product, c.grace_to) for c in seen] == [
        (START, "tysabri", None),
        (LATER, "tyruko", GRACE_END),
    ]
    tyruko = {"drug": "NATALIZUMAB 300 mg (TYRUKO)"}
    assert outcome(world, LATER - DAY).outcome is O.MATCHED
    assert outcome(world, LATER - DAY, **tyruko).outcome is O.DRUG_OR_INDICATION_DIFFERS
    assert outcome(world, LATER, **tyruko).outcome is O.MATCHED
    assert outcome(world, LATER).outcome is O.DRUG_OR_INDICATION_DIFFERS


def test_a_dose_change_leaves_every_day_covered(world: World, running: str) -> None:
    dose = Dose(Decimal(300), "mg", 28)
    world.change(running, Kind.DOSE_CHANGE, dose=dose, from_day=LATER)
    assert days(take(world)) == [
        (START, LATER - DAY, "DEMO1", False),
        (LATER, END, "DEMO1", False),
    ]
    assert outcome(world, LATER - DAY).outcome is O.MATCHED
    assert outcome(world, LATER).outcome is O.MATCHED


def transferred(world: World, treatment: str) -> None:
    asked = world.change(treatment, Kind.TRANSFER, to_provider="DEMO2", from_day=LATER)
    world.do(
        lambda w: reviewing.consent(
            w, world.office, OTHER_CLINICIAN, asked.request.id, asked.request.version
        )
    )


def test_after_a_transfer_the_new_provider_is_the_approved_one(world: World, running: str) -> None:
    transferred(world, running)
    assert days(take(world)) == [
        (START, LATER - DAY, "DEMO1", False),
        (LATER, END, "DEMO2", False),
    ]
    assert outcome(world, LATER - DAY).outcome is O.MATCHED
    assert outcome(world, LATER).outcome is O.NOT_THE_APPROVED_PROVIDER
    there = {"provider": "DEMO2", "local": "E1"}
    assert outcome(world, LATER, **there).outcome is O.MATCHED
    assert outcome(world, LATER - DAY, **there).outcome is O.NOT_THE_APPROVED_PROVIDER


def test_of_two_trusts_that_supply_at_once_after_a_transfer_one_is_paid(
    world: World, running: str
) -> None:
    transferred(world, running)
    there = {"provider": "DEMO2", "local": "E1"}
    before, after = LATER - DAY, LATER + DAY
    found = match(world, line(before), line(before, **there), line(after), line(after, **there))
    assert [each.outcome for each in found] == [
        O.MATCHED,
        O.NOT_THE_APPROVED_PROVIDER,
        O.NOT_THE_APPROVED_PROVIDER,
        O.MATCHED,
    ]


def test_a_claim_alone_lets_no_second_trust_be_paid(world: World, running: str) -> None:
    """A claim tells of the approval; until the treatment is transferred it covers nothing else."""
    known, indication = patient(1), world.treatment(running).treatment.indication
    claimed = world.do(
        lambda w: claim(
            w,
            world.office,
            OTHER_CLINICIAN,
            known.nhs_number or "",
            known.birth_date,
            "natalizumab",
            indication,
            "Seen today.",
        )
    )
    assert claimed.approval is not None
    found = match(world, line(LATER), line(LATER, provider="DEMO2", local="E1"))
    assert [each.outcome for each in found] == [O.MATCHED, O.NOT_THE_APPROVED_PROVIDER]


def test_a_transfer_that_waits_for_consent_awaits_its_decision(world: World, running: str) -> None:
    world.change(running, Kind.TRANSFER, to_provider="DEMO2", from_day=LATER)
    there = {"provider": "DEMO2", "local": "E1"}
    assert outcome(world, LATER, **there).outcome is O.AWAITING_DECISION
    assert outcome(world, LATER).outcome is O.MATCHED


def test_a_spoke_supplies_for_its_hub_and_no_other_hospital_does(world: World) -> None:
    world.trial(details=RequestDetails(supplying_providers=("DEMO2",)))
    spoke = outcome(world, START, provider="DEMO2", local="E1")
    assert (spoke.outcome, spoke.found_by) == (O.MATCHED, "NHS number, supplying provider")
    other = outcome(world, START, provider="DEMO3", local="W1")
    assert other.outcome is O.NOT_THE_APPROVED_PROVIDER


def test_a_supply_within_a_pause_is_outside_and_after_the_resumption_covered(
    world: World, running: str
) -> None:
    world.change(running, Kind.PAUSE, from_day=LATER, to_day=D(2026, 8, 31))
    assert only(take(world)).paused == ((LATER, D(2026, 8, 31)),)
    expected = {
        LATER - DAY: O.MATCHED,
        LATER: O.OUTSIDE_APPROVAL_PERIOD,
        D(2026, 8, 31): O.OUTSIDE_APPROVAL_PERIOD,
        D(2026, 9, 1): O.MATCHED,
    }
    assert {day: outcome(world, day).outcome for day in expected} == expected
    world.on(D(2026, 8, 20))
    world.change(running, Kind.RESUME, from_day=D(2026, 8, 20))
    assert only(take(world)).paused == ((LATER, D(2026, 8, 19)),)
    assert outcome(world, D(2026, 8, 20)).outcome is O.MATCHED


def test_a_stop_ends_coverage_without_grace_and_no_continuation_is_due(
    world: World, running: str
) -> None:
    stopped = D(2026, 7, 20)
    world.change(running, Kind.STOP, from_day=stopped, stop_reason=StopReason.NO_RESPONSE)
    seen = only(take(world))
    assert (seen.to, seen.grace_to, seen.continuation_due, seen.status) == (
        stopped,
        None,
        None,
        "ended",
    )
    assert outcome(world, stopped).outcome is O.MATCHED
    assert outcome(world, stopped + DAY).outcome is O.OUTSIDE_APPROVAL_PERIOD
    assert outcome(world, D(2027, 9, 1)).outcome is O.OUTSIDE_APPROVAL_PERIOD


def test_a_treatment_that_never_started_covers_nothing(world: World, running: str) -> None:
    world.do(lambda w: starting.record_not_started(w, CLINICIAN, running, "changed mind", 1))
    assert only(take(world)).status == "never started"
    found = outcome(world, START)
    assert found.outcome is O.NO_APPROVAL
    assert "never started" in found.reason


# --- under query --------------------------------------------------------------------------------


def queried(world: World) -> RequestView:
    """An approved request whose correction put its approval under query."""
    view = world.trial()
    return world.do(
        lambda w: correcting.correct(
            w,
            world.office,
            CLINICIAN,
            view.request.id,
            {"score": "4.0"},
            frozenset(),
            "typing error",
            view.request.version,
        )
    )


def test_an_approval_under_query_awaits_its_decision(world: World) -> None:
    queried(world)
    assert only(take(world)).under_query
    assert outcome(world, START).outcome is O.AWAITING_DECISION


@pytest.mark.parametrize(
    ("resolution", "status", "expected"),
    [
        (ApprovalEvent.UPHOLD, "live", O.MATCHED),
        (ApprovalEvent.WITHDRAW, "withdrawn", O.NO_APPROVAL),
        (ApprovalEvent.ENTER_IN_ERROR, "entered in error", O.NO_APPROVAL),
    ],
)
def test_a_query_is_resolved_and_the_line_follows(
    world: World, resolution: ApprovalEvent, status: str, expected: O
) -> None:
    view = queried(world)
    assert view.approval is not None
    reference, version = view.approval.reference, view.approval.version
    world.do(
        lambda w: reviewing.resolve_query(w, COMMISSIONER, reference, resolution, "seen", version)
    )
    seen = only(take(world))
    assert (seen.status, seen.under_query) == (status, False)
    found = outcome(world, START)
    assert found.outcome is expected
    assert found.reference == reference


# --- outside the policy, and not the NHS's -------------------------------------------------------


def test_individual_funding_covers_to_its_caps_and_no_further(world: World) -> None:
    view = world.trial(route=Route.INDIVIDUAL_FUNDING, answers=LOW)
    funding = FundingDecision(
        basis=Basis.INDIVIDUAL_FUNDING,
        case_reference="IFR/1",
        from_day=START,
        to_day=D(2026, 9, 30),
        terms="Three vials.",
        reason="Exceptional",
        unit_price_cap=Decimal("800.00"),
        price_unit="vial",
        quantity_cap=Decimal(3),
        quantity_unit="vial",
    )
    world.do(
        lambda w: reviewing.record_funding(
            w, world.office, COMMISSIONER, view.request.id, funding, view.request.version
        )
    )
    seen = only(take(world))
    assert (seen.unit_price_cap, seen.price_unit) == (Decimal(800), "vial")
    assert (seen.quantity_cap, seen.quantity_unit) == (Decimal(3), "vial")
    assert (seen.grace_to, seen.continuation_due) == (None, None)
    dear = line(START)  # one vial at £1,000
    two = line(D(2026, 7, 1), price="800", quantity="2", total="1600")
    third = line(D(2026, 8, 1), price="700", total="700")
    found = match(world, dear, two, third)
    assert [(m.outcome, m.accepted) for m in found] == [
        (O.OVER_PRICE, Decimal("800.00")),
        (O.MATCHED, Decimal(1600)),
        (O.OVER_QUANTITY, Decimal("0.00")),
    ]
    assert outcome(world, D(2026, 10, 1)).outcome is O.OUTSIDE_APPROVAL_PERIOD


@pytest.mark.parametrize("origin", [o for o in FundingOrigin if o is not FundingOrigin.NHS])
def test_what_the_nhs_does_not_pay_for_is_not_recoverable(
    world: World, origin: FundingOrigin
) -> None:
    world.trial(details=RequestDetails(funding_origin=origin))
    assert only(take(world)).funding_origin == origin
    assert outcome(world, START).outcome is O.NOT_RECOVERABLE


# --- who the patient is --------------------------------------------------------------------------


def test_a_patient_without_an_nhs_number_is_found_by_the_hospitals_own(world: World) -> None:
    unnumbered = patient(nhs_number=None, no_nhs_number_reason=NoNumberReason.UNREGISTERED)
    world.trial(patient=unnumbered)
    seen = only(take(world))
    assert (seen.nhs_number, seen.local_ids) == (None, {("DEMO1", "H000001")})
    found = outcome(world, START, nhs="")
    assert (found.outcome, found.found_by) == (O.MATCHED, "local patient identifier")
    assert outcome(world, START, nhs="", local="H000002").outcome is O.NO_APPROVAL
    assert outcome(world, START, nhs="", provider="DEMO2").outcome is O.NO_APPROVAL
    assert outcome(world, START, nhs="", born="1970-01-02").outcome is O.NO_APPROVAL


def test_a_linked_record_carries_the_numbers_of_the_whole_person(world: World) -> None:
    unnumbered = patient(nhs_number=None, no_nhs_number_reason=NoNumberReason.NEWBORN)
    treatment = world.trial(patient=unnumbered).request.treatment_id
    one = world.treatment(treatment).treatment.patient_id
    number = invented_nhs_number(7)
    world.do(lambda w: patients.record_nhs_number(w, PHARMACIST, one, number, "now registered"))
    other = patient(7, local_id="E000007")
    world.submit(OTHER_CLINICIAN, patient=other)  # adalimumab, for the numbered record
    for seen in take(world).coverages:
        assert seen.nhs_number == number
        assert seen.local_ids == {("DEMO1", "H000001"), ("DEMO2", "E000007")}
    found = outcome(world, START, nhs=number, local="")
    assert (found.outcome, found.treatment_id) == (O.MATCHED, treatment)
    world.do(lambda w: patients.unlink(w, PHARMACIST, one, "not the same"))
    alone = {(c.drug, c.nhs_number, c.local_ids) for c in take(world).coverages}
    assert alone == {
        ("natalizumab", None, frozenset({("DEMO1", "H000001")})),
        ("adalimumab", number, frozenset({("DEMO2", "E000007")})),
    }


def imported(world: World, row: dict[str, str]) -> None:
    """Bring an approval over from another system, as DEMO1 does."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(row))
    writer.writeheader()
    writer.writerow(row)
    data = text.getvalue().encode()
    shown = world.do(
        lambda w: importing.preview_import(
            w, world.office, load_drugs(), load_organisations(), PHARMACIST, data, "export.csv"
        )
    )
    world.do(lambda w: importing.accept_import(w, world.office, PHARMACIST, shown.id))


def test_an_imported_approval_is_found_by_the_old_systems_reference(world: World) -> None:
    row = {
        "Blueteq ID": "BLQ-1",
        "NHS No": invented_nhs_number(1),
        "Hospital No": "H000001",
        "DoB": "01/01/1970",
        "Trust code": "DEMO1",
        "Commissioner code": "DEMQ1",
        "Drug": "Adalimumab 40mg",
        "Form name": "Adalimumab for severe rheumatoid arthritis (TA375)",
        "Status": "Approved",
        "Date approved": "02/03/2026",
        "Review date": "01/09/2026",
    }
    imported(world, row)
    seen = only(take(world))
    assert seen.legacy_references == ("BLQ-1",)
    assert (seen.from_, seen.to, seen.late) == (D(2026, 3, 2), D(2026, 9, 1), False)
    drug = {"drug": "HUMIRA 40mg pen"}
    quoted = outcome(world, D(2026, 3, 2), reference="BLQ-1", **drug)
    assert (quoted.outcome, quoted.found_by) == (O.MATCHED, "approval reference")
    assert quoted.reference == seen.approval_reference
    assert outcome(world, D(2026, 3, 2), **drug).found_by == "NHS number"
