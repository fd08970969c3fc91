"""A stored request explained: its own decision, word for word, with every layer of that day."""

import json
from dataclasses import replace
from decimal import Decimal

import pytest

from app.approvals import notices, reviewing
from app.approvals.errors import NotFound
from app.approvals.library import Library
from app.approvals.model import Dose, RequestDetails, RequestView
from app.approvals.office import Office
from app.audit import Reading
from app.authoring.explain import explain_request
from app.authoring.filled_form import decide_form, read_form
from app.authoring.stored_request import StoredRequest, read_request
from app.policy import decision_to_json, load_overlay, load_policy
from app.reference_data.drugs import load_drugs
from tests.integration.approvals.test_notices import REFER
from tests.integration.approvals.test_overlays import LOCAL, TEXT
from tests.unit.authoring.golden import assert_golden
from tests.world import CLINICIAN, COMMISSIONER, TRIAL_TEXT, World
from tests.world import PHARMACIST as OWN_PHARMACIST

HIGH = {"amount": "600", "unit": "mg", "every_days": 28}


@pytest.fixture
def world(world: World) -> World:
    trial = load_policy(TRIAL_TEXT, "trial.yaml", load_drugs().keys())
    library = Library([trial], [load_overlay(TEXT, "overlay.yaml")])
    world.office = Office(library, demonstration=True)
    return world


def explained(
    world: World, view: RequestView, caller: object = OWN_PHARMACIST
) -> tuple[StoredRequest, Reading]:
    library = world.office.library
    return world.do(lambda w: read_request(w, library, caller, view.request.id))  # type: ignore[arg-type]


def under_everything(world: World) -> RequestView:
    """A request under an overlay and a notice, with a dose above the policy's largest."""
    world.do(lambda w: notices.issue(w, world.office.library_at(w), REFER, "Ann", "Ben"))
    dose = Dose(Decimal(HIGH["amount"]), "mg", 28)
    return world.trial(answers=LOCAL, details=RequestDetails(dose=dose))


def test_the_words_of_a_stored_request_under_an_overlay_a_notice_and_a_high_dose(
    world: World,
) -> None:
    view = under_everything(world)
    request = view.request
    world.do(
        lambda w: reviewing.panel_approve(
            w, world.office, COMMISSIONER, request.id, "agreed", frozenset(), request.version
        )
    )
    found, reading = explained(world, view)
    lines = [line.replace(request.id, "ID") for line in explain_request(found)]
    assert_golden("explain_request", lines)
    assert (reading.action, reading.request_id) == ("request explained", request.id)
    assert reading.treatment_id == request.treatment_id


def test_a_form_is_told_what_the_service_decided_on_it_and_nothing_less(world: World) -> None:
    view = under_everything(world)
    found, _ = explained(world, view)
    body = {
        "policy": "trial-policy",
        "commissioner": "DEMQ1",
        "patient": {"birth_date": "1970-01-01", "sex": "female"},
        "decision_to_treat": view.request.decision_to_treat.isoformat(),
        "today": world.moment.day.isoformat(),
        "answers": LOCAL,
        "details": {"dose": HIGH},
    }
    form = read_form(json.dumps(body))
    library = world.office.library
    version = library.deciding(
        form.policy, form.kind, form.context.decision_to_treat, form.commissioner
    )
    assert version.overlay is not None
    alone = decide_form(version, form, [REFER])
    assert found.decision is not None
    assert decision_to_json(alone) == decision_to_json(found.decision)
    assert alone.notices == found.decision.notices == (REFER,)
    assert "above the policy's 300 mg" in " ".join(alone.reasons)


def test_a_request_decided_under_an_overlay_names_its_layer_after_it_left_the_library(
    world: World,
) -> None:
    view = world.trial(answers={**LOCAL, "first_line": False})
    world.office = Office(Library(world.office.library.all_versions()), demonstration=True)
    text = "\n".join(explain_request(explained(world, view)[0]))
    assert "With the overlay of DEMQ1 2026-01-01: A second line." in text
    assert "[not met] LOCAL (of DEMQ1 2026-01-01)" in text


def test_another_organisation_explains_nothing(world: World) -> None:
    view = world.trial(answers=LOCAL)
    stranger = replace(CLINICIAN, id="stranger", organisation="DEMO2")
    with pytest.raises(NotFound):
        explained(world, view, stranger)
