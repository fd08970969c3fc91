"""Exporting a run over HTTP: a trust reads its patients' numbers, a payer pseudonyms."""

import io
from collections.abc import Mapping

import pytest
from fastapi import FastAPI
from python_calamine import CalamineWorkbook

from tests.functional.approvals.api import Api, good, initiation
from tests.functional.approvals.scene import SUBMISSION_ROW, run_of
from tests.functional.approvals.test_challenges import ROW, UNKNOWN, as_csv

NUMBER = SUBMISSION_ROW["NHS NUMBER"]


@pytest.mark.parametrize(("who", "identified"), [("pharmacist", True), ("commissioner", False)])
def test_who_reads_a_run_decides_what_its_export_tells(
    people: Mapping[str, Api], application: FastAPI, who: str, identified: bool
) -> None:
    good(people["clinician"].post("/v1/requests", initiation(1)), 201)
    api = people[who]
    run = run_of(api, application, as_csv(ROW, UNKNOWN))
    for format in ("csv", "json"):
        reply = api.get(f"/v1/runs/{run}/export", format=format)
        assert reply.status_code == 200, reply.text
        assert (NUMBER in reply.text) is identified
    reply = api.get(f"/v1/runs/{run}/export")
    assert reply.headers["content-disposition"] == f'attachment; filename="run-{run}.xlsx"'
    book = CalamineWorkbook.from_filelike(io.BytesIO(reply.content))
    header, line = book.get_sheet_by_name("Matched").to_python()
    told = dict(zip(header, line, strict=True))
    assert (told.get("NHS NUMBER") == NUMBER) is identified
    assert ("NHS NUMBER PSEUDONYM" in told) is not identified
    assert api.get(f"/v1/runs/{run}/export", format="docx").status_code == 422
    other = people["other pharmacist" if identified else "other commissioner"]
    assert other.get(f"/v1/runs/{run}/export", format="csv").status_code == 404


def test_the_workbook_holds_the_challenges_of_the_run(
    people: Mapping[str, Api], application: FastAPI
) -> None:
    payer = people["commissioner"]
    run = run_of(payer, application, as_csv(UNKNOWN))
    (made,) = good(payer.post("/v1/challenges", {"run": run}), 201)["challenges"]
    book = CalamineWorkbook.from_filelike(io.BytesIO(payer.get(f"/v1/runs/{run}/export").content))
    (_, told) = book.get_sheet_by_name("Challenges").to_python()
    assert (told[0], told[7]) == (made["id"], 300.0)
