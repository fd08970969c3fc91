"""A commissioner's overlay from the library to the decision, the store, the replay, adoption."""

import datetime as dt
from pathlib import Path

import pytest
from sqlalchemy import select

from app.approvals import amending
from app.approvals.errors import DetailsNotAccepted, TransitionNotAllowed
from app.approvals.library import Library, overlaid
from app.approvals.library_files import load_library
from app.approvals.lifecycle import RequestState
from app.approvals.model import RequestView
from app.approvals.office import Office, adopt, adopted, stored_overlay
from app.approvals.replaying import check_replays
from app.db import tables
from app.policy import Kind, Overlay, PolicyFileFaults, load_overlay, load_policy
from app.reference_data.drugs import load_drugs
from tests.world import CLINICIAN, TRIAL_ANSWERS, TRIAL_POLICY, TRIAL_TEXT, World

TEXT = """
policy: trial-policy
language: 1
commissioner: DEMQ1
in_force: {from: 2026-01-01, until: 2026-12-31}
what_changed: A second line.
sources: {local: {title: Made up for tests}}
questions: {first_line: {type: boolean, label: The first line failed}}
start:
  - {id: LOCAL, text: The first line failed, met_when: first_line, source: local,
     evidence: verified}
approval: {lasts: {months: 6}, source: local, evidence: verified}
"""
LOCAL = {**TRIAL_ANSWERS, "first_line": True}


@pytest.fixture
def overlay() -> Overlay:
    return load_overlay(TEXT, "overlay.yaml")


@pytest.fixture
def world(world: World, overlay: Overlay) -> World:
    trial = load_policy(TRIAL_TEXT, "trial.yaml", load_drugs().keys())
    world.office = Office(Library([trial], [overlay]), demonstration=True)
    return world


def decided(view: RequestView) -> list[tuple[str, str, str]]:
    assert view.decision is not None
    return [(f["criterion"], f["result"], f["layer"]) for f in view.decision.findings]


def test_the_overlay_of_the_treatments_commissioner_decides_too(world: World) -> None:
    refused = world.trial(answers={**LOCAL, "first_line": False})
    assert refused.request.state is RequestState.CRITERIA_NOT_MET
    assert decided(refused)[-1] == ("LOCAL", "not met", "DEMQ1 2026-01-01")
    assert decided(refused)[0][2] == "national"


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({}, RequestState.MORE_INFORMATION_NEEDED),
        ({"commissioner": "DEMQ2"}, RequestState.APPROVED),
        ({"decision_to_treat": dt.date(2025, 12, 31)}, RequestState.APPROVED),
    ],
)
def test_another_commissioner_and_another_day_have_no_overlay(
    world: World, changes: dict[str, object], state: RequestState
) -> None:
    assert world.trial(**changes).request.state is state


def test_the_overlay_shortens_the_approval_and_is_stored_beside_the_version(
    world: World, overlay: Overlay
) -> None:
    view = world.trial(answers=LOCAL, first_dose=dt.date(2026, 6, 15))
    assert view.approval is not None
    assert view.approval.covers_to == dt.date(2026, 12, 14)
    assert view.decision is not None
    assert (view.request.overlay_hash, view.decision.overlay_hash) == (overlay.hash, overlay.hash)
    assert world.do(lambda w: stored_overlay(w, overlay.hash)) == overlay.resolved


def test_a_decision_replays_after_the_overlay_has_left_the_library(world: World) -> None:
    view = world.trial(answers=LOCAL)
    later = Library(world.office.library.all_versions())
    assert world.do(lambda w: check_replays(w, later, CLINICIAN, view.request.id)) == 1


def test_an_amended_request_keeps_the_overlay_of_its_first_submission(world: World) -> None:
    waiting = world.trial()
    world.office = Office(Library(world.office.library.all_versions()), demonstration=True)
    done = world.do(
        lambda w: amending.amend(
            w, world.office, CLINICIAN, waiting.request.id, {"first_line": True},
            waiting.request.version,
        )
    )  # fmt: skip
    assert done.request.state is RequestState.APPROVED
    assert decided(done)[-1] == ("LOCAL", "met", "DEMQ1 2026-01-01")


# --- adoption -----------------------------------------------------------------------------------


def adopting(world: World, what: str, by: str = "A. One", second: str = "B. Two") -> None:
    library = world.office.library
    found = library.overlays()[0] if what == "overlay" else library.versions(TRIAL_POLICY)[0]
    day = dt.date(2026, 1, 1)
    world.do(lambda w: adopt(w, found, "DEMQ1", day, by, second))


@pytest.mark.parametrize(
    ("adoptions", "state"),
    [
        ((), RequestState.REFERRED),
        (("version",), RequestState.REFERRED),
        (("overlay",), RequestState.REFERRED),
        (("version", "overlay"), RequestState.APPROVED),
    ],
)
def test_outside_demonstration_both_layers_must_be_adopted(
    world: World, adoptions: tuple[str, ...], state: RequestState
) -> None:
    world.office = Office(world.office.library, demonstration=False)
    for what in adoptions:
        adopting(world, what)
    assert world.trial(answers=LOCAL).request.state is state


@pytest.mark.parametrize("second", ["A. One", "a. one", " A.  One ", ""])
def test_an_adoption_takes_two_people(world: World, second: str) -> None:
    for what in ("version", "overlay"):
        with pytest.raises(DetailsNotAccepted, match="two people"):
            adopting(world, what, second=second)
    assert world.do(lambda w: w.connection.execute(select(tables.adoption)).all()) == []


def test_an_overlay_is_adopted_once_and_by_its_own_commissioner(world: World) -> None:
    adopting(world, "overlay")
    with pytest.raises(TransitionNotAllowed):
        adopting(world, "overlay")
    overlay, day = world.office.library.overlays()[0], dt.date(2026, 1, 1)
    with pytest.raises(DetailsNotAccepted, match="another commissioner's"):
        world.do(lambda w: adopt(w, overlay, "DEMQ2", day, "A", "B"))
    version = world.office.library.deciding(TRIAL_POLICY, Kind.INITIATION, day, "DEMQ1")
    assert world.do(lambda w: adopted(w, version, "DEMQ2", day)) is False


# --- the library --------------------------------------------------------------------------------


def test_a_folder_with_a_wrong_overlay_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "area" / TRIAL_POLICY
    folder.mkdir(parents=True)
    (folder / "2020-01-01.yaml").write_text(TRIAL_TEXT, encoding="utf-8")
    right = folder / "overlay-DEMQ1-2026-01-01.yaml"
    right.write_text(TEXT, encoding="utf-8")
    assert load_library(tmp_path).overlays(TRIAL_POLICY)[0].layer == "DEMQ1 2026-01-01"
    (folder / "overlay-DEMQ2-2026-01-01.yaml").write_text(TEXT, encoding="utf-8")
    right.write_text(TEXT.replace("months: 6", "months: 24"), encoding="utf-8")
    with pytest.raises(PolicyFileFaults) as faults:
        load_library(tmp_path)
    assert [fault.code for fault in faults.value.faults] == ["overlay", "overlay-name"]


def test_an_overlay_lies_on_the_versions_that_its_days_are_decided_by(overlay: Overlay) -> None:
    days = ("2020-01-01", "2025-06-01", "2026-06-01", "2027-01-01")
    versions = [load_policy(TRIAL_TEXT.replace("2020-01-01", day), "trial.yaml") for day in days]
    assert [v.version for v in overlaid(versions, overlay)] == ["2025-06-01", "2026-06-01"]
