"""A standalone cluster of Spark on loopback: a master and a worker, started from pyspark's files.

Calls between its processes are authenticated with a secret and encrypted, as they must be where
patients' numbers pass.
"""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from tests.faults.cluster import free_port

LOOPBACK = "127.0.0.1"
SECRET = "of-the-tests-and-no-secret-to-anybody"
STARTS_WITHIN = 90  # seconds
#: Java that is not going to run for long: half the work of its compiler is left out.
SHORT_LIVED = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"


def write_conf(folder: Path, **more: str) -> Path:
    """A folder for SPARK_CONF_DIR; of `more`, two underscores stand for a dot."""
    settings = {
        "spark.driver.extraJavaOptions": SHORT_LIVED,
        "spark.executor.extraJavaOptions": SHORT_LIVED,
        **{name.replace("__", "."): value for name, value in more.items()},
    }
    folder.mkdir()
    lines = [f"{name} {value}" for name, value in settings.items()]
    (folder / "spark-defaults.conf").write_text("\n".join(lines))
    return folder


@dataclass(frozen=True)
class Standalone:
    """The cluster's address, its two processes, and the folder with its configuration."""

    master: str
    processes: tuple[subprocess.Popen[bytes], ...]
    conf: Path
    logs: Path


@contextmanager
def standalone(folder: Path) -> Iterator[Standalone]:
    """The cluster, from its start until both processes and all that they started have ended."""
    logs = folder / "logs"
    for each in (logs, folder / "work"):
        each.mkdir()
    conf = write_conf(
        folder / "conf",
        spark__authenticate="true",
        spark__authenticate__secret=SECRET,
        spark__network__crypto__enabled="true",
    )
    port = free_port()
    address = f"spark://{LOOPBACK}:{port}"
    with ExitStack() as stack:
        master = stack.enter_context(
            _daemon(folder, "master", "--port", str(port), "--webui-port", "0")
        )
        _wait_for(port, master)
        worker = stack.enter_context(
            _daemon(
                folder,
                "worker",
                *("--cores", "2", "--memory", "2g", "--webui-port", "0"),
                *("--work-dir", str(folder / "work"), address),
            )
        )
        yield Standalone(address, (master, worker), conf, logs)


@contextmanager
def _daemon(folder: Path, kind: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    spec = find_spec("pyspark")
    assert spec is not None
    assert spec.origin is not None
    home = Path(spec.origin).parent
    name = f"org.apache.spark.deploy.{kind}.{kind.capitalize()}"
    environment = {
        **os.environ,
        "SPARK_HOME": str(home),
        "SPARK_CONF_DIR": str(folder / "conf"),
        "SPARK_LOCAL_IP": LOOPBACK,
        "SPARK_LOCAL_DIRS": str(folder / "work"),
        "SPARK_DAEMON_MEMORY": "256m",
        "SPARK_DAEMON_JAVA_OPTS": SHORT_LIVED,
    }
    with (folder / "logs" / kind).open("wb") as log:
        process = subprocess.Popen(
            [str(home / "bin" / "spark-class"), name, "--host", LOOPBACK, *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        # The group: a worker's executors are its children.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def left_behind(folder: Path) -> list[Path]:
    """The folders of runs that are still there."""
    return [path for path in (folder / "runs").iterdir() if path.is_dir()]


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(STARTS_WITHIN * 10):
        with socket.socket() as tried:
            if tried.connect_ex((LOOPBACK, port)) == 0:
                return
        assert process.poll() is None, "Spark's master ended at once"
        time.sleep(0.1)
    raise AssertionError(f"Spark's master did not answer within {STARTS_WITHIN} s")
