"""What the policy commands share: the library, one version by name or file, and plain refusals."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from app.approvals.errors import ApprovalsError
from app.approvals.library import Library, load_library, policy_files
from app.authoring.errors import BenchRefused
from app.authoring.files import load_file
from app.commands.doors import settings_or_exit
from app.policy import PolicyFileFaults, PolicyVersion
from app.reference_data.drugs import load_drugs

LOCK = "versions.lock"
VERSION_HELP = "A policy file, or a policy's key, or key@version."


@contextmanager
def plain_refusals() -> Iterator[None]:
    """Faults and refusals as plain lines on standard error: exit code 1 for faults, else 2."""
    try:
        yield
    except PolicyFileFaults as error:
        for fault in error.faults:
            typer.echo(str(fault), err=True)
        raise typer.Exit(1) from None
    except (ApprovalsError, BenchRefused) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None


def policies_folder() -> Path:
    """The folder of the library."""
    return settings_or_exit().policies_dir


def library_of(folder: Path, *, trusting_lock: bool = True) -> Library:
    """The library in a folder; exit code 1 with every fault when it has any.

    What checks, locks or publishes does not trust the lock, and reads every expression anew.
    """
    with plain_refusals():
        return load_library(folder, load_drugs().keys(), trusting_lock=trusting_lock)


def version_named(named: str, library: Library | None = None) -> PolicyVersion:
    """A version given as a file, a policy's key (its newest version) or key@version."""
    with plain_refusals():
        path = Path(named)
        if path.suffix in (".yaml", ".yml") or path.is_file():
            return load_file(path, policies_folder(), load_drugs().keys())
        known = library or library_of(policies_folder())
        policy, _, version = named.partition("@")
        return known.get(policy, version) if version else known.versions(policy)[-1]


def cases_of(folder: Path, policy: str) -> Path | None:
    """The file of a policy's worked cases, if there is one; mostly in a folder of its name."""
    beside = sorted(folder.glob(f"*/{policy}/cases.yaml")) if policy.isascii() else []
    if beside:
        return beside[0]
    for path in policy_files(folder):
        if f"policy: {policy}\n" in path.read_text(encoding="utf-8"):
            cases = path.parent / "cases.yaml"
            return cases if cases.exists() else None
    return None
