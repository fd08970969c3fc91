"""The service behind a proxy that ends TLS: headers that a caller invents change nothing."""

import datetime as dt
import ipaddress
import json
import os
import shutil
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from app.db.engine import make_engine
from app.db.upgrade import upgrade
from app.settings import REPOSITORY
from tests.faults.cluster import free_port

pytestmark = pytest.mark.slow
PER_MINUTE, CALLS = 3, 20


@contextmanager
def served(folder: Path, trusted: list[str]) -> Iterator[str]:
    """`assent serve` on SQLite, with proxies to trust; its address."""
    engine = make_engine(f"sqlite:///{folder / 'assent.db'}")
    upgrade(engine)
    engine.dispose()
    port = free_port()
    environment = os.environ | {
        "ASSENT_DEMONSTRATION": "true",
        "ASSENT_DATA_DIR": str(folder),
        "ASSENT_REQUESTS_PER_MINUTE": str(PER_MINUTE),
        "ASSENT_TRUSTED_PROXIES": json.dumps(trusted),
    }
    command = [sys.executable, "-m", "app.cli", "serve", "--port", str(port)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=REPOSITORY, env=environment, stderr=log)
    try:
        wait(f"http://127.0.0.1:{port}/livez")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def wait(url: str, verify: ssl.SSLContext | bool = True) -> None:
    """Until the address answers, two minutes at most."""
    for _ in range(1200):
        try:
            httpx.get(url, verify=verify, timeout=10)
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError(f"{url} does not answer")


def ask(url: str, claimed: str, verify: ssl.SSLContext | bool = True) -> httpx.Response:
    """Ask for a token, with nothing to show, and claim to come from an address."""
    forged = {"X-Forwarded-For": claimed, "X-Forwarded-Host": "zephaniah.example"}
    return httpx.post(
        f"{url}/oauth2/token",
        data={"grant_type": "none"},
        headers=forged,
        verify=verify,
        timeout=30,
    )


@pytest.mark.parametrize(("trusted", "found"), [([], {400, 429}), (["127.0.0.1"], {400})])
def test_who_calls_is_believed_of_a_trusted_proxy_only(
    tmp_path: Path, trusted: list[str], found: set[int]
) -> None:
    with served(tmp_path, trusted) as address:
        statuses = {ask(address, f"10.0.0.{n}").status_code for n in range(CALLS)}

    assert statuses == found


def test_nginx_with_our_file_ends_tls_and_replaces_what_a_caller_claims(tmp_path: Path) -> None:
    if shutil.which("nginx") is None:
        assert not os.environ.get("ASSENT_REQUIRE_NGINX"), "nginx is absent, and is required here"
        pytest.skip("nginx is absent: its file was NOT tried")
    (tmp_path / "service").mkdir()
    trust = certificate(tmp_path)
    with (
        served(tmp_path / "service", ["127.0.0.1"]) as address,
        nginx(tmp_path, address, trust) as outside,
    ):
        alive = httpx.get(f"{outside}/livez", verify=trust, timeout=30)
        metrics = httpx.get(f"{outside}/metrics", verify=trust, timeout=30)
        replies = [ask(outside, f"10.0.0.{n}", trust) for n in range(CALLS)]

    assert alive.status_code == 200
    assert alive.headers["strict-transport-security"]
    assert metrics.status_code == 403
    assert {reply.status_code for reply in replies} == {400, 429}
    assert not any("zephaniah" in f"{reply.headers}{reply.text}" for reply in replies)


def certificate(folder: Path) -> ssl.SSLContext:
    """Make a key and a certificate of 127.0.0.1 in the folder; what trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain, unencrypted = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "certificate.pem").write_bytes(made.public_bytes(pem))
    (folder / "key.pem").write_bytes(key.private_bytes(pem, plain, unencrypted))
    return ssl.create_default_context(cafile=str(folder / "certificate.pem"))


@contextmanager
def nginx(folder: Path, upstream: str, trust: ssl.SSLContext) -> Iterator[str]:
    """nginx with deploy/nginx.conf, its port, names and upstream exchanged; its address."""
    port = free_port()
    site = (REPOSITORY / "deploy" / "nginx.conf").read_text()
    for ours, here in (
        ("listen 443", f"listen 127.0.0.1:{port}"),
        ("assent.example.nhs.uk", "127.0.0.1"),
        ("/etc/assent/tls", str(folder)),
        ("http://127.0.0.1:8000", upstream),
    ):
        assert ours in site
        site = site.replace(ours, here)
    whole = folder / "nginx.conf"
    whole.write_text(
        f"daemon off; pid {folder}/pid; error_log {folder}/error.log; events {{}}\n"
        f"http {{ client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;\n{site}}}\n"
    )
    process = subprocess.Popen(["nginx", "-p", str(folder), "-c", str(whole)])
    try:
        wait(f"https://127.0.0.1:{port}/livez", trust)
        yield f"https://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)
