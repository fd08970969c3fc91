"""Handing treatments over: two of the giver do it, each sees its own days, and all are told."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from app.db import tables
from app.db.transaction import Database
from app.db.work import Moment, Work
from app.reconciliation import charged_pounds
from tests.functional.approvals.api import Api, Clock, good, initiation
from tests.functional.approvals.scene import HANDING, SUBMISSION_ROW, table, upload, work_off
from tests.functional.approvals.test_challenges import as_csv

AT = "/v1/hand-over-proposals"
FIRST, LAST = "2026-07-01", "2026-06-30"
ASKED = HANDING | {"from_day": FIRST}
HANDED = "treatment handed to another commissioner"
SEEN_BY = ("clinician", "pharmacist", "commissioner", "other commissioner")


@pytest.fixture
def treatment(people: Mapping[str, Api], clock: Clock) -> str:
    """A running treatment that DEMQ1 pays for, on the day of a delegation to DEMQ2."""
    made = good(people["clinician"].post("/v1/requests", initiation(1)), 201)
    clock.on(FIRST)
    return str(made["treatment_id"])


def hand_over(people: Mapping[str, Api], asked: dict[str, str] = ASKED) -> Any:
    """Propose and confirm it, as two commissioners of DEMQ1."""
    made = good(people["commissioner"].post(AT, asked), 201)
    return good(people["second commissioner"].post(f"{AT}/{made['id']}/confirm"))


def coverage(api: Api, treatment: str) -> list[tuple[str, str | None, str]]:
    """The days of a treatment that a reader sees, and who pays for them."""
    found = good(api.get(f"/v1/treatments/{treatment}"))["segments"]
    return [(s["from_day"], s["to_day"], s["commissioner"]) for s in found]


def told(api: Api) -> list[str]:
    """The treatments of which a reader's feed says that they were handed over."""
    changes, after = [], None
    while True:
        page = good(api.get("/v1/changes", **({"after": after} if after else {}), limit=500))
        changes += page["changes"]
        if not page["changes"]:
            return [c["treatment_id"] for c in changes if c["action"] == HANDED]
        after = page["next"]


def test_what_one_proposes_another_confirms_and_each_sees_its_own_days(
    people: Mapping[str, Api],
    treatment: str,
    rows: Callable[[], dict[str, int]],
) -> None:
    payer, receiver = people["commissioner"], people["other commissioner"]
    ((begins, ends, _),) = coverage(people["clinician"], treatment)
    reply = payer.post(AT, ASKED)
    proposal = good(reply, 201)
    assert reply.headers["Location"] == f"{AT}/{proposal['id']}"
    assert (proposal["state"], proposal["stale"]) == ("waiting", False)
    assert proposal["touches"] == {
        "treatments": 1, "approvals": 1, "segments": 1, "waiting": 0
    }  # fmt: skip
    before = rows()
    own = payer.post(f"{AT}/{proposal['id']}/confirm")
    assert own.status_code == 403, own.text
    assert rows() == before
    assert receiver.get(f"/v1/treatments/{treatment}").status_code == 404
    assert good(receiver.get("/v1/hand-overs"))["hand_overs"] == []

    done = good(people["second commissioner"].post(f"{AT}/{proposal['id']}/confirm"))

    assert (done["state"], done["decided_by"]) == ("confirmed", "second commissioner")
    both = [(begins, LAST, "DEMQ1"), (FIRST, ends, "DEMQ2")]
    assert coverage(people["clinician"], treatment) == both
    assert coverage(payer, treatment) == both[:1]
    assert coverage(receiver, treatment) == both[1:]
    for api in (payer, receiver):
        (handed,) = good(api.get("/v1/hand-overs"))["hand_overs"]
        assert (handed["giver"], handed["receiver"]) == ("DEMQ1", "DEMQ2")
        assert (handed["from_day"], handed["treatments"]) == (FIRST, 1)
        assert "why" not in handed
        assert "by" not in str(sorted(handed))


def test_provider_and_both_commissioners_are_told_and_nobody_else(
    people: Mapping[str, Api],
    treatment: str,
    database: Database,
    settle: Callable[[Database], None],
) -> None:
    hand_over(people)
    settle(database)
    for who in SEEN_BY:
        assert told(people[who]) == [treatment], who
    assert told(people["other clinician"]) == []


def test_the_receiver_sees_no_more_of_the_past_than_its_days(
    people: Mapping[str, Api], treatment: str
) -> None:
    hand_over(people)
    payer, receiver = people["commissioner"], people["other commissioner"]
    seen = good(receiver.get(f"/v1/treatments/{treatment}"))
    assert (seen["requests"], seen["patient"]["nhs_number"]) == ([], None)
    (approval,) = seen["approvals"]
    assert approval["covers_from"] == FIRST
    at = f"/v1/approvals/{approval['reference']}"
    assert good(receiver.get(at))["covers_from"] == FIRST
    hits = good(receiver.post("/v1/searches", {"drug": "adalimumab"}))["hits"]
    assert [hit["treatment"]["id"] for hit in hits] == [treatment]
    own = good(payer.get(f"/v1/treatments/{treatment}"))
    (request,) = own["requests"]
    assert receiver.get(f"/v1/requests/{request['id']}").status_code == 404
    assert receiver.get(f"/v1/requests/{request['id']}/audit").status_code == 404
    (hit,) = good(payer.post("/v1/searches", {"drug": "adalimumab"}))["hits"]
    assert hit["covered_to"] == LAST


def test_a_stop_after_it_is_the_receiver_s_to_see(
    people: Mapping[str, Api], treatment: str, clock: Clock
) -> None:
    hand_over(people)
    clock.on("2026-07-20")
    details = {"from_day": "2026-07-19", "stop_reason": "other"}
    stop = {"kind": "stop", "decision_to_treat": "2026-07-20", "details": details}
    good(people["clinician"].post(f"/v1/treatments/{treatment}/requests", stop), 201)
    seen = {
        who: good(people[who].get(f"/v1/treatments/{treatment}"))["stopped_on"] for who in SEEN_BY
    }
    assert seen == dict.fromkeys(SEEN_BY, "2026-07-19") | {"commissioner": None}


@pytest.mark.parametrize("who", ["other commissioner", "clinician", "policy author"])
def test_nobody_takes(people: Mapping[str, Api], treatment: str, who: str) -> None:
    """DEMQ2 would take from DEMQ1 what is not its own: it has nothing to give itself."""
    reply = people[who].post(AT, ASKED)
    assert reply.status_code == (422 if who == "other commissioner" else 403), reply.text
    mine = people["other commissioner"].post(AT, ASKED | {"receiver": "DEMQ1"})
    assert good(mine, 201)["touches"]["treatments"] == 0
    assert [payer for *_, payer in coverage(people["clinician"], treatment)] == ["DEMQ1"]


def test_another_organisation_neither_sees_nor_decides_a_proposal(
    people: Mapping[str, Api], treatment: str, rows: Callable[[], dict[str, int]]
) -> None:
    id_ = good(people["commissioner"].post(AT, ASKED), 201)["id"]
    other = people["other commissioner"]
    before = rows()
    for reply in (
        other.get(f"{AT}/{id_}"),
        other.post(f"{AT}/{id_}/confirm"),
        other.post(f"{AT}/{id_}/decline"),
    ):
        assert reply.status_code == 404, reply.text
    assert good(other.get(AT))["proposals"] == []
    assert rows() == before
    good(people["second commissioner"].post(f"{AT}/{id_}/confirm"))
    assert other.get(f"{AT}/{id_}").status_code == 404, "a proposal is the giver's, done or not"


def test_a_proposal_that_would_touch_something_else_by_now_is_not_confirmed(
    people: Mapping[str, Api], treatment: str
) -> None:
    payer, second = people["commissioner"], people["second commissioner"]
    stale = good(payer.post(AT, ASKED), 201)["id"]
    good(people["clinician"].post("/v1/requests", initiation(2)), 201)
    assert good(payer.get(f"{AT}/{stale}"))["stale"] is True
    reply = second.post(f"{AT}/{stale}/confirm")
    assert reply.status_code == 409, reply.text
    assert "has changed since it was proposed" in reply.json()["detail"]
    assert [payer for *_, payer in coverage(people["clinician"], treatment)] == ["DEMQ1"]
    good(payer.post(f"{AT}/{stale}/decline"))
    assert hand_over(people)["touches"]["treatments"] == 2


def test_it_is_confirmed_on_its_first_day_or_later_and_within_seven_days(
    people: Mapping[str, Api], treatment: str, clock: Clock
) -> None:
    payer, second = people["commissioner"], people["second commissioner"]
    far = payer.post(AT, ASKED | {"from_day": "2026-07-09"})
    assert far.status_code == 422
    assert "at most 7 days before" in far.text
    id_ = good(payer.post(AT, ASKED | {"from_day": "2026-07-08"}), 201)["id"]
    early = second.post(f"{AT}/{id_}/confirm")
    assert early.status_code == 409
    assert "8 July 2026" in early.json()["detail"]
    clock.on("2026-07-08")
    assert good(second.post(f"{AT}/{id_}/confirm"))["state"] == "confirmed"
    late = good(payer.post(AT, ASKED | {"drug": "etanercept"}), 201)["id"]
    clock.on("2026-07-16")
    assert "older than 7 days" in second.post(f"{AT}/{late}/confirm").json()["detail"]


def test_a_declined_one_does_nothing_and_the_same_waits_once(
    people: Mapping[str, Api], treatment: str
) -> None:
    payer, second = people["commissioner"], people["second commissioner"]
    id_ = good(payer.post(AT, ASKED), 201)["id"]
    twice = second.post(AT, ASKED)
    assert twice.status_code == 409
    assert "waits for a second person already" in twice.json()["detail"]
    assert good(second.post(f"{AT}/{id_}/decline"))["state"] == "declined"
    assert second.post(f"{AT}/{id_}/confirm").status_code == 409
    assert [payer for *_, payer in coverage(people["clinician"], treatment)] == ["DEMQ1"]


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"receiver": "DEMQ1"}, "to itself"),
        ({"receiver": "DEMO1"}, "No commissioner with that code"),
        ({"receiver": "NOBODY"}, "No commissioner with that code"),
        ({"drug": "no-such-drug"}, "No drug of that key"),
        ({"why": " "}, "why"),
        ({"why": "x" * 501}, "why"),
    ],
)
def test_what_cannot_be_handed_over_is_refused(
    people: Mapping[str, Api], changed: dict[str, str], why: str
) -> None:
    reply = people["commissioner"].post(AT, ASKED | changed)
    assert reply.status_code == 422, reply.text
    assert why in reply.text


def test_a_request_that_waited_is_decided_by_whom_it_was_sent_to_and_paid_by_the_receiver(
    people: Mapping[str, Api], clock: Clock
) -> None:
    """So are the days of one that waits longer than the hand-over takes: nobody asks anew."""
    form = initiation(3, route="individual funding", commissioner="DEMQ1")
    sent = good(people["clinician"].post("/v1/requests", form), 201)
    treatment, at = sent["treatment_id"], f"/v1/requests/{sent['id']}"
    clock.on(FIRST)
    assert hand_over(people)["touches"] == {
        "treatments": 0, "approvals": 0, "segments": 0, "waiting": 1
    }  # fmt: skip
    receiver = people["other commissioner"]
    assert receiver.get(f"/v1/treatments/{treatment}").status_code == 404
    clock.on("2026-07-05")
    funding = {
        "basis": "individual funding",
        "case_reference": "IFR-1",
        "from_day": "2026-06-20",
        "to_day": "2026-12-31",
        "reason": "Agreed.",
        "terms": "As asked.",
    }
    assert receiver.post(f"{at}/fund", funding, version=sent["version"]).status_code == 404
    payer = people["commissioner"]
    reply = payer.post(f"{at}/fund", funding, version=sent["version"])
    good(reply)
    assert coverage(people["clinician"], treatment) == [
        ("2026-06-20", LAST, "DEMQ1"),
        (FIRST, "2026-12-31", "DEMQ2"),
    ]
    assert coverage(receiver, treatment) == [(FIRST, "2026-12-31", "DEMQ2")]


def test_row_level_security_keeps_a_proposal_from_its_receiver_until_it_is_confirmed(
    people: Mapping[str, Api], treatment: str, database: Database, moment: Moment
) -> None:
    if database.engine.dialect.name != "postgresql":
        pytest.skip("SQLite has no row-level security")
    c = tables.hand_over.c

    def seen(organisation: str) -> list[str]:
        query = sa.select(c.state)
        return database.read(
            lambda work: list(work.connection.execute(query).scalars()),
            moment=moment,
            scope=organisation,
        )

    def states() -> dict[str, list[str]]:
        return {code: seen(code) for code in ("DEMQ1", "DEMQ2", "DEMO1", "DEMO3")}

    def change(work: Work) -> int:
        planted = sa.update(tables.hand_over).values(receiver="DEMO3", state="confirmed")
        return work.connection.execute(planted).rowcount

    def plant(work: Work) -> None:
        with work.beyond_scope():
            row = dict(work.connection.execute(sa.select(tables.hand_over)).mappings().one())
        row |= {"id": "planted", "number": None}
        work.connection.execute(sa.insert(tables.hand_over).values(**row))

    id_ = good(people["commissioner"].post(AT, ASKED), 201)["id"]
    assert states() == {"DEMQ1": ["waiting"], "DEMQ2": [], "DEMO1": [], "DEMO3": []}
    good(people["second commissioner"].post(f"{AT}/{id_}/confirm"))
    assert states() == {"DEMQ1": ["confirmed"], "DEMQ2": ["confirmed"], "DEMO1": [], "DEMO3": []}
    do: dict[str, Any] = {"moment": moment, "new_id": lambda: "planted", "random_bytes": bytes}
    for outsider in ("DEMQ2", "DEMO1"):
        assert database.transact(change, scope=outsider, **do) == 0
        with pytest.raises(sa.exc.DBAPIError, match="row-level security"):
            database.transact(plant, scope=outsider, **do)


@pytest.fixture(params=["in memory", "from file to file"])
def sized(request: pytest.FixtureRequest, application: Any) -> Iterator[str]:
    """How the submissions of a test are matched and read."""
    desk = application.state.desk
    if request.param != "in memory":
        application.state.desk = replace(desk, matching=replace(desk.matching, most_lines=0))
    yield request.param
    application.state.desk = desk


def test_a_preview_counts_the_pounds_of_the_newest_runs(
    people: Mapping[str, Api], treatment: str, application: Any, sized: str
) -> None:
    for day, month in (("2026-06-20", "3"), ("2026-07-01", "4")):
        row = SUBMISSION_ROW | {"CLINICAL INTERVENTION DATE (DRUG DISPENSED)": day}
        row |= {"FINANCIAL MONTH": month}
        good(upload(people["commissioner"], "/v1/submissions", table(row)), 202)
        work_off(application)
    proposal = good(people["commissioner"].post(AT, ASKED), 201)
    assert (proposal["lines"], proposal["accepted"], proposal["queried"]) == (1, "300", "0")


def test_a_line_of_several_files_counts_once_as_the_newest_has_it_and_only_the_giver_s_count(
    people: Mapping[str, Api], treatment: str, application: Any, sized: str
) -> None:
    """Nor does a line that repeats another, nor what a hospital's own files say of the same."""
    july = SUBMISSION_ROW | {"FINANCIAL MONTH": "4"}
    july |= {"CLINICAL INTERVENTION DATE (DRUG DISPENSED)": "2026-07-03"}
    more = july | {"TOTAL COST": "310.005"}
    mine = july | {"TOTAL COST": "999.00"}
    files = (("pharmacist", [mine]), ("commissioner", [july, july]), ("commissioner", [july, more]))
    for who, lines in files:
        good(upload(people[who], "/v1/submissions", as_csv(*lines)), 202)
        work_off(application)
    proposal = good(people["commissioner"].post(AT, ASKED), 201)
    told = Decimal(proposal["accepted"]) + Decimal(proposal["queried"])
    assert (proposal["lines"], told) == (2, Decimal("610.005"))


def test_too_many_lines_to_look_through_are_said_not_to_be_counted(
    people: Mapping[str, Api],
    treatment: str,
    application: Any,
    sized: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    good(upload(people["commissioner"], "/v1/submissions", table(SUBMISSION_ROW)), 202)
    work_off(application)
    monkeypatch.setattr(charged_pounds, "MOST_LINES", 0)
    proposal = good(people["commissioner"].post(AT, ASKED), 201)
    assert (proposal["lines"], proposal["accepted"], proposal["queried"]) == (None, None, None)
