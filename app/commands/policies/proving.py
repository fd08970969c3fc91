"""`assent policies prove` and `diff`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from app.approvals.library import Library, overlaid
from app.authoring import prover
from app.authoring.diff import diff_lines, diff_versions
from app.commands.policies.parts import (
    OVERLAY_HELP,
    VERSION_HELP,
    cases_of,
    joined_library,
    library_of,
    plain_refusals,
    policies_folder,
    version_named,
    versions_with,
)
from app.policy import PolicyVersion

STEPS = 10_000_000
"""The most work for one question, in z3's steps."""


def prove(
    versions: Annotated[list[str] | None, typer.Argument(help=VERSION_HELP)] = None,
    against: Annotated[
        str | None, typer.Option(help="An earlier version: does the one given only tighten it?")
    ] = None,
    overlay: Annotated[
        str | None, typer.Option(help=f"{OVERLAY_HELP} Does it only tighten?")
    ] = None,
    whole: Annotated[
        bool, typer.Option("--all", help="The whole library: a line each, then a summary.")
    ] = False,
    jobs: Annotated[int, typer.Option(min=1, help="With --all: policies proved at a time.")] = 1,
    write: Annotated[
        Path | None, typer.Option(help="With --all: write the summary as a page into this file.")
    ] = None,
    unproved: Annotated[
        Path | None,
        typer.Option(
            help="With --all: only policies with overlays, or with a version that this page of "
            "--write does not name."
        ),
    ] = None,
    effort: Annotated[
        int, typer.Option(min=1, help="The most work for each question, in millions of z3's steps.")
    ] = 10,
    patients: Annotated[bool, typer.Option(help="Write out the example patients.")] = True,
    write_cases: Annotated[
        bool, typer.Option("--write-cases", help="Add the near misses to the policy's cases.")
    ] = False,
) -> None:
    """Prove what a policy can and cannot do; with --all, or no version, the whole library in short.

    The exit code is 1 where something contradicts or cannot be approved, or an overlay loosens.
    """
    with plain_refusals():
        prover.require()
    steps = effort * 1_000_000
    if whole or not versions:
        raise typer.Exit(_prove_library(jobs, steps, write, unproved))
    if overlay is not None:
        raise typer.Exit(_prove_overlay(versions, overlay, steps, patients))
    found = [version_named(name) for name in versions]
    if against is not None:
        for version in found:
            _compare(version_named(against), version, steps, patients)
        return
    faults = sum(_prove_one(version, steps, patients, write_cases) for version in found)
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
        _compare(before, after, STEPS, patients=True)


def _prove_one(version: PolicyVersion, effort: int, patients: bool, write_cases: bool) -> int:
    """Print one version's proofs; returns how many faults they show."""
    from app.authoring.near_cases import append_cases  # needs z3
    from app.authoring.proofs.one import prove_version
    from app.authoring.prove_text import proof_lines

    claims, near = prove_version(version, effort)
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


def _prove_overlay(named: list[str], overlay: str, effort: int, patients: bool) -> int:
    """Print whether an overlay only tightens what it lies on; returns the exit code."""
    from app.authoring.proofs.two import compare_versions, loosened  # needs z3
    from app.authoring.prove_text import overlay_lines

    library = joined_library()
    loosens = False
    for name in named:
        found = versions_with(name, overlay, library)
        if not found:
            typer.echo(f"{name}: the overlay lies on no version of it.", err=True)
            return 2
        for version in found:
            comparisons = compare_versions(version.base or version, version, effort)
            loosens |= bool(loosened(comparisons))
            for line in overlay_lines(version, comparisons, patients):
                typer.echo(line)
    return int(loosens)


def _compare(first: PolicyVersion, second: PolicyVersion, effort: int, patients: bool) -> None:
    from app.authoring.proofs.two import compare_versions  # needs z3
    from app.authoring.prove_text import comparison_lines

    comparisons = compare_versions(first, second, effort)
    for line in comparison_lines(first, second, comparisons, patients):
        typer.echo(line)


def _layers(library: Library, policy: str) -> tuple[PolicyVersion, ...]:
    """A policy's versions, oldest first, then each with each overlay that may lie on it."""
    alone = library.versions(policy)
    together = (
        library.merged(version, layer)
        for layer in library.overlays(policy)
        for version in overlaid(alone, layer)
    )
    return (*alone, *together)


def _prove_library(jobs: int, effort: int, page: Path | None, before: Path | None) -> int:
    """Prove every version, and each against the one before; returns the exit code.

    With the page of an earlier run, only policies that it does not speak of. Of so few the shares
    that could not be decided say nothing: a fault alone makes the code 1.
    """
    from app.authoring.proofs.whole import prove_policies  # needs z3
    from app.authoring.prove_summary import (
        summarise,
        summary_lines,
        summary_markdown,
        version_line,
    )

    library = library_of(policies_folder())
    names = library.policies()
    if before is not None:
        told = before.read_text("utf-8")
        names = tuple(each for each in names if _lacks(told, library, each))
        typer.echo(f"{before} lacks something of {len(names)} of {len(library.policies())}.")
    policies = [_layers(library, policy) for policy in names]
    proofs = []
    with plain_refusals():
        for each in prove_policies(policies, jobs, effort):
            typer.echo(version_line(each))
            proofs.append(each)
    summary = summarise(proofs)
    for line in summary_lines(summary):
        typer.echo(line)
    if page is not None:
        page.write_text(summary_markdown(summary, proofs), encoding="utf-8")
        typer.echo(f"Written: {page}")
    return 0 if (summary.holds if before is None else not summary.faults) else 1


def _lacks(told: str, library: Library, policy: str) -> bool:
    """Whether a page of proofs does not name each version of a policy, or the policy has overlays.

    The page does not name an overlay by its hash.
    """
    rows = (
        f"| {each.policy} | {each.version} | `{each.hash[:12]}`"
        for each in library.versions(policy)
    )
    return bool(library.overlays(policy)) or not all(row in told for row in rows)
