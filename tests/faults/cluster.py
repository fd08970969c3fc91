"""A PostgreSQL cluster of the harness's own, which it may stop as rudely as it likes."""

import contextlib
import fcntl
import itertools
import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import IO

from app.db.engine import make_engine
from app.db.roles import grant

BINARIES = Path("/usr/lib/postgresql")
ROLE = "assent_faults"
#: Linux gives calls ports from 32768 on (ip_local_port_range).
_LOWEST, _HIGHEST = 20_000, 32_000
_NUMBERS = itertools.count()
#: Open for as long as this process lives: each holds the lock of a port that it was given.
_CLAIMS: list[IO[bytes]] = []


def free_port() -> int:
    """A port of this machine that nobody listens on, below those that the system gives to calls.

    One of those is taken while what listened there is down: by any call of any process, or by a
    client's own that is given the very port it calls. What is started again then cannot listen.
    No other process that asks here is given it while this one lives, so there is time to listen.
    """
    for number in _NUMBERS:
        port = _LOWEST + (os.getpid() * 101 + number) % (_HIGHEST - _LOWEST)
        if _is_free(port) and _claimed(port):
            return port
    raise AssertionError("there is no end of numbers")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _claimed(port: int) -> bool:
    """Whether no other process of tests has this port; from now on it is this one's."""
    claim = (Path(tempfile.gettempdir()) / f"assent-tests-{os.getuid()}-port-{port}").open("ab")
    try:
        fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        claim.close()
        return False
    _CLAIMS.append(claim)
    return True


def binaries() -> Path | None:
    """The folder of the newest PostgreSQL's programs, or None where it is not installed."""
    found = sorted(BINARIES.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return found[-1].parent if found else None


class Cluster:
    """initdb in a folder, started on a free port of the loopback address.

    With `wal`, its write-ahead log lies in that folder, in segments of one mebibyte.
    """

    def __init__(self, folder: Path, wal: Path | None = None) -> None:
        found = binaries()
        if found is None:
            raise FileNotFoundError(f"PostgreSQL's programs are not below {BINARIES}: install it")
        self._binaries, self.wal = found, wal
        self.data, self.port = folder / "cluster", free_port()
        self.data.mkdir(parents=True)
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            folder.chmod(0o755)
        give_to_postgres(self.data)
        apart = []
        if wal is not None:
            give_to_postgres(wal)
            apart = [f"--waldir={wal}", "--wal-segsize=1"]
        self._run("initdb", "--username=postgres", "--auth=trust", "--encoding=UTF8", *apart)
        with (self.data / "postgresql.conf").open("a") as settings:
            settings.write(
                f"port = {self.port}\nlisten_addresses = '127.0.0.1'\n"
                f"unix_socket_directories = '{self.data}'\nfsync = on\n"
                "synchronous_commit = on\nmax_connections = 150\nlc_messages = 'C'\n"
            )
        self.start()
        admin = make_engine(self.url("postgres", self.port))
        with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql(f"CREATE ROLE {ROLE} LOGIN")
        admin.dispose()

    @staticmethod
    def url(role: str, port: int, name: str = "postgres") -> str:
        """The address of a database, in clear so that a proxy sees COMMIT."""
        return f"postgresql://{role}@127.0.0.1:{port}/{name}?sslmode=disable&connect_timeout=5"

    def make_database(self, name: str, tablespace: Path | None = None) -> str:
        """Make an empty database, its tables in that folder if there is one; its owner's URL."""
        lies = ""
        if tablespace is not None:
            give_to_postgres(tablespace)
            lies = f' TABLESPACE "{name}"'
        admin = make_engine(self.url("postgres", self.port))
        with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            if tablespace is not None:
                connection.exec_driver_sql(f"CREATE TABLESPACE \"{name}\" LOCATION '{tablespace}'")
            connection.exec_driver_sql(f'CREATE DATABASE "{name}"{lies}')
        admin.dispose()
        return self.url("postgres", self.port, name)

    def start(self) -> None:
        """Start it and wait until it answers, its log replayed."""
        self._run("pg_ctl", "start", "-w", "-t", "120", "-l", str(self.data / "log"))

    def stop(self, mode: str = "fast") -> None:
        """Stop it; `immediate` aborts every process without a checkpoint, as a crash does."""
        self._run("pg_ctl", "stop", "-w", "-m", mode)

    def processes(self) -> list[int]:
        """The process ids of the server and its sessions, none when it is down."""
        try:
            server = int((self.data / "postmaster.pid").read_text().split()[0])
            children = Path(f"/proc/{server}/task/{server}/children").read_text().split()
        except (FileNotFoundError, ProcessLookupError, IndexError, ValueError):
            return []
        return [server, *map(int, children)]

    def start_if_down(self) -> None:
        """Start it unless it runs: a scenario that broke off may have left it stopped."""
        if not self.processes():
            self.close()
            self.start()

    def close(self) -> None:
        """Stop what is left of it, fallen or not; nothing to do where nothing is left."""
        with contextlib.suppress(subprocess.CalledProcessError):
            self.stop("immediate")

    def log(self) -> str:
        """What it has logged since it was made."""
        return (self.data / "log").read_text(errors="replace")

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._binaries / program), "-D", str(self.data), *arguments]
        if os.geteuid() == 0:
            command = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", *command]
        # pg_ctl's server would hold a pipe open for ever: its output goes nowhere.
        subprocess.run(
            command,
            check=True,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for the harness, which has its checks to make yet
        )


def give_to_postgres(folder: Path) -> None:
    """Let PostgreSQL's user, as which it runs where we are root, have a folder."""
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")


def let_serve(owner_url: str) -> None:
    """Let the application's role use an upgraded database."""
    owner = make_engine(owner_url)
    grant(owner, ROLE)
    owner.dispose()
