"""Attachments go through a malware scanner where one is set: clamd itself where it is installed,
and a small server that speaks its protocol, for the answers that clamd does not give on request.
"""

import os
import shutil
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from app.api import scanning
from app.api.scanning import Scanner, ScannerFailed
from app.db.tables import request_attachment
from tests.functional.approvals.api import Api, good, initiation
from tests.functional.approvals.test_attachments import encoded
from tests.patience import PATIENCE_SECONDS

#: The test file of the European Institute for Computer Antivirus Research. It is put together
#: here, so that no scanner takes this source for it.
EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-" + b"ANTIVIRUS-TEST-FILE!$H+H*"
CLEAN = b"%PDF-1.7\n" + b"a letter\n" * 20_000 + b"startxref\n0\n%%EOF\n"
INFECTED = CLEAN.replace(b"a letter\n", EICAR + b"\n", 1)
ABSENT = "clamd is absent: the tests against a real scanner did NOT run"
Answering = Callable[[bytes | None], Scanner]


@pytest.fixture
def answering(tmp_path: Path) -> Iterator[Answering]:
    """A server of the protocol that gives one answer: `answering(b"stream: OK\\0")`; None: none."""
    opened: list[socket.socket] = []

    def start(answer: bytes | None) -> Scanner:
        path = tmp_path / f"scanner-{len(opened)}"
        here = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        here.bind(str(path))
        here.listen()
        opened.append(here)
        threading.Thread(target=_serve, args=(here, answer), daemon=True).start()
        return Scanner(f"unix:{path}")

    yield start
    for each in opened:
        each.close()


def _serve(here: socket.socket, answer: bytes | None) -> None:
    while True:
        try:
            there, _ = here.accept()
        except OSError:
            return
        with there, there.makefile("rb") as sent:
            assert sent.read(10) == b"zINSTREAM\0"
            while size := struct.unpack("!I", sent.read(4))[0]:
                assert len(sent.read(size)) == size
            if answer is not None:
                there.sendall(answer)


@pytest.fixture(scope="module")
def clamd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scanner]:
    """clamd with one signature, the test file's, on a socket of its own."""
    program = shutil.which("clamd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        if os.environ.get("ASSENT_REQUIRE_CLAMD"):
            pytest.fail(f"{ABSENT}, and ASSENT_REQUIRE_CLAMD asks for them")
        pytest.skip(ABSENT)
    folder = tmp_path_factory.mktemp("clamd")
    (folder / "test.ndb").write_text(f"Eicar-Test-Signature:0:*:{EICAR.hex()}\n")
    at = folder / "clamd.ctl"
    settings = {"Foreground": "yes", "DatabaseDirectory": folder, "LocalSocket": at}
    text = "".join(f"{name} {value}\n" for name, value in settings.items())
    (folder / "clamd.conf").write_text(text)
    process = subprocess.Popen(
        [program, "-c", str(folder / "clamd.conf")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    for _ in range(600):
        if at.exists() or process.poll() is not None:
            break
        time.sleep(0.1)
    assert at.exists(), "clamd did not start"
    yield Scanner(f"unix:{at}")
    process.terminate()
    process.wait(PATIENCE_SECONDS)


def test_a_real_scanner_knows_the_test_file_and_lets_a_letter_pass(clamd: Scanner) -> None:
    assert clamd.recognised(CLEAN) is None
    assert (clamd.recognised(INFECTED) or "").startswith("Eicar-Test-Signature")


@pytest.mark.parametrize(
    "answer", [b"INSTREAM size limit exceeded. ERROR\0", b"stream: OK and more\0", b"", None]
)
def test_what_is_neither_clean_nor_found_is_no_answer(
    answering: Answering, answer: bytes | None
) -> None:
    with pytest.raises(ScannerFailed):
        answering(answer).recognised(CLEAN)


def test_a_scanner_that_hangs_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scanning, "SECONDS", 0.2)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as here:
        here.bind(str(tmp_path / "silent"))
        here.listen()
        with pytest.raises(ScannerFailed, match="TimeoutError"):
            Scanner(f"unix:{tmp_path / 'silent'}").recognised(CLEAN)


def test_what_the_scanner_knows_is_not_kept_nor_anything_while_it_is_silent(
    people: Mapping[str, Api],
    application: FastAPI,
    answering: Answering,
    capfd: pytest.CaptureFixture[str],
) -> None:
    clinician = people["clinician"]
    at = f"/v1/requests/{good(clinician.post('/v1/requests', initiation(1)), 201)['id']}"
    at = f"{at}/attachments"
    body = {"title": "Letter", "shared": False, "content": encoded(INFECTED)}

    application.state.scanner = answering(b"stream: Eicar-Test-Signature FOUND\0")
    refused = clinician.post(at, body)
    assert refused.status_code == 422
    assert "recognised this file, so it was not kept" in refused.json()["detail"]
    assert refused.json()["errors"][0]["where"] == "content"
    out, err = capfd.readouterr()
    assert "file with malware" in out + err
    assert "Eicar-Test-Signature" in out + err

    application.state.scanner = Scanner("unix:/nowhere/clamd.ctl")
    silent = clinician.post(at, body)
    assert silent.status_code == 503
    assert "could not be checked for malware, so it was not kept" in silent.json()["detail"]
    count = sa.select(sa.func.count()).select_from(request_attachment)
    kept = application.state.door.read(lambda work: work.connection.scalar(count))
    assert kept == 0

    application.state.scanner = answering(b"stream: OK\0")
    assert clinician.post(at, body).status_code == 201


def test_a_whole_path_through_a_real_scanner(
    people: Mapping[str, Api], application: FastAPI, clamd: Scanner
) -> None:
    clinician = people["clinician"]
    request = good(clinician.post("/v1/requests", initiation(1)), 201)["id"]
    application.state.scanner = clamd
    at = f"/v1/requests/{request}/attachments"
    sent = {"title": "Letter", "shared": False}
    assert clinician.post(at, sent | {"content": encoded(INFECTED)}).status_code == 422
    assert clinician.post(at, sent | {"content": encoded(CLEAN)}).status_code == 201
