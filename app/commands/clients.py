"""`assent clients …`: systems that sign in with a signed token of their own."""

from pathlib import Path
from typing import Annotated, Any

import typer

from app.auth import clients
from app.auth.assertions import from_pem
from app.auth.errors import CallerNotAccepted
from app.auth.model import Role
from app.commands.at_the_line import administrator
from app.commands.doors import door_or_exit

app = typer.Typer(no_args_is_help=True, help="Systems that call, their keys and scopes.")


def _fail(error: Exception) -> typer.Exit:
    typer.echo(str(error), err=True)
    return typer.Exit(1)


@app.command("add")
def add(
    name: Annotated[str, typer.Option(help="The system's name.")],
    organisation: Annotated[list[str], typer.Option(help="Whom it acts for; may be repeated.")],
    role: Annotated[Role, typer.Option(help="What it is at these organisations.")],
    scope: Annotated[list[str], typer.Option(help="What its tokens may be used for; repeated.")],
    jwks_url: Annotated[
        str | None, typer.Option(help="Where it publishes its keys, instead of 'add-key'.")
    ] = None,
    per_minute: Annotated[
        int | None, typer.Option(min=1, help="Calls a minute; left out, the service's limit.")
    ] = None,
) -> None:
    """Register a system; it signs in once a key of its is known."""
    door = door_or_exit()
    try:
        id_ = door.transact(
            lambda work: clients.register_client(
                work,
                administrator(),
                name=name,
                role=role,
                organisations=organisation,
                scopes=scope,
                jwks_url=jwks_url,
                requests_per_minute=per_minute,
            )
        )
    except CallerNotAccepted as error:
        raise _fail(error) from None
    typer.echo(f"client {id_}")


@app.command("add-key")
def add_key(
    client_id: Annotated[str, typer.Argument(help="The client's id.")],
    kid: Annotated[str, typer.Option(help="The key's id, as the header of its tokens names it.")],
    pem: Annotated[
        Path, typer.Option(exists=True, dir_okay=False, help="The public key, RSA, in PEM.")
    ],
) -> None:
    """Register a public key. To rotate: add the new one, use it, then remove the old one."""
    door = door_or_exit()
    try:
        jwk = from_pem(pem.read_text(encoding="ascii"))
        door.transact(lambda work: clients.add_key(work, administrator(), client_id, kid, jwk))
    except (CallerNotAccepted, ValueError) as error:
        raise _fail(error) from None
    typer.echo(f"key {kid} added")


@app.command("remove-key")
def remove_key(
    client_id: Annotated[str, typer.Argument(help="The client's id.")],
    kid: Annotated[str, typer.Option(help="The key's id.")],
) -> None:
    """Take a key out of use at once. Tokens that were given for it live for up to ten minutes."""
    door = door_or_exit()
    if not door.transact(lambda work: clients.remove_key(work, administrator(), client_id, kid)):
        raise _fail(ValueError("The client has no key of that id in use. List the clients."))
    typer.echo(f"key {kid} removed")


@app.command("revoke")
def revoke(client_id: Annotated[str, typer.Argument(help="The client's id.")]) -> None:
    """Refuse a client and every token of its at once."""
    door = door_or_exit()
    if not door.transact(lambda work: clients.revoke_client(work, administrator(), client_id)):
        raise _fail(ValueError("No active client has that id. List the clients."))
    typer.echo(f"revoked {client_id}")


@app.command("list")
def list_clients() -> None:
    """Every registered system, newest first."""
    for row in door_or_exit().read(clients.clients):
        typer.echo(_line(row))


def _line(row: dict[str, Any]) -> str:
    state = "revoked" if row["revoked_at"] else "active"
    keys = ", ".join(row["keys"]) or row["jwks_url"] or "none"
    return (
        f"{row['id']}  {state}  {row['name']} ({row['role']})  for "
        f"{', '.join(row['organisations'])}  scopes {', '.join(row['scopes'])}  keys {keys}"
    )
