"""The headers that writes and versioned objects use: X-Request-ID, ETag and If-Match."""

import re
from typing import Annotated, Final

from fastapi import Header

REQUEST_ID = "X-Request-ID"
UUID = re.compile("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
ETAG = re.compile(r'(?:W/)?"([0-9]{1,9})"')
#: The version of no object.
NO_VERSION: Final = -1

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


def version_read(if_match: str | None) -> int | None:
    """The version that the caller last read; None where it does not say.

    A header that names no version, such as `*`, which would overwrite another's change unseen,
    is the version of no object. The use case refuses both (428, 412), after it has asked who calls.
    """
    if if_match is None:
        return None
    found = ETAG.fullmatch(if_match.strip())
    return NO_VERSION if found is None else int(found.group(1))
