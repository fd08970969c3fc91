"""The headers that writes and versioned objects use: X-Request-ID, ETag and If-Match."""

import re
from typing import Annotated

from fastapi import Header

from app.problems import CHANGED_SINCE, IF_MATCH_NEEDED, DoorProblem

REQUEST_ID = "X-Request-ID"
UUID = re.compile("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
ETAG = re.compile(r'(?:W/)?"([0-9]{1,9})"')

RequestId = Annotated[
    str,
    Header(
        alias=REQUEST_ID,
        pattern=f"^{UUID.pattern}$",
        description="A UUID that names this write. Send the same one again after a time-out or a "
        "fault: the write happens once, and the same answer comes back.",
        examples=["60e0b220-8136-4ca5-ae46-1d97ef59d068"],
    ),
]

IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        description="The ETag that came with the object when you last read it. Without it the "
        "answer is 428; if the object changed since, 412.",
        examples=['W/"3"'],
    ),
]


def etag(version: int) -> str:
    """The ETag of an object's version, as NHS services write it."""
    return f'W/"{version}"'


def version_from(if_match: str | None) -> int:
    """The version that the caller last read.

    Raises DoorProblem 428 without a header and 412 for one that names no version: `*` would
    overwrite another's change unseen.
    """
    if if_match is None:
        raise DoorProblem(
            IF_MATCH_NEEDED,
            "This write changes an object that others may change too. Read it, then send the "
            "write again with If-Match set to the ETag that came with it.",
        )
    found = ETAG.fullmatch(if_match.strip())
    if found is None:
        raise changed_since()
    return int(found.group(1))


def check_version(if_match: str | None, version: int) -> None:
    """Raise DoorProblem 428 or 412 unless If-Match names this version."""
    if version_from(if_match) != version:
        raise changed_since()


def changed_since() -> DoorProblem:
    """The object is at another version than If-Match names."""
    return DoorProblem(
        CHANGED_SINCE,
        "If-Match does not name the object's current version. Read the object again, look at what "
        "changed, and send the write with its new ETag and a new X-Request-ID.",
    )
