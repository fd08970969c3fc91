"""What commands share: settings and a door, read once, with plain words when they are wrong."""

import typer
from pydantic import ValidationError

from app.db.engine import make_engine
from app.db.transaction import Database
from app.door import Door, make_tracer
from app.logs import configure_logs
from app.settings import Settings
from app.tracing import UNTRACED


def settings_or_exit() -> Settings:
    """The settings from the environment; exit code 2 and every fault when they are wrong."""
    try:
        settings = Settings()
    except ValidationError as error:
        for fault in error.errors(include_input=False, include_url=False):
            name = ".".join(str(part) for part in fault["loc"])
            setting = f"ASSENT_{name.upper()}: " if name else ""
            typer.echo(f"{setting}{fault['msg'].removeprefix('Value error, ')}", err=True)
        raise typer.Exit(2) from None
    configure_logs(settings.log_level)
    return settings


def door_or_exit(*, restricted: bool = False) -> Door:
    """A door on the database that the settings name; its data folder is made if need be.

    With `restricted`, outside demonstration mode, a database role that could pass row-level
    security by is refused: what serves callers must not be the tables' owner. Only such a door is
    traced; whoever opens it closes its tracer.
    """
    settings = settings_or_exit()
    if settings.database_url.startswith("sqlite"):
        settings.data_dir.mkdir(parents=True, exist_ok=True)
    engine = make_engine(
        settings.database_url, restricted=restricted and not settings.demonstration
    )
    return Door(
        Database(engine, settings.audit_key_bytes()),
        tracer=make_tracer(settings) if restricted else UNTRACED,
    )
