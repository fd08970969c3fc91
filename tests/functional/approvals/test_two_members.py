"""Two members of a panel over the API, where the policy asks for two."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from app.approvals.library import Library
from app.auth import holders
from app.auth.model import Role
from app.auth.people import add_person, find_person
from app.auth.store import register_caller
from app.db import tables
from app.db.transaction import Database
from app.db.work import Moment, Work
from tests.functional.approvals.api import Api, answering, good, initiation
from tests.functional.approvals.conftest import STAFF
from tests.functional.conftest import ADMINISTRATOR
from tests.pattern_policies import asking_for_two
from tests.policies.library import packaged_library
from tests.rows import row_counts

Register = Callable[[str, str], Api]
AGREED = {"reason": "Screened elsewhere.", "declares_no_interest": True}
REFUSED = {"reason": "Not screened.", "declares_no_interest": True}


@pytest.fixture(scope="session")
def packaged() -> Library:
    return asking_for_two(packaged_library())


@pytest.fixture
def member(people: Mapping[str, Api], application: FastAPI) -> Register:
    """A token of a member of DEMP1, of the person named, who is registered where need be."""

    def register(token: str, whose: str) -> Api:
        def make(work: Work) -> None:
            id_, _ = register_caller(
                work,
                ADMINISTRATOR,
                name=token,
                kind="person",
                organisation="DEMP1",
                role=Role.PANEL_MEMBER,
                demonstration=True,
                token=token,
            )
            known = find_person(work, STAFF, whose) if whose == "panel member" else None
            known = known or add_person(
                work, ADMINISTRATOR, issuer=STAFF, subject=whose, name=whose
            )
            holders.tie(work, ADMINISTRATOR, id_, known.id)

        application.state.door.transact(make)
        return Api(people["panel member"].client, token)

    return register


@pytest.fixture
def referred(people: Mapping[str, Api], change: Callable[[str, str, Any], None]) -> dict[str, Any]:
    """A request that waits for the panel DEMP1."""
    change("DEMQ1", "panel", "DEMP1")
    form = answering(initiation(), screened=False)
    made: dict[str, Any] = good(people["clinician"].post("/v1/requests", form), 201)
    assert made["state"] == "referred"
    return made


def says(by: Api, request: Mapping[str, Any], step: str, body: Any, **more: Any) -> Any:
    """One member's step on the request as it stands."""
    at = f"/v1/requests/{request['id']}"
    version = good(by.get(at))["version"]
    return by.post(f"{at}/{step}", body, version=version, **more)


def test_the_reply_tells_the_first_vote_from_the_decision(
    people: Mapping[str, Api], member: Register, referred: dict[str, Any]
) -> None:
    ann, bea = people["panel member"], member("bea", "Bea")
    assert (referred["panel_members"], referred["panel_votes"]) == (2, [])
    first = good(says(ann, referred, "panel-approve", {**AGREED, "waived": []}))
    assert (first["state"], first["approval"]) == ("referred", None)
    assert first["version"] == referred["version"] + 1
    (vote,) = first["panel_votes"]
    assert vote["outcome"] == "approved"
    assert (vote["own"], vote["waits"], vote["decision"]) == (True, True, None)
    assert "One of two members has voted." in first["next"]
    assert [each["made_by"] for each in first["decisions"]] == ["policy"]

    second = good(says(bea, referred, "panel-approve", {"reason": "Yes.", **_clear()}))
    assert second["state"] == "approved"
    assert second["approval"]["reference"]
    made = second["decisions"][-1]
    assert made["agreed_with"] == vote["voted_by"]
    assert made["reasons"] == ["Screened elsewhere.", "Yes."]
    assert [(v["decision"], v["waits"]) for v in second["panel_votes"]] == [(2, False), (2, False)]
    assert [v["name"] for v in second["panel_votes"]] == ["panel member", "bea"]


def _clear() -> dict[str, Any]:
    return {"declares_no_interest": True}


@pytest.mark.parametrize("step", ["panel-approve", "panel-decline"])
def test_one_person_with_two_tokens_is_refused_and_a_vote_sent_twice_is_one(
    people: Mapping[str, Api], member: Register, referred: dict[str, Any], step: str
) -> None:
    ann, token = people["panel member"], member("ann-again", "panel member")
    name = "3e0c52a7-6c0c-4a57-9d55-1f7d7bb6a0e1"
    first = ann.post(
        f"/v1/requests/{referred['id']}/{step}",
        AGREED,
        version=referred["version"],
        request_id=name,
    )
    again = ann.post(
        f"/v1/requests/{referred['id']}/{step}",
        AGREED,
        version=referred["version"],
        request_id=name,
    )
    assert good(first) == good(again)
    for by in (ann, token):
        reply = says(by, referred, step, AGREED)
        assert reply.status_code == 403, reply.text
        assert "you have voted so already" in reply.json()["detail"]
    shown = good(ann.get(f"/v1/requests/{referred['id']}"))
    assert (shown["state"], len(shown["panel_votes"])) == ("referred", 1)


def test_a_vote_needs_the_declaration_and_the_version_that_was_read(
    people: Mapping[str, Api], member: Register, referred: dict[str, Any]
) -> None:
    ann, bea = people["panel member"], member("bea", "Bea")
    undeclared = says(ann, referred, "panel-approve", {"reason": "Yes."})
    assert (undeclared.status_code, undeclared.json()["code"]) == (422, "details-not-accepted")
    good(says(ann, referred, "panel-decline", REFUSED))
    at = f"/v1/requests/{referred['id']}/panel-decline"
    assert bea.post(at, REFUSED, version=referred["version"]).status_code == 412
    assert bea.post(at, REFUSED).status_code == 428


def test_hospital_and_payer_are_shown_no_vote_before_the_decision(
    people: Mapping[str, Api], member: Register, referred: dict[str, Any]
) -> None:
    ann, bea, cas = people["panel member"], member("bea", "Bea"), member("cas", "Cas")
    at = f"/v1/requests/{referred['id']}"
    good(says(ann, referred, "panel-decline", REFUSED))
    good(says(bea, referred, "panel-approve", {"reason": "Yes.", **_clear()}))
    assert "voted differently" in good(ann.get(at))["next"]
    for who in ("clinician", "pharmacist", "commissioner", "auditor"):
        shown = people[who].get(at)
        assert good(shown)["panel_votes"] == [], who
        assert "vote" not in good(shown)["next"], who
        assert "Not screened." not in shown.text, who
    good(says(cas, referred, "panel-approve", {"reason": "I think so too.", **_clear()}))
    for who in ("clinician", "pharmacist", "commissioner", "auditor"):
        shown = people[who].get(at)
        assert [v["reason"] for v in good(shown)["panel_votes"]] == ["Yes.", "I think so too."], who
        assert [v["name"] for v in good(shown)["panel_votes"]] == [None, None], who
        assert "Not screened." not in shown.text, "a vote that decided nothing is the panel's own"
    assert len(good(ann.get(at))["panel_votes"]) == 3
    for who in ("other panel member", "other clinician", "other commissioner"):
        assert people[who].get(at).status_code == 404


def test_a_patients_number_in_a_vote_is_hidden_from_the_panel_and_the_payer(
    people: Mapping[str, Api], member: Register, referred: dict[str, Any]
) -> None:
    ann, bea = people["panel member"], member("bea", "Bea")
    number = initiation()["patient"]["nhs_number"]
    told = good(says(ann, referred, "panel-decline", {**REFUSED, "reason": f"Ask {number}."}))
    assert told["panel_votes"][0]["reason"] == "Ask [hidden]."
    done = good(says(bea, referred, "panel-decline", REFUSED))
    assert number not in str(done)
    payer = good(people["commissioner"].get(f"/v1/requests/{referred['id']}"))
    assert payer["panel_votes"][0]["reason"] == "Ask [hidden]."


def test_on_postgresql_a_vote_is_its_panels_own_until_it_is_a_decision(
    database: Database,
    moment: Moment,
    people: Mapping[str, Api],
    member: Register,
    referred: dict[str, Any],
) -> None:
    if database.engine.dialect.name != "postgresql":
        pytest.skip("SQLite has no row-level security: its stores' conditions are the only wall")

    def seen() -> dict[str, int]:
        codes = ("DEMP1", "DEMO1", "DEMQ1", "DEMP2", "DEMO2", "DEMQ2")
        return {
            code: database.read(
                lambda work: row_counts(work.connection), moment=moment, scope=code
            )["panel_vote"]
            for code in codes
        }

    good(says(people["panel member"], referred, "panel-approve", {**AGREED, "waived": []}))
    nobody = dict.fromkeys(("DEMP2", "DEMO2", "DEMQ2"), 0)
    assert seen() == {"DEMP1": 1, "DEMO1": 0, "DEMQ1": 0} | nobody
    do = {"moment": moment, "new_id": lambda: "planted", "random_bytes": bytes}

    def plant(work: Work) -> None:
        with work.beyond_scope():
            row = dict(work.connection.execute(sa.select(tables.panel_vote)).mappings().one())
        planted = row | {"id": work.new_id(), "number": 2, "voted_by": "nobody"}
        work.connection.execute(sa.insert(tables.panel_vote).values(**planted))

    def change(work: Work) -> int:
        return work.connection.execute(
            sa.update(tables.panel_vote).values(outcome="approved", waived=[])
        ).rowcount

    for code in ("DEMO1", "DEMQ1", "DEMP2"):
        with pytest.raises(sa.exc.DBAPIError, match="row-level security"):
            database.transact(plant, scope=code, **do)
        assert database.transact(change, scope=code, **do) == 0
    good(says(member("bea", "Bea"), referred, "panel-approve", {**AGREED, "waived": []}))
    assert seen() == {"DEMP1": 2, "DEMO1": 2, "DEMQ1": 2} | nobody
    assert database.transact(change, scope="DEMO1", **do) == 0, "read, and never changed"


def test_the_policys_document_says_how_many_must_agree(people: Mapping[str, Api]) -> None:
    library = asking_for_two(packaged_library())
    version = library.versions("adalimumab-ra-severe")[-1].version
    shown = good(people["clinician"].get(f"/v1/policies/adalimumab-ra-severe/versions/{version}"))
    assert shown["panel"]["members"] == 2
