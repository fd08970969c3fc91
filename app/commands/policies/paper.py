"""`assent policies form`: blank forms on paper."""

import datetime as dt
from pathlib import Path
from typing import Annotated

import typer

from app.approvals.library import Library
from app.approvals.library_files import policy_files
from app.authoring.errors import BenchRefused
from app.authoring.paper import FORMATS, blank_form
from app.clock import london_day, now
from app.commands.policies.parts import library_of, plain_refusals, policies_folder
from app.policy import PolicyVersion


def form(
    policy: Annotated[str | None, typer.Argument(help="A policy's key.")] = None,
    commissioner: Annotated[
        str | None, typer.Option(help="Whose additions to print too: a commissioner's code.")
    ] = None,
    made: Annotated[
        str, typer.Option("--format", help=f"One of: {', '.join(FORMATS)}.")
    ] = "html",
    area: Annotated[
        str | None, typer.Option("--all", help="Every policy of this area, or of `every` area.")
    ] = None,
    on: Annotated[
        dt.datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="The version in force on this day; else today."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The file to write, or with --all the folder.")
    ] = None,
) -> None:
    """Print blank forms, to be filled in by hand while the service cannot be reached."""
    day = london_day(now()) if on is None else on.date()
    library = library_of(policies_folder())
    with plain_refusals():
        if (policy is None) == (area is None):
            raise BenchRefused("Name one policy, or an area with --all.")
        if out is None:
            raise BenchRefused("Say where to with --out.")
        if policy is not None:
            out.write_bytes(blank_form(_version(library, policy, day, commissioner), made))
            typer.echo(f"{out}: written.")
            return
        _write_all(library, str(area), day, commissioner, made, out)


def _write_all(
    library: Library, area: str, day: dt.date, commissioner: str | None, made: str, out: Path
) -> None:
    out.mkdir(parents=True, exist_ok=True)
    written = 0
    for policy in _policies_of(library, area):
        if _in_force(library, policy, day) is None:
            typer.echo(f"{policy}: no version is in force on {day}, so it has no form.")
            continue
        version = _version(library, policy, day, commissioner)
        (out / f"{policy}.{made}").write_bytes(blank_form(version, made))
        written += 1
    typer.echo(f"{out}: {written} forms written.")


def _policies_of(library: Library, area: str) -> tuple[str, ...]:
    folder = policies_folder()
    every = {path.parent.parent.name for path in policy_files(folder)}
    if area != "every" and area not in every:
        raise BenchRefused(f"There is no area {area}. Use every, or one of: "
                           f"{', '.join(sorted(every))}.")  # fmt: skip
    if area == "every":
        return library.policies()
    named = {path.parent.name for path in policy_files(folder) if path.parent.parent.name == area}
    return tuple(policy for policy in library.policies() if policy in named)


def _in_force(library: Library, policy: str, day: dt.date) -> PolicyVersion | None:
    versions = [each for each in library.versions(policy) if each.in_force.from_ <= day]
    return versions[-1] if versions else None


def _version(
    library: Library, policy: str, day: dt.date, commissioner: str | None
) -> PolicyVersion:
    found = _in_force(library, policy, day)
    if found is None:
        raise BenchRefused(f"No version of {policy} is in force on {day}. Say another --on.")
    return found if commissioner is None else library.layered(found, commissioner, day)
