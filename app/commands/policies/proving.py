"""`assent policies prove` and `diff`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from app.authoring import prover
from app.authoring.diff import diff_lines, diff_versions
from app.commands.policies.parts import (
    VERSION_HELP,
    cases_of,
    library_of,
    plain_refusals,
    policies_folder,
    version_named,
)
from app.policy import PolicyVersion


def prove(
    versions: Annotated[list[str] | None, typer.Argument(help=VERSION_HELP)] = None,
    against: Annotated[
        str | None, typer.Option(help="An earlier version: does the one given only tighten it?")
    ] = None,
    seconds: Annotated[float, typer.Option(help="The most time for each question.")] = 5.0,
    patients: Annotated[bool, typer.Option(help="Write out the example patients.")] = True,
    write_cases: Annotated[
        bool, typer.Option("--write-cases", help="Add the near misses to the policy's cases.")
    ] = False,
) -> None:
    """Prove what a policy can and cannot do. Without a version: the whole library, in short."""
    with plain_refusals():
        prover.require()
    if not versions:
        raise typer.Exit(_prove_library(seconds))
    found = [version_named(name) for name in versions]
    if against is not None:
        for version in found:
            _compare(version_named(against), version, seconds, patients)
        return
    faults = sum(_prove_one(version, seconds, patients, write_cases) for version in found)
    if faults:
        raise typer.Exit(1)


def diff(
    first: Annotated[str, typer.Argument(help=VERSION_HELP)],
    second: Annotated[str, typer.Argument(help=VERSION_HELP)],
    prove_too: Annotated[
        bool, typer.Option("--prove", help="Also prove who passes under one version alone.")
    ] = False,
) -> None:
    """Say what changed from one version to another, in words."""
    before, after = version_named(first), version_named(second)
    for line in diff_lines(before, after, diff_versions(before, after)):
        typer.echo(line)
    if prove_too:
        with plain_refusals():
            prover.require()
        _compare(before, after, 5.0, patients=True)


def _prove_one(version: PolicyVersion, seconds: float, patients: bool, write_cases: bool) -> int:
    """Print one version's proofs; returns how many faults they show."""
    from app.authoring.near_cases import append_cases  # needs z3
    from app.authoring.proofs.one import prove_version
    from app.authoring.prove_text import proof_lines

    claims, near = prove_version(version, seconds)
    for line in proof_lines(version, claims, near, patients):
        typer.echo(line)
    if write_cases:
        path = cases_of(policies_folder(), version.policy)
        if path is None:
            typer.echo(f"{version.policy}: no cases.yaml to write into. Begin one.", err=True)
            raise typer.Exit(2)
        with plain_refusals():
            added = append_cases(path, version, near)
        typer.echo(f"{path}: {added} near misses added.")
    return sum(claim.fault for claim in claims)


def _compare(first: PolicyVersion, second: PolicyVersion, seconds: float, patients: bool) -> None:
    from app.authoring.proofs.two import compare_versions  # needs z3
    from app.authoring.prove_text import comparison_lines

    comparisons = compare_versions(first, second, seconds)
    for line in comparison_lines(first, second, comparisons, patients):
        typer.echo(line)


def _prove_library(seconds: float) -> int:
    """Prove every version, a line each, then what is not decided; returns the exit code."""
    from app.authoring.proofs.claims import Proof  # needs z3
    from app.authoring.proofs.one import prove_version

    library = library_of(Path(policies_folder()))
    faults, total, undecided = 0, 0, []
    for version in library.all_versions():
        claims, near = prove_version(version, seconds)
        found = [claim for claim in claims if claim.fault]
        faults += len(found)
        total += len(near)
        unsure = [each for each in near if each.outcome is Proof.NOT_DECIDED]
        undecided += [(version, each) for each in unsure]
        mark = "FAULT" if found else "sound"
        decided = f"{len(near) - len(unsure)} of {len(near)} criteria decided"
        typer.echo(f"{version.policy} {version.version}: {mark}, {decided}")
        for claim in found:
            typer.echo(f"    {claim.text}. {claim.mend}.")
    share = 100 * (total - len(undecided)) / total if total else 100
    typer.echo(f"{total - len(undecided)} of {total} criteria decided ({share:.1f}%).")
    for version, each in undecided:
        typer.echo(
            f"    not decided: {version.policy} {version.version} {each.criterion}: {each.why}"
        )
    return 1 if faults else 0
