"""A run that is not held in memory, on pages: its lines, a draft of some of them, and exports."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import pytest
from fastapi import FastAPI

from app.auth.model import Role
from tests.functional.approvals.api import Api, good, initiation
from tests.functional.approvals.scene import run_of
from tests.functional.approvals.test_challenges import ROWS, as_csv
from tests.functional.desk.conftest import Sit
from tests.functional.desk.test_desk import bare, work_off


@pytest.fixture
def run(people: Mapping[str, Api], application: FastAPI) -> Iterator[str]:
    desk = application.state.desk
    good(people["clinician"].post("/v1/requests", initiation(1)), 201)
    application.state.desk = replace(desk, matching=replace(desk.matching, most_lines=0))
    yield run_of(people["commissioner"], application, as_csv(*ROWS))
    application.state.desk = desk


def test_its_lines_are_shown_with_most_queried_first(run: str, sit: Sit) -> None:
    browser, at = sit("DEMQ1", Role.COMMISSIONER), f"/submissions/runs/{run}/lines"
    told = bare(browser.get(f"{at}?outcome=no+approval&order=queried").text)
    assert "Most queried first" in told
    assert told.index("300.00") < told.index("90.00") < told.index("20.50")
    line = bare(browser.get(f"{at}/2").text)
    assert "No approval" in line


def test_challenges_are_drafted_of_the_lines_that_are_shown(run: str, sit: Sit) -> None:
    browser, at = sit("DEMQ1", Role.COMMISSIONER), f"/submissions/runs/{run}"
    assert "of these" not in browser.get(f"{at}/lines").text
    of_one = f"{at}/lines?provider=DEMO2"
    assert '<input type="hidden" name="provider" value="DEMO2">' in browser.get(of_one).text
    reply = browser.send(of_one, f"{at}/challenges", provider="DEMO2")
    listed = bare(browser.get(reply.headers["location"]).text)
    assert "DEMO2" in listed
    assert "DEMO1" not in listed


def test_an_export_is_written_and_then_taken_away(run: str, sit: Sit, application: FastAPI) -> None:
    browser, at = sit("DEMQ1", Role.COMMISSIONER), f"/submissions/runs/{run}"
    assert f"{at}/export?format=xlsx" not in browser.get(at).text
    job = browser.send(at, f"{at}/exports").headers["location"]
    work_off(application)
    assert browser.get(job).headers["location"] == at
    assert f"{at}/export?format=xlsx" in browser.get(at).text
    assert "Have the CSV written" in browser.get(at).text
    assert browser.get(f"{at}/export?format=xlsx").content.startswith(b"PK")
    assert browser.get(f"{at}/export?format=csv").status_code == 409


def test_the_submitted_file_is_written_with_its_outcomes_and_then_taken_away(
    run: str, sit: Sit, application: FastAPI
) -> None:
    browser, at = sit("DEMQ1", Role.COMMISSIONER), f"/submissions/runs/{run}"
    assert "Have the submitted file with outcomes written" in bare(browser.get(at).text)
    browser.send(at, f"{at}/exports", format="returned-safe")
    work_off(application)
    assert f"{at}/export?format=returned-safe" in browser.get(at).text
    back = browser.get(f"{at}/export?format=returned-safe")
    assert "ASSENT OUTCOME" in back.text
    assert "NHS NUMBER PSEUDONYM" in back.text
    other = sit("DEMQ2", Role.COMMISSIONER)
    assert other.get(f"{at}/export?format=returned-safe").status_code == 404


def test_of_a_run_in_memory_the_submitted_file_comes_at_once(
    people: Mapping[str, Api], application: FastAPI, sit: Sit
) -> None:
    run = run_of(people["commissioner"], application, as_csv(*ROWS))
    browser, at = sit("DEMQ1", Role.COMMISSIONER), f"/submissions/runs/{run}"
    told = bare(browser.get(at).text)
    assert "Take away as" in told
    assert "or submitted file with outcomes" in told
    assert "Have the" not in told
    back = browser.get(f"{at}/export?format=returned-safe")
    assert back.text == people["commissioner"].get(f"/v1/runs/{run}/file", safe=True).text
    assert sit("DEMQ2", Role.COMMISSIONER).get(f"{at}/export?format=returned").status_code == 404
