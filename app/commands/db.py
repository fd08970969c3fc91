"""`assent db …`: the database's schema."""

from typing import Annotated

import typer

from app.audit.erasing import note_erased_before
from app.commands.at_the_line import administrator
from app.commands.doors import door_or_exit
from app.db.errors import ParameterRefused, PooledConnection, RoleNotSafe, UpgradeBlocked
from app.db.roles import grant
from app.db.upgrade import current, upgrade

app = typer.Typer(no_args_is_help=True, help="The database's schema.")


@app.callback()
def _group() -> None:
    """The database's schema."""


@app.command("upgrade")
def upgrade_command() -> None:
    """Bring the database to this release's schema; safe to run again."""
    door = door_or_exit()
    engine = door.database.engine
    try:
        applied = upgrade(engine)
    except (UpgradeBlocked, ParameterRefused, PooledConnection) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(3) from None
    for revision in applied:
        typer.echo(f"applied {revision}")
    noted = door.transact(lambda work: note_erased_before(work, administrator()))
    if noted is not None:
        typer.echo(f"noted {noted} payloads of the audit log that were erased before revision 0056")
    typer.echo(f"the database is at {current(engine)}")


@app.command("grant")
def grant_command(
    role: Annotated[str, typer.Argument(help="A PostgreSQL role that is there and owns nothing.")],
) -> None:
    """Let a plain role serve: run it as the tables' owner, after each upgrade (PostgreSQL)."""
    engine = door_or_exit().database.engine
    if engine.dialect.name != "postgresql":
        typer.echo("SQLite has no roles: protect its file instead.", err=True)
        raise typer.Exit(2)
    try:
        grant(engine, role)
    except RoleNotSafe as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(3) from None
    typer.echo(f"{role} may serve, and reads one organisation's rows at a time")
