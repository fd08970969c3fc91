"""`assent callers …`: who may call."""

from enum import StrEnum
from typing import Annotated

import typer

from app.auth.errors import CallerNotAccepted
from app.auth.model import Role
from app.auth.store import register_caller, revoke_caller
from app.commands.at_the_line import administrator
from app.commands.doors import door_or_exit, settings_or_exit

app = typer.Typer(no_args_is_help=True, help="Who may call.")


class CallerKindOption(StrEnum):
    PERSON = "person"
    SYSTEM = "system"


@app.command("add")
def add(
    name: Annotated[str, typer.Option(help="The person's or system's name.")],
    organisation: Annotated[str, typer.Option(help="Its organisation's code, such as RX1.")],
    role: Annotated[Role, typer.Option(help="What it is at its organisation.")],
    kind: Annotated[
        CallerKindOption, typer.Option(help="Person or system.")
    ] = CallerKindOption.SYSTEM,
) -> None:
    """Register a caller and print its token, once: only its digest is stored."""
    door = door_or_exit()
    try:
        id, token = door.transact(
            lambda work: register_caller(
                work,
                administrator(),
                name=name,
                kind=kind.value,
                organisation=organisation,
                role=role,
            )
        )
    except CallerNotAccepted as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    typer.echo(f"caller {id}")
    typer.echo(f"token  {token}")
    typer.echo("Keep the token now; it cannot be shown again.", err=True)
    settings = settings_or_exit()
    if not (settings.demonstration or settings.registered_tokens):
        typer.echo(
            "The service takes such tokens only with ASSENT_REGISTERED_TOKENS=true. Systems "
            "should sign in with a signed token of their own: see 'assent clients --help'.",
            err=True,
        )


@app.command("revoke")
def revoke(caller_id: Annotated[str, typer.Argument(help="The caller's id.")]) -> None:
    """Revoke a caller's token at once."""
    door = door_or_exit()
    if not door.transact(lambda work: revoke_caller(work, administrator(), caller_id)):
        typer.echo("No active caller has that id. Check it in the audit trail.", err=True)
        raise typer.Exit(1)
    typer.echo(f"revoked {caller_id}")
