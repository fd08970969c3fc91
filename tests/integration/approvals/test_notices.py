"""Safety notices: from their first day no new start is approved, and running treatments go on."""

import datetime as dt
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from app.approvals import amending, checking, correcting, notices, reviewing
from app.approvals.errors import DetailsNotAccepted, TransitionNotAllowed
from app.approvals.funding import FundingDecision
from app.approvals.library import Library
from app.approvals.library_files import load_library
from app.approvals.lifecycle import ApprovalState, RequestState
from app.approvals.model import Basis, RequestDetails, RequestView, Route
from app.approvals.office import PHARMACIST_AUTHORISATION, Office
from app.approvals.replaying import check_replays
from app.db import tables
from app.policy import Notice, PolicyFileFaults, load_policy
from app.reference_data.drugs import load_drugs
from tests.world import (
    CLINICIAN,
    COMMISSIONER,
    PHARMACIST,
    TRIAL_ANSWERS,
    TRIAL_POLICY,
    TRIAL_TEXT,
    World,
    initiation,
    patient,
)

D = dt.date
TODAY = D(2026, 6, 15)
UNUSUAL = {**TRIAL_ANSWERS, "usual": False}
REFER = Notice(
    "made-up", "A made-up warning", ("natalizumab",), (), TODAY, None, "refer", "It is looked into",
    "Made up for tests", None, "verified",
)  # fmt: skip
REFUSE = replace(REFER, decide="refuse")


@pytest.fixture
def world(wide: World) -> World:
    return wide


def issue(world: World, notice: Notice = REFER) -> None:
    world.do(lambda w: notices.issue(w, world.office.library, notice, "Ann", "Ben"))


def lift(world: World, on: dt.date) -> None:
    world.do(lambda w: notices.lift(w, world.office.library, "made-up", on, "Cy", "Dee"))


def replays(world: World, view: RequestView) -> int:
    return world.do(lambda w: check_replays(w, world.office.library, CLINICIAN, view.request.id))


def authorise(world: World, view: RequestView) -> RequestView:
    request = view.request
    return world.do(
        lambda w: reviewing.authorise(w, world.office, PHARMACIST, request.id, request.version)
    )


def panel_approve(world: World, view: RequestView) -> RequestView:
    request = view.request
    return world.do(
        lambda w: reviewing.panel_approve(
            w, world.office, COMMISSIONER, request.id, "agreed", frozenset(), request.version
        )
    )


@pytest.mark.parametrize(
    ("notice", "state"),
    [
        (REFER, RequestState.REFERRED),
        (REFUSE, RequestState.CRITERIA_NOT_MET),
        (replace(REFUSE, evidence="unverified"), RequestState.REFERRED),
        (replace(REFER, policies=(TRIAL_POLICY,)), RequestState.REFERRED),
        (replace(REFER, policies=("another-policy",)), RequestState.APPROVED),
        (replace(REFER, drugs=("adalimumab",)), RequestState.APPROVED),
        (replace(REFER, from_=TODAY + dt.timedelta(days=1)), RequestState.APPROVED),
    ],
)
def test_a_notice_suspends_new_starts_on_the_day_of_the_decision(
    world: World, notice: Notice, state: RequestState
) -> None:
    issue(world, notice)
    view = world.trial(decision_to_treat=TODAY - dt.timedelta(days=5))
    assert view.request.state is state
    assert view.decision is not None
    told = [reason for reason in view.decision.reasons if "“A made-up warning”" in reason]
    assert len(told) == (state is not RequestState.APPROVED)
    assert [each["name"] for each in view.decision.notices or ()] == ["made-up"] * len(told)


@pytest.mark.parametrize("notice", [REFER, REFUSE])
def test_a_decision_under_a_notice_replays_after_it_is_lifted(world: World, notice: Notice) -> None:
    issue(world, notice)
    view = world.trial()
    lift(world, TODAY)
    assert replays(world, view) == 1
    assert world.trial(patient=patient(2)).request.state is RequestState.APPROVED


def test_a_lifted_notice_no_longer_holds_on_its_last_day(world: World) -> None:
    issue(world)
    lift(world, TODAY + dt.timedelta(days=10))
    world.on(TODAY + dt.timedelta(days=9))
    assert world.trial().request.state is RequestState.REFERRED
    world.on(TODAY + dt.timedelta(days=10))
    assert world.submit().request.state is RequestState.APPROVED


def test_a_continuation_and_a_correction_of_a_running_treatment_go_on(world: World) -> None:
    view = world.trial(first_dose=TODAY)
    issue(world, REFUSE)
    corrected = world.do(
        lambda w: correcting.correct(
            w, world.office, CLINICIAN, view.request.id, {"score": "7.0"}, frozenset(), "misread",
            view.request.version,
        )
    )  # fmt: skip
    assert corrected.approval is not None
    assert corrected.approval.state is ApprovalState.LIVE
    world.on(D(2027, 5, 20))
    assert world.carry_on(view.request.treatment_id).request.state is RequestState.APPROVED


def test_a_first_form_for_a_treatment_begun_before_the_notice_is_no_new_start(world: World) -> None:
    issue(world, REFUSE)
    late = {"first_dose": TODAY - dt.timedelta(days=3), "retrospective_reason": "urgent"}
    assert world.trial(**late).request.state is RequestState.APPROVED


def test_what_waits_for_the_pharmacist_is_not_approved_under_a_later_notice(world: World) -> None:
    world.set("DEMO1", PHARMACIST_AUTHORISATION, True)
    view = world.trial()
    issue(world)
    with pytest.raises(TransitionNotAllowed, match="A made-up warning"):
        authorise(world, view)
    lift(world, TODAY)
    assert authorise(world, view).request.state is RequestState.APPROVED


@pytest.mark.parametrize("issued_after", [False, True])
def test_a_panel_that_knows_of_a_referring_notice_may_approve(
    world: World, issued_after: bool
) -> None:
    world.set("DEMO1", PHARMACIST_AUTHORISATION, True)
    view = world.trial(answers=UNUSUAL)
    if issued_after:
        view = panel_approve(world, view)
        world.on(TODAY + dt.timedelta(days=1))
        issue(world, replace(REFER, from_=TODAY + dt.timedelta(days=1)))
        with pytest.raises(TransitionNotAllowed):
            authorise(world, view)
    else:
        issue(world)
        view = panel_approve(world, view)
        assert authorise(world, view).request.state is RequestState.APPROVED


def test_a_panel_may_not_approve_under_a_notice_that_refuses(world: World) -> None:
    view = world.trial(answers=UNUSUAL)
    issue(world, REFUSE)
    with pytest.raises(TransitionNotAllowed):
        panel_approve(world, view)


def test_what_is_missing_is_asked_for_and_the_answer_is_decided_under_the_notice(
    world: World,
) -> None:
    waiting = world.trial(answers={**TRIAL_ANSWERS, "score": None})
    assert waiting.request.state is RequestState.MORE_INFORMATION_NEEDED
    issue(world)
    done = world.do(
        lambda w: amending.amend(
            w, world.office, CLINICIAN, waiting.request.id, {"score": "6.0"},
            waiting.request.version,
        )
    )  # fmt: skip
    assert done.request.state is RequestState.REFERRED


def test_a_dry_run_tells_of_the_notice(world: World) -> None:
    issue(world)
    command = initiation(policy=TRIAL_POLICY, answers=dict(TRIAL_ANSWERS), details=RequestDetails())
    run = world.do(lambda w: checking.check_initiation(w, world.office, CLINICIAN, command))
    assert [each.name for each in run.decision.notices] == ["made-up"]


@pytest.mark.parametrize("name", ["", "Upper", "a b", "x" * 61])
def test_a_notices_name_is_plain(world: World, name: str) -> None:
    with pytest.raises(DetailsNotAccepted, match="small letters"):
        issue(world, replace(REFER, name=name))


@pytest.mark.parametrize("second", ["", " ann", "x" * 121])
def test_a_notice_takes_two_people(world: World, second: str) -> None:
    with pytest.raises(DetailsNotAccepted):
        world.do(lambda w: notices.issue(w, world.office.library, REFER, "Ann", second))
    issue(world)
    with pytest.raises(DetailsNotAccepted):
        world.do(lambda w: notices.lift(w, world.office.library, "made-up", TODAY, "Ann", second))


def test_issuing_and_lifting_are_audited_and_happen_once(world: World) -> None:
    issue(world)
    with pytest.raises(TransitionNotAllowed):
        issue(world)
    lift(world, TODAY)
    with pytest.raises(TransitionNotAllowed):
        lift(world, TODAY)
    column = tables.audit_event.c
    told = select(column.action).where(column.object_type == "safety notice")
    found = world.do(lambda w: w.connection.execute(told).scalars().all())
    assert sorted(found) == ["safety notice issued", "safety notice lifted"]


FILE = """title: A made-up warning
drugs: [natalizumab]
from: 2026-06-01
lifted: null
decide: refuse
reason: It is looked into.
source: {title: Made up for tests}
evidence: verified
"""


def library(folder: Path, text: str = FILE, name: str = "2026-06-01-warning") -> Library:
    (folder / "ms" / "trial").mkdir(parents=True)
    (folder / "notices").mkdir()
    (folder / "ms" / "trial" / "2026.yaml").write_text(TRIAL_TEXT, encoding="utf-8")
    (folder / "notices" / f"{name}.yaml").write_text(text, encoding="utf-8")
    return load_library(folder, load_drugs().keys())


def test_a_packaged_notice_decides_too(world: World, tmp_path: Path) -> None:
    world.office = Office(library(tmp_path), demonstration=False)
    view = world.trial()
    assert view.request.state is RequestState.CRITERIA_NOT_MET
    assert replays(world, view) == 1
    world.office = Office(
        Library([load_policy(TRIAL_TEXT, "trial.yaml", load_drugs().keys())]), demonstration=False
    )
    assert replays(world, view) == 1


def test_two_people_lift_a_packaged_notice_without_a_release(world: World, tmp_path: Path) -> None:
    held = library(tmp_path)
    world.office = Office(held, demonstration=True)
    assert world.trial().request.state is RequestState.CRITERIA_NOT_MET
    name = "2026-06-01-warning"
    with pytest.raises(TransitionNotAllowed, match="issued already"):
        issue(world, replace(REFER, name=name))
    with pytest.raises(DetailsNotAccepted):
        world.do(lambda w: notices.lift(w, held, name, TODAY, "Ann", " ann"))
    world.do(lambda w: notices.lift(w, held, name, TODAY, "Ann", "Ben"))
    assert world.trial(patient=patient(2)).request.state is RequestState.APPROVED
    with pytest.raises(TransitionNotAllowed, match="No notice of that name is in force"):
        world.do(lambda w: notices.lift(w, held, name, TODAY, "Ann", "Ben"))


IFR = FundingDecision(Basis.INDIVIDUAL_FUNDING, "IFR/1", TODAY, None, "Three.", "Exceptional")


def fund(world: World, view: RequestView, **changes: Any) -> RequestView:
    request, funding = view.request, replace(IFR, **changes)
    return world.do(
        lambda w: reviewing.record_funding(
            w, world.office, COMMISSIONER, request.id, funding, request.version
        )
    )


@pytest.mark.parametrize("notice", [REFER, REFUSE])
def test_an_individual_funding_decision_answers_for_the_notice_and_names_it(
    world: World, notice: Notice
) -> None:
    issue(world, notice)
    view = world.trial(route=Route.INDIVIDUAL_FUNDING)
    for silent in (None, "  "):
        with pytest.raises(TransitionNotAllowed, match=r"“A made-up warning”.*despite_notice"):
            fund(world, view, despite_notice=silent)
    funded = fund(world, view, despite_notice="No other drug is left")
    assert funded.request.state is RequestState.APPROVED
    assert funded.decision is not None
    assert [each["name"] for each in funded.decision.notices or ()] == ["made-up"]
    assert funded.decision.reasons[-1] == "Funded all the same: No other drug is left"
    assert replays(world, funded) == 1


@pytest.mark.parametrize(("notice", "may"), [(REFER, True), (REFUSE, False)])
def test_a_group_approval_does_not_go_against_a_notice_that_refuses(
    world: World, notice: Notice, may: bool
) -> None:
    issue(world, notice)
    view = world.trial(route=Route.GROUP_APPROVAL)
    given = {"basis": Basis.GROUP_APPROVAL, "despite_notice": "Agreed for the group"}
    if may:
        assert fund(world, view, **given).request.state is RequestState.APPROVED
    else:
        with pytest.raises(TransitionNotAllowed, match="looks at no one patient"):
            fund(world, view, **given)


def test_funding_that_no_notice_suspends_needs_no_such_reason(world: World) -> None:
    view = world.trial(route=Route.INDIVIDUAL_FUNDING)
    funded = fund(world, view)
    assert funded.decision is not None
    assert (funded.decision.notices, funded.decision.reasons) == (None, ["Exceptional"])


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("lifted: null", "lifted: 2026-05-01", "lifted before it begins"),
        ("natalizumab", "no-such-drug", "no-such-drug"),
        ("decide: refuse", "decide: stop", "decide"),
        ("from: 2026-06-01", "from: 2026-06-02", "another day"),
        ("drugs: [natalizumab]\n", "", "drugs"),
    ],
)
def test_a_faulty_notice_is_told_with_what_to_mend(
    tmp_path: Path, old: str, new: str, told: str
) -> None:
    with pytest.raises(PolicyFileFaults, match=told):
        library(tmp_path, FILE.replace(old, new))
