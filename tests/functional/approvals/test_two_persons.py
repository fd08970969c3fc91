"""Where two people must act, two credentials of one person are one person."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from fastapi import FastAPI

from app.auth import holders
from app.auth.errors import CallerNotAccepted
from app.auth.model import CallerKind
from app.auth.people import add_person, find_person, revoke_person
from app.auth.store import register_caller
from app.db.work import Work
from tests.functional.approvals.api import Api, answering, good, initiation
from tests.functional.approvals.conftest import PEOPLE, STAFF
from tests.functional.approvals.scene import PANEL_SETTING, Scene
from tests.functional.conftest import ADMINISTRATOR

AT = "/v1/administration"
TOKEN = "another-token"
Register = Callable[..., tuple[str, Api]]


@pytest.fixture
def do(application: FastAPI) -> Callable[[Callable[[Work], Any]], Any]:
    def run(fn: Callable[[Work], Any]) -> Any:
        return application.state.door.transact(fn)

    return run


@pytest.fixture
def another(people: Mapping[str, Api], do: Any) -> Register:
    """Another token of the kind in the place of somebody of PEOPLE, tied to a person or to none."""

    def register(like: str, whose: str | None, kind: CallerKind = "person") -> tuple[str, Api]:
        organisation, role = PEOPLE[like]

        def make(work: Work) -> str:
            id_, _ = register_caller(
                work,
                ADMINISTRATOR,
                name="Another",
                kind=kind,
                organisation=organisation,
                role=role,
                demonstration=True,
                token=TOKEN,
            )
            if whose is not None:
                known = find_person(work, STAFF, whose)
                holders.tie(work, ADMINISTRATOR, id_, known.id)
            return id_

        return do(make), Api(people[like].client, TOKEN)

    return register


def refused(reply: Any, status: int, why: str) -> None:
    assert reply.status_code == status, reply.text
    assert why in reply.json()["detail"]


def person_id(do: Any, name: str) -> str:
    return str(do(lambda work: find_person(work, STAFF, name).id))


def test_two_tokens_of_one_administrator_confirm_nothing(
    people: Mapping[str, Api], another: Register
) -> None:
    _, second = another("administrator", "administrator")
    body = PANEL_SETTING | {"from_day": "2026-12-02"}
    for first, other in ((people["administrator"], second), (second, people["administrator"])):
        id_ = good(first.post(f"{AT}/proposals", body), 201)["id"]
        refused(other.post(f"{AT}/proposals/{id_}/confirm"), 403, "another credential of yours")
    confirmed = people["second administrator"].post(f"{AT}/proposals/{id_}/confirm")
    assert good(confirmed)["state"] == "confirmed"


def test_nobody_gives_a_role_to_themselves_by_another_credential(
    people: Mapping[str, Api], another: Register, application: FastAPI
) -> None:
    settings = application.state.settings
    application.state.settings = settings.model_copy(update={"oidc_issuer": STAFF})
    _, second = another("administrator", "administrator")
    wanted = {"act": "grant role", "subject": "administrator", "name": "Me", "role": "pharmacist"}
    for api in (people["administrator"], second):
        refused(api.post(f"{AT}/proposals", wanted), 403, "it would be your own")


@pytest.mark.parametrize("kind", ["person", "system"])
def test_a_credential_that_is_tied_to_no_person_is_neither_the_first_nor_the_second(
    people: Mapping[str, Api], another: Register, scene: Scene, kind: CallerKind
) -> None:
    _, nobody = another("administrator", None, kind)
    body = PANEL_SETTING | {"from_day": "2026-12-02"}
    refused(nobody.post(f"{AT}/proposals", body), 403, "tied to no person")
    waiting = scene.administered["proposals"]
    refused(nobody.post(f"{AT}/proposals/{waiting}/confirm"), 403, "tied to no person")
    assert good(nobody.post(f"{AT}/proposals/{waiting}/decline"))["state"] == "declined"


def test_what_was_proposed_by_somebody_revoked_since_is_not_confirmed(
    people: Mapping[str, Api], do: Any, scene: Scene
) -> None:
    gone = person_id(do, "second administrator")
    do(lambda work: revoke_person(work, ADMINISTRATOR, gone))
    waiting = scene.administered["proposals"]
    reply = people["administrator"].post(f"{AT}/proposals/{waiting}/confirm")
    refused(reply, 403, "was revoked since")


def test_two_administrators_tie_a_system_which_then_counts_as_its_person(
    people: Mapping[str, Api], another: Register, scene: Scene, do: Any
) -> None:
    id_, system = another("administrator", None, "system")
    mine = scene.administered["people"]  # has a role at DEMO1
    body = {"act": "tie credential", "credential": id_, "person": mine}
    first, second = people["administrator"], people["second administrator"]
    proposed = good(first.post(f"{AT}/proposals", body), 201)["id"]
    assert good(second.post(f"{AT}/proposals/{proposed}/confirm"))["made"] == mine

    listed = {each["id"]: each["person"] for each in good(first.get(f"{AT}/callers"))["callers"]}
    assert listed[id_] == mine
    waiting = scene.administered["proposals"]
    assert good(system.post(f"{AT}/proposals/{waiting}/confirm"))["state"] == "confirmed"
    refused(first.post(f"{AT}/proposals", body), 422, "is tied to somebody")


def test_only_ones_own_are_tied(
    people: Mapping[str, Api], another: Register, scene: Scene, do: Any
) -> None:
    theirs, _ = another("other administrator", None, "system")
    mine = scene.administered["people"]
    body = {"act": "tie credential", "credential": theirs, "person": mine}
    assert people["administrator"].post(f"{AT}/proposals", body).status_code == 404
    body = {"act": "tie credential", "credential": theirs, "person": mine}
    assert people["other administrator"].post(f"{AT}/proposals", body).status_code == 404


def test_two_tokens_of_one_commissioner_take_no_name_for_a_drug(
    another: Register, scene: Scene, do: Any
) -> None:
    id_, second = another("commissioner", "commissioner")
    at = f"/v1/drug-names/{scene.drug_name}/accept"
    refused(second.post(at), 409, "You proposed it yourself")
    do(lambda work: holders.untie(work, ADMINISTRATOR, id_))
    refused(second.post(at), 403, "tied to no person")
    other = person_id(do, "invoice validation")
    do(lambda work: holders.tie(work, ADMINISTRATOR, id_, other))
    assert good(second.post(at))["accepted_by"] == id_


def test_an_interest_declared_with_one_credential_bars_the_others(
    people: Mapping[str, Api], another: Register, change: Callable[[str, str, Any], None]
) -> None:
    change("DEMQ1", "panel", "DEMP1")
    _, second = another("panel member", "panel member")
    form = answering(initiation(), screened=False)
    made = good(people["clinician"].post("/v1/requests", form), 201)
    at = f"/v1/requests/{made['id']}"
    told = good(
        people["panel member"].post(
            f"{at}/declare-interest", {"interest": "My own ward."}, version=made["version"]
        )
    )
    sent = {"reason": "Because.", "waived": [], "declares_no_interest": True}
    reply = second.post(f"{at}/panel-approve", sent, version=told["version"])
    refused(reply, 403, "you declared an interest in this request")


def test_two_records_of_one_person_are_one_and_bring_their_credentials_along(
    people: Mapping[str, Api], another: Register, do: Any
) -> None:
    id_, _ = another("administrator", "second administrator")
    first, second = person_id(do, "administrator"), person_id(do, "second administrator")
    do(lambda work: holders.tie(work, ADMINISTRATOR, second, first))
    assert do(lambda work: holders.person_of(work, id_)) == first
    assert set(do(lambda work: holders.credentials_of(work, first))) >= {first, second, id_}
    made = people["administrator"].post(f"{AT}/proposals", PANEL_SETTING)
    reply = people["second administrator"].post(f"{AT}/proposals/{good(made, 201)['id']}/confirm")
    refused(reply, 403, "another credential of yours")
    with pytest.raises(CallerNotAccepted, match="one person already"):
        do(lambda work: holders.tie(work, ADMINISTRATOR, first, second))


@pytest.mark.parametrize(
    ("one", "other", "why"),
    [
        ("Ann  Bee", "{id}", "the same person"),
        ("ann bee", "A. Bee", "the same person"),
        ("Ann Bee", "Nobody", "is nobody's"),
        ("Ann Bee", "Same Name", "of several people"),
    ],
)
def test_names_on_the_command_line_stand_for_persons(
    do: Any, application: FastAPI, one: str, other: str, why: str
) -> None:
    def check(work: Work) -> None:
        made = [
            add_person(work, ADMINISTRATOR, issuer=STAFF, subject=str(number), name=name)
            for number, name in enumerate(("Ann Bee", "A. Bee", "Same Name", "Same name", "Cee"))
        ]
        holders.tie(work, ADMINISTRATOR, made[1].id, made[0].id)
        found = holders.check_two_named(work, "Ann Bee", "Cee", registered=True)
        assert found == (made[0].id, made[4].id)
        second = other.format(id=made[0].id)
        with pytest.raises(CallerNotAccepted, match=why):
            holders.check_two_named(work, one, second, registered=True)

    do(check)
