"""`assent report …`: figures over the stored requests of one organisation."""

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, TypeVar

import typer

from app.approvals.best_value import ProductChoice, product_choices
from app.approvals.break_glass import GrantLine, report
from app.approvals.changed_answers import ChangedAnswers, changed_answers
from app.approvals.errors import ApprovalsError
from app.approvals.identifiers import access_counts
from app.approvals.published import JoinedLibrary
from app.approvals.reporting import OverrideRate, override_rates
from app.auth.model import Caller, Role
from app.commands.at_the_line import acting_for
from app.commands.doors import door_or_exit
from app.commands.policies.parts import library_of, policies_folder
from app.db.work import Work

T = TypeVar("T")
First = Annotated[dt.datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="First day.")]
Last = Annotated[dt.datetime, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day.")]
Payer = Annotated[str | None, typer.Option(help="What this commissioner (its ODS code) pays for.")]
Hospital = Annotated[str | None, typer.Option(help="The requests of this provider (its ODS code).")]
OnlyPolicy = Annotated[str | None, typer.Option(help="Only this policy.")]

app = typer.Typer(no_args_is_help=True, help="Figures over the stored requests.")


@app.callback()
def reports() -> None:
    """Figures over the stored requests."""


@app.command("overrides")
def report_overrides(
    first: First,
    last: Last,
    commissioner: Payer = None,
    provider: Hospital = None,
    policy: OnlyPolicy = None,
) -> None:
    """How often clinicians override criteria, by policy, criterion, provider and reason."""
    caller = _either(commissioner, provider)
    held = JoinedLibrary(library_of(policies_folder()))
    rates = _read(
        caller,
        lambda work, caller: override_rates(
            work, held.at(work), caller, first.date(), last.date(), policy
        ),
    )
    for line in rate_lines(rates):
        typer.echo(line)


@app.command("best-value")
def report_best_value(
    first: First,
    last: Last,
    commissioner: Payer = None,
    provider: Hospital = None,
    policy: OnlyPolicy = None,
) -> None:
    """Which products are taken where a policy asks for others first, and with what reasons."""
    caller = _either(commissioner, provider)
    held = JoinedLibrary(library_of(policies_folder()))
    found = _read(
        caller,
        lambda work, caller: product_choices(
            work, held.at(work), caller, first.date(), last.date(), policy
        ),
    )
    for line in choice_lines(found):
        typer.echo(line)


def choice_lines(found: tuple[ProductChoice, ...]) -> list[str]:
    """One line of text for each product and reason."""
    if not found:
        return ["No request of that period was under a policy that asks for products first."]
    return [
        f"{each.policy} at {each.provider}, {each.product or 'no product named'}, "
        + ("best value" if each.best_value else f"asked first: {', '.join(each.first)}")
        + ("" if each.reason is None else f", because {each.reason} ({each.said})")
        + f": {each.requests} requests, {each.approved} approved"
        for each in found
    ]


@app.command("identifier-access")
def report_identifier_access(
    commissioner: Annotated[str, typer.Option(help="Whose people: a commissioner's ODS code.")],
    first: First,
    last: Last,
) -> None:
    """How often a commissioner's people saw who a patient is, by way and caller."""
    caller = _caller(commissioner, None)
    found = _read(
        caller, lambda work, caller: access_counts(work, caller, first.date(), last.date())
    )
    for each in found:
        typer.echo(f"{each.way}, by {each.by} ({each.role}): {each.times}")
    if not found:
        typer.echo("Nobody's identifiers were shown in that period.")


@app.command("break-glass")
def report_break_glass(
    provider: Annotated[str, typer.Option(help="Whose people and records: its ODS code.")],
    first: First,
    last: Last,
) -> None:
    """Who opened records by break-glass at a provider, or opened what it holds; no patient."""
    caller = replace(_caller(None, provider), role=Role.AUDITOR)
    found = _read(caller, lambda work, caller: report(work, caller, first.date(), last.date()))
    for line in break_glass_lines(found):
        typer.echo(line)


def break_glass_lines(found: tuple[GrantLine, ...]) -> list[str]:
    """One line of text for each declaration, without its free words."""
    if not found:
        return ["Nobody opened a record by break-glass in that period."]
    return [
        f"{each.grant.opened_at:%Y-%m-%d %H:%M} UTC {each.grant.organisation} "
        f"{each.grant.opened_by} ({each.grant.role}), {each.grant.reason}: {each.state}, "
        f"read {each.times_read} times"
        + ("" if each.own else "; it opened what this provider holds")
        for each in found
    ]


def rate_lines(rates: tuple[OverrideRate, ...]) -> list[str]:
    """The rates as lines of text, one a criterion, provider and reason."""
    if not rates:
        return ["No request of that period was decided by a criterion that may be overridden."]
    return [
        f"{each.policy} {each.criterion} at {each.provider}, "
        f"{each.reason or 'all reasons'}: {each.relied_on} relied on and {each.overridden} given "
        f"in {each.requests} requests"
        + (", too few for a rate" if each.rate is None else f" ({each.rate}%)")
        for each in rates
    ]


@app.command("changed-answers")
def report_changed_answers(
    first: First,
    last: Last,
    commissioner: Payer = None,
    provider: Hospital = None,
    policy: OnlyPolicy = None,
) -> None:
    """Which answers changed after criteria were not met, in what had failed; no answer is shown."""
    caller = _either(commissioner, provider)
    found = _read(
        caller,
        lambda work, caller: changed_answers(work, caller, first.date(), last.date(), policy),
    )
    for line in changed_lines(found):
        typer.echo(line)


def changed_lines(found: tuple[ChangedAnswers, ...]) -> list[str]:
    """One line of text for each; a changed answer is a question to ask, not a finding."""
    if not found:
        return ["No answer changed after a refusal in that period."]
    return [
        f"{each.at:%Y-%m-%d %H:%M} UTC {each.policy} at {each.provider}, by {each.by}: request "
        f"{each.request_id}, "
        + (
            "details erased"
            if each.questions is None or each.criteria is None
            else f"now {each.outcome}, after {each.refused_request} failed "
            f"{', '.join(each.criteria)}; changed: {', '.join(each.questions)}"
        )
        for each in found
    ]


def _read(caller: Caller, figures: Callable[[Work, Caller], T]) -> T:
    """The figures as this caller may see them, or exit code 2 with the reason of a refusal."""
    door = door_or_exit()
    try:
        return door.read(lambda work: figures(work, caller))
    except ApprovalsError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None


def _either(commissioner: str | None, provider: str | None) -> Caller:
    """The one organisation that is named; exit code 2 for none and for both."""
    if (commissioner is None) == (provider is None):
        typer.echo("Say whose requests: either --commissioner or --provider.", err=True)
        raise typer.Exit(2)
    return _caller(commissioner, provider)


def _caller(commissioner: str | None, provider: str | None) -> Caller:
    """Whoever runs the command line reads as the organisation that it names."""
    role = Role.COMMISSIONER if commissioner else Role.PHARMACIST
    return acting_for(commissioner or provider or "", role)
