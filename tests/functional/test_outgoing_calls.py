"""What the service reads elsewhere comes from the very host that was named, and from no other."""

import datetime as dt
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.api.jwks import KeySets
from app.auth.sessions import Expected
from app.problems import DoorProblem
from app.settings import Settings
from app.web.provider import Provider
from tests.integration.doors.test_behind_a_proxy import certificate
from tests.patience import PATIENCE_SECONDS

NOON = dt.datetime(2026, 6, 15, 12, 0, tzinfo=dt.UTC)


class Elsewhere:
    """A host under TLS: answers by path, or sends on, and keeps what it was asked."""

    def __init__(self, folder: Path) -> None:
        self.trust = certificate(folder)
        self.asked: list[str] = []
        self.answers: dict[str, dict[str, Any]] = {}
        self.sends_on: dict[str, str] = {}
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.address = f"https://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        host = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                host.asked.append(self.path)
                onward = host.sends_on.get(self.path)
                self.send_response(302 if onward else 200)
                if onward:
                    self.send_header("Location", onward)
                body = b"" if onward else json.dumps(host.answers.get(self.path, {})).encode()
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                return

        return Handler


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Elsewhere]:
    made = Elsewhere(tmp_path)
    made.answers = {
        "/.well-known/openid-configuration": {
            "issuer": made.address,
            "authorization_endpoint": f"{made.address}/authorize",
            "jwks_uri": f"{made.address}/keys",
        },
        "/keys": {"keys": [{"kid": "k", "kty": "oct", "k": "c2VjcmV0"}]},
    }
    yield made
    made.close()


@pytest.fixture
def trusted(elsewhere: Elsewhere, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its certificate is among those that this machine trusts."""
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))


def of_provider(elsewhere: Elsewhere) -> bool:
    """Whether people can be sent to a provider there to sign in."""
    settings = Settings(
        demonstration=True,
        public_url="https://assent.example",
        oidc_issuer=elsewhere.address,
        oidc_client_id="assent",
        oidc_client_secret="the secret of a test",
    )
    try:
        Provider(settings, lambda: NOON).address("state", Expected("nonce", "v" * 43))
    except DoorProblem:
        return False
    return True


def of_key_set(elsewhere: Elsewhere) -> bool:
    """Whether a client's key is found there."""
    return KeySets().find(f"{elsewhere.address}/keys", "k", NOON) is not None


both = pytest.mark.parametrize(
    ("works", "at"),
    [(of_provider, "/.well-known/openid-configuration"), (of_key_set, "/keys")],
    ids=["provider", "key set"],
)


@both
@pytest.mark.usefixtures("trusted")
def test_what_a_trusted_host_says_is_read(
    elsewhere: Elsewhere, works: Callable[[Elsewhere], bool], at: str
) -> None:
    assert works(elsewhere)
    assert at in elsewhere.asked


@both
def test_a_host_whose_certificate_nobody_vouches_for_is_asked_nothing(
    elsewhere: Elsewhere, works: Callable[[Elsewhere], bool], at: str
) -> None:
    assert not works(elsewhere)
    assert elsewhere.asked == []
    # It is there, and answers whoever trusts it.
    address = f"{elsewhere.address}{at}"
    reply = httpx.get(address, verify=elsewhere.trust, timeout=PATIENCE_SECONDS)
    assert reply.status_code == 200


@both
@pytest.mark.usefixtures("trusted")
def test_a_redirect_is_not_followed(
    elsewhere: Elsewhere, works: Callable[[Elsewhere], bool], at: str
) -> None:
    elsewhere.answers["/moved"] = elsewhere.answers[at]
    elsewhere.sends_on[at] = f"{elsewhere.address}/moved"
    assert not works(elsewhere)
    assert elsewhere.asked == [at]
