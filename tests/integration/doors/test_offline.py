"""deploy/offline.sh: what it packs is installed with no network and serves.

Packing needs an index of packages and minutes: set ASSENT_OFFLINE=1, or ASSENT_OFFLINE_BUNDLE to a
folder that was packed before, whose code is then packed anew.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app.settings import REPOSITORY
from tests.faults.cluster import free_port

pytestmark = pytest.mark.slow
SCRIPT = REPOSITORY / "deploy" / "offline.sh"
BUNDLE = os.environ.get("ASSENT_OFFLINE_BUNDLE")
#: Nowhere: a call of pip's for an index fails at once.
NO_NETWORK = {
    "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
    "PIP_RETRIES": "0",
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "HTTP_PROXY": "http://127.0.0.1:9",
}
long = pytest.mark.skipif(
    not (BUNDLE or os.environ.get("ASSENT_OFFLINE")),
    reason="packing takes minutes: ASSENT_OFFLINE=1 has it done",
)


def script(*words: str, code: int = 0, **environment: str) -> str:
    """Run the script; what it said."""
    done = subprocess.run(
        ["bash", str(SCRIPT), *words],
        env={**os.environ, "PYTHON": sys.executable, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == code, said
    return said


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a machine with a network packs."""
    folder = tmp_path_factory.mktemp("offline") / "bundle"
    if BUNDLE:
        shutil.copytree(Path(BUNDLE), folder)
        shutil.rmtree(folder / "code")
        (folder / "code").mkdir()
        for name in ("LICENSE", "app", "migrations", "openapi", "policies", "requirements.lock"):
            copy = shutil.copytree if (REPOSITORY / name).is_dir() else shutil.copy
            copy(REPOSITORY / name, folder / "code" / name)
        script("seal", str(folder))
    else:
        script("pack", str(folder))
    return folder


@pytest.fixture
def installed(bundle: Path, tmp_path: Path) -> Path:
    """What a machine without one makes of it."""
    said = script("install", str(bundle), str(tmp_path / "target"), **NO_NETWORK)
    assert "installed:" in said
    return tmp_path / "target"


@pytest.fixture
def served(installed: Path, tmp_path: Path) -> Iterator[str]:
    """Its service, on a database that it made; nothing of this checkout is on its path."""
    port = free_port()
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("ASSENT_", "PYTHON"))}
    environment |= NO_NETWORK | {
        "ASSENT_DEMONSTRATION": "true",
        "ASSENT_DATA_DIR": str(tmp_path / "data"),
    }
    assent = str(installed / "bin" / "assent")
    subprocess.run([assent, "db", "upgrade"], env=environment, cwd=tmp_path, check=True)
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [assent, "serve", "--port", str(port)], env=environment, cwd=tmp_path, stderr=log
        )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(60)


@long
def test_what_is_installed_without_a_network_serves(served: str) -> None:
    reply = None
    for _ in range(1200):
        try:
            reply = httpx.get(f"{served}/readyz", timeout=10)
        except httpx.TransportError:
            time.sleep(0.2)
        else:
            break
    assert reply is not None, "it does not answer"
    assert reply.status_code == 200, reply.text
    style = httpx.get(f"{served}/assets/nhsuk/nhsuk-frontend.min.css", timeout=30)
    assert style.status_code == 200, "its pages have no style"
    assert json.loads(httpx.get(f"{served}/openapi.json", timeout=60).text)["paths"]


def small(folder: Path) -> Path:
    """A bundle of one wheel that the lock does not name."""
    (folder / "wheels").mkdir(parents=True)
    (folder / "code").mkdir()
    (folder / "wheels" / "stranger-1-py3-none-any.whl").write_bytes(b"not one of ours")
    shutil.copy(REPOSITORY / "requirements.lock", folder / "code")
    script("seal", str(folder))
    return folder


def test_a_wheel_that_the_lock_does_not_name_is_not_installed(tmp_path: Path) -> None:
    bundle, target = small(tmp_path / "bundle"), tmp_path / "target"
    said = script("install", str(bundle), str(target), code=1, **NO_NETWORK)
    assert "is not one of the lock file's" in said
    assert not (target / "bin" / "assent").exists()


@pytest.mark.parametrize("change", ["changed", "added"])
def test_a_bundle_that_is_not_as_it_was_packed_is_refused(tmp_path: Path, change: str) -> None:
    bundle, target = small(tmp_path / "bundle"), tmp_path / "target"
    name = "requirements.lock" if change == "changed" else "another.py"
    with (bundle / "code" / name).open("ab") as file:
        file.write(b"# slipped in\n")
    said = script("install", str(bundle), str(target), code=1, **NO_NETWORK)
    assert "not as it was packed" in said
    assert not target.exists()


def test_what_it_is_asked_wrongly_it_explains() -> None:
    assert "deploy/offline.sh pack FOLDER" in script("unpack", code=2)
