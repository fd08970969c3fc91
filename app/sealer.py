"""Sealing as the worker does it: every waiting row under a seal, then a checkpoint kept elsewhere.

The checkpoint is written after the seal's transaction has committed. A worker that is killed in
between writes it at its next turn.
"""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from app.audit import Keyring, checkpoints
from app.audit.errors import SealRefused
from app.audit.findings import Check, keep_finding
from app.audit.sealing import Sealed, seal
from app.db.work import Work
from app.door import Door
from app.settings import Settings
from app.work import Chore

log = structlog.stdlib.get_logger("assent.audit")


@dataclass(frozen=True, slots=True)
class Sealer:
    """Seals the log and keeps its checkpoints in a folder."""

    keys: Keyring
    folder: Path

    def seal_all(
        self,
        door: Door,
        despite: str | None = None,
        told: Callable[[Sealed], None] = lambda _: None,
    ) -> int:
        """Seal until nothing waits, then keep a checkpoint; returns how many seals were made.

        Raises SealRefused at a row that no seal may bless, and OSError when the folder cannot be
        written to; what was sealed before stays sealed.
        """
        made = 0
        try:
            while one := door.transact(lambda work: seal(work, self.keys, despite=despite)):
                made += 1
                told(one)
        finally:
            self.keep_checkpoint(door)
        return made

    def keep_checkpoint(self, door: Door) -> bool:
        """Write a checkpoint of the newest seal where the folder has none of it yet."""

        def line(work: Work) -> tuple[int, str] | None:
            made = checkpoints.make(work)
            return None if made is None else (made.number, checkpoints.line(made, work.audit_key))

        found = door.read(line)
        if found is None or found[0] <= checkpoints.last_kept(self.folder):
            return False
        checkpoints.keep(self.folder, found[1])
        return True


def sealer(settings: Settings) -> Sealer:
    """A sealer with the keys and the folder of the settings."""
    keys = Keyring.of(settings.audit_key_bytes(), settings.retired_audit_keys())
    return Sealer(keys, settings.checkpoints())


def sealing(settings: Settings) -> Chore:
    """The worker's chore: seal what waits, and cry out at what no seal may bless."""
    made = sealer(settings)

    def do(door: Door) -> None:
        faults = 0
        try:
            if not made.seal_all(door):
                return
        except SealRefused as refusal:
            faults = 1
            log.critical("audit log not sealed", row=refusal.event_id)
        kept = checkpoints.last_kept(made.folder)
        door.transact(lambda work: keep_finding(work, Check.SEALING, faults=faults, seal=kept))

    return Chore("seal the audit log", dt.timedelta(seconds=settings.seal_every_seconds), do)
