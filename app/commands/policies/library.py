"""`assent policies show`, `lock` and `adopt`."""

import datetime as dt
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from app.approvals.errors import ApprovalsError
from app.approvals.library import Library
from app.approvals.office import adopt
from app.commands.doors import door_or_exit, settings_or_exit
from app.commands.policies.parts import LOCK, library_of
from app.policy import readable
from app.policy.lock import check_lock, lock_text


def show(
    policy: Annotated[
        str | None, typer.Argument(help="A policy's key; without it, list them all.")
    ] = None,
    version: Annotated[str | None, typer.Argument(help="A version; else the newest.")] = None,
) -> None:
    """Show a policy version as readable text, or list the library."""
    library = library_of(settings_or_exit().policies_dir)
    if policy is None:
        _list(library)
        return
    try:
        found = library.get(policy, version) if version else library.versions(policy)[-1]
    except ApprovalsError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    typer.echo(readable(found))


def lock() -> None:
    """Add new versions to versions.lock. A version in force is never changed."""
    folder = settings_or_exit().policies_dir
    library = library_of(folder)
    path = folder / LOCK
    known = path.read_text(encoding="utf-8") if path.exists() else ""
    changed = [f for f in check_lock(library.all_versions(), known) if f.code != "lock-missing"]
    if changed:
        for fault in changed:
            typer.echo(str(fault), err=True)
        raise typer.Exit(1)
    path.write_text(lock_text(library.all_versions()), encoding="utf-8")
    typer.echo(f"{path}: {len(library.all_versions())} versions.")


def adopt_version(
    policy: str,
    version: str,
    commissioner: Annotated[str, typer.Option(help="The commissioner's ODS code.")],
    by: Annotated[str, typer.Option(help="Who adopts.")],
    seconded_by: Annotated[str, typer.Option(help="A second person, who agrees.")],
    from_day: Annotated[
        dt.datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="First day it decides.")
    ],
) -> None:
    """Let a policy version decide for a commissioner: a dated act of two people."""
    library = library_of(settings_or_exit().policies_dir)
    door = door_or_exit()
    try:
        found = library.get(policy, version)
        door.transact(
            lambda work: adopt(work, found, commissioner, from_day.date(), by, seconded_by)
        )
    except ApprovalsError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    limited = " It holds unverified criteria, so it can only refer." if found.unverified else ""
    typer.echo(f"{commissioner} adopts {policy} {version} from {from_day:%Y-%m-%d}.{limited}")


# --- parts --------------------------------------------------------------------------------------


def _list(library: Library) -> None:
    table = Table(title="Policies", title_justify="left")
    for name in ("Policy", "Version", "Drug", "Mechanism", "Criteria", "Verified"):
        table.add_column(name, justify="right" if name in ("Criteria", "Verified") else "left")
    for version in library.all_versions():
        criteria = (*version.start, *version.continue_, *version.stop)
        verified = sum(c.evidence == "verified" for c in criteria)
        table.add_row(
            version.policy,
            version.version,
            version.drug,
            version.mechanism,
            str(len(criteria)),
            str(verified),
        )
    Console(width=110).print(table)
