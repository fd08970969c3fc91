"""`assent people …`: who may sign in, in which roles, and whose the other credentials are."""

from collections.abc import Callable
from typing import Annotated, TypeVar

import typer

from app.auth import holders, people, sessions
from app.auth.errors import CallerNotAccepted
from app.auth.holders import Tie
from app.auth.model import Role
from app.auth.people import Seat
from app.auth.store import revoke_caller
from app.commands.at_the_line import administrator
from app.commands.doors import door_or_exit, settings_or_exit
from app.db.work import Work
from app.door import Door

T = TypeVar("T")
Listed = list[tuple[people.Person, bool, tuple[Seat, ...]]]
app = typer.Typer(no_args_is_help=True, help="People who sign in, and roles granted to them here.")

PersonId = Annotated[str, typer.Argument(help="The person's id, as 'assent people list' shows it.")]
At = Annotated[str, typer.Option(help="The organisation's code; for a panel member, the panel's.")]
As = Annotated[Role, typer.Option(help="What they are there.")]
NOBODY = "No active person has that id. List the people with 'assent people list'."


@app.command("add")
def add(
    subject: Annotated[str, typer.Option(help="Their id at the sign-in provider.")],
    name: Annotated[str, typer.Option(help="Their name, as colleagues know it.")],
) -> None:
    """Register a person before they first sign in, so that a role can be granted to them."""
    issuer, door = settings_or_exit().oidc_issuer, door_or_exit()
    made = _run(
        door,
        lambda work: people.add_person(
            work, administrator(), issuer=issuer, subject=subject, name=name
        ),
    )
    typer.echo(f"person {made.id}")


@app.command("grant")
def grant(person: PersonId, organisation: At, role: As) -> None:
    """Let a person act in a role at an organisation, from their next sign-in."""
    door = door_or_exit()
    seat = Seat(organisation, role)
    _run(door, lambda work: people.grant(work, administrator(), person, seat))
    typer.echo(f"granted {role} at {organisation}")


@app.command("withdraw")
def withdraw(person: PersonId, organisation: At, role: As) -> None:
    """Take a role that was granted here back, and end the person's sessions."""
    door = door_or_exit()
    seat = Seat(organisation, role)

    def run(work: Work) -> bool:
        actor = administrator()
        found = people.withdraw(work, actor, person, seat)
        if found:
            sessions.end_all(work, actor, person, "role withdrawn")
        return found

    if not _run(door, run):
        typer.echo("The person was not granted that role there. List the people.", err=True)
        raise typer.Exit(1)
    typer.echo(f"withdrawn {role} at {organisation}")


@app.command("revoke")
def revoke(person: PersonId) -> None:
    """Let a person in no more, and end their sessions and long-lived tokens, at once."""
    door = door_or_exit()

    def run(work: Work) -> bool:
        actor = administrator()
        found = people.revoke_person(work, actor, person)
        if found:
            sessions.end_all(work, actor, person, "person revoked")
            for tie in holders.ties(work).values():
                if tie.person_id == person and tie.kind == "token":
                    revoke_caller(work, actor, tie.credential)
        return found

    if not _run(door, run):
        typer.echo(NOBODY, err=True)
        raise typer.Exit(1)
    typer.echo(f"revoked {person}")


@app.command("tie")
def tie(
    person: PersonId,
    credential: Annotated[
        str, typer.Option(help="The id of a caller, of a client, or of the person's other record.")
    ],
) -> None:
    """Say whose a credential is: where two people must act, it counts as that person."""
    door = door_or_exit()
    made = _run(door, lambda work: holders.tie(work, administrator(), credential, person))
    typer.echo(f"tied {made.kind} {credential} to {made.person_id}")


@app.command("untie")
def untie(credential: Annotated[str, typer.Argument(help="The credential's id.")]) -> None:
    """Say that a credential is nobody's any more: it counts as no person."""
    door = door_or_exit()
    if not _run(door, lambda work: holders.untie(work, administrator(), credential)):
        typer.echo("That credential is tied to nobody. List the people.", err=True)
        raise typer.Exit(1)
    typer.echo(f"untied {credential}")


@app.command("list")
def list_people(
    organisation: Annotated[
        str | None, typer.Option(help="Only those granted a role there, such as a panel's members.")
    ] = None,
) -> None:
    """Everybody who signed in or was registered, with roles granted here and tied credentials."""

    def read(work: Work) -> tuple[Listed, tuple[Tie, ...]]:
        return people.people(work), tuple(holders.ties(work).values())

    listed, ties = door_or_exit().read(read)
    for person, active, seats in listed:
        if organisation is not None and organisation not in {seat.organisation for seat in seats}:
            continue
        told = ", ".join(f"{seat.role} at {seat.organisation}" for seat in seats)
        state = "" if active else " (revoked)"
        typer.echo(f"{person.id}  {person.name}{state}  {told or 'no role granted here'}")
        for each in ties:
            if each.person_id == person.id:
                typer.echo(f"    {each.kind} {each.credential}")


def _run(door: Door, fn: Callable[[Work], T]) -> T:
    try:
        return door.transact(fn)
    except CallerNotAccepted as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
