"""X-Correlation-ID: echoed when it is usable, made afresh when it is absent or not usable."""

import re
from collections.abc import Callable
from typing import Final

from starlette.datastructures import Headers
from starlette.types import Scope

HEADER: Final = "X-Correlation-ID"
#: Letters, digits and a few marks: nothing that could break a log line or a header.
USABLE: Final = re.compile(r"[A-Za-z0-9._:/+=@-]{1,100}", re.ASCII)


def correlation_id(headers: Headers, new_id: Callable[[], str]) -> str:
    """The caller's correlation id, or a fresh one when it gave none that can be used."""
    given = headers.get(HEADER)
    return given if given is not None and USABLE.fullmatch(given) else new_id()


def of(scope: Scope) -> str:
    """The correlation id of a request that went through the outer middleware."""
    found = scope.get("state", {}).get("correlation_id", "")
    return str(found)
