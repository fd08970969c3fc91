"""A real OpenID Connect provider (npm `oidc-provider`), and the application that relies on it.

Where node or npm is absent these tests are skipped, unless CI or ASSENT_REQUIRE_NODE is set.
"""

import datetime as dt
import fcntl
import http.server
import json
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app import clock
from app.approvals.library import Library
from app.auth.assertions import from_pem
from app.db.transaction import Database
from app.main import create_app
from app.settings import RoleMeaning, Settings
from tests.faults.cluster import free_port
from tests.functional.test_clients import new_pair
from tests.oidc.browser import PUBLIC, Browser
from tests.policies.library import packaged_library

HERE = Path(__file__).parent
ABSENT = "node 20 or npm is absent: the tests against a real sign-in provider did NOT run"
CLIENT_ID = "assent-tests"
#: A second client of the provider, which proves who it is with a key in place of a secret.
KEYED_ID = "assent-tests-with-a-key"
#: A third, whose logout tokens name a person and no session.
SUBJECTS_ID = "assent-tests-by-subject"
KEY_ID = "tests-2026-11"
KEYED_PRIVATE, KEYED_PUBLIC = new_pair()
SECRET = "known to these tests and their provider only"


def _role(number: str, organisation: str, code: str) -> dict[str, str]:
    return {"person_roleid": number, "org_code": organisation, "role_code": code}


#: Role codes are the tests' own: which national code means what is for each service to settle.
PEOPLE = {
    "clinician": {
        "name": "Dr Invented",
        "nhsid_useruid": "000000000001",
        "nhsid_nrbac_roles": [_role("11", "DEMO1", "TEST-DOCTOR")],
        "acr": "one-factor",
    },
    "careful": {
        "name": "Dr Careful Invented",
        "nhsid_useruid": "000000000006",
        "nhsid_nrbac_roles": [_role("61", "DEMO1", "TEST-DOCTOR")],
        "acr": "two-factors",
    },
    "delegate": {
        "name": "Secretary Invented",
        "nhsid_useruid": "000000000002",
        "nhsid_nrbac_roles": [_role("21", "DEMO1", "TEST-CLERK")],
    },
    "several": {
        "name": "Two Hats Invented",
        "nhsid_useruid": "000000000003",
        "nhsid_nrbac_roles": [
            _role("31", "DEMO1", "TEST-DOCTOR"),
            _role("32", "DEMO2", "TEST-CHEMIST"),
            _role("33", "DEMO2", "TEST-PORTER"),
        ],
    },
    "selected": {
        "name": "Chosen There Invented",
        "nhsid_useruid": "000000000004",
        "selected_roleid": "42",
        "nhsid_nrbac_roles": [
            _role("41", "DEMO1", "TEST-DOCTOR"),
            _role("42", "DEMO2", "TEST-CHEMIST"),
        ],
    },
    "nobody": {"name": "No Role Invented", "nhsid_useruid": "000000000005"},
}
MEANINGS = tuple(
    RoleMeaning(code=code, role=role, from_day=dt.date(2026, 1, 1))
    for code, role in (
        ("TEST-DOCTOR", "clinician"),
        ("TEST-CLERK", "delegate"),
        ("TEST-CHEMIST", "pharmacist"),
    )
)


@dataclass
class Turned:
    """The application's clock: real time, as the provider's is, and what a test adds to it."""

    ahead: dt.timedelta = dt.timedelta()

    def __call__(self) -> dt.datetime:
        return clock.now() + self.ahead


@dataclass
class Post:
    """What the provider sent to the address for its logout tokens."""

    tokens: list[str] = field(default_factory=list)
    arrived: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True)
class Running:
    """The provider's address, and the box for its logout tokens."""

    issuer: str
    post: Post


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One provider for the whole session of tests."""
    _install()
    post = Post()
    box = _letter_box(post)
    port = free_port()
    client = {
        "client_id": CLIENT_ID,
        "client_secret": SECRET,
        "redirect_uris": [f"{PUBLIC}/sign-in/callback"],
        "post_logout_redirect_uris": [f"{PUBLIC}/signed-out"],
        "backchannel_logout_uri": f"http://127.0.0.1:{box.server_port}/",
        "backchannel_logout_session_required": True,
    }
    keyed = {name: value for name, value in client.items() if name != "client_secret"} | {
        "client_id": KEYED_ID,
        "token_endpoint_auth_method": "private_key_jwt",
        "token_endpoint_auth_signing_alg": "RS512",
        "jwks": {"keys": [from_pem(KEYED_PUBLIC) | {"kid": KEY_ID, "use": "sig"}]},
    }
    by_subject = client | {
        "client_id": SUBJECTS_ID,
        "backchannel_logout_session_required": False,
    }
    clients = [client, keyed, by_subject]
    told = json.dumps({"port": port, "people": PEOPLE, "clients": clients})
    log = (tmp_path_factory.mktemp("oidc") / "provider.log").open("w+")
    process = subprocess.Popen(
        ["node", "provider.mjs"],
        cwd=HERE,
        env=os.environ | {"ASSENT_TEST_PROVIDER": told},
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
    )
    assert process.stdout is not None
    ready = next((line for line in process.stdout if line.startswith("ready ")), None)
    if ready is None:
        log.seek(0)
        pytest.fail(f"the provider did not start: {log.read()[-2000:]}")
    yield Running(f"http://127.0.0.1:{port}", post)
    process.terminate()
    process.wait(60)
    box.shutdown()
    log.close()


@pytest.fixture(scope="session")
def packaged() -> Library:
    return packaged_library()


@pytest.fixture
def now() -> Turned:
    return Turned()


@pytest.fixture
def application(
    running: Running,
    database: Database,
    now: Turned,
    tmp_path: Path,
    packaged: Library,
) -> FastAPI:
    """The application as it is served, relying on the provider."""
    settings = Settings(
        demonstration=True,
        data_dir=tmp_path / "var",
        public_url=PUBLIC,
        oidc_issuer=running.issuer,
        oidc_client_id=CLIENT_ID,
        oidc_client_secret=SECRET,
        national_roles=MEANINGS,
        session_idle_minutes=30,
        session_hours=12,
    )
    return create_app(settings, database=database, library=packaged, now=now)


@pytest.fixture
def open_browser(application: FastAPI) -> Iterator[Callable[[], Browser]]:
    """Opens a fresh browser: `open_browser()`."""
    opened: list[TestClient] = []

    def fresh() -> Browser:
        client = TestClient(application, base_url=PUBLIC, follow_redirects=False)
        opened.append(client)
        return Browser(client)

    yield fresh
    for client in opened:
        client.close()


def _install() -> None:
    if shutil.which("node") is None or shutil.which("npm") is None:
        if os.environ.get("CI") or os.environ.get("ASSENT_REQUIRE_NODE"):
            pytest.fail(f"{ABSENT}, and CI or ASSENT_REQUIRE_NODE asks for them")
        pytest.skip(ABSENT)
    stamp = HERE / "node_modules" / ".assent-installed"
    lock = (HERE / "package-lock.json").read_text()
    with (Path(tempfile.gettempdir()) / f"assent-npm-{os.getuid()}.lock").open("w") as waiting:
        fcntl.flock(waiting, fcntl.LOCK_EX)
        if stamp.exists() and stamp.read_text() == lock:
            return
        subprocess.run(
            ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
            cwd=HERE,
            check=True,
            capture_output=True,
            timeout=300,
        )
        stamp.write_text(lock)


def _letter_box(post: Post) -> http.server.ThreadingHTTPServer:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            post.tokens.append(parse_qs(body)["logout_token"][0])
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()
            post.arrived.set()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
