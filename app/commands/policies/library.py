"""`assent policies show`, `overview`, `lock`, `publish`, `affected` and `adopt`."""

import datetime as dt
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from app.approvals.ending_adoption import end_adoption
from app.approvals.library import Library
from app.approvals.office import adopt
from app.approvals.published import JoinedLibrary, Published, find
from app.authoring.errors import BenchRefused
from app.authoring.files import read_text
from app.authoring.overview import overview, page, table_lines
from app.authoring.publish import (
    Affected,
    affected_by,
    check_decided,
    check_publishable,
    check_two_people,
    corrects,
    publish_to_database,
    publish_to_files,
)
from app.authoring.show import FORMATS
from app.authoring.show import show as show_version
from app.clock import london_day, now
from app.auth.model import Role
from app.commands.at_the_line import acting_for, named
from app.commands.doors import door_or_exit, settings_or_exit
from app.commands.policies.parts import (
    LOCK,
    VERSION_HELP,
    cases_of,
    joined_library,
    library_of,
    only_registered,
    notices_of,
    overlay_file,
    plain_refusals,
    policies_folder,
    version_named,
)
from app.db.work import Work
from app.policy import Overlay, PolicyVersion
from app.policy.cases import Case, read_cases
from app.policy.lock import check_lock, lock_text
from app.policy.notices import in_force


def show(
    policy: Annotated[
        str | None, typer.Argument(help="A policy's key or file; without it, list them all.")
    ] = None,
    version: Annotated[str | None, typer.Argument(help="A version; else the newest.")] = None,
    form: Annotated[
        str, typer.Option("--format", help=f"One of: {', '.join(FORMATS)}.")
    ] = "md",
    out: Annotated[Path | None, typer.Option(help="The file to write; a PDF needs one.")] = None,
    commissioner: Annotated[
        str | None, typer.Option(help="With the overlay of this commissioner (its ODS code).")
    ] = None,
) -> None:
    """Show a policy version as readable text with its form and the safety notices of today."""
    if policy is None:
        _list(joined_library())
        return
    library = joined_library()
    found = version_named(f"{policy}@{version}" if version else policy, library)
    if commissioner is not None and library.by_hash(found.hash) is not None:
        found = library.shown(found.policy, found.version, commissioner)
    held, limited = notices_of(library)
    notices = in_force(held, found.drug, found.policy, london_day(now()))
    if limited:
        typer.echo(limited, err=True)
    with plain_refusals():
        if form == "pdf" and out is None:
            raise BenchRefused("A PDF needs a file. Say --out FILE.pdf.")
        made = show_version(found, form, notices)
    if out is None:
        typer.echo(made.decode("utf-8"), nl=False)
        return
    out.write_bytes(made)
    typer.echo(f"{out}: written.")


def show_overview(
    write: Annotated[bool, typer.Option(help="Write docs/policies.md.")] = False,
) -> None:
    """The table of policies, versions, criteria, cases and the share verified."""
    folder = policies_folder()
    rows = overview(library_of(folder), _cases(folder))
    if not write:
        for line in table_lines(rows):
            typer.echo(line)
        return
    path = folder.parent / "docs" / "policies.md"
    path.write_text(page(rows), encoding="utf-8")
    typer.echo(f"{path}: {len(rows)} policies.")


def publish(
    named: Annotated[str, typer.Argument(metavar="VERSION", help=VERSION_HELP)],
    by: Annotated[str, typer.Option(help="Who publishes.")],
    seconded_by: Annotated[str, typer.Option(help="A second person, who agrees.")],
    database: Annotated[
        bool, typer.Option("--database", help="Into the database; else into the file library.")
    ] = False,
) -> None:
    """Publish a version or an overlay, by two people: after that its text may not change."""
    version = _publishable(named)
    with plain_refusals():
        beside = policies_folder().glob(f"*/{version.policy}/{version.version}.yaml")
        for path in (Path(named), *beside):
            if path.is_file():
                check_decided(read_text(path), str(path))
        if database:
            check_two_people(by, seconded_by)
            check_publishable(version)
            door, held = door_or_exit(), JoinedLibrary(library_of(policies_folder()))
            known = only_registered()
            door.transact(
                lambda work: publish_to_database(
                    work, held, version, by, seconded_by, registered=known
                )
            )
            if isinstance(version, PolicyVersion):
                affected = door.read(lambda work: affected_by(work, version))
                _say_affected(version, affected)
        else:
            folder = policies_folder()
            find(library_of(folder), version.policy, version.version)
            publish_to_files(folder, version, by, seconded_by, now().date())
            if isinstance(version, PolicyVersion) and corrects(version):
                typer.echo("Its decisions: `assent policies affected` lists them.")
    typer.echo(f"{version.policy} {version.version} is published: {version.hash}")


def show_affected(
    named: Annotated[str, typer.Argument(metavar="VERSION", help=VERSION_HELP)],
) -> None:
    """List the decisions made under the text that a correction corrects."""
    version = version_named(named)
    if corrects(version) is None:
        typer.echo(f"{version.policy} {version.version} is not a correction.", err=True)
        raise typer.Exit(2)
    _say_affected(version, door_or_exit().read(lambda work: affected_by(work, version)))


def lock() -> None:
    """Add new versions to versions.lock. A version in force is never changed."""
    folder = settings_or_exit().policies_dir
    library = library_of(folder, trusting_lock=False)
    path = folder / LOCK
    known = path.read_text(encoding="utf-8") if path.exists() else ""
    changed = [f for f in check_lock(library.guarded(), known) if f.code != "lock-missing"]
    if changed:
        for fault in changed:
            typer.echo(str(fault), err=True)
        raise typer.Exit(1)
    path.write_text(lock_text(library.guarded()), encoding="utf-8")
    typer.echo(f"{path}: {len(library.guarded())} versions and overlays.")


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
    held = JoinedLibrary(library_of(settings_or_exit().policies_dir))
    known = only_registered()

    def run(work: Work) -> Published:
        found = find(held.at(work), policy, version)
        who = named(acting_for(commissioner, Role.COMMISSIONER), by).actor()
        day = from_day.date()
        adopt(work, found, commissioner, day, by, seconded_by, who, registered=known)
        return found

    with plain_refusals():
        found = door_or_exit().transact(run)
    if isinstance(found, Overlay):
        typer.echo(f"{commissioner} adopts its overlay of {found.from_} on {policy}.")
        return
    limited = " It holds unverified criteria, so it can only refer." if found.unverified else ""
    typer.echo(f"{commissioner} adopts {policy} {version} from {from_day:%Y-%m-%d}.{limited}")


def end_adoption_of(
    policy: str,
    version: str,
    commissioner: Annotated[str, typer.Option(help="The commissioner's ODS code.")],
    by: Annotated[str, typer.Option(help="Who ends it.")],
    seconded_by: Annotated[str, typer.Option(help="A second person, who agrees.")],
    from_day: Annotated[
        dt.datetime,
        typer.Option("--from", formats=["%Y-%m-%d"], help="First day it no longer decides."),
    ],
) -> None:
    """Let a policy version no longer decide for a commissioner: a dated act of two people."""
    held = JoinedLibrary(library_of(settings_or_exit().policies_dir))
    known = only_registered()

    def run(work: Work) -> None:
        found = find(held.at(work), policy, version)
        who = named(acting_for(commissioner, Role.COMMISSIONER), by).actor()
        day = from_day.date()
        end_adoption(work, found, commissioner, day, by, seconded_by, who, registered=known)

    with plain_refusals():
        door_or_exit().transact(run)
    typer.echo(
        f"{commissioner} no longer decides by {policy} {version} from {from_day:%Y-%m-%d}. What "
        "was decided stays; requests decided to be treated from then on are referred."
    )


# --- parts --------------------------------------------------------------------------------------


def _publishable(named: str) -> Published:
    """A version as `version_named` finds it, or an overlay by its file or key@overlay-…."""
    policy, _, number = named.partition("@")
    with plain_refusals():
        if Path(named).name.startswith("overlay-"):
            return overlay_file(Path(named))
        if number.startswith("overlay-"):
            return find(library_of(policies_folder()), policy, number)
    return version_named(named)


def _say_affected(version: PolicyVersion, affected: tuple[Affected, ...]) -> None:
    if corrects(version) is None:
        return
    typer.echo(f"{version.version} corrects {corrects(version)}: {len(affected)} decisions.")
    for each in affected:
        typer.echo(f"  {each.request_id} decision {each.number}: {each.outcome}, {each.decided_on}")


def _cases(folder: Path) -> dict[str, tuple[Case, ...]]:
    """The worked cases of every policy of a folder."""
    found: dict[str, tuple[Case, ...]] = {}
    with plain_refusals():
        for key in library_of(folder).policies():
            path = cases_of(folder, key)
            if path is not None:
                found[key] = read_cases(path.read_text(encoding="utf-8"), path.name)
    return found


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
