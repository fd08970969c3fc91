"""`assent policies check` and `test`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from app.approvals.errors import ApprovalsError
from app.approvals.library import Library
from app.authoring.check_file import Sort, check_other, sort_of
from app.authoring.coverage import coverage, coverage_lines
from app.authoring.errors import BenchRefused
from app.authoring.files import load_file, read_text
from app.authoring.forms.draft import open_marks
from app.authoring.lint import Lint, lint_policy, lint_version
from app.commands.policies.parts import (
    LOCK,
    cases_of,
    joined_library,
    library_of,
    plain_refusals,
    policies_folder,
)
from app.policy import PolicyFileFaults
from app.policy.cases import failure_text, read_cases, run_cases, suite_faults
from app.policy.lock import check_lock
from app.reference_data.drugs import load_drugs


def check(
    files: Annotated[
        list[Path] | None, typer.Argument(help="Files of any sort: policy, cases, questions, formula, overlay, notice; without any, the whole library.")
    ] = None,
    prove: Annotated[
        bool | None,
        typer.Option(help="Also ask the prover: by default for files, not for the library."),
    ] = None,
    advice: Annotated[
        bool | None, typer.Option(help="Print advice too: by default for files only.")
    ] = None,
) -> None:
    """Find every fault of policy files at once, then what is suspicious. Exit code 1 on a fault."""
    if files:
        failed = [_check_file(path, prove is not False, advice is not False) for path in files]
        if any(failed):
            raise typer.Exit(1)
        return
    folder = policies_folder()
    library = library_of(folder, trusting_lock=False)
    lock = folder / LOCK
    known = lock.read_text(encoding="utf-8") if lock.exists() else ""
    faults = check_lock(library.guarded(), known)
    for fault in faults:
        typer.echo(str(fault), err=True)
    if faults or _lint_library(library, prove is True, advice is True):
        raise typer.Exit(1)
    count = len(library.all_versions())
    typer.echo(f"{count} versions of {len(library.policies())} policies: no fault.")


def run_worked_cases(
    policy: Annotated[str | None, typer.Argument(help="A policy's key; without it, all.")] = None,
    show_coverage: Annotated[
        bool, typer.Option("--coverage", help="Per criterion: met, failed, unanswered.")
    ] = False,
) -> None:
    """Run the worked cases. Exit code 1 when one fails or a policy has none."""
    folder = policies_folder()
    library = library_of(folder)
    wanted = (policy,) if policy else library.policies()
    failed = 0
    for key in wanted:
        failed += _test_policy(folder, library, key, show_coverage)
    if failed:
        raise typer.Exit(1)


# --- parts --------------------------------------------------------------------------------------


def _check_file(path: Path, prove: bool, advice: bool) -> bool:
    """Check one file; returns whether it has a fault."""
    folder = policies_folder()
    try:
        text = read_text(path)
        sort = sort_of(path, text)
        if sort is not Sort.POLICY:
            said = check_other(path, text, sort, joined_library, folder)
            typer.echo(f"{path}: {said}: no fault.")
            return False
        version = load_file(path, folder, load_drugs().keys())
    except PolicyFileFaults as error:
        for fault in error.faults:
            typer.echo(str(fault), err=True)
        return True
    except BenchRefused as error:
        typer.echo(str(error), err=True)
        return True
    version.compiled.complete()
    found = lint_version(version, prove)
    faults = _say(found, advice)
    for number, ask in open_marks(read_text(path)):
        typer.echo(f"{path}:{number}: to be decided: {ask}")
    if not faults:
        typer.echo(f"{path}: {version.policy} {version.version}: no fault.")
    return faults > 0


def _lint_library(library: Library, prove: bool, advice: bool) -> int:
    found: list[Lint] = []
    for policy in library.policies():
        versions = library.versions(policy)
        found += lint_policy(versions)
        for version in versions:
            version.compiled.complete()
            found += lint_version(version, prove)
    return _say(found, advice)


def _say(found: list[Lint], advice: bool) -> int:
    """Print remarks, faults to standard error; returns how many faults there are."""
    faults = [each for each in found if each.level == "fault"]
    for each in faults:
        typer.echo(str(each), err=True)
    for each in found:
        if advice and each.level == "advice":
            typer.echo(str(each))
    return len(faults)


def _test_policy(folder: Path, library: Library, policy: str, show_coverage: bool) -> int:
    """Run one policy's cases; returns how many failed (an absent suite is one failure)."""
    try:
        versions = library.by_number(policy)
    except ApprovalsError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    path = cases_of(folder, policy)
    if path is None:
        typer.echo(f"{policy}: no cases.yaml beside its versions. Write worked cases.", err=True)
        return 1
    try:
        cases = read_cases(path.read_text(encoding="utf-8"), str(path))
    except PolicyFileFaults as error:
        for fault in error.faults:
            typer.echo(str(fault), err=True)
        return 1
    few = suite_faults(cases, str(path))
    for fault in few:
        typer.echo(str(fault), err=True)
    results = run_cases(versions, cases)
    failures = [result for result in results if not result.passed]
    for result in failures:
        typer.echo(failure_text(result), err=True)
    typer.echo(f"{policy}: {len(results) - len(failures)} passed, {len(failures)} failed")
    if show_coverage:
        for line in coverage_lines(policy, coverage(versions, results)):
            typer.echo(line)
    return len(failures) + len(few)
