"""A PostgreSQL cluster of the harness's own, which it may stop as rudely as it likes."""

import os
import shutil
import socket
import subprocess
from pathlib import Path

from app.db.engine import make_engine
from app.db.roles import grant

BINARIES = Path("/usr/lib/postgresql")
ROLE = "assent_faults"


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def binaries() -> Path | None:
    """The folder of the newest PostgreSQL's programs, or None where it is not installed."""
    found = sorted(BINARIES.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return found[-1].parent if found else None


class Cluster:
    """initdb in a folder, started on a free port of the loopback address."""

    def __init__(self, folder: Path) -> None:
        found = binaries()
        if found is None:
            raise FileNotFoundError(f"PostgreSQL's programs are not below {BINARIES}: install it")
        self._binaries = found
        self.data, self.port = folder / "cluster", free_port()
        self.data.mkdir()
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            folder.chmod(0o755)
            shutil.chown(self.data, "postgres", "postgres")
        self._run("initdb", "--username=postgres", "--auth=trust", "--encoding=UTF8")
        with (self.data / "postgresql.conf").open("a") as settings:
            settings.write(
                f"port = {self.port}\nlisten_addresses = '127.0.0.1'\n"
                f"unix_socket_directories = '{self.data}'\nfsync = on\n"
                "synchronous_commit = on\nmax_connections = 150\n"
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

    def make_database(self, name: str) -> str:
        """Make an empty database; returns its owner's URL."""
        admin = make_engine(self.url("postgres", self.port))
        with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql(f'CREATE DATABASE "{name}"')
        admin.dispose()
        return self.url("postgres", self.port, name)

    def start(self) -> None:
        """Start it and wait until it answers, its log replayed."""
        self._run("pg_ctl", "start", "-w", "-t", "120", "-l", str(self.data / "log"))

    def stop(self, mode: str = "fast") -> None:
        """Stop it; `immediate` aborts every process without a checkpoint, as a crash does."""
        self._run("pg_ctl", "stop", "-w", "-m", mode)

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._binaries / program), "-D", str(self.data), *arguments]
        if os.geteuid() == 0:
            command = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", *command]
        # pg_ctl's server would hold a pipe open for ever: its output goes nowhere.
        subprocess.run(
            command, check=True, cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )


def let_serve(owner_url: str) -> None:
    """Let the application's role use an upgraded database."""
    owner = make_engine(owner_url)
    grant(owner, ROLE)
    owner.dispose()
