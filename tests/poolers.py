"""pgbouncer before the tests' PostgreSQL: each transaction gets whichever session is free."""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psycopg
import pytest
import sqlalchemy as sa

from tests.faults.cluster import free_port

#: Debian keeps it where only administrators' paths lead.
_PLACES: Final = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"])
#: The first release that carries prepared statements from session to session.
_CARRIES: Final = (1, 21)
#: Prepared statements that the pooler carries for a client; 0: it knows nothing of them.
CARRIED, NOT_CARRIED = 200, 0


def program() -> str:
    """Where pgbouncer is; the test is skipped where it is absent."""
    found = shutil.which("pgbouncer", path=_PLACES)
    if found is None:
        assert not os.environ.get("ASSENT_REQUIRE_PGBOUNCER"), "pgbouncer is absent, and required"
        pytest.skip("pgbouncer is absent: nothing was tried through a pooler")
    return found


def _release(found: str) -> tuple[int, ...]:
    told = subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout
    return tuple(int(each) for each in re.findall(r"\d+", told.splitlines()[0]))


@contextmanager
def pooled(folder: Path, engine: sa.Engine, *, carried: int, sessions: int) -> Iterator[sa.URL]:
    """The engine's database through a pooler with so many sessions of it; its URL."""
    found, port, url = program(), free_port(), engine.url
    if carried and _release(found) < _CARRIES:
        pytest.skip("this pgbouncer is of before 1.21: it carries no prepared statements")
    known = f"max_prepared_statements = {carried}\n" if _release(found) >= _CARRIES else ""
    settings = folder / "pgbouncer.ini"
    settings.write_text(
        f"[databases]\n{url.database} = host={url.host} port={url.port or 5432} "
        f"user={url.username}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n"
        f"unix_socket_dir =\nauth_type = any\npool_mode = transaction\n{known}"
        f"default_pool_size = {sessions}\nmax_client_conn = 200\n"
    )
    command = [found, "-q", *(["-u", "nobody"] if os.geteuid() == 0 else []), str(settings)]
    with (folder / "pgbouncer.log").open("wb") as log:
        process = subprocess.Popen(command, stderr=log, stdout=log)
    through = url.set(host="127.0.0.1", port=port, password=None)
    try:
        _wait(through, process, folder / "pgbouncer.log")
        yield through
    finally:
        process.kill()
        process.wait(30)


def _wait(url: sa.URL, process: subprocess.Popen[bytes], log: Path) -> None:
    plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
    for _ in range(300):
        assert process.poll() is None, log.read_text()
        try:
            psycopg.connect(plain).close()
        except psycopg.OperationalError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError(f"pgbouncer does not answer: {log.read_text()}")
