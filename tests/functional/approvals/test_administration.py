"""An organisation's administrators: two give power, one takes it away, each within their own."""

import datetime as dt
from collections.abc import Mapping
from typing import Any, get_args

import jwt
import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from app.api.administration_model import RoleName, SettingBody
from app.api.oauth import ASSERTION_TYPE, PATH
from app.approvals.settling import SETTINGS
from app.auth import clients, sessions
from app.auth import people as people_module
from app.auth.model import Role
from app.auth.people import Seat
from app.db.tables import audit_event, audit_payload, person
from app.db.transaction import Database
from app.db.work import Moment, Work
from tests.functional.approvals.api import Api, Clock, good
from tests.functional.approvals.scene import ISSUER, KID, PANEL_SETTING, Scene
from tests.functional.conftest import ADMINISTRATOR
from tests.functional.test_clients import PRIVATE, PUBLIC

AT = "/v1/administration"
GRANT = {
    "act": "grant role",
    "subject": "000000000001",
    "name": "Dr Invented",
    "role": "panel member",
}
CLIENT = {
    "act": "register client",
    "name": "Prescribing",
    "role": "clinician",
    "scopes": ["read", "check"],
}


@pytest.fixture(autouse=True)
def _provider(application: FastAPI) -> None:
    settings = application.state.settings
    application.state.settings = settings.model_copy(update={"oidc_issuer": ISSUER})


def propose(api: Api, body: Any) -> str:
    return str(good(api.post(f"{AT}/proposals", body), 201)["id"])


def confirm(api: Api, id_: str) -> Any:
    return api.post(f"{AT}/proposals/{id_}/confirm")


def both(people: Mapping[str, Api], body: Any) -> Any:
    """One administrator proposes, the other confirms."""
    id_ = propose(people["administrator"], body)
    return good(confirm(people["second administrator"], id_))


def refused(reply: Any, status: int, why: str) -> None:
    assert reply.status_code == status, reply.text
    assert why in reply.json()["detail"]


def test_the_roles_that_may_be_given_are_those_of_the_service() -> None:
    assert set(get_args(RoleName)) == {role.value for role in Role}


# --- giving takes two --------------------------------------------------------------------------


def test_a_role_is_given_by_two_and_means_nothing_before(
    people: Mapping[str, Api], database: Database, moment: Moment
) -> None:
    first, second = people["administrator"], people["second administrator"]
    id_ = propose(first, GRANT)
    assert good(first.get(f"{AT}/people"))["people"] == []
    refused(confirm(first, id_), 403, "you made it yourself")

    done = good(confirm(second, id_))

    assert (done["state"], done["made"] is not None) == ("confirmed", True)
    (listed,) = good(first.get(f"{AT}/people"))["people"]
    assert listed == {
        "id": done["made"],
        "subject": "000000000001",
        "name": "Dr Invented",
        "roles": ["panel member"],
    }
    seats = database.read(lambda work: people_seats(work, done["made"]), moment=moment)
    assert seats == (Seat("DEMO1", Role.PANEL_MEMBER),)
    refused(confirm(second, id_), 409, "confirmed before")


def test_a_proposal_of_long_ago_is_made_anew(people: Mapping[str, Api], clock: Clock) -> None:
    id_ = propose(people["administrator"], GRANT)
    clock.on("2026-06-30")
    refused(confirm(people["second administrator"], id_), 409, "older than 7 days")


def people_seats(work: Work, person_id: str) -> tuple[Seat, ...]:
    return people_module.granted(work, person_id)


@pytest.mark.parametrize("body", [GRANT, CLIENT, PANEL_SETTING], ids=lambda each: each["act"])
def test_what_one_declines_is_not_done(people: Mapping[str, Api], body: Any, rows: Any) -> None:
    before = {name: count for name, count in rows().items() if name in KEPT}
    id_ = propose(people["administrator"], body)
    declined = good(people["second administrator"].post(f"{AT}/proposals/{id_}/decline"))
    assert declined["state"] == "declined"
    assert confirm(people["second administrator"], id_).status_code == 409
    assert {name: count for name, count in rows().items() if name in KEPT} == before


KEPT = {"person", "person_role", "client", "client_key", "organisation_setting"}


def test_nobody_gives_a_role_to_themselves(people: Mapping[str, Api], application: FastAPI) -> None:
    """A person who calls as administrator is known by the same id as their grants."""
    listed = good(people["administrator"].get(f"{AT}/callers"))["callers"]
    mine = next(each["id"] for each in listed if each["name"] == "administrator")
    row = {"id": mine, "issuer": ISSUER, "subject": "me", "name": "Me"}

    def know_me(work: Work) -> None:
        made = row | {"created_at": work.moment.instant}
        work.connection.execute(sa.insert(person).values(**made))

    application.state.door.transact(know_me)
    wanted = GRANT | {"subject": "me"}
    own = people["administrator"].post(f"{AT}/proposals", wanted)
    refused(own, 403, "it would be your own")
    id_ = propose(people["second administrator"], wanted)
    refused(confirm(people["administrator"], id_), 403, "it would be your own")


def test_a_system_with_a_key_that_two_gave_it_signs_in(
    people: Mapping[str, Api], application: FastAPI, clock: Clock
) -> None:
    made = both(people, CLIENT)["made"]
    key = {"act": "add client key", "client_id": made, "kid": "k-1", "pem": PUBLIC}
    assert both(people, key)["made"] == "k-1"

    claims = {
        "iss": made,
        "sub": made,
        "aud": application.state.settings.address(PATH),
        "jti": "jti-1",
        "exp": int(clock.instant.timestamp()) + 300,
    }
    http = people["administrator"].client
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": jwt.encode(claims, PRIVATE, algorithm="RS512", headers={"kid": "k-1"}),
    }
    token = good(http.post(PATH, data=form))["access_token"]
    system = Api(http, token)
    assert system.get("/v1/changes").status_code == 200

    (listed,) = good(people["administrator"].get(f"{AT}/clients"))["clients"]
    assert (listed["organisations"], listed["keys"]) == (["DEMO1"], ["k-1"])
    good(people["administrator"].post(f"{AT}/clients/{made}/remove-key", {"kid": "k-1"}))
    assert good(people["administrator"].get(f"{AT}/clients"))["clients"][0]["keys"] == []
    good(people["administrator"].post(f"{AT}/clients/{made}/revoke"))
    assert system.get("/v1/changes").status_code == 401
    assert people["administrator"].post(f"{AT}/clients/{made}/revoke").status_code == 404


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"pem": "no key"}, "pem"),
        ({"pem": PRIVATE}, "pem"),
        ({}, "pem"),
        ({"pem": PUBLIC, "jwk": {"kty": "RSA", "n": "AQAB", "e": "AQAB"}}, "pem"),
        ({"jwk": {"kty": "RSA", "n": "AQAB", "e": "AQAB"}}, "jwk"),
    ],
    ids=["no key", "a private key", "none", "both", "too short"],
)
def test_a_key_that_cannot_be_used_is_refused(
    people: Mapping[str, Api], scene: Scene, changes: Any, field: str
) -> None:
    client_id = scene.administered["clients"]
    body = {"act": "add client key", "client_id": client_id, "kid": "k-2"} | changes
    reply = people["administrator"].post(f"{AT}/proposals", body)
    assert reply.status_code == 422, reply.text
    assert reply.json()["errors"][0]["where"] == field


def test_a_setting_changes_from_its_day_when_two_want_it(
    people: Mapping[str, Api], clock: Clock, moment: Moment
) -> None:
    tomorrow = (moment.day + dt.timedelta(days=1)).isoformat()
    both(people, PANEL_SETTING | {"value": True, "from_day": tomorrow})
    name = "pharmacist_authorisation"
    assert good(people["administrator"].get(f"{AT}/settings"))["settings"][name] is None
    clock.instant += dt.timedelta(days=1)
    assert good(people["administrator"].get(f"{AT}/settings"))["settings"][name] is True


def test_every_setting_can_be_proposed() -> None:
    assert get_args(SettingBody.model_fields["setting"].annotation) == tuple(SETTINGS)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"value": "DEMP1"}, "send true where"),
        ({"setting": "panel"}, "the code of the panel"),
        ({"setting": "panel", "value": {"No Policy": "DEMP1"}}, "the code of the panel"),
        ({"setting": "approval_not_required"}, "a list of drugs"),
        ({"setting": "back_entry_covers", "value": "DEMP1"}, "true where the commissioner lets"),
        ({"from_day": "2026-01-01"}, "That day is past"),
    ],
)
def test_a_setting_holds_what_it_may_hold(
    people: Mapping[str, Api], changes: Any, why: str
) -> None:
    reply = people["administrator"].post(f"{AT}/proposals", PANEL_SETTING | changes)
    refused(reply, 422, why)


def test_scopes_that_there_are_not_are_refused_when_proposed(people: Mapping[str, Api]) -> None:
    reply = people["administrator"].post(f"{AT}/proposals", CLIENT | {"scopes": ["everything"]})
    refused(reply, 422, "Give scopes out of")


# --- taking away takes one ----------------------------------------------------------------------


def test_a_withdrawn_role_ends_the_persons_sessions(
    people: Mapping[str, Api], scene: Scene, application: FastAPI
) -> None:
    person_id = scene.administered["people"]
    limits, door = application.state.session_limits, application.state.door

    def sign_in(work: Work) -> str:
        known = people_module.active_person(work, person_id)
        assert known is not None
        return sessions.open_session(work, known, (), limits, correlation_id="tests")[0]

    secrets = [door.transact(sign_in), door.transact(sign_in)]

    def live() -> list[bool]:
        return [
            door.read(lambda work, s=s: sessions.find_session(work, s, limits)) is not None
            for s in secrets
        ]

    assert live() == [True, True]
    at = f"{AT}/people/{person_id}"
    ended = good(people["administrator"].post(f"{at}/end-sessions", {"reason": "Lost card."}))
    assert (ended["sessions_ended"], live()) == (2, [False, False])
    secrets.append(door.transact(sign_in))
    assert live()[-1]
    good(people["administrator"].post(f"{at}/withdraw-role", {"role": "auditor"}))
    assert not live()[-1]
    again = people["administrator"].post(f"{at}/withdraw-role", {"role": "auditor"})
    assert again.status_code == 404


def test_a_revoked_token_of_the_organisation_is_refused(
    people: Mapping[str, Api], scene: Scene
) -> None:
    listed = good(people["administrator"].get(f"{AT}/callers"))["callers"]
    assert all("token" not in each for each in listed)
    clinician = next(each["id"] for each in listed if each["name"] == "clinician")
    assert people["clinician"].get("/v1/drafts").status_code == 200
    good(people["administrator"].post(f"{AT}/callers/{clinician}/revoke"))
    assert people["clinician"].get("/v1/drafts").status_code == 401


def test_a_system_that_acts_for_others_too_is_the_operators_to_change(
    people: Mapping[str, Api], application: FastAPI
) -> None:
    def register(work: Work) -> str:
        return clients.register_client(
            work,
            ADMINISTRATOR,
            name="Regional",
            role=Role.CLINICIAN,
            organisations=["DEMO1", "DEMO2"],
            scopes=["read"],
        )

    id_ = application.state.door.transact(register)
    for who in ("administrator", "other administrator"):
        assert [c["id"] for c in good(people[who].get(f"{AT}/clients"))["clients"]] == [id_]
        refused(people[who].post(f"{AT}/clients/{id_}/revoke"), 403, "other organisations too")
        key = {"act": "add client key", "client_id": id_, "kid": "k-1", "pem": PUBLIC}
        refused(people[who].post(f"{AT}/proposals", key), 403, "other organisations too")


# --- who, and what is left behind ---------------------------------------------------------------


def test_an_administrator_sees_no_patients_record(people: Mapping[str, Api], scene: Scene) -> None:
    api = people["administrator"]
    assert api.get(f"/v1/requests/{scene.request}").status_code in (403, 404)
    assert api.get(f"/v1/treatments/{scene.treatment}").status_code in (403, 404)
    assert api.post("/v1/searches", {}).status_code == 403


def test_every_change_is_in_the_audit_log_with_before_and_after(
    people: Mapping[str, Api], scene: Scene, database: Database, moment: Moment
) -> None:
    id_ = propose(people["administrator"], PANEL_SETTING | {"from_day": "2026-12-02"})
    good(confirm(people["second administrator"], id_))
    client = scene.administered["clients"]
    good(people["administrator"].post(f"{AT}/clients/{client}/remove-key", {"kid": KID}))

    def told(work: Work) -> list[Any]:
        query = (
            sa.select(audit_event.c.action, audit_event.c.role, audit_payload.c.body)
            .join_from(audit_event, audit_payload, audit_event.c.payload_id == audit_payload.c.id)
            .where(audit_event.c.organisation == "DEMO1", audit_event.c.role == "administrator")
            .order_by(audit_event.c.id.desc())
            .limit(4)
        )
        return list(work.connection.execute(query))[::-1]

    found = database.read(told, moment=moment)
    assert [row.action for row in found] == [
        "propose",
        "change setting",
        "confirm",
        "remove client key",
    ]
    changed, removed = found[1].body, found[3].body
    assert '"before":{"value":null}' in changed.replace(" ", "")
    assert '"value":false' in changed.replace(" ", "")
    assert KID in removed


def test_proposals_of_another_organisation_are_not_listed(
    people: Mapping[str, Api], scene: Scene
) -> None:
    own = good(people["administrator"].get(f"{AT}/proposals"))["proposals"]
    assert [each["id"] for each in own] == [scene.administered["proposals"]]
    assert good(people["other administrator"].get(f"{AT}/proposals"))["proposals"] == []
