"""A commissioner's overlay asks for two members of a panel, where the policy asks for one."""

import pytest

from app.approvals.library import Library
from app.approvals.lifecycle import RequestState
from app.approvals.office import PANEL, Office
from app.policy import load_overlay, load_policy
from tests.integration.approvals.test_seconding import Panel
from tests.world import TRIAL_ANSWERS, TRIAL_TEXT, World

OVERLAY = """
policy: trial-policy
language: 1
commissioner: DEMQ1
in_force: {from: 2026-01-01}
what_changed: Two members of the panel decide.
sources: {local: {title: Terms of reference of an invented panel}}
panel: {members: 2, source: local, evidence: verified}
"""
UNUSUAL = {**TRIAL_ANSWERS, "usual": False}


@pytest.fixture
def world(bare: World) -> World:
    trial = load_policy(TRIAL_TEXT, "trial.yaml")
    overlay = load_overlay(OVERLAY, "overlay.yaml")
    bare.office = Office(Library([trial], [overlay]), demonstration=True)
    for payer in ("DEMQ1", "DEMQ2"):
        bare.set(payer, PANEL, "DEMP1")
    return bare


def test_two_must_agree_under_it_and_elsewhere_one_decides(world: World) -> None:
    panel = Panel(world)
    view = world.trial(answers=UNUSUAL)
    first = panel.says(panel.ann, view, "approve")
    assert (first.request.state, first.approval) == (RequestState.REFERRED, None)
    done = panel.says(panel.bea, view, "approve")
    assert done.request.state is RequestState.APPROVED
    assert done.decision is not None
    assert (done.decision.agreed_with, done.decision.decided_by) == (panel.ann.id, panel.bea.id)


def test_another_commissioners_request_takes_one(world: World) -> None:
    panel = Panel(world)
    view = world.trial(answers=UNUSUAL, commissioner="DEMQ2")
    assert panel.says(panel.ann, view, "approve").request.state is RequestState.APPROVED
