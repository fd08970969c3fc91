"""The page of a line: the passes in their order, the tests, and the part of the approval."""

import datetime as dt
import html
import re
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI

from app.auth.model import Role
from tests.functional.approvals.api import Api, good, initiation
from tests.functional.approvals.scene import SUBMISSION_ROW, UNKNOWN_PATIENT, run_of
from tests.functional.desk.conftest import Sit
from tests.functional.desk.test_desk import as_csv, bare

#: The order in which an approval is looked for, the surest first.
PASSES = (
    "Manual decision",
    "Approval reference",
    "NHS number",
    "NHS number, supplying provider",
    "NHS number, elsewhere",
    "Local patient identifier",
)
HEADS = (
    "What the line states",
    "Where its approval was looked for",
    "Tests",
    "The part of the approval",
)


def parts(text: str) -> dict[str, str]:
    """The page's parts by their headings, in their order."""
    main = text.partition("<main")[2].partition("</main>")[0]
    found = re.split(r'<h2 class="nhsuk-heading-m">(.*?)</h2>', main)
    return dict(zip(found[1::2], found[2::2], strict=True))


def rows(part: str) -> list[list[str]]:
    """The rows of a part's table in words, without its head."""
    table = part.partition("<tbody")[2].partition("</tbody>")[0]
    return [
        [html.unescape(bare(cell)) for cell in re.findall(r"<t[hd].*?</t[hd]>", row, re.S)]
        for row in re.findall(r"<tr.*?</tr>", table, re.S)
    ]


def pairs(part: str) -> dict[str, str]:
    found = re.findall(r"<dt[^>]*>(.*?)</dt><dd[^>]*>(.*?)</dd>", part, re.S)
    return {bare(key): html.unescape(bare(value)) for key, value in found}


def as_page(told: list[dict[str, str]], why: str) -> list[list[str]]:
    """What the API tells of passes or tests, as the page has it: in order, each with its reason."""
    words = ([each["name"], each["result"], in_english(each[why])] for each in told)
    return [[text[:1].upper() + text[1:] for text in row] for row in words]


def in_english(text: str) -> str:
    """The API's days, 13/09/2026, as the page says them."""
    return re.sub(
        r"\d\d/\d\d/\d{4}",
        lambda found: f"{dt.date(*map(int, reversed(found[0].split('/')))):%-d %B %Y}",
        text,
    )


def told(api: Api, sit: Sit, run: str, row: int) -> tuple[dict[str, str], dict[str, Any]]:
    """A line's page by its parts, and what the API says of the same line."""
    page = sit("DEMQ1", Role.COMMISSIONER).get(f"/submissions/runs/{run}/lines/{row}")
    assert page.status_code == 200
    return parts(page.text), good(api.get(f"/v1/runs/{run}/lines/{row}"))


def test_a_matched_line_shows_passes_tests_and_the_part_of_its_approval(
    people: Mapping[str, Api], application: FastAPI, sit: Sit
) -> None:
    approval = good(people["clinician"].post("/v1/requests", initiation(1)), 201)["approval"]
    payer = people["commissioner"]
    run = run_of(payer, application, as_csv(SUBMISSION_ROW))
    shown, api = told(payer, sit, run, 1)
    assert tuple(shown) == HEADS

    passes = rows(shown["Where its approval was looked for"])
    assert tuple(name for name, _, _ in passes) == PASSES
    assert [result for _, result, _ in passes] == [
        "Not tried", "Not tried", "Found", "Not tried", "Not tried", "Not tried"
    ]  # fmt: skip
    assert approval["reference"] in passes[2][2]
    assert passes[3][2] == "An earlier pass found the approval"

    tests = rows(shown["Tests"])
    assert [row[0] for row in tests] == [
        "Duplicate", "Contract", "Commissioner", "Approval status", "Drug", "Period", "Start-by",
        "Provider", "Product", "Route", "Indication", "Birth date", "Funding", "Continuation",
        "Unit price", "Quantity",
    ]  # fmt: skip
    assert ["Period", "Passed", "Within the approval"] in tests
    assert ["Route", "Not testable", "There are not two codes to compare"] in tests
    assert tests == as_page(api["line"]["tests"], "detail")
    assert "by 13 September 2026" in {row[0]: row[2] for row in tests}["Start-by"]
    assert not re.search(r"\d\d/\d\d/\d{4}", "".join(shown.values()))

    part = pairs(shown["The part of the approval"])
    provider = part.pop("Provider")
    assert provider.endswith("(DEMO1)")
    assert part == {
        "Approval": approval["reference"],
        "State": "live",
        "Drug": "Adalimumab",
        "Covers": "15 June 2026 to 14 December 2026",
        "Who pays": "DEMQ1",
        "Funding": "NHS",
    }


def test_a_test_that_fails_is_shown_with_the_part_that_it_failed_against(
    people: Mapping[str, Api], application: FastAPI, sit: Sit
) -> None:
    approval = good(people["clinician"].post("/v1/requests", initiation(1)), 201)["approval"]
    payer, day = people["commissioner"], "CLINICAL INTERVENTION DATE (DRUG DISPENSED)"
    run = run_of(payer, application, as_csv(SUBMISSION_ROW | {day: "2026-06-12"}))
    shown, api = told(payer, sit, run, 1)
    tests = rows(shown["Tests"])
    assert tests == as_page(api["line"]["tests"], "detail")
    assert "Failed" in {row[0]: row[1] for row in tests}["Period"]
    assert rows(shown["Where its approval was looked for"]) == as_page(api["passes"], "why")
    part = pairs(shown["The part of the approval"])
    assert part["Approval"] == approval["reference"]
    assert part["Covers"] == "15 June 2026 to 14 December 2026"


def test_a_line_without_an_approval_says_so_in_each_part(
    people: Mapping[str, Api], application: FastAPI, sit: Sit
) -> None:
    payer = people["commissioner"]
    run = run_of(payer, application, as_csv(SUBMISSION_ROW | UNKNOWN_PATIENT))
    shown, _ = told(payer, sit, run, 1)
    assert tuple(shown) == HEADS
    passes = rows(shown["Where its approval was looked for"])
    assert tuple(name for name, _, _ in passes) == PASSES
    assert [result for _, result, _ in passes[2:5]] == ["Nothing found"] * 3
    assert [row[:2] for row in rows(shown["Tests"])] == [
        ["Duplicate", "Passed"], ["Contract", "Not testable"], ["Commissioner", "Not testable"]
    ]  # fmt: skip
    assert bare(shown["The part of the approval"]) == "No approval was found for it."
