"""Who is at the command line, and in which call of it: what the audit log says of its acts.

The operating system vouches for its user; a name given with `--as` is that user's word, so the log
holds both.
"""

import os
from dataclasses import dataclass, replace
from typing import Final

import typer

from app.audit.model import Actor
from app.auth.model import Caller, Role
from app.clock import new_id

CLIENT: Final = "assent command line"
#: What the log holds of a name, at most.
LONGEST: Final = 36
_ADMINISTRATION: Final = "SERVICE"


@dataclass(slots=True)
class _Run:
    """One run of the command line: the name that was given, and its correlation id."""

    stated: str | None = None
    call: str = ""


_RUN: Final = _Run()


def begin(stated: str | None) -> None:
    """Begin a run, with the name that somebody gives for who acts; exit code 2 for what is none."""
    name = None if stated is None else stated.strip()
    if name is not None and not (0 < len(name) <= LONGEST and name.isprintable()):
        typer.echo(
            f"--as (or ASSENT_OPERATOR) names who acts, in 1 to {LONGEST} characters. Correct it.",
            err=True,
        )
        raise typer.Exit(2)
    _RUN.stated, _RUN.call = name, new_id()


def who() -> str:
    """The name that was given, or else the operating system's user."""
    return _RUN.stated or system_user()


def client() -> str:
    """Through what: where a name was given, also which user of the system gave it."""
    return CLIENT if _RUN.stated is None else f"{CLIENT}, run by {system_user()}"


def call() -> str:
    """The correlation id of this run of the command line: the same for all that it does."""
    return _RUN.call or new_id()


def system_user() -> str:
    """Who runs the process, as the operating system has it and no variable can say otherwise."""
    try:
        import pwd
    except ImportError:  # Windows
        return os.getlogin()[:LONGEST]
    try:
        return pwd.getpwuid(os.getuid()).pw_name[:LONGEST]
    except KeyError:  # such as a container's numeric user
        return f"uid {os.getuid()}"


def acting_for(organisation: str, role: Role) -> Caller:
    """The person at the command line, who acts for an organisation."""
    return Caller(
        id=who(),
        name=who(),
        kind="person",
        organisation=organisation,
        role=role,
        client=client(),
        correlation_id=call(),
    )


def named(caller: Caller, person: str) -> Caller:
    """The same where the command itself asks by name who acts."""
    told = f"{CLIENT}, run by {system_user()}"
    return replace(caller, id=person.strip()[:LONGEST], name=person.strip(), client=told)


def administrator() -> Actor:
    """The same, for the service itself: whoever can run it holds the database's key."""
    return Actor(
        id=who(),
        kind="system",
        organisation=_ADMINISTRATION,
        role="administrator",
        client=client(),
        correlation_id=call(),
    )
