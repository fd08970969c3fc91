"""`assent db …`: the database's schema."""

import typer

from app.commands.doors import door_or_exit
from app.db.upgrade import current, upgrade

app = typer.Typer(no_args_is_help=True, help="The database's schema.")


@app.callback()
def _group() -> None:
    """The database's schema."""


@app.command("upgrade")
def upgrade_command() -> None:
    """Bring the database to this release's schema; safe to run again."""
    engine = door_or_exit().database.engine
    for revision in upgrade(engine):
        typer.echo(f"applied {revision}")
    typer.echo(f"the database is at {current(engine)}")
