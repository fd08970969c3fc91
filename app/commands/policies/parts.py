"""What the policy commands share: the library, one version by name or file, and plain refusals."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import typer
from sqlalchemy import inspect
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from app.approvals.errors import ApprovalsError
from app.approvals.library import Library, overlaid
from app.approvals.library_files import load_library
from app.approvals.notices import known
from app.approvals.published import JoinedLibrary
from app.authoring.errors import BenchRefused
from app.authoring.files import cases_of as cases_of
from app.authoring.files import load_file, read_text
from app.auth.errors import CallerNotAccepted
from app.commands.doors import door_or_exit, settings_or_exit
from app.db.work import Work
from app.policy import Notice, Overlay, PolicyFileFaults, PolicyVersion, apply_overlay, load_overlay
from app.reference_data.drugs import load_drugs

LOCK = "versions.lock"
VERSION_HELP = "A policy file, or a policy's key, or key@version."
OVERLAY_HELP = "A commissioner's overlay on top: its file, or its ODS code, or CODE@first-day."

ONLY_PACKAGED = (
    "Only the packaged safety notices were looked at: no database is set up here that could hold "
    "others, or lift one of these."
)
Found = TypeVar("Found")


@contextmanager
def plain_refusals() -> Iterator[None]:
    """Faults and refusals as plain lines on standard error: exit code 1 for faults, else 2."""
    try:
        yield
    except PolicyFileFaults as error:
        for fault in error.faults:
            typer.echo(str(fault), err=True)
        raise typer.Exit(1) from None
    except (ApprovalsError, BenchRefused, CallerNotAccepted) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None


def only_registered() -> bool:
    """Whether the two people of an act must be registered: everywhere but in the demonstration."""
    return not settings_or_exit().demonstration


def policies_folder() -> Path:
    """The folder of the library."""
    return settings_or_exit().policies_dir


def library_of(folder: Path, *, trusting_lock: bool = True) -> Library:
    """The library in a folder; exit code 1 with every fault when it has any.

    What checks, locks or publishes does not trust the lock, and reads every expression anew.
    """
    with plain_refusals():
        return load_library(folder, load_drugs().keys(), trusting_lock=trusting_lock)


def joined_library() -> Library:
    """The packaged files and what is published into the database, where there is a database.

    Exit code 2 where the database that the settings name does not answer.
    """
    packaged = library_of(policies_folder())
    found = _read_where_there_is("publication", JoinedLibrary(packaged).at)
    return packaged if found is None else found


def notices_of(library: Library) -> tuple[tuple[Notice, ...], str]:
    """The safety notices, packaged and issued; and what to say where there is no database.

    Exit code 2 where the database that the settings name does not answer.
    """
    found = _read_where_there_is("notice_lift", lambda work: known(work, library))
    return (library.notices, ONLY_PACKAGED) if found is None else (found, "")


def _read_where_there_is(table: str, read: Callable[[Work], Found]) -> Found | None:
    """What is read from the database; None where none is set up, or it has no such table."""
    settings = settings_or_exit()
    file = make_url(settings.database_url).database or ""
    if settings.database_url.startswith("sqlite") and not Path(file).is_file():
        return None
    door = door_or_exit()
    try:
        return door.read(read) if inspect(door.database.engine).has_table(table) else None
    except DBAPIError:
        typer.echo(
            "The database does not answer, so what is published and which safety notices are "
            "issued there is not known. Start it, or correct ASSENT_DATABASE_URL.",
            err=True,
        )
        raise typer.Exit(2) from None


def overlay_file(path: Path) -> Overlay:
    """An overlay's file by itself; BenchRefused where its name is not what it says."""
    overlay = load_overlay(read_text(path), str(path))
    if path.stem != overlay.version:
        raise BenchRefused(
            f"{path}: its name is not what it says. Call it {overlay.version}.yaml, or correct "
            "its commissioner or first day."
        )
    return overlay


def version_named(named: str, library: Library | None = None) -> PolicyVersion:
    """A version given as a file, a policy's key (its newest version) or key@version."""
    with plain_refusals():
        path = Path(named)
        if path.suffix in (".yaml", ".yml") or path.is_file():
            return load_file(path, policies_folder(), load_drugs().keys())
        known = library or joined_library()
        policy, _, version = named.partition("@")
        return known.get(policy, version) if version else known.versions(policy)[-1]


def overlay_named(named: str, policy: str, library: Library) -> Overlay:
    """An overlay of a policy: a file, or CODE (the commissioner's newest), or CODE@YYYY-MM-DD."""
    with plain_refusals():
        path = Path(named)
        if path.suffix in (".yaml", ".yml") or path.is_file():
            return load_overlay(read_text(path), str(path))
        code, _, day = named.partition("@")
        held = [
            each
            for each in library.overlays(policy)
            if each.commissioner == code and day in ("", each.from_.isoformat())
        ]
        if not held:
            known = ", ".join(f"{o.commissioner}@{o.from_}" for o in library.overlays(policy))
            raise BenchRefused(
                f"{policy} has no overlay {named}. It has: {known or 'none'}. Give one of "
                "them, or an overlay's file."
            )
        return held[-1]


def versions_with(named: str, overlay: str, library: Library) -> tuple[PolicyVersion, ...]:
    """A version with an overlay on top; given a policy's key, each version that it may lie on."""
    first = version_named(named, library)
    layer = overlay_named(overlay, first.policy, library)
    whole = named in library.policies()
    found = overlaid(library.versions(named), layer) if whole else (first,)
    with plain_refusals():
        return tuple(apply_overlay(each, layer, overlay) for each in found)
