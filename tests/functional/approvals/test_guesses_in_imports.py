"""A file of old approvals tells no more birth dates of other hospitals' patients than a form."""

import csv
import io
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from fastapi import FastAPI

from app.auth.guesses import GuessLimits
from app.reference_data.nhs_number import test_number as invented_nhs_number
from tests.functional.approvals.api import Api, good, initiation
from tests.functional.approvals.scene import IMPORT_ROW, upload

LIMIT, OF_ANOTHER = 3, invented_nhs_number(1)
CONTRADICTED, NOT_LOOKED_AT = "contradicts the patient's record", "was not looked at"
#: The right date is the last.
DATES = [f"{day:02d}/01/1970" for day in range(8, 0, -1)]


@pytest.fixture(autouse=True)
def _few(application: FastAPI, people: Mapping[str, Api]) -> None:
    """Three an hour, and a patient of another hospital to guess at."""
    state = application.state
    state.office = replace(state.office, guesses=GuessLimits(person=LIMIT, system=LIMIT))
    good(people["clinician"].post("/v1/requests", initiation(1)), 201)


def rows(dates: list[str], number: str = OF_ANOTHER, trust: str = "DEMO2") -> list[dict[str, str]]:
    return [
        IMPORT_ROW
        | {"Blueteq ID": f"BLQ-{number}-{date}", "NHS No": number, "Hospital No": ""}
        | {"DoB": date, "Trust code": trust}
        for date in dates
    ]


def file_of(told: list[dict[str, str]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(IMPORT_ROW))
    writer.writeheader()
    writer.writerows(told)
    return text.getvalue().encode()


def seen(api: Api, told: list[dict[str, str]]) -> Any:
    return good(upload(api, "/v1/imports", file_of(told)), 201)


def said(preview: Any) -> list[str]:
    return [str(row) for row in preview["rows"]]


def how_many(preview: Any, words: str) -> int:
    return sum(words in each for each in said(preview))


def test_a_file_of_every_date_finds_no_birth_date(people: Mapping[str, Api]) -> None:
    told = seen(people["other pharmacist"], rows(DATES))
    assert how_many(told, CONTRADICTED) == LIMIT
    assert how_many(told, NOT_LOOKED_AT) == len(DATES) - LIMIT  # the right one among them
    assert told["new"] == 0


def test_what_a_file_was_told_counts_for_forms_and_for_the_next_file(
    people: Mapping[str, Api],
) -> None:
    seen(people["other pharmacist"], rows(DATES[:LIMIT]))
    told = seen(people["other pharmacist"], rows(DATES[LIMIT:]))
    assert how_many(told, CONTRADICTED) == 0
    assert how_many(told, NOT_LOOKED_AT) == len(DATES) - LIMIT


def test_a_file_that_is_looked_at_again_costs_nothing_more(people: Mapping[str, Api]) -> None:
    other = people["other pharmacist"]
    for _ in range(3):
        seen(other, rows(DATES[:1]))
    told = seen(other, rows(DATES[:LIMIT]))
    assert how_many(told, CONTRADICTED) >= LIMIT - 1


def test_a_date_that_fits_and_a_new_patient_are_no_guess(people: Mapping[str, Api]) -> None:
    other = people["other pharmacist"]
    new = [row for n in range(901, 906) for row in rows(["02/03/1980"], invented_nhs_number(n))]
    told = seen(other, [*rows(DATES[-1:]), *new])
    assert how_many(told, CONTRADICTED) == how_many(told, NOT_LOOKED_AT) == 0
    assert told["new"] >= len(new)
    assert how_many(seen(other, rows(DATES[:LIMIT])), CONTRADICTED) == LIMIT


def test_ones_own_patients_are_told_of_however_many(people: Mapping[str, Api]) -> None:
    told = seen(people["pharmacist"], rows(DATES[:6], trust="DEMO1"))
    assert how_many(told, CONTRADICTED) == 6


def test_a_commissioner_finds_no_birth_date_either(people: Mapping[str, Api]) -> None:
    told = seen(people["commissioner"], rows(DATES, trust="DEMO1"))
    assert how_many(told, CONTRADICTED) == LIMIT
    assert told["new"] == 0
