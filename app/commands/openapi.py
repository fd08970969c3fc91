"""`assent openapi`: the API's description as a file."""

from pathlib import Path
from typing import Annotated

import typer
from fastapi import FastAPI
from pydantic import SecretStr

from app.api.openapi import openapi_text
from app.approvals.library import Library
from app.main import create_app
from app.settings import DEMONSTRATION_AUDIT_KEY, REPOSITORY, Settings

FILE = REPOSITORY / "openapi" / "openapi.json"


def current_application() -> FastAPI:
    """This release's application without a policy, whatever the environment says."""
    settings = Settings(demonstration=True, audit_key=SecretStr(DEMONSTRATION_AUDIT_KEY))
    return create_app(settings, library=Library(()))


def current_text() -> str:
    """The description of this release."""
    return openapi_text(current_application())


def openapi(
    write: Annotated[bool, typer.Option("--write", help="Write the file.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Exit 1 if the file is stale.")] = False,
    file: Annotated[Path, typer.Option(help="The file.")] = FILE,
) -> None:
    """Print the API's description, write it to its file, or check that the file is fresh."""
    text = current_text()
    if write:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        typer.echo(f"wrote {file}")
    if check:
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            typer.echo(f"{file} is stale. Run 'assent openapi --write'.", err=True)
            raise typer.Exit(1)
        typer.echo(f"{file} is fresh")
    if not write and not check:
        typer.echo(text, nl=False)
