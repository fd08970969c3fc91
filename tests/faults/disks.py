"""Small disks (tmpfs) that fill up, where this machine lets us mount them."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class NoDisk:
    """Why no small disk was mounted, and whether nothing on this machine would change that."""

    why: str
    final: bool


@contextmanager
def small_disk(folder: Path, size: str = "4m") -> Iterator[NoDisk | None]:
    """A disk of this size at a folder; otherwise why this machine does not let us mount it."""
    folder.mkdir(parents=True)
    try:
        _mount(folder, f"size={size}")
    except (OSError, subprocess.CalledProcessError) as error:
        yield _why(error)
        return
    try:
        yield None
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _why(error: OSError | subprocess.CalledProcessError) -> NoDisk:
    if isinstance(error, OSError):
        return NoDisk(f"the program mount does not start ({error}): install util-linux", False)
    if os.geteuid():
        return NoDisk("only root may mount one: run the harness as root", False)
    return NoDisk("root may not mount one either: a container without CAP_SYS_ADMIN", True)


def leave(folder: Path, room: int) -> None:
    """Shrink a small disk until only so many bytes are free."""
    disk = os.statvfs(folder)
    used = (disk.f_blocks - disk.f_bfree) * disk.f_frsize
    _mount(folder, f"remount,size={used + room}")


def grow(folder: Path) -> None:
    """Give a small disk room enough again."""
    _mount(folder, "remount,size=400m")


def _mount(folder: Path, options: str) -> None:
    if shutil.which("mount") is None:
        raise FileNotFoundError("mount")
    command = ["mount", "-t", "tmpfs", "-o", options, "faults", str(folder)]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
