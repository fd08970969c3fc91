"""Clinicians' overrides from the request to the store, the replay and the report."""

import datetime as dt
from dataclasses import replace
from decimal import Decimal

import pytest
from sqlalchemy import select

from app.approvals import amending, changing, correcting, reviewing
from app.approvals.errors import DetailsNotAccepted
from app.approvals.library import Library
from app.approvals.lifecycle import RequestState
from app.approvals.model import (
    FollowUpCommand,
    OverrideGiven,
    RequestDetails,
    RequestView,
    StopReason,
)
from app.approvals.office import Office
from app.approvals.replaying import check_replays
from app.approvals.reporting import (
    FEWEST,
    OverrideRate,
    OverrideReport,
    override_rates,
    override_report,
)
from app.auth.errors import NotAllowed
from app.auth.model import Caller
from app.db import tables
from app.policy import Kind, load_policy
from app.reference_data.drugs import load_drugs
from tests.world import (
    AUTHOR,
    CLINICIAN,
    COMMISSIONER,
    OTHER_CLINICIAN,
    OTHER_COMMISSIONER,
    PANEL_MEMBER,
    PHARMACIST,
    TRIAL_ANSWERS,
    TRIAL_TEXT,
    World,
    patient,
)

RULE = """override: {reasons: {disability: A disability distorts the score}, source: made_up,
     evidence: verified}"""
TEXT = TRIAL_TEXT.replace("language: 1", "language: 2").replace(
    "evidence: verified, waivable: true}", f"evidence: verified, waivable: true, {RULE}}}"
)
WORDS = "The score counts speech, which this patient lost years ago."
GIVEN = OverrideGiven("T-1", "disability", WORDS)
LOW = {**TRIAL_ANSWERS, "score": "3.0"}
PERIOD = (dt.date(2026, 6, 1), dt.date(2026, 6, 30))


@pytest.fixture
def world(world: World, library: Library) -> World:
    trial = load_policy(TEXT, "trial.yaml", load_drugs().keys())
    world.office = Office(Library([*library.all_versions(), trial]), demonstration=True)
    return world


def overriding(world: World, **changes: object) -> RequestView:
    return world.trial(**{"answers": LOW, "overrides": (GIVEN,), **changes})


def rates(world: World, caller: Caller, **changes: object) -> tuple[OverrideRate, ...]:
    return world.do(
        lambda work: override_rates(work, world.office.library, caller, *PERIOD, **changes)
    )


def test_an_overridden_gate_is_approved_and_the_record_says_so(world: World) -> None:
    assert world.trial(answers=LOW, patient=patient(2)).request.state is (
        RequestState.CRITERIA_NOT_MET
    )
    view = overriding(world)
    assert view.request.state is RequestState.APPROVED
    assert view.decision is not None
    assert view.decision.overridden == ["T-1"]
    finding = view.decision.findings[0]
    assert (finding["result"], finding["overridden"]["by"]) == ("not met", CLINICIAN.id)
    assert [(each.criterion, each.words, each.relied_on) for each in view.overrides] == [
        ("T-1", WORDS, True)
    ]


def test_the_audit_log_names_the_override_without_the_words(world: World) -> None:
    overriding(world)
    bodies = world.do(
        lambda w: w.connection.execute(select(tables.audit_payload.c.body)).scalars().all()
    )
    assert any('"disability"' in body and "T-1" in body for body in bodies if body)
    assert not any("speech" in body for body in bodies if body)


def test_an_override_of_a_met_criterion_is_recorded_as_not_relied_on(world: World) -> None:
    view = overriding(world, answers=TRIAL_ANSWERS)
    assert view.decision is not None
    assert view.decision.overridden == []
    assert [each.relied_on for each in view.overrides] == [False]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        (replace(GIVEN, criterion="T-2"), "overrides.0"),
        (replace(GIVEN, criterion="T-9"), "overrides.0"),
        (replace(GIVEN, reason="habit"), "overrides.0"),
        (replace(GIVEN, words="  "), "overrides.0.words"),
    ],
)
def test_an_override_that_the_policy_does_not_allow_stores_nothing(
    world: World, given: OverrideGiven, field: str
) -> None:
    with pytest.raises(DetailsNotAccepted) as refused:
        overriding(world, overrides=(given,))
    assert refused.value.field == field
    assert world.do(lambda w: w.connection.execute(select(tables.request)).all()) == []


def test_a_stop_takes_no_override(world: World) -> None:
    view = overriding(world)
    command = FollowUpCommand(
        view.request.treatment_id, Kind.STOP, world.moment.day, overrides=(GIVEN,),
        details=RequestDetails(from_day=world.moment.day, stop_reason=StopReason.OTHER),
    )  # fmt: skip
    with pytest.raises(DetailsNotAccepted, match="no criteria to override"):
        world.do(lambda w: changing.submit_change(w, world.office, CLINICIAN, command))


def test_an_amendment_may_add_an_override_and_take_it_back(world: World) -> None:
    waiting = world.trial(answers={"risk": False, "usual": True})
    assert waiting.request.state is RequestState.MORE_INFORMATION_NEEDED
    request = waiting.request

    def amend(overrides: tuple[OverrideGiven, ...] | None, version: int) -> RequestView:
        return world.do(
            lambda w: amending.amend(w, world.office, CLINICIAN, request.id, {}, version, overrides)
        )

    still = amend((), request.version)
    assert still.request.state is RequestState.MORE_INFORMATION_NEEDED
    done = amend((GIVEN,), still.request.version)
    assert done.request.state is RequestState.APPROVED
    assert done.overrides[0].revision == 3
    assert world.do(lambda w: check_replays(w, world.office.library, CLINICIAN, request.id)) == 3


def test_a_correction_keeps_the_overrides_standing(world: World) -> None:
    view = overriding(world)
    corrected = world.do(
        lambda w: correcting.correct(
            w, world.office, CLINICIAN, view.request.id, {"score": "4.0"}, frozenset(), "Misread.",
            view.request.version,
        )
    )  # fmt: skip
    assert corrected.decision is not None
    assert corrected.decision.overridden == ["T-1"]
    assert corrected.overrides[0].made_by == CLINICIAN.id


def test_every_decision_with_an_override_replays(world: World) -> None:
    world.set("DEMQ1", "panel", "DEMP1")
    view = overriding(world, answers={**LOW, "usual": False})
    assert view.request.state is RequestState.REFERRED
    panel = world.do(
        lambda w: reviewing.panel_approve(
            w, world.office, PANEL_MEMBER, view.request.id, "Agreed.", frozenset(),
            view.request.version, declares_no_interest=True,
        )
    )  # fmt: skip
    assert panel.request.state is RequestState.APPROVED
    done = world.do(lambda w: check_replays(w, world.office.library, CLINICIAN, view.request.id))
    assert done == 2


# --- the report ---------------------------------------------------------------------------------


def test_the_report_counts_what_was_given_and_what_was_needed(world: World) -> None:
    for number in range(1, FEWEST + 1):
        given = (GIVEN,) if number <= 3 else ()
        answers = LOW if number <= 2 else TRIAL_ANSWERS
        world.trial(patient=patient(number), answers=answers, overrides=given)
    found = rates(world, COMMISSIONER, policy="trial-policy")
    assert found == tuple(
        OverrideRate("trial-policy", "T-1", "DEMO1", reason, FEWEST, 3, 2, Decimal("20.0"))
        for reason in (None, "disability")
    )
    assert rates(world, PHARMACIST) == found


def test_a_report_is_of_its_requests_however_many_criteria_and_reasons_they_have(
    world: World,
) -> None:
    overriding(world)
    world.trial(patient=patient(2))
    world.submit(patient=patient(3))  # under a policy without any override
    report = world.do(lambda w: override_report(w, world.office.library, COMMISSIONER, *PERIOD))
    assert (report.requests, report.overridden, report.relied_on) == (2, 1, 1)
    assert report.rows == rates(world, COMMISSIONER)
    elsewhere = world.do(
        lambda w: override_report(w, world.office.library, OTHER_COMMISSIONER, *PERIOD)
    )
    assert elsewhere == OverrideReport((), 0, 0, 0)


def test_few_requests_get_no_rate_and_nobody_overriding_gets_a_row_of_zero(world: World) -> None:
    world.trial()
    assert rates(world, COMMISSIONER) == (
        OverrideRate("trial-policy", "T-1", "DEMO1", None, 1, 0, 0, None),
    )


def test_the_report_leaves_out_other_days_and_other_policies(world: World) -> None:
    overriding(world)
    assert rates(world, COMMISSIONER, policy="adalimumab-ra-severe") == ()
    july = (dt.date(2026, 7, 1), dt.date(2026, 7, 31))
    assert world.do(lambda w: override_rates(w, world.office.library, COMMISSIONER, *july)) == ()


@pytest.mark.parametrize("caller", [OTHER_COMMISSIONER, OTHER_CLINICIAN])
def test_another_organisation_sees_nothing_of_it(world: World, caller: Caller) -> None:
    overriding(world)
    assert rates(world, caller) == ()


@pytest.mark.parametrize("caller", [AUTHOR, PANEL_MEMBER])
def test_other_roles_may_not_read_it(world: World, caller: Caller) -> None:
    with pytest.raises(NotAllowed):
        rates(world, caller)


def test_a_period_that_ends_before_it_begins_is_refused(world: World) -> None:
    with pytest.raises(DetailsNotAccepted, match="ends before it begins"):
        world.do(lambda w: override_rates(w, world.office.library, COMMISSIONER, *reversed(PERIOD)))
