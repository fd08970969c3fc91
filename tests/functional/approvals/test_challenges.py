"""Challenges over HTTP: drafted of a run, raised, answered, decided, credited; each pound once."""

import csv
import io
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from app.auth.model import Caller, Role
from app.db import tables
from app.db.work import Work
from app.reconciliation import challenging
from app.reconciliation.challenge_model import WHOLE, Part
from app.reconciliation.errors import TotalsDoNotTie
from app.reference_data.nhs_number import test_number as invented_nhs_number
from tests.functional.approvals.api import Api, Clock, good, initiation
from tests.functional.approvals.scene import SUBMISSION_ROW, Scene, run_of

LOCAL = "LOCAL PATIENT IDENTIFIER (EXTENDED)"
ROW = SUBMISSION_ROW | {LOCAL: ""}
#: Nobody known.
UNKNOWN = ROW | {"NHS NUMBER": invented_nhs_number(801), LOCAL: "HX-00801"}
OTHER_PROVIDER = "ORGANISATION IDENTIFIER (CODE OF PROVIDER)"
ROWS = (
    ROW,  # matched
    UNKNOWN,
    UNKNOWN | {"TOTAL COST": "20.50"},
    UNKNOWN,  # the same again: a duplicate
    UNKNOWN | {OTHER_PROVIDER: "DEMO2"},
    ROW | {OTHER_PROVIDER: "DEMO2", "TOTAL COST": "70.00"},  # approved at DEMO1
    UNKNOWN | {OTHER_PROVIDER: "", "TOTAL COST": "5.00"},  # nobody to ask
    UNKNOWN | {"TOTAL COST": "90.00"},
    UNKNOWN | {"TOTAL COST": "-90.00"},  # takes the charge before it back
)


def as_csv(*rows: Mapping[str, str]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def draft(payer: Api, run: str, **more: Any) -> Any:
    return good(payer.post("/v1/challenges", {"run": run, **more}), 201)


def step(api: Api, challenge: Any, name: str, body: Any, status: int = 200) -> Any:
    at = f"/v1/challenges/{challenge['id']}/{name}"
    return good(api.post(at, body, version=challenge["version"]), status)


def money(rows: Any) -> Decimal:
    return sum((Decimal(row["queried"]) for row in rows), Decimal(0))


@pytest.fixture
def payer(people: Mapping[str, Api]) -> Api:
    good(people["clinician"].post("/v1/requests", initiation(1)), 201)
    return people["commissioner"]


@pytest.fixture
def raised(payer: Api, application: FastAPI) -> Any:
    """£300 and £20.50 without an approval, raised with DEMO1."""
    run = run_of(payer, application, as_csv(*ROWS))
    made = draft(payer, run)["challenges"]
    (mine,) = [c for c in made if c["provider"] == "DEMO1" and c["outcome"] == "no approval"]
    return step(payer, mine, "raise", {"respond_by": "2026-07-31"})


def test_challenges_and_what_is_left_out_make_up_what_the_run_queried(
    payer: Api, application: FastAPI
) -> None:
    run = run_of(payer, application, as_csv(*ROWS))
    made = draft(payer, run)
    groups = {(c["provider"], c["outcome"]): (c["lines"], c["queried"]) for c in made["challenges"]}
    assert groups == {
        ("DEMO1", "no approval"): (2, "320.50"),
        ("DEMO1", "duplicate line"): (1, "300.00"),
        ("DEMO2", "no approval"): (1, "300.00"),
        ("DEMO2", "not the approved provider"): (1, "70.00"),
    }
    left = {each["why"]: (each["lines"], each["queried"]) for each in made["left_out"]}
    assert left == {
        "nothing is queried of it": (1, "0.00"),
        "it states no legible provider to ask": (1, "5.00"),
        "the file itself takes the charge back": (2, "0.00"),
    }
    whole = Decimal(good(payer.get(f"/v1/runs/{run}"))["queried"])
    assert money(made["challenges"]) + money(made["left_out"]) == whole == Decimal("995.50")
    for each in made["challenges"]:
        detail = good(payer.get(f"/v1/challenges/{each['id']}"))
        assert money(detail["lines"]) == Decimal(each["queried"])


@pytest.mark.parametrize("part", [WHOLE, Part(0, 1), Part(2, 1)])
def test_lines_that_do_not_make_up_a_challenge_are_not_shown_nor_a_part_of_them(
    application: FastAPI, raised: Any, part: Part
) -> None:
    desk, line = application.state.desk, tables.challenge_line.c
    who = Caller("who", "who", "person", "DEMQ1", Role.COMMISSIONER, "portal", "c-1")
    door = application.state.door.acting_for("DEMQ1")

    def a_penny_more(work: Work) -> None:
        own = line.challenge_id == raised["id"]
        last = sa.select(sa.func.max(line.row)).where(own).scalar_subquery()
        work.connection.execute(
            sa.update(tables.challenge_line)
            .where(own, line.row == last)
            .values(queried=Decimal("20.51"))
        )

    _, shown = door.read(lambda work: challenging.show(work, desk, who, raised["id"], part))
    assert len(shown) == (part.most or 2)
    door.transact(a_penny_more)
    with pytest.raises(TotalsDoNotTie):
        door.read(lambda work: challenging.show(work, desk, who, raised["id"], part))


def test_a_line_is_challenged_once_whatever_file_or_run_states_it(
    payer: Api, application: FastAPI
) -> None:
    first = draft(payer, run_of(payer, application, as_csv(*ROWS)))
    again = draft(payer, first["run"])
    restated = run_of(payer, application, as_csv(*reversed(ROWS), ROW | {"TOTAL COST": "1.00"}))
    later = draft(payer, restated)
    assert again["challenges"] == later["challenges"] == []
    held = [each for each in later["left_out"] if each["why"] == "it is challenged already"]
    assert [(each["lines"], each["queried"]) for each in held] == [(5, "990.50")]


def test_a_withdrawn_line_comes_back_for_another_reason_only(
    payer: Api, people: Mapping[str, Api], application: FastAPI
) -> None:
    late = ROW | {"NHS NUMBER": invented_nhs_number(5)}
    run = run_of(payer, application, as_csv(late))
    (made,) = draft(payer, run)["challenges"]
    step(payer, made, "withdraw", {"reason": "Not worth it."})
    again = draft(payer, run)
    assert again["challenges"] == []
    assert [each["why"] for each in again["left_out"]] == [
        "a challenge of it for the same reason was withdrawn"
    ]
    good(people["clinician"].post("/v1/requests", initiation(5)), 201)
    before = late | {"CLINICAL INTERVENTION DATE (DRUG DISPENSED)": "2026-03-01"}
    (other,) = draft(payer, run_of(payer, application, as_csv(before)))["challenges"]
    assert other["outcome"] == "outside approval period"


def test_the_provider_answers_and_what_is_upheld_is_credited(
    payer: Api, people: Mapping[str, Api], raised: Any
) -> None:
    trust = people["pharmacist"]
    (listed,) = good(trust.get("/v1/challenges"))["challenges"]
    assert (listed["id"], listed["state"]) == (raised["id"], "raised")
    answered = step(trust, raised, "answer", {"evidence": "The form was late."})
    upheld = step(payer, answered, "uphold", {"reason": "It was.", "amount": "20.5"})
    done = step(payer, upheld, "credit", {"credit_reference": "CN-1"})
    assert [done["state"], done["queried"], done["upheld"]] == ["credited", "320.50", "20.50"]
    refused = step(payer, done, "withdraw", {"reason": "No."}, 409)
    assert refused["code"] == "step-not-possible"


@pytest.mark.parametrize(
    ("who", "name", "body", "status"),
    [
        ("commissioner", "credit", {"credit_reference": "CN-1"}, 409),
        ("commissioner", "raise", {"respond_by": "2026-07-31"}, 409),
        ("commissioner", "uphold", {"reason": "Too soon."}, 409),
        ("commissioner", "uphold", {"reason": "x", "amount": "-1"}, 422),
        ("commissioner", "answer", {"evidence": "Not mine to answer."}, 403),
        ("pharmacist", "uphold", {"reason": "Not mine to uphold."}, 403),
        ("other pharmacist", "answer", {"evidence": "Not mine."}, 404),
        ("other commissioner", "withdraw", {"reason": "Not mine."}, 404),
    ],
)
def test_a_step_that_is_not_the_callers_or_not_now_is_refused(
    people: Mapping[str, Api], raised: Any, who: str, name: str, body: Any, status: int
) -> None:
    step(people[who], raised, name, body, status)
    assert good(people["commissioner"].get(f"/v1/challenges/{raised['id']}"))["challenge"] == raised


def test_what_nobody_answered_is_upheld_once_its_day_has_passed(
    payer: Api, raised: Any, clock: Clock
) -> None:
    clock.on("2026-08-01")
    assert step(payer, raised, "uphold", {"reason": "No answer."})["upheld"] == "320.50"


@pytest.mark.parametrize("amount", ["320.51", "400"])
def test_no_more_is_upheld_than_was_challenged(
    payer: Api, people: Mapping[str, Api], raised: Any, amount: str
) -> None:
    answered = step(people["pharmacist"], raised, "answer", {"evidence": "No."})
    step(payer, answered, "uphold", {"reason": "More.", "amount": amount}, 409)


def test_a_provider_sees_no_draft_and_the_payer_no_identity(
    payer: Api, people: Mapping[str, Api], application: FastAPI, raised: Any
) -> None:
    number, local = UNKNOWN["NHS NUMBER"], UNKNOWN[LOCAL]
    trust = people["pharmacist"]
    words = f"Seen as {number[:3]} {number[3:6]} {number[6:]} ({local.lower()}), born 01/01/1970."
    step(trust, raised, "answer", {"evidence": words})
    for_trust = good(trust.get(f"/v1/challenges/{raised['id']}"))
    for_payer = payer.get(f"/v1/challenges/{raised['id']}")
    assert {line["nhs_number"] for line in for_trust["lines"]} == {number}
    assert for_trust["evidence"] == words
    assert good(for_payer)["evidence"] == "Seen as [hidden] ([hidden]), born 1970."
    assert {line["nhs_number"] for line in good(for_payer)["lines"]} == {None}
    assert len({line["nhs_pseudonym"] for line in good(for_payer)["lines"]}) == 1
    for secret in (number, local, "1970-01-01"):
        assert secret.lower() not in for_payer.text.lower()
    drafts = [c for c in good(payer.get("/v1/challenges", state="drafted"))["challenges"]]
    assert len(drafts) == 3
    for each in drafts:
        for who in ("pharmacist", "other pharmacist"):
            assert people[who].get(f"/v1/challenges/{each['id']}").status_code == 404


def test_a_provider_learns_of_an_approval_elsewhere_and_no_more(
    payer: Api, people: Mapping[str, Api], application: FastAPI
) -> None:
    made = draft(payer, run_of(payer, application, as_csv(*ROWS)))["challenges"]
    (one,) = [c for c in made if c["outcome"] == "not the approved provider"]
    step(payer, one, "raise", {"respond_by": "2026-07-31"})
    (line,) = good(people["other pharmacist"].get(f"/v1/challenges/{one['id']}"))["lines"]
    (whole,) = good(payer.get(f"/v1/challenges/{one['id']}"))["lines"]
    assert line["reason"] == "An approval exists, but not at your organisation."
    assert line["reference"] is None
    assert whole["reference"] is not None
    assert "DEMO1" in whole["reason"]


def test_the_change_feed_tells_the_provider_that_it_was_raised(
    payer: Api,
    people: Mapping[str, Api],
    raised: Any,
    database: Any,
    settle: Callable[[Any], None],
) -> None:
    step(people["pharmacist"], raised, "answer", {"evidence": "See our file."})
    settle(database)

    def told(who: str) -> list[str]:
        changes = good(people[who].get("/v1/changes", limit=500))["changes"]
        return [c["action"] for c in changes if c["object_id"] == raised["id"]]

    steps = ["challenge drafted", "challenge raised", "challenge answered"]
    assert told("pharmacist") == told("commissioner") == steps
    assert told("other pharmacist") == told("other commissioner") == told("clinician") == []


def test_challenges_by_month_are_apart(payer: Api, application: FastAPI) -> None:
    may = UNKNOWN | {"FINANCIAL MONTH": "2", "CLINICAL INTERVENTION DATE (DRUG DISPENSED)": ""}
    run = run_of(payer, application, as_csv(UNKNOWN, may | {"TOTAL COST": "7.00"}))
    made = draft(payer, run, by_month=True)["challenges"]
    assert [(c["month"], c["queried"]) for c in made] == [
        ("202627 M02", "7.00"),
        ("202627 M03", "300.00"),
    ]


def test_the_scene_raised_one(people: Mapping[str, Api], scene: Scene) -> None:
    found = good(people["pharmacist"].get(f"/v1/challenges/{scene.challenge}"))
    assert found["challenge"]["queried"] == "300.00"
