"""Readiness tells the truth while PostgreSQL starts, is upgraded, goes away and comes back."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app.db.engine import make_engine
from app.db.upgrade import upgrade
from app.settings import REPOSITORY
from tests.faults.cluster import Cluster, binaries, free_port

pytestmark = [pytest.mark.slow, pytest.mark.postgres]
SECONDS = 120.0
REQUIRED = bool(os.environ.get("CI") or os.environ.get("ASSENT_REQUIRE_POSTGRES"))


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL of the test's own, stopped."""
    if binaries() is None:
        message = "PostgreSQL's programs are absent: readiness while it starts was NOT tried"
        pytest.fail(message) if REQUIRED else pytest.skip(message)
    # Not below pytest's own folder, which only its user may enter: PostgreSQL runs as another.
    folder = Path(tempfile.mkdtemp(prefix="assent-readiness-"))
    made = Cluster(folder)
    made.stop()
    try:
        yield made
    finally:
        if (made.data / "postmaster.pid").exists():
            made.stop("immediate")
        shutil.rmtree(folder)


@pytest.fixture
def service(cluster: Cluster, tmp_path: Path) -> Iterator[str]:
    """The service, started while its database is not there; its address."""
    port = free_port()
    environment = os.environ | {
        "ASSENT_DEMONSTRATION": "true",
        "ASSENT_DATA_DIR": str(tmp_path),
        "ASSENT_DATABASE_URL": cluster.url("postgres", cluster.port),
    }
    command = [sys.executable, "-m", "app.cli", "serve", "--port", str(port)]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=REPOSITORY, env=environment, stderr=log)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def until(address: str, status: int, says: str = "") -> None:
    """Wait for this status and words of /readyz; /livez must answer all the while."""
    deadline = time.monotonic() + SECONDS
    found = ""
    while time.monotonic() < deadline:
        try:
            alive, ready = (httpx.get(address + path, timeout=30) for path in ("/livez", "/readyz"))
        except httpx.ConnectError:  # the process has not begun to listen
            time.sleep(0.1)
            continue
        assert alive.status_code == 200
        found = f"{ready.status_code} {ready.text}"
        if ready.status_code == status and says in ready.text:
            return
        time.sleep(0.1)
    raise AssertionError(f"/readyz never said {status} {says}; the last was {found}")


def test_a_service_that_is_up_before_its_database_says_so_and_serves_once_it_is(
    cluster: Cluster, service: str
) -> None:
    until(service, 503, "The database does not answer")

    cluster.start()
    until(service, 503, "assent db upgrade")

    owner = make_engine(cluster.url("postgres", cluster.port))
    upgrade(owner)
    owner.dispose()
    until(service, 200)

    cluster.stop("immediate")
    until(service, 503, "The database does not answer")

    cluster.start()
    until(service, 200)
