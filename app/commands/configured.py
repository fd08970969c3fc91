"""`assent settings …`: what the service would run with, where each comes from, and every fault."""

import os
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, Final

import typer
from pydantic import SecretStr, ValidationError
from sqlalchemy.engine import make_url

from app.settings import Settings

app = typer.Typer(no_args_is_help=True, help="The settings as they are in force.")
PREFIX: Final = "ASSENT_"
#: Variables of tools and tests beside the service: no setting, and no fault.
OTHERS: Final = ("ASSENT_OPERATOR", "ASSENT_TEST_", "ASSENT_REQUIRE_", "ASSENT_WRITE_")


@app.command("show")
def show() -> None:
    """Print every setting in force and where it comes from. Secrets are masked.

    Exit code 2, with every fault, where the service would not start.
    """
    _check(os.environ)
    settings = Settings()
    for name in sorted(Settings.model_fields):
        origin = _origin(name, getattr(settings, name), os.environ)
        typer.echo(f"{PREFIX}{name.upper()}={_told(name, getattr(settings, name))}  ({origin})")


@app.command("check")
def check() -> None:
    """Say every fault of the settings at once; exit code 2 where there is one."""
    _check(os.environ)
    typer.echo("The settings have no fault.")


def faults(environment: Mapping[str, str]) -> list[str]:
    """What is wrong with the environment: variables that are no setting, and values."""
    known = {f"{PREFIX}{name}".upper() for name in Settings.model_fields}
    found = [_unknown(name, known) for name in sorted(environment) if _is_ours(name, known)]
    try:
        Settings()
    except ValidationError as error:
        for each in error.errors(include_input=False, include_url=False):
            where = "_".join(str(part) for part in each["loc"][:1]).upper()
            found.append(f"{PREFIX}{where}: {each['msg']}" if where else each["msg"])
    return found


def _check(environment: Mapping[str, str]) -> None:
    found = faults(environment)
    for each in found:
        typer.echo(each.removeprefix("Value error, "), err=True)
    if found:
        raise typer.Exit(2)


def _is_ours(name: str, known: Iterable[str]) -> bool:
    upper = name.upper()
    return upper.startswith(PREFIX) and upper not in known and not upper.startswith(OTHERS)


def _unknown(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name.upper(), known, 1)
    return f"{name} is no setting. " + (f"Did you mean {near[0]}?" if near else "Leave it out.")


def _origin(name: str, value: Any, environment: Mapping[str, str]) -> str:
    if f"{PREFIX}{name}".upper() in {each.upper() for each in environment}:
        return "environment"
    default = Settings.model_fields[name].get_default(call_default_factory=True)
    return "default" if value == default else "worked out from other settings"


def _told(name: str, value: Any) -> str:
    if isinstance(value, SecretStr):
        return "(set, not shown)" if value.get_secret_value() else "(not set)"
    if isinstance(value, tuple):
        return "[" + ", ".join(_told(name, each) for each in value) + "]"
    if name == "database_url":
        return make_url(value).render_as_string(hide_password=True)
    return "(not set)" if value in (None, "") else str(value)
