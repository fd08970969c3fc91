"""Registered callers. Tokens are stored only as SHA-256 digests.

A token is 256 random bits, so a plain digest cannot be searched for, and finding it by its digest
gives nothing away through timing.
"""

import base64
import hashlib
import re
from typing import Any

from sqlalchemy import bindparam, insert, select, update

from app.audit.log import record
from app.audit.model import Actor, Event
from app.auth.errors import CallerNotAccepted
from app.auth.model import Caller, CallerKind, Role
from app.db.statements import Statement, Values
from app.db.tables import caller as callers
from app.db.work import Work

TOKEN_BYTES = 32
NAME_LENGTH = 120
_HELD = Statement(select(callers).where(callers.c.token_hash == bindparam("digest")))
ORGANISATION_CODE = re.compile("[A-Z0-9]{1,9}")


def question_of_caller(token: str) -> tuple[Statement, Values]:
    """What `find_caller` asks."""
    return _HELD, {"digest": token_hash(token)}


def find_caller(work: Work, token: str, *, correlation_id: str = "") -> Caller | None:
    """The caller whose token this is, or None when it is unknown or revoked."""
    rows = work.ask(*question_of_caller(token))
    if not rows:
        return None
    row = rows[0]
    if row["revoked_at"] is not None and row["revoked_at"] <= work.moment.instant:
        return None
    return Caller(
        id=row["id"],
        name=row["name"],
        kind=row["kind"],
        organisation=row["organisation"],
        role=Role(row["role"]),
        client=row["id"],
        correlation_id=correlation_id,
    )


def register_caller(
    work: Work,
    actor: Actor,
    *,
    name: str,
    kind: CallerKind,
    organisation: str,
    role: Role,
    demonstration: bool = False,
    token: str | None = None,
) -> tuple[str, str]:
    """Register a caller and return (its id, its token); the token cannot be shown again.

    A token is drawn from the work's randomness; only the demonstration passes a known one. Raises
    CallerNotAccepted when the description cannot be stored. The token is never audited.
    """
    check_description(name, organisation)
    if token is not None and not demonstration:
        raise CallerNotAccepted(
            "A chosen token is only for demonstration. Leave it out: one is drawn at random."
        )
    token = token or draw_token(work)
    id = work.new_id()
    described = {
        "name": name,
        "kind": kind,
        "organisation": organisation,
        "role": role.value,
        "demonstration": demonstration,
    }
    work.connection.execute(
        insert(callers).values(
            id=id, token_hash=token_hash(token), created_at=work.moment.instant, **described
        )
    )
    record(work, actor, Event("register caller", "caller", id, before=None, after=described))
    return id, token


def revoke_caller(work: Work, actor: Actor, caller_id: str) -> bool:
    """Revoke a caller's token from this moment; False when no such caller is active."""
    done = work.connection.execute(
        update(callers)
        .where(callers.c.id == caller_id, callers.c.revoked_at.is_(None))
        .values(revoked_at=work.moment.instant)
    )
    if done.rowcount == 0:
        return False
    record(
        work,
        actor,
        Event(
            "revoke caller",
            "caller",
            caller_id,
            before={"revoked": False},
            after={"revoked": True},
        ),
    )
    return True


def callers_at(work: Work, organisation: str) -> list[dict[str, Any]]:
    """The callers of an organisation whose tokens were not revoked, newest first; no digest."""
    c = callers.c
    query = (
        select(c.id, c.name, c.kind, c.role, c.created_at)
        .where(c.organisation == organisation, c.revoked_at.is_(None))
        .order_by(c.created_at.desc(), c.id)
    )
    return [dict(row) for row in work.connection.execute(query).mappings()]


def check_description(name: str, organisation: str) -> None:
    """Raise CallerNotAccepted unless the name and organisation code can be stored."""
    if not name.strip() or len(name) > NAME_LENGTH:
        raise CallerNotAccepted(
            f"A caller's name has 1 to {NAME_LENGTH} characters. Name the system or person."
        )
    if ORGANISATION_CODE.fullmatch(organisation) is None:
        raise CallerNotAccepted(
            "An organisation code is 1 to 9 upper-case letters and digits, such as RX1. Correct it."
        )


def draw_token(work: Work) -> str:
    """A fresh token: 256 random bits, in 43 characters that need no escaping in a header."""
    return base64.urlsafe_b64encode(work.random_bytes(TOKEN_BYTES)).rstrip(b"=").decode("ascii")


def token_hash(token: str) -> str:
    """What is stored of a token: its SHA-256, in hexadecimal."""
    return hashlib.sha256(token.encode("utf-8")).hexdigest()
