"""The administrator's pages: two give, one takes."""

import re
from typing import Any

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from fastapi import FastAPI

from app.approvals.settling import settings_of
from app.auth.clients import register_client
from app.auth.model import Role
from app.auth.store import register_caller
from app.db import tables
from app.db.work import Work
from tests.functional.conftest import ADMINISTRATOR
from tests.functional.web.conftest import Enter, Person

FIRST, SECOND = "demo1-administrator", "demo1-administrator-2"
AT = "/administration"
GRANT = {"subject": "demo-demo1-clinician", "name": "Dr Invented", "role": "pharmacist"}


def once(person: Person, page: str) -> str:
    return str(re.findall(r'name="once" value="([^"]+)"', person.get(page).text)[-1])


def act(person: Person, page: str, action: str, **fields: str) -> Any:
    return person.send(page, f"{AT}{action}", once=once(person, page), **fields)


def done(reply: Any) -> None:
    assert reply.status_code == 303, reply.text


def waiting(person: Person) -> list[str]:
    found = re.findall(r"/proposals/([0-9a-f-]{36})/decline", person.get(AT).text)
    return [str(each) for each in found]


def confirmed(second: Person) -> None:
    (id_,) = waiting(second)
    done(act(second, AT, f"/proposals/{id_}/confirm"))


def rows(application: FastAPI, query: sa.Select[Any]) -> list[Any]:
    return list(application.state.door.read(lambda work: work.connection.execute(query).all()))


def public_pem() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=3072)
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


# --- giving takes two ----------------------------------------------------------------------------


def test_a_role_is_proposed_by_one_and_given_by_another(enter: Enter) -> None:
    first, second = enter(FIRST), enter(SECOND)
    doctor = enter("demo1-clinician")  # known here from signing in
    people = f"{AT}/people"
    done(act(first, people, "/people", **GRANT))
    assert "You proposed it" in first.get(AT).text
    assert f"{AT}/proposals/{waiting(first)[0]}/confirm" not in first.get(AT).text
    own = act(first, AT, f"/proposals/{waiting(first)[0]}/confirm")
    assert own.status_code == 403
    assert "you made it yourself" in own.text
    shown = second.get(AT).text
    assert "Give Dr Invented the role pharmacist" in shown
    assert "Administrator of DEMO1 (demonstration)" in shown

    confirmed(second)
    assert "Take back pharmacist" in second.get(people).text
    assert doctor.get("/").status_code == 200
    # At the next sign-in the person may choose the new role.
    again = enter("demo1-clinician")
    assert again.get("/role").text.count('name="seat"') == 2

    (person,) = re.findall(r"/people/([0-9a-f-]{36})/withdraw-role", second.get(people).text)
    done(act(second, people, f"/people/{person}/withdraw-role", role="pharmacist"))
    assert again.get("/").headers["location"] == "/sign-in"
    assert "Take back pharmacist" not in second.get(people).text


def test_a_system_gets_its_key_by_two_and_loses_it_by_one(enter: Enter) -> None:
    first, second = enter(FIRST), enter(SECOND)
    systems = f"{AT}/systems"
    fields = {"name": "Stock control", "role": "clinician", "scope.read": "yes"}
    done(act(first, systems, "/systems", **fields))
    assert "Stock control" not in first.get(systems).text
    confirmed(second)
    (system,) = re.findall(r"/systems/([0-9a-f-]{36})/keys", first.get(systems).text)
    done(act(first, systems, f"/systems/{system}/keys", kid="key-1", pem=public_pem()))
    shown = second.get(AT).text
    assert "Give the system Stock control the key key-1" in shown
    assert re.search(r"Fingerprint of the key</dt><dd[^>]*>[A-Za-z0-9_-]{43}<", shown)
    confirmed(second)
    assert "<code>key-1</code>" in first.get(systems).text

    done(act(second, systems, f"/systems/{system}/remove-key", kid="key-1"))
    assert "<code>key-1</code>" not in first.get(systems).text
    done(act(second, systems, f"/systems/{system}/revoke"))
    assert "Revoked" in first.get(systems).text
    assert f"/systems/{system}/keys" not in first.get(systems).text


@pytest.mark.parametrize(
    ("name", "typed", "held"),
    [
        ("pharmacist_authorisation", "yes", True),
        ("panel", "demp1", "DEMP1"),
        ("panel", "*: DEMP1\nadalimumab-ra-severe: demp1", {"*": "DEMP1"}),
        ("approval_not_required", "Adalimumab\netanercept", ["adalimumab", "etanercept"]),
        ("back_entry_covers", "no", False),
    ],
)
def test_a_setting_is_changed_by_two_from_a_day_on(
    enter: Enter, application: FastAPI, name: str, typed: str, held: Any
) -> None:
    first, second = enter(FIRST), enter(SECOND)
    at, today = f"{AT}/settings", application.state.door.moment().day
    day = {f"{name}-from-{p}": str(getattr(today, p)) for p in ("day", "month", "year")}
    done(act(first, at, "/settings", setting=name, value=typed, **day))

    def now(work: Work) -> Any:
        return settings_of(work, "DEMO1", today)[name]

    assert application.state.door.read(now) is None
    confirmed(second)
    found = application.state.door.read(now)
    assert found == held if not isinstance(held, dict) else held.items() <= found.items()


def test_a_proposal_is_declined_or_taken_back_and_nothing_comes_of_it(enter: Enter) -> None:
    first, second = enter(FIRST), enter(SECOND)
    for person in (first, second):
        done(act(first, f"{AT}/people", "/people", **GRANT))
        (id_,) = waiting(person)
        done(act(person, AT, f"/proposals/{id_}/decline"))
    assert waiting(first) == []
    assert first.get(AT).text.count("Declined</strong>") == 2
    assert "Take back pharmacist" not in first.get(f"{AT}/people").text


def test_a_double_click_proposes_once(enter: Enter, application: FastAPI) -> None:
    first = enter(FIRST)
    name = once(first, f"{AT}/people")
    for _ in range(2):
        done(first.send(f"{AT}/people", f"{AT}/people", once=name, **GRANT))
    assert len(waiting(first)) == 1


# --- taking is done by one -----------------------------------------------------------------------


def test_sessions_are_ended_for_a_reason_that_is_kept(enter: Enter, application: FastAPI) -> None:
    administrator, doctor = enter(FIRST), enter("demo1-clinician")
    people = f"{AT}/people"
    shown = administrator.get(people).text
    assert "as clinician, last seen" in shown
    person = id_of(application, "demo-demo1-clinician")
    assert f"/people/{person}/end-sessions" in shown
    refused = act(administrator, people, f"/people/{person}/end-sessions", reason=" ")
    assert refused.status_code == 422
    assert "Say why the sessions end." in refused.text
    assert doctor.get("/").status_code == 200
    done(act(administrator, people, f"/people/{person}/end-sessions", reason="A lost laptop."))
    assert doctor.get("/").headers["location"] == "/sign-in"


def test_a_long_lived_token_is_revoked(enter: Enter, application: FastAPI) -> None:
    def register(work: Work) -> str:
        id_, _ = register_caller(
            work,
            ADMINISTRATOR,
            name="Old link",
            kind="system",
            organisation="DEMO1",
            role=Role.CLINICIAN,
        )
        return id_

    id_ = application.state.door.transact(register)
    administrator = enter(FIRST)
    systems = f"{AT}/systems"
    assert "Old link" in administrator.get(systems).text
    done(act(administrator, systems, f"/tokens/{id_}/revoke"))
    assert "Old link" not in administrator.get(systems).text


# --- what is wrong is told, and others find nothing ----------------------------------------------


@pytest.mark.parametrize(
    ("page", "fields", "words"),
    [
        ("/people", GRANT | {"subject": "two words"}, "Enter their id at the provider"),
        ("/people", GRANT | {"name": " "}, "Enter their name"),
        ("/people", GRANT | {"role": "king"}, "Choose a role"),
        ("/people", GRANT | {"subject": "demo-demo1-administrator"}, "it would be your own"),
        ("/systems", {"name": "X", "role": "clinician"}, "Choose at least one"),
        ("/systems", {"name": "", "role": "", "scope.read": "yes"}, "Enter the system"),
        ("/settings", {"setting": "panel", "value": "no code!"}, "Enter the first day"),
        ("/settings", {"setting": "pharmacist_authorisation"}, "Choose yes or no"),
        ("/settings", {"setting": "everything"}, "names no setting"),
    ],
)
def test_what_is_wrong_is_told(enter: Enter, page: str, fields: dict[str, str], words: str) -> None:
    person = enter(FIRST)
    reply = act(person, f"{AT}{page}", page, **fields)
    assert reply.status_code in (400, 403, 422)
    assert words in reply.text
    assert waiting(person) == []


@pytest.mark.parametrize(("kid", "pem"), [("key 1", "x"), ("key-1", "-----BEGIN"), ("", "")])
def test_a_key_that_cannot_be_used_is_told_by_its_field(
    enter: Enter, application: FastAPI, kid: str, pem: str
) -> None:
    system = application.state.door.transact(system_of("DEMO1"))
    person = enter(FIRST)
    reply = act(person, f"{AT}/systems", f"/systems/{system}/keys", kid=kid, pem=pem)
    assert reply.status_code == 422
    assert "There is a problem" in reply.text
    assert waiting(person) == []


def system_of(*organisations: str) -> Any:
    return lambda work: register_client(
        work,
        ADMINISTRATOR,
        name="Somebody's system",
        role=Role.CLINICIAN,
        organisations=list(organisations),
        scopes=["read"],
    )


def test_another_organisations_people_systems_and_proposals_are_not_found(
    enter: Enter, application: FastAPI
) -> None:
    own, other = enter(FIRST), enter("demo2-administrator")
    enter("demo1-clinician")
    door = application.state.door
    system = door.transact(system_of("DEMO1"))
    shared = door.transact(system_of("DEMO1", "DEMO2"))
    done(act(own, f"{AT}/people", "/people", **GRANT))
    (proposal,) = waiting(own)
    person = id_of(application, "demo-demo1-clinician")

    for page in ("", "/people", "/systems"):
        text = other.get(f"{AT}{page}").text
        assert "DEMO1 (demonstration)" not in text
        assert system not in text
        assert proposal not in text
    for path, fields in (
        (f"/proposals/{proposal}/confirm", {}),
        (f"/proposals/{proposal}/decline", {}),
        (f"/people/{person}/withdraw-role", {"role": "clinician"}),
        (f"/people/{person}/end-sessions", {"reason": "None of mine."}),
        (f"/systems/{system}/remove-key", {"kid": "key-1"}),
        (f"/systems/{system}/revoke", {}),
        (f"/systems/{system}/keys", {"kid": "key-1", "pem": public_pem()}),
        (f"/tokens/{system}/revoke", {}),
    ):
        assert raw(other, path, **fields).status_code == 404, path
    # A system of both is seen by both, and changed by neither.
    assert shared in other.get(f"{AT}/systems").text
    assert raw(other, f"/systems/{shared}/revoke").status_code == 403


def raw(person: Person, path: str, **fields: str) -> Any:
    """Send a form by hand: the page offers none of these."""
    return person.send(f"{AT}/people", f"{AT}{path}", once=once(person, f"{AT}/people"), **fields)


def id_of(application: FastAPI, subject: str) -> str:
    (row,) = rows(
        application, sa.select(tables.person.c.id).where(tables.person.c.subject == subject)
    )
    return str(row.id)
