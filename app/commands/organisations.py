"""`assent organisations …`: an organisation's own settings, such as whether a pharmacist must
authorise, which panel decides and whether a paper form covers from its signature."""

import datetime as dt
import json
from typing import Annotated, Any

import typer

from app.approvals.settling import SETTINGS, settings_of, settle
from app.commands.at_the_line import administrator
from app.commands.doors import door_or_exit
from app.commands.refusals import done

app = typer.Typer(no_args_is_help=True, help="Organisations' own settings.")
Organisation = Annotated[str, typer.Argument(help="The organisation's ODS code.")]


@app.callback()
def organisations() -> None:
    """Organisations' own settings."""


@app.command("settings")
def show(
    organisation: Organisation,
    on: Annotated[
        dt.datetime | None,
        typer.Option("--on", formats=["%Y-%m-%d"], help="As they hold on this day; today's else."),
    ] = None,
) -> None:
    """Print what an organisation's settings hold, and what each may hold."""
    door = door_or_exit()
    day = door.moment().day if on is None else on.date()
    found = door.read(lambda work: settings_of(work, organisation, day))
    for name, value in found.items():
        told = "(never set)" if value is None else json.dumps(value, ensure_ascii=False)
        typer.echo(f"{name}: {told}")
        typer.echo(f"    {SETTINGS[name][1]}")


@app.command("set")
def change(
    organisation: Organisation,
    setting: Annotated[str, typer.Argument(help=f"One of: {', '.join(SETTINGS)}.")],
    value: Annotated[str, typer.Argument(help="JSON, such as true; or a code as it is.")],
    from_day: Annotated[
        dt.datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="The first day it holds.")
    ],
) -> None:
    """Change a setting from a day on; what was decided before stays. Audited.

    Exit code 3: the setting cannot hold that value, or the day is past, and nothing was changed.
    """
    read, day = _value(value), from_day.date()
    done(
        lambda: door_or_exit().transact(
            lambda work: settle(work, administrator(), organisation, setting, read, day)
        )
    )
    typer.echo(f"{organisation}: {setting} holds {json.dumps(read)} from {day:%d/%m/%Y}.")


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
