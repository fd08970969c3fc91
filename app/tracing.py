"""What is told about a piece of work while it is under way. Here it is told to nobody.

`app/telemetry.py` tells it to OpenTelemetry. What may be told is listed in `Fact`: names in our
own code, numbers, types of exceptions and the correlation id; nothing of a call's or a row's
content.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from enum import StrEnum
from typing import Any, Final


class Fact(StrEnum):
    """Everything that a span may carry, by its name outside."""

    METHOD = "http.request.method"
    ROUTE = "http.route"  # the template, never the address
    STATUS = "http.response.status_code"
    CORRELATION = "assent.correlation_id"
    RETRIES = "assent.retries"  # how often a transaction ran again after its first attempt
    ENDED = "assent.job.ended"  # done, refused, failed or passed on
    ERROR = "error.type"  # the exception's class, never its message


class Span:
    """One piece of work; this one tells nobody."""

    def rename(self, name: str) -> None:
        """Name it anew, once it is known what it was."""

    def tell(self, fact: Fact, value: str | int) -> None:
        """Add a fact to it."""

    def fail(self) -> None:
        """Mark it as failed."""


class Tracer:
    """Opens spans; this one opens none."""

    def span(self, _name: str) -> AbstractContextManager[Span]:
        """Around a call, a job or a chore, which is no part of anything else."""
        return nullcontext(UNTOLD)

    def part(self, _name: str) -> AbstractContextManager[Span]:
        """Around a piece of the work under way; of no work, where none is."""
        return nullcontext(UNTOLD)

    def close(self) -> None:
        """Send what waits."""


UNTOLD: Final = Span()
UNTRACED: Final = Tracer()


def name_of(fn: Callable[..., Any]) -> str:
    """What a function is called in our code, such as `api.treatments.record_first_dose`.

    Of one inside another, the outer one's name: that is the use case.
    """
    name = getattr(fn, "__qualname__", type(fn).__qualname__).split(".<locals>")[0]
    return f"{fn.__module__.removeprefix('app.')}.{name}"
