"""How often a person may name a patient who is not known: each such call may be a guess.

Whoever knows an NHS number can guess the birth date. Calls that found nobody are counted by person,
whatever credential they call with, in a bucket that fills steadily over an hour; a system that is
tied to nobody has one of its own. Calls that found somebody cost nothing, and neither does the same
guess again within the hour: it learns nothing that the first one did not.
"""

import datetime as dt
import hashlib
import hmac
from dataclasses import dataclass
from math import ceil
from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from app.auth.holders import person_of
from app.auth.model import Caller
from app.auth.rates import PARTS
from app.db.tables import rate_bucket
from app.db.work import Work

HOUR: Final = 3_600


@dataclass(frozen=True, slots=True)
class GuessLimits:
    """Guesses an hour: of a person, and of a system that is tied to none."""

    person: int = 30
    system: int = 600


DEFAULT_LIMITS: Final = GuessLimits()


@dataclass(frozen=True, slots=True)
class Bucket:
    """A caller's guesses, held until the transaction ends: whoever else draws on them waits."""

    key: str
    per_hour: int
    left: int  # in parts of a guess
    at: dt.datetime

    @property
    def seconds_to_wait(self) -> int:
        """After how many seconds the caller may guess again; 0 for now."""
        if self.left >= PARTS:
            return 0
        return max(ceil((PARTS - self.left) * HOUR / (self.per_hour * PARTS)), 1)


def hold(work: Work, caller: Caller, limits: GuessLimits) -> Bucket:
    """The caller's bucket as it stands now, which nobody else changes before the transaction ends.

    What is looked at after this may be told by what is left, and counted in this transaction.
    """
    key, per_hour = _bucket_of(work, caller, limits)
    insert = postgresql.insert if work.on_postgres else sqlite.insert
    c = rate_bucket.c
    made = insert(rate_bucket).values(who=key, parts=per_hour * PARTS, at=work.moment.instant)
    # One statement that makes or locks the row: between two, housekeeping could remove it.
    row = work.connection.execute(
        made.on_conflict_do_update(
            index_elements=[c.who], set_={"who": made.excluded.who}
        ).returning(c.parts, c.at)
    ).one()
    at = max(row.at, work.moment.instant)
    return Bucket(key, per_hour, _filled(row.parts, row.at, per_hour, work), at)


def spend(work: Work, bucket: Bucket) -> bool:
    """Count a guess of a bucket that is held; whether it was the last for now."""
    left = bucket.left - PARTS
    c = rate_bucket.c
    work.connection.execute(
        sa.update(rate_bucket).where(c.who == bucket.key).values(parts=left, at=bucket.at)
    )
    return left < PARTS


def give_back(work: Work, bucket: Bucket) -> None:
    """Take the count of one guess back, in a later transaction than it was spent in."""
    c = rate_bucket.c
    work.connection.execute(
        sa.update(rate_bucket).where(c.who == bucket.key).values(parts=c.parts + PARTS)
    )


def is_again(work: Work, caller: Caller, guess: str) -> bool:
    """Whether the person made this very guess within the hour; from now on they did.

    Kept as a digest under the audit log's key until housekeeping forgets it, an hour later.
    """
    text = f"guess of {person_of(work, caller.id) or caller.id}: {guess}"
    key = hmac.new(work.audit_key, text.encode("utf-8"), hashlib.sha256).hexdigest()
    insert = postgresql.insert if work.on_postgres else sqlite.insert
    c, now = rate_bucket.c, work.moment.instant
    made = insert(rate_bucket).values(who=key, parts=0, at=now)
    first = made.on_conflict_do_update(
        index_elements=[c.who], set_={"at": now}, where=c.at <= now - dt.timedelta(seconds=HOUR)
    ).returning(c.who)
    return work.connection.execute(first).one_or_none() is None


def _bucket_of(work: Work, caller: Caller, limits: GuessLimits) -> tuple[str, int]:
    person = person_of(work, caller.id)
    per_hour = limits.system if person is None and caller.kind == "system" else limits.person
    key = hashlib.sha256(f"guesses of {person or caller.id}".encode()).hexdigest()
    return key, per_hour


def _filled(parts: int, at: dt.datetime, per_hour: int, work: Work) -> int:
    passed = max((work.moment.instant - at).total_seconds(), 0.0)
    return min(parts + int(passed * per_hour * PARTS / HOUR), per_hour * PARTS)
