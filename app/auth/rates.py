"""One bucket of calls for each client, in the database: every serving process draws on the same.

A bucket holds a minute's calls and fills steadily. Processes settle now and then what they have
let through (`app/api/limits.py`), so a bucket may be overdrawn by a little.
"""

import datetime as dt
import hashlib
from dataclasses import dataclass
from math import ceil
from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from app.db.tables import rate_bucket
from app.db.work import Work

#: A bucket is full again after a minute without calls, so its row is worth nothing after this.
KEPT: Final = dt.timedelta(hours=1)
#: Calls are kept in thousandths, as whole numbers.
PARTS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Bucket:
    """How many thousandths of a call are left, as of when; below zero: overdrawn."""

    parts: int
    at: dt.datetime


def draw(bucket: Bucket, used: int, rate: int, now: dt.datetime) -> tuple[Bucket, int]:
    """Settle `used` calls, the last of which asks to be let through, at `rate` calls a minute.

    Returns the bucket after it and 0; or, where the last call finds none left, the bucket without
    that call and the seconds after which there is one. Calls before it went through already.
    """
    passed = max((now - bucket.at).total_seconds(), 0.0)
    parts = min(bucket.parts + int(passed * rate * PARTS / 60), rate * PARTS)
    at = max(bucket.at, now)
    if parts >= used * PARTS:
        return Bucket(parts - used * PARTS, at), 0
    # At most a minute's calls of debt: a client is let in again two minutes later at the latest.
    parts = max(parts - (used - 1) * PARTS, -rate * PARTS)
    short = PARTS - parts
    return Bucket(parts, at), max(ceil(short * 60 / (rate * PARTS)), 1)


def settle(work: Work, who: str, used: int, rate: int) -> int:
    """Settle calls of a client in the shared bucket; the seconds to wait, 0 for none.

    The row is locked for these statements only, never while a call is worked on.
    """
    now = work.moment.instant
    key = hashlib.sha256(who.encode("utf-8")).hexdigest()  # may be an address: not kept as it is
    insert = postgresql.insert if work.on_postgres else sqlite.insert
    full = {"who": key, "parts": rate * PARTS, "at": now}
    c = rate_bucket.c
    made = insert(rate_bucket).values(**full)
    # One statement that makes or locks the row: between two, housekeeping could remove it.
    row = work.connection.execute(
        made.on_conflict_do_update(
            index_elements=[c.who], set_={"who": made.excluded.who}
        ).returning(c.parts, c.at)
    ).one()
    bucket, wait = draw(Bucket(row.parts, row.at), used, rate, now)
    work.connection.execute(
        sa.update(rate_bucket).where(c.who == key).values(parts=bucket.parts, at=bucket.at)
    )
    return wait


def forget_buckets(work: Work) -> int:
    """Remove the buckets that nobody drew on for an hour; returns how many."""
    past = work.moment.instant - KEPT
    return work.connection.execute(sa.delete(rate_bucket).where(rate_bucket.c.at < past)).rowcount
