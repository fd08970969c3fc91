"""`assent policies suspend` and `lift`: safety notices that act without a release."""

import datetime as dt
from typing import Annotated

import typer

from app.approvals.notices import issue
from app.approvals.notices import lift as lift_notice
from app.clock import london_day, now
from app.commands.doors import door_or_exit
from app.commands.policies.parts import (
    joined_library,
    library_of,
    only_registered,
    plain_refusals,
    policies_folder,
)
from app.policy import Notice
from app.reference_data.drugs import load_drugs

Name = Annotated[str, typer.Argument(help="The notice's own name, such as mhra-2026-05.")]
By = Annotated[str, typer.Option(help="Who does it.")]
SecondedBy = Annotated[str, typer.Option(help="A second person, who agrees.")]


def suspend(
    name: Name,
    title: Annotated[str, typer.Option(help="The notice's title.")],
    drug: Annotated[list[str], typer.Option(help="A drug's key; may be given again.")],
    reason: Annotated[str, typer.Option(help="Why, in a sentence for the clinician.")],
    source: Annotated[str, typer.Option(help="The title of the source.")],
    by: By,
    seconded_by: SecondedBy,
    refuse: Annotated[bool, typer.Option("--refuse/--refer", help="Refuse, or refer.")] = False,
    policy: Annotated[
        list[str] | None, typer.Option(help="Only this policy; may be given again.")
    ] = None,
    url: Annotated[str | None, typer.Option(help="The source's address.")] = None,
    from_day: Annotated[
        dt.datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="Else today.")
    ] = None,
    verified: Annotated[
        bool, typer.Option("--verified", help="Both have read the source; else it only refers.")
    ] = False,
) -> None:
    """Suspend new starts of a drug at once. Running treatments are not touched."""
    first = from_day.date() if from_day else london_day(now())
    notice = Notice(
        name, title, tuple(drug), tuple(policy or ()), first, None,
        "refuse" if refuse else "refer", reason, source, url,
        "verified" if verified else "unverified",
    )  # fmt: skip
    _check_keys(notice)
    library = library_of(policies_folder())
    with plain_refusals():
        door_or_exit().transact(lambda work: issue(work, library, notice, by, seconded_by))
    typer.echo(f"{name}: new starts of {', '.join(drug)} are suspended from {first}.")


def lift(
    name: Name,
    by: By,
    seconded_by: SecondedBy,
    on: Annotated[
        dt.datetime | None, typer.Option("--on", formats=["%Y-%m-%d"], help="Else today.")
    ] = None,
) -> None:
    """Lift a notice, packaged or issued by `suspend`: new starts go on again."""
    day = on.date() if on else london_day(now())
    library = library_of(policies_folder())
    with plain_refusals():
        known = only_registered()
        door_or_exit().transact(
            lambda work: lift_notice(work, library, name, day, by, seconded_by, registered=known)
        )
    typer.echo(f"{name}: lifted from {day}.")


def _check_keys(notice: Notice) -> None:
    """Exit code 2 for a drug or a policy that nobody knows: the notice would never act."""
    unknown = [drug for drug in notice.drugs if drug not in load_drugs().keys()]
    library = joined_library()
    unknown += [policy for policy in notice.policies if policy not in library.policies()]
    if unknown:
        typer.echo(f"Nothing has the key {', '.join(unknown)}. Check the spelling.", err=True)
        raise typer.Exit(2)
