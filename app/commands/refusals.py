"""A refusal of the service at the command line: its words, and an exit code."""

from collections.abc import Callable
from typing import Final, TypeVar

import typer

from app.approvals.errors import ApprovalsError
from app.auth.errors import CallerNotAccepted, NotAllowed
from app.reconciliation.errors import ReconciliationError

T = TypeVar("T")
REFUSED: Final = 3


def done(do: Callable[[], T]) -> T:
    """What it gives; exit code 3 and the reason where the service refuses."""
    try:
        return do()
    except (ReconciliationError, ApprovalsError, NotAllowed, CallerNotAccepted) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(REFUSED) from None
