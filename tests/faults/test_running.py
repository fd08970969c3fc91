"""When a process that was killed is really gone: not before its last thread."""

import subprocess
import sys
import time

from tests.faults.nursery import runs

#: Ends its first thread alone (`exit`, call 60 on x86-64, 93 on ARM), while another goes on.
LEADERLESS = """
import ctypes, platform, threading, time
threading.Thread(target=time.sleep, args=(30,)).start()
print("begun", flush=True)
ctypes.CDLL(None).syscall(60 if platform.machine() == "x86_64" else 93, 0)
"""


def test_a_process_without_its_first_thread_still_runs() -> None:
    with subprocess.Popen([sys.executable, "-c", LEADERLESS], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"begun\n"
        until = time.monotonic() + 20
        while _first(child.pid) != "Z":
            assert time.monotonic() < until
            time.sleep(0.01)
        assert runs(child.pid)
        child.kill()
        child.wait()
        assert not runs(child.pid)


def _first(pid: int) -> str:
    with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
        return stat.read().rpartition(")")[2].split()[0]
