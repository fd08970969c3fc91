"""Asking a malware scanner about a file before it is kept: clamd's INSTREAM, over a socket.

Off unless a scanner is set. Then nothing is kept that it recognises, and nothing while it does not
answer: a file that nobody looked at is what it is there to prevent. The file goes to the scanner's
own socket on this machine and nowhere else, since the protocol has no encryption.
"""

import re
import socket
import struct
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import structlog
from starlette.requests import Request

from app.api import security
from app.approvals.errors import DetailsNotAccepted
from app.problems import NOT_READY, DoorProblem

log = structlog.stdlib.get_logger("assent.http")

SECONDS: Final = 20.0
_PART: Final = 64 * 1024
_LONGEST_REPLY: Final = 4096
#: What clamd calls a thing that it knows; it is told in the log, and only if it looks like a name.
_FOUND: Final = re.compile(r"stream: ([A-Za-z0-9._+/-]{1,100}) FOUND")


class ScannerFailed(Exception):
    """The scanner did not say whether a file is clean. The message holds nothing of the file."""


@dataclass(frozen=True, slots=True)
class Scanner:
    """clamd at `unix:/path` or `tcp://127.0.0.1:3310`."""

    address: str

    def recognised(self, data: bytes) -> str | None:
        """What the scanner knows the file as; None for a clean one. Raises ScannerFailed."""
        try:
            with self._connected() as there:
                there.sendall(b"zINSTREAM\0")
                for at in range(0, len(data), _PART):
                    part = data[at : at + _PART]
                    there.sendall(struct.pack("!I", len(part)) + part)
                there.sendall(struct.pack("!I", 0))
                said = _reply(there)
        except OSError as error:
            raise ScannerFailed(type(error).__name__) from None
        if said == "stream: OK":
            return None
        found = _FOUND.fullmatch(said)
        if found is None:
            raise ScannerFailed("an answer that is neither OK nor FOUND")
        return found.group(1)

    def _connected(self) -> socket.socket:
        if self.address.startswith("unix:"):
            there = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            there.settimeout(SECONDS)
            try:
                there.connect(self.address.removeprefix("unix:"))
            except OSError:
                there.close()
                raise
            return there
        parts = urlsplit(self.address)
        return socket.create_connection((parts.hostname or "", parts.port or 0), SECONDS)


def check_file(request: Request, data: bytes) -> None:
    """Ask the scanner, where one is set. Raises DetailsNotAccepted for what it recognises, and
    DoorProblem 503 while it does not answer."""
    scanner: Scanner | None = request.app.state.scanner
    if scanner is None:
        return
    try:
        name = scanner.recognised(data)
    except ScannerFailed as error:
        log.error("scanner failed", why=str(error))
        raise DoorProblem(
            NOT_READY,
            "The file could not be checked for malware, so it was not kept. Nothing else is "
            "affected: go on without it, and attach it later.",
        ) from None
    if name is not None:
        security.note(request, security.What.FILE, security.REFUSED, why=name)
        raise DetailsNotAccepted(
            "file",
            "The malware scanner recognised this file, so it was not kept. Do not open it again: "
            "tell your organisation's security team where it came from.",
        )


def _reply(there: socket.socket) -> str:
    said = b""
    while not said.endswith(b"\0"):
        part = there.recv(_LONGEST_REPLY)
        if not part or len(said) > _LONGEST_REPLY:
            break
        said += part
    return said.rstrip(b"\0\n").decode("ascii", "replace")
