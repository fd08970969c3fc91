"""X-Correlation-ID: echoed when it is usable, made afresh when it is absent or not usable."""

import re
from collections.abc import Callable
from typing import Final

from starlette.datastructures import Headers
from starlette.types import Scope

from app.api.headers import UUID

HEADER: Final = "X-Correlation-ID"
#: Letters, digits and a few marks: nothing that could break a log line or a header.
USABLE: Final = re.compile(r"[A-Za-z0-9._:/+=@-]{1,100}", re.ASCII)


#: Ten digits that may be an NHS number: it begins so in every range that is given out. It would go
#: into every log line and audit event of the call, so such an id is not used.
LIKE_A_NUMBER: Final = re.compile(r"(?<![0-9])[34679][0-9]{2}[-. ]?[0-9]{3}[-. ]?[0-9]{4}(?![0-9])")


def correlation_id(headers: Headers, new_id: Callable[[], str]) -> str:
    """The caller's correlation id, or a fresh one when it gave none that can be used."""
    given = headers.get(HEADER)
    return given if given is not None and is_usable(given) else new_id()


def is_usable(given: str) -> bool:
    """Whether an id can stand in logs: of the marks allowed, and with no NHS number in it."""
    if USABLE.fullmatch(given) is None:
        return False
    return UUID.fullmatch(given) is not None or LIKE_A_NUMBER.search(given) is None


def of(scope: Scope) -> str:
    """The correlation id of a request that went through the outer middleware."""
    found = scope.get("state", {}).get("correlation_id", "")
    return str(found)
