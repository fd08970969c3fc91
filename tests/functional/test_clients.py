"""A system signs in with a signed assertion, made here by another library than the service's."""

import datetime as dt
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from fastapi import FastAPI
from fastapi.testclient import TestClient
from joserfc.jwk import RSAKey
from typer.testing import CliRunner

from app.api.jwks import KeySets
from app.api.oauth import ASSERTION_TYPE, PATH
from app.approvals.library import Library
from app.auth.assertions import from_pem
from app.auth.clients import add_key, forget_the_past, register_client, remove_key, revoke_client
from app.auth.errors import CallerNotAccepted
from app.auth.model import Role
from app.cli import app as command_line
from app.db.engine import make_engine
from app.db.transaction import Database
from app.db.upgrade import upgrade
from app.db.work import Work
from app.main import create_app
from app.settings import Settings
from tests.conftest import Transact
from tests.functional.approvals.api import Clock
from tests.functional.conftest import ADMINISTRATOR
from tests.patience import PATIENCE_SECONDS

AUDIENCE = f"https://assent.example{PATH}"
NOON = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
KEY = "a key of forty characters for these tests"


def new_pair(bits: int = 3072) -> tuple[str, str]:
    """A private and a public key in PEM."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    return (
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode(),
        private.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode(),
    )


PRIVATE, PUBLIC = new_pair()
OTHER_PRIVATE, OTHER_PUBLIC = new_pair()


@pytest.fixture
def clock(moment: Any) -> Clock:
    return Clock(moment.instant)


@pytest.fixture
def application(
    database: Database,
    clock: Clock,
    ids: Callable[[], str],
    random_bytes: Callable[[int], bytes],
) -> FastAPI:
    """The service as outside demonstration: only signed tokens count."""
    settings = Settings(
        demonstration=False,
        audit_key=KEY,
        public_url="https://assent.example",
        requests_per_minute=50,
    )
    return create_app(
        settings,
        database=database,
        library=Library(()),
        now=lambda: clock.instant,
        new_id=ids,
        random_bytes=random_bytes,
    )


@pytest.fixture
def http(application: FastAPI) -> Iterator[TestClient]:
    with TestClient(application) as client:
        yield client


@pytest.fixture
def client_id(transact: Transact) -> str:
    """A clinical system of DEMO1 and DEMO2 with one key."""

    def register(work: Work) -> str:
        id_ = register_client(
            work,
            ADMINISTRATOR,
            name="Electronic prescribing",
            role=Role.CLINICIAN,
            organisations=["DEMO1", "DEMO2"],
            scopes=["read", "check"],
        )
        add_key(work, ADMINISTRATOR, id_, "k-1", from_pem(PUBLIC))
        return id_

    return transact(register)


class Signer:
    """What a client's own software does."""

    def __init__(self, http: TestClient, clock: Clock, client_id: str) -> None:
        self.http, self.clock, self.client_id, self.count = http, clock, client_id, 0

    def claims(self, **changes: Any) -> dict[str, Any]:
        self.count += 1
        claims = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": AUDIENCE,
            "jti": f"jti-{self.count}",
            "exp": int(self.clock.instant.timestamp()) + 300,
        }
        return {name: value for name, value in (claims | changes).items() if value is not None}

    def sign(
        self,
        claims: dict[str, Any],
        key: str = PRIVATE,
        algorithm: str = "RS512",
        **header: Any,
    ) -> str:
        return jwt.encode(claims, key, algorithm=algorithm, headers={"kid": "k-1"} | header)

    def ask(self, assertion: str, **fields: str) -> Any:
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": assertion,
        }
        return self.http.post(PATH, data=form | fields)

    def token(self, **fields: str) -> str:
        reply = self.ask(self.sign(self.claims()), **fields)
        assert reply.status_code == 200, reply.text
        return str(reply.json()["access_token"])

    def read(self, token: str, **headers: str) -> Any:
        return self.http.get("/v1/changes", headers={"Authorization": f"Bearer {token}"} | headers)


@pytest.fixture
def signer(http: TestClient, clock: Clock, client_id: str) -> Signer:
    return Signer(http, clock, client_id)


FOR_DEMO1 = {"NHSD-End-User-Organisation-ODS": "DEMO1"}


def test_a_signed_assertion_gives_a_token_that_reads(signer: Signer) -> None:
    reply = signer.ask(signer.sign(signer.claims()))
    assert reply.status_code == 200
    body = reply.json()
    assert (body["token_type"], body["expires_in"], body["scope"]) == ("Bearer", 600, "check read")
    assert signer.read(body["access_token"], **FOR_DEMO1).status_code == 200


def refused(reply: Any, status: int, code: str, why: str) -> None:
    assert (reply.status_code, reply.json()["code"]) == (status, code), reply.text
    assert why in reply.json()["detail"]
    assert reply.headers["content-type"] == "application/problem+json"


WRONG_CLAIMS: list[tuple[dict[str, Any], str]] = [
    ({"aud": "https://another.example/token"}, "meant for another service"),
    ({"aud": None}, "meant for another service"),
    ({"iss": "somebody else"}, "must both be your client id"),
    ({"sub": None}, "must both be your client id"),
    ({"jti": None}, "'jti' must be"),
    ({"jti": "x" * 101}, "'jti' must be"),
    ({"jti": 7}, "'jti' must be"),
    ({"exp": None}, "'exp' must be"),
    ({"exp": "tomorrow"}, "'exp' must be"),
]


@pytest.mark.parametrize(("changes", "why"), WRONG_CLAIMS, ids=lambda each: str(each)[:40])
def test_a_claim_that_is_wrong_is_named(signer: Signer, changes: dict[str, Any], why: str) -> None:
    claims = signer.claims(**changes)
    if "jti" in changes and changes["jti"] == 7:  # the signing library minds it: sign it raw
        claims["jti"] = 7
        token = jwt.api_jws.encode(
            json.dumps(claims).encode(), PRIVATE, algorithm="RS512", headers={"kid": "k-1"}
        )
    else:
        token = jwt.api_jws.encode(
            json.dumps(claims).encode(), PRIVATE, algorithm="RS512", headers={"kid": "k-1"}
        )
    refused(signer.ask(token), 401, "invalid-client", why)


@pytest.mark.parametrize(
    ("seconds", "why"),
    [(-31, "has expired"), (301 + 30, "over five minutes"), (86_400, "over five minutes")],
)
def test_an_assertion_lives_five_minutes_at_most(signer: Signer, seconds: int, why: str) -> None:
    exp = int(signer.clock.instant.timestamp()) + seconds
    refused(signer.ask(signer.sign(signer.claims(exp=exp))), 401, "invalid-client", why)


def test_an_assertion_is_used_once_and_on_no_other_worker_again(
    signer: Signer, database: Database, clock: Clock, ids: Callable[[], str]
) -> None:
    assertion = signer.sign(signer.claims())
    assert signer.ask(assertion).status_code == 200
    refused(signer.ask(assertion), 401, "invalid-client", "used before")
    settings = Settings(demonstration=False, audit_key=KEY, public_url="https://assent.example")
    another = create_app(
        settings, database=database, library=Library(()), now=lambda: clock.instant, new_id=ids
    )
    with TestClient(another) as worker:
        reply = Signer(worker, clock, signer.client_id).ask(assertion)
    refused(reply, 401, "invalid-client", "used before")


def test_only_rs512_is_taken(signer: Signer) -> None:
    refused(
        signer.ask(signer.sign(signer.claims(), algorithm="RS256")),
        401,
        "invalid-client",
        "signed with RS512",
    )
    unsigned = jwt.encode(signer.claims(), "", algorithm="none", headers={"kid": "k-1"})
    refused(signer.ask(unsigned), 401, "invalid-client", "signed with RS512")


def test_the_public_key_as_a_shared_secret_is_not_taken(signer: Signer) -> None:
    """The old confusion of algorithms: HS512 with the public key as its secret."""
    import base64
    import hashlib
    import hmac

    def part(data: Any) -> bytes:
        return base64.urlsafe_b64encode(json.dumps(data).encode()).rstrip(b"=")

    content = part({"alg": "HS512", "kid": "k-1"}) + b"." + part(signer.claims())
    mac = hmac.new(PUBLIC.encode(), content, hashlib.sha512).digest()
    forged = content + b"." + base64.urlsafe_b64encode(mac).rstrip(b"=")
    refused(signer.ask(forged.decode()), 401, "invalid-client", "signed with RS512")


def test_another_key_does_not_sign_for_the_client(signer: Signer) -> None:
    reply = signer.ask(signer.sign(signer.claims(), key=OTHER_PRIVATE))
    refused(reply, 401, "invalid-client", "signature does not hold")


@pytest.mark.parametrize(
    ("fields", "code", "why"),
    [
        ({"grant_type": "password"}, "unsupported-grant-type", "grant_type must be"),
        ({"client_assertion_type": "x"}, "invalid-request", "are needed"),
        ({"client_assertion": ""}, "invalid-request", "are needed"),
        ({"scope": "read everything"}, "invalid-scope", "only these scopes: check, read"),
    ],
)
def test_a_form_that_is_wrong_is_refused(
    signer: Signer, fields: dict[str, str], code: str, why: str
) -> None:
    refused(signer.ask(signer.sign(signer.claims()), **fields), 400, code, why)


@pytest.mark.parametrize("assertion", ["x", "a.b", "a.b.c", "e30.e30.x", "é.é.é", "W10.W10.x"])
def test_what_is_no_token_is_refused(signer: Signer, assertion: str) -> None:
    reply = signer.ask(assertion)
    assert (reply.status_code, reply.json()["code"]) == (401, "invalid-client")


def test_what_is_no_form_is_refused(http: TestClient) -> None:
    reply = http.post(PATH, json={"grant_type": "client_credentials"})
    assert (reply.status_code, reply.json()["code"]) == (415, "wrong-media-type")


def test_a_token_ends_after_ten_minutes(signer: Signer) -> None:
    token = signer.token()
    signer.clock.instant += dt.timedelta(seconds=599)
    assert signer.read(token, **FOR_DEMO1).status_code == 200
    signer.clock.instant += dt.timedelta(seconds=1)
    assert signer.read(token, **FOR_DEMO1).status_code == 401


def test_a_client_acts_only_for_its_own_organisations(signer: Signer) -> None:
    token = signer.token()
    for code, status in (("DEMO1", 200), ("DEMO2", 200), ("DEMO3", 403)):
        reply = signer.read(token, **{"NHSD-End-User-Organisation-ODS": code})
        assert reply.status_code == status, code
    unnamed = signer.read(token)
    assert (unnamed.status_code, "the call names none" in unnamed.json()["detail"]) == (403, True)
    assert signer.read(token, **{"NHSD-End-User-Organisation-ODS": "demo1"}).status_code == 403


def test_a_token_opens_only_its_scopes(signer: Signer) -> None:
    token = signer.token(scope="check")
    reply = signer.read(token, **FOR_DEMO1)
    assert reply.status_code == 403
    assert "the token lacks the scope 'read'" in reply.json()["detail"]


def test_keys_rotate_without_a_gap(signer: Signer, transact: Transact) -> None:
    held = signer.token()
    id_ = signer.client_id
    transact(lambda work: add_key(work, ADMINISTRATOR, id_, "k-2", from_pem(OTHER_PUBLIC)))
    new = signer.ask(signer.sign(signer.claims(), key=OTHER_PRIVATE, kid="k-2"))
    assert new.status_code == 200
    assert signer.token()  # the old one still signs
    assert transact(lambda work: remove_key(work, ADMINISTRATOR, id_, "k-1"))
    refused(signer.ask(signer.sign(signer.claims())), 401, "invalid-client", "no key of that 'kid'")
    assert signer.read(held, **FOR_DEMO1).status_code == 200
    with pytest.raises(CallerNotAccepted, match="has had a key of that id"):
        transact(lambda work: add_key(work, ADMINISTRATOR, id_, "k-1", from_pem(PUBLIC)))


def test_a_revoked_client_and_its_tokens_are_refused_at_once(
    signer: Signer, transact: Transact
) -> None:
    token = signer.token()
    assert transact(lambda work: revoke_client(work, ADMINISTRATOR, signer.client_id))
    assert signer.read(token, **FOR_DEMO1).status_code == 401
    refused(signer.ask(signer.sign(signer.claims())), 401, "invalid-client", "no active client")


def test_a_client_that_calls_too_often_is_told_when_to_come_again(signer: Signer) -> None:
    token = signer.token()
    answers = [signer.read(token, **FOR_DEMO1) for _ in range(51)]
    assert [each.status_code for each in answers] == [200] * 50 + [429]
    problem = answers[-1]
    assert problem.json()["code"] == "too-many-requests"
    wait = int(problem.headers["Retry-After"])
    signer.clock.instant += dt.timedelta(seconds=wait)
    assert signer.read(token, **FOR_DEMO1).status_code == 200


def test_keys_are_read_from_the_clients_own_address(
    application: FastAPI, signer: Signer, transact: Transact, clock: Clock
) -> None:
    id_ = transact(
        lambda work: register_client(
            work,
            ADMINISTRATOR,
            name="Another",
            role=Role.CLINICIAN,
            organisations=["DEMO1"],
            scopes=["read"],
            jwks_url="https://keys.example/jwks.json",
        )
    )
    served = {"keys": [from_pem(PUBLIC) | {"kid": "w-1"}]}
    fetched: list[str] = []

    def fetch(url: str) -> bytes:
        fetched.append(url)
        return json.dumps(served).encode()

    application.state.key_sets.fetch = fetch
    other = Signer(signer.http, clock, id_)
    assert other.ask(other.sign(other.claims(), kid="w-1")).status_code == 200
    assert other.ask(other.sign(other.claims(), kid="w-1")).status_code == 200
    assert fetched == ["https://keys.example/jwks.json"]  # kept for a while
    unknown = other.sign(other.claims(), key=OTHER_PRIVATE, kid="w-2")
    refused(other.ask(unknown), 401, "invalid-client", "no key of that 'kid'")
    served["keys"].append(from_pem(OTHER_PUBLIC) | {"kid": "w-2"})
    clock.instant += dt.timedelta(seconds=31)
    again = other.sign(other.claims(), key=OTHER_PRIVATE, kid="w-2")
    assert other.ask(again).status_code == 200
    application.state.key_sets.fetch = lambda _url: b"not JSON"
    clock.instant += dt.timedelta(minutes=6)
    assert other.ask(other.sign(other.claims(), kid="w-1")).status_code == 200  # the last known
    clock.instant += dt.timedelta(minutes=56)
    unread = other.ask(other.sign(other.claims(), kid="w-1"))
    refused(unread, 401, "invalid-client", "no key of that 'kid'")  # it may have been withdrawn
    application.state.key_sets.fetch = fetch
    clock.instant += dt.timedelta(seconds=31)
    assert other.ask(other.sign(other.claims(), kid="w-1")).status_code == 200
    served["keys"] = served["keys"][1:]
    clock.instant += dt.timedelta(minutes=5)
    withdrawn = other.ask(other.sign(other.claims(), kid="w-1"))
    refused(withdrawn, 401, "invalid-client", "no key of that 'kid'")
    assert other.ask(other.sign(other.claims(), OTHER_PRIVATE, kid="w-2")).status_code == 200


def test_a_slow_host_of_keys_holds_up_nobody_else() -> None:
    asked, go_on = threading.Event(), threading.Event()

    def fetch(url: str) -> bytes:
        if "slow" in url and later:
            asked.set()
            assert go_on.wait(PATIENCE_SECONDS)
        return json.dumps({"keys": [from_pem(PUBLIC) | {"kid": "k"}]}).encode()

    key_sets, later = KeySets(fetch=fetch), False
    slow, other = "https://slow.example/keys", "https://other.example/keys"
    assert key_sets.find(slow, "k", NOON)
    later, at = True, NOON + dt.timedelta(minutes=6)
    reading = threading.Thread(target=key_sets.find, args=(slow, "k", at))
    reading.start()
    assert asked.wait(PATIENCE_SECONDS)
    assert key_sets.find(other, "k", at)  # another client's
    assert key_sets.find(slow, "k", at)  # its own, by the set as it was read last
    go_on.set()
    reading.join()


def test_a_short_key_signs_only_where_it_was_registered_before(
    application: FastAPI, signer: Signer, transact: Transact, clock: Clock
) -> None:
    private, public = new_pair(2048)
    with pytest.raises(ValueError, match="under 3072 bits"):
        from_pem(public)
    numbers = RSAKey.import_key(public).as_dict(private=False)
    jwk = {name: str(numbers[name]) for name in ("kty", "n", "e")}
    transact(lambda work: add_key(work, ADMINISTRATOR, signer.client_id, "k-old", jwk))
    assert signer.ask(signer.sign(signer.claims(), private, kid="k-old")).status_code == 200

    id_ = transact(
        lambda work: register_client(
            work,
            ADMINISTRATOR,
            name="Another",
            role=Role.CLINICIAN,
            organisations=["DEMO1"],
            scopes=["read"],
            jwks_url="https://keys.example/jwks.json",
        )
    )
    served = json.dumps({"keys": [jwk | {"kid": "w-1"}]}).encode()
    application.state.key_sets.fetch = lambda _url: served
    other = Signer(signer.http, clock, id_)
    refused(
        other.ask(other.sign(other.claims(), private, kid="w-1")),
        401,
        "invalid-client",
        "the key is under 3072 bits: make one of 4096",
    )


def test_a_key_set_is_read_where_it_was_registered_and_nowhere_else() -> None:
    asked: list[str] = []

    class Elsewhere(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(302 if self.path == "/keys" else 200)
            self.send_header("Location", "/inside")
            self.end_headers()
            self.wfile.write(b'{"keys": []}')

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Elsewhere) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        found = KeySets().find(f"http://127.0.0.1:{server.server_port}/keys", "k", NOON)
        server.shutdown()
    assert (found, asked) == (None, ["/keys"])


def test_past_tokens_and_assertions_are_forgotten(
    signer: Signer, transact: Transact, moment: Any
) -> None:
    signer.token()
    assert transact(forget_the_past) == 0

    def later(work: Work) -> int:
        from dataclasses import replace

        instant = moment.instant + dt.timedelta(hours=2)
        return forget_the_past(replace(work, moment=replace(moment, instant=instant)))

    assert transact(later) == 2


@pytest.mark.parametrize(
    ("pem", "why"),
    [
        (PRIVATE, "keep it, and register the public one"),
        ("nonsense", "no RSA public key"),
        (new_pair(2048)[1], "under 3072 bits: make one of 4096"),
    ],
    ids=["private", "nonsense", "short"],
)
def test_only_a_public_rsa_key_of_3072_bits_is_registered(pem: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        from_pem(pem)


def test_an_administrator_registers_a_client_from_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASSENT_AUDIT_KEY", KEY)
    monkeypatch.setenv("ASSENT_DATA_DIR", str(tmp_path))
    engine = make_engine(f"sqlite:///{tmp_path / 'assent.db'}")
    upgrade(engine)
    engine.dispose()

    def run(*words: str) -> Any:
        return CliRunner().invoke(command_line, ["clients", *words])

    asked = ["add", "--name", "EPMA", "--organisation", "RX1", "--role", "clinician"]
    wrong = run(*asked, "--scope", "all")
    assert (wrong.exit_code, "Give scopes out of" in wrong.stderr) == (1, True)
    added = run(*asked, "--scope", "read", "--scope", "requests")
    assert added.exit_code == 0, added.output
    id_ = added.stdout.split()[1]
    pem = tmp_path / "key.pem"
    pem.write_text(PUBLIC)
    assert run("add-key", id_, "--kid", "k-1", "--pem", str(pem)).exit_code == 0
    pem.write_text(PRIVATE)
    assert "keep it" in run("add-key", id_, "--kid", "k-2", "--pem", str(pem)).stderr
    listed = run("list").stdout
    assert f"{id_}  active  EPMA (clinician)  for RX1  scopes read, requests  keys k-1" in listed
    assert run("remove-key", id_, "--kid", "k-1").exit_code == 0
    assert run("remove-key", id_, "--kid", "k-1").exit_code == 1
    assert run("revoke", id_).exit_code == 0
    assert "revoked  EPMA" in run("list").stdout
