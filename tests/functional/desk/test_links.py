"""Proposed approvals on pages: the evidence without a value, accepted or refused once."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from fastapi import FastAPI

from app.auth.model import Role
from app.reconciliation.linkage import most_costly
from app.reference_data.nhs_number import test_number as invented_nhs_number
from app.web.desk import links
from tests.functional.approvals.api import Api, good, initiation
from tests.functional.approvals.scene import MISTYPED, SUBMISSION_ROW, run_of
from tests.functional.approvals.test_challenges import LOCAL, as_csv
from tests.functional.desk.conftest import Browser, Sit
from tests.functional.desk.test_desk import bare, work_off

TYPED = SUBMISSION_ROW | MISTYPED
TWIN = SUBMISSION_ROW | {"NHS NUMBER": "", LOCAL: ""}


@pytest.fixture(params=["in memory", "in files"], autouse=True)
def _size(application: FastAPI, request: pytest.FixtureRequest) -> Iterator[None]:
    """Everything holds of a run that is not held in memory, too."""
    desk = application.state.desk
    if request.param == "in files":
        application.state.desk = replace(desk, matching=replace(desk.matching, most_lines=0))
    yield
    application.state.desk = desk


@pytest.fixture
def reference(people: Mapping[str, Api]) -> str:
    made = good(people["clinician"].post("/v1/requests", initiation(1)), 201)
    return str(made["approval"]["reference"])


def compared(browser: Browser, application: FastAPI, run: str) -> str:
    """Have the lines compared; where the proposals then are."""
    at = f"/submissions/runs/{run}/links"
    job = browser.send(at, at).headers["location"]
    work_off(application)
    assert browser.get(job).headers["location"] == at
    return at


def the_proposal(people: Mapping[str, Api], run: str) -> Any:
    (made,) = good(people["commissioner"].get(f"/v1/runs/{run}/linkage-proposals"))["proposals"]
    return made


def test_the_evidence_is_shown_and_no_value_of_anybody(
    people: Mapping[str, Api], application: FastAPI, reference: str, sit: Sit
) -> None:
    run = run_of(people["commissioner"], application, as_csv(TYPED))
    browser = sit("DEMQ1", Role.COMMISSIONER)
    assert f"/submissions/runs/{run}/links" in browser.get(f"/submissions/runs/{run}").text
    at = compared(browser, application, run)
    listed = browser.get(at).text
    assert reference in listed
    proposal = f"/linkage-proposals/{the_proposal(people, run)['id']}"
    assert proposal in listed
    page = browser.get(proposal).text
    told = bare(page)
    assert "NHS number differs in one place" in told
    assert "Speaks" in told
    for value in (invented_nhs_number(1), TYPED["NHS NUMBER"], "1970", "H000001"):
        assert value not in page
        assert value not in listed


def test_accepting_makes_a_match_by_hand_once(
    people: Mapping[str, Api], application: FastAPI, reference: str, sit: Sit
) -> None:
    run = run_of(people["commissioner"], application, as_csv(TYPED))
    browser = sit("DEMQ1", Role.INVOICE_VALIDATION)
    compared(browser, application, run)
    page = f"/linkage-proposals/{the_proposal(people, run)['id']}"
    accept = f"{page}/accept"
    form = browser.form(page, accept) | {"approval_reference": reference}
    without = browser.post(accept, form | {"reason": " "})
    assert without.status_code == 422
    assert "Say how you know" in without.text
    sent = form | {"reason": "The trust confirmed it."}
    first = browser.post(accept, sent)
    assert browser.post(accept, sent).headers["location"] == first.headers["location"]
    work_off(application)
    second = browser.get(first.headers["location"]).headers["location"].rsplit("/", 1)[-1]
    (line,) = good(people["commissioner"].get(f"/v1/runs/{second}/lines"))["lines"]
    assert (line["outcome"], line["reference"]) == ("matched", reference)
    told = browser.get(page).text
    assert "The trust confirmed it." in told
    assert f'action="{accept}"' not in told
    late = browser.post(accept, sent | {"once": "7f0c2c59-3c0c-4a57-9d55-1f7d7bb6a0e1"})
    assert late.status_code == 422
    assert "accepted already" in late.text


def test_refusing_needs_a_reason_and_leads_back(
    people: Mapping[str, Api], application: FastAPI, reference: str, sit: Sit
) -> None:
    assert reference
    run = run_of(people["commissioner"], application, as_csv(TYPED))
    browser = sit("DEMQ1", Role.COMMISSIONER)
    at = compared(browser, application, run)
    page = f"/linkage-proposals/{the_proposal(people, run)['id']}"
    assert browser.send(page, f"{page}/refuse", reason="").status_code == 422
    reply = browser.send(page, f"{page}/refuse", reason="Another patient, says the trust.")
    assert (reply.status_code, reply.headers["location"]) == (303, at)
    assert the_proposal(people, run)["state"] == "refused"
    again = compared(browser, application, run)
    assert "No approval is likely enough" in browser.get(again).text


def test_of_two_alike_one_is_chosen_in_no_rank(
    people: Mapping[str, Api], application: FastAPI, reference: str, sit: Sit
) -> None:
    twin = good(people["clinician"].post("/v1/requests", initiation(2)), 201)
    run = run_of(people["commissioner"], application, as_csv(TWIN))
    browser = sit("DEMQ1", Role.COMMISSIONER)
    compared(browser, application, run)
    page = f"/linkage-proposals/{the_proposal(people, run)['id']}"
    told = browser.get(page).text
    both = sorted([reference, twin["approval"]["reference"]])
    assert told.index(both[0]) < told.index(both[1])
    assert "ask the trust first" in told
    assert " checked" not in told
    none = browser.send(page, f"{page}/accept", reason="The trust confirmed it.")
    assert none.status_code == 422
    assert "Choose which" in none.text


def test_a_trust_has_proposals_of_its_own_runs_and_accepts_none(
    people: Mapping[str, Api], application: FastAPI, reference: str, sit: Sit
) -> None:
    assert reference
    run = run_of(people["pharmacist"], application, as_csv(TYPED))
    browser = sit("DEMO1", Role.PHARMACIST)
    at = compared(browser, application, run)
    page = browser.get(at).text.split("/linkage-proposals/")[1][:36]
    told = browser.get(f"/linkage-proposals/{page}").text
    assert "Only the commissioner accepts" in told
    assert "/accept" not in told
    form = browser.form(f"/linkage-proposals/{page}") | {"approval_reference": reference}
    assert (
        browser.post(f"/linkage-proposals/{page}/accept", form | {"reason": "Ours."}).status_code
        == 403
    )
    for stranger in (sit("DEMQ1", Role.COMMISSIONER), sit("DEMO2", Role.PHARMACIST)):
        assert stranger.get(at).status_code == 404
        assert stranger.get(f"/linkage-proposals/{page}").status_code == 404
        refused = stranger.form("/submissions") | {
            "once": "7f0c2c59-3c0c-4a57-9d55-1f7d7bb6a0e1",
            "reason": "x",
        }
        assert stranger.post(f"/linkage-proposals/{page}/refuse", refused).status_code == 404


def test_the_page_says_how_many_are_left_and_why_and_goes_on(
    people: Mapping[str, Api],
    application: FastAPI,
    reference: str,
    sit: Sit,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert reference
    monkeypatch.setattr(most_costly, "MOST_KEPT", 3)
    monkeypatch.setattr(links, "LISTED", 2)
    costs = ("20.00", "300.10", "9.00", "100.20", "7.00")
    rows = [TYPED | {"TOTAL COST": cost, "QUANTITY": str(n)} for n, cost in enumerate(costs, 1)]
    run = run_of(people["commissioner"], application, as_csv(*rows))
    browser = sit("DEMQ1", Role.COMMISSIONER)
    at = compared(browser, application, run)
    page = browser.get(at).text
    told = bare(page)
    assert "2 more lines with a likely approval, not listed" in told
    assert "3 proposals wait for a decision, for lines that charge together £420.30" in told
    assert told.index("£300.10") < told.index("£100.20")
    assert "£20.00" not in told
    (after,) = re.findall(rf'href="({at}\?after=4)"', page)
    assert "£20.00" in bare(browser.get(after).text)
    assert "£300.10" not in bare(browser.get(after).text)
