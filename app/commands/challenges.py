"""`assent challenges …`: draft, raise, answer and decide challenges of lines."""

import datetime as dt
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from app.audit import Reading
from app.auth.model import Caller, Role
from app.commands.at_the_line import acting_for
from app.commands.doors import door_or_exit, settings_or_exit
from app.commands.reading import read_recorded
from app.commands.refusals import done
from app.db.work import Work
from app.desk import make_desk
from app.door import Door
from app.reconciliation import challenging
from app.reconciliation.challenge_model import Challenge, ChallengeState
from app.reconciliation.challenge_store import Asked
from app.reconciliation.challenge_text import bare_words
from app.reconciliation.line_filter import LineFilter
from app.reconciliation.report import pounds
from app.reconciliation.windows import Window

app = typer.Typer(
    no_args_is_help=True, help="Challenges of lines between a commissioner and a provider."
)
Payer = Annotated[str, typer.Option("--commissioner", help="For whom: its ODS code.")]
Provider = Annotated[str, typer.Option("--provider", help="For whom: its ODS code.")]
Id = Annotated[str, typer.Argument(help="The challenge's id.")]
Only = Annotated[str | None, typer.Option(help="Only of such, as the summary names it.")]
Why = Annotated[str, typer.Option("--reason", help="Why, in your words. No patient data.")]


@app.callback()
def challenges() -> None:
    """Challenges of lines between a commissioner and a provider."""


@app.command("draft")
def draft(
    run: Annotated[str, typer.Argument(help="The reconciliation run's id.")],
    commissioner: Payer,
    by_month: Annotated[bool, typer.Option("--by-month", help="Each month by itself.")] = False,
    outcome: Only = None,
    provider: Only = None,
    drug: Only = None,
    month: Annotated[str | None, typer.Option(help="Only of such: 202627 M01.")] = None,
    payer: Annotated[str | None, typer.Option(help="Only of this commissioner, folded.")] = None,
) -> None:
    """Draft challenges of what a run queried. The provider sees none before it is raised."""
    door, desk, caller = door_or_exit(), make_desk(settings_or_exit()), _payer(commissioner)
    asked = LineFilter(outcome, drug, provider, month, payer)
    loaded = done(
        lambda: door.read(lambda work: challenging.load_for_draft(work, desk, caller, run, asked))
    )
    made = done(
        lambda: door.transact(
            lambda work: challenging.draft(work, caller, loaded, by_month=by_month)
        )
    )
    _print(made.challenges)
    for each in made.left_out:
        typer.echo(f"Not challenged: {each.lines} line(s), £{pounds(each.queried)}: {each.why}.")


@app.command("list")
def list_challenges(
    commissioner: Annotated[str | None, typer.Option(help="A commissioner's ODS code.")] = None,
    provider: Annotated[str | None, typer.Option(help="A provider's ODS code.")] = None,
    state: Annotated[ChallengeState | None, typer.Option(help="Only those in this state.")] = None,
    year: Annotated[str | None, typer.Option(help="With a line of this year: 202627.")] = None,
    month: Annotated[int | None, typer.Option(min=1, max=12, help="1 is April.")] = None,
    window: Annotated[
        Window | None, typer.Option(help="Whether the calendar's time for challenging is over.")
    ] = None,
) -> None:
    """The newest challenges of a commissioner, or those raised against a provider."""
    door, caller = door_or_exit(), _either(commissioner, provider)
    asked = Asked(state=state, financial_year=year, financial_month=month)
    found = door.read(lambda work: challenging.list_challenges(work, caller, asked, 500, window))
    _print(found)


@app.command("show")
def show(
    id: Id,
    commissioner: Annotated[str | None, typer.Option(help="A commissioner's ODS code.")] = None,
    provider: Annotated[str | None, typer.Option(help="A provider's ODS code.")] = None,
) -> None:
    """A challenge with its lines, by their rows in the commissioner's file."""
    door, desk = door_or_exit(), make_desk(settings_or_exit())
    caller = _either(commissioner, provider)
    reading = Reading("challenge read", names={"challenge": id})
    found, lines = read_recorded(
        door, caller, lambda work: (challenging.show(work, desk, caller, id), reading)
    )
    _print([found])
    for each in lines:
        reason = each.challenged.reason if commissioner else each.challenged.told
        typer.echo(f"row {each.challenged.row}: £{pounds(each.challenged.queried)}. {reason}")
    if found.evidence is not None:
        named = [(each.line.local_patient_id, each.line.birth_date) for each in lines]
        typer.echo(f"Answer: {bare_words(found.evidence, named)}")


@app.command("raise")
def raise_challenge(
    id: Id,
    commissioner: Payer,
    respond_by: Annotated[
        dt.datetime,
        typer.Option(formats=["%Y-%m-%d"], help="Until when the provider may answer."),
    ],
) -> None:
    """Raise a draft with its provider."""
    _step(
        _payer(commissioner),
        lambda work, caller: challenging.raise_challenge(
            work, caller, id, respond_by.date(), _version(work, caller, id)
        ),
    )


@app.command("answer")
def answer(
    id: Id,
    provider: Provider,
    evidence: Annotated[str, typer.Option(help="What shows that the lines are payable.")],
) -> None:
    """Answer a challenge, as the provider."""
    _step(
        _provider(provider),
        lambda work, caller: challenging.answer(
            work, caller, id, evidence, _version(work, caller, id)
        ),
    )


@app.command("uphold")
def uphold(
    id: Id,
    commissioner: Payer,
    reason: Why,
    amount: Annotated[str | None, typer.Option(help="Pounds; all of it if left out.")] = None,
) -> None:
    """Hold to a challenge: the provider owes the amount."""
    owed = _amount(amount)
    _step(
        _payer(commissioner),
        lambda work, caller: challenging.uphold(
            work, caller, id, reason, owed, _version(work, caller, id)
        ),
    )


@app.command("withdraw")
def withdraw(id: Id, commissioner: Payer, reason: Why) -> None:
    """Give a challenge up."""
    _step(
        _payer(commissioner),
        lambda work, caller: challenging.withdraw(
            work, caller, id, reason, _version(work, caller, id)
        ),
    )


@app.command("credit")
def credit(
    id: Id,
    commissioner: Payer,
    credit_reference: Annotated[str, typer.Option("--note", help="The credit note's number.")],
) -> None:
    """Record that the provider has credited what was upheld."""
    _step(
        _payer(commissioner),
        lambda work, caller: challenging.credit(
            work, caller, id, credit_reference, _version(work, caller, id)
        ),
    )


def _step(caller: Caller, take: Callable[[Work, Caller], Challenge]) -> None:
    door: Door = door_or_exit()
    after = done(lambda: door.transact(lambda work: take(work, caller)))
    _print([after])


def _version(work: Work, caller: Caller, id: str) -> int:
    """The version as it stands: whoever types the command has just read the challenge."""
    return challenging.current_version(work, caller, id)


def _amount(text: str | None) -> Decimal | None:
    try:
        return None if text is None else Decimal(text)
    except InvalidOperation:
        typer.echo(f"{text} is not an amount. Give pounds, such as 352.14.", err=True)
        raise typer.Exit(2) from None


def _either(commissioner: str | None, provider: str | None) -> Caller:
    if (commissioner is None) == (provider is None):
        typer.echo("Say for whom: either --commissioner or --provider.", err=True)
        raise typer.Exit(2)
    return _payer(commissioner) if commissioner else _provider(provider or "")


def _payer(code: str) -> Caller:
    return acting_for(code, Role.COMMISSIONER)


def _provider(code: str) -> Caller:
    return acting_for(code, Role.PHARMACIST)


def _print(found: Any) -> None:
    table = Table(show_header=True)
    for name in ("challenge", "provider", "outcome", "drug", "state"):
        table.add_column(name.capitalize(), no_wrap=name == "challenge")
    for name in ("lines", "queried (£)", "upheld (£)"):
        table.add_column(name.capitalize(), justify="right")
    for each in found:
        owed = "" if each.upheld is None else pounds(each.upheld)
        drug = " ".join(part for part in (each.drug or "(not recognised)", each.month) if part)
        amounts = (str(each.lines), pounds(each.queried), owed)
        table.add_row(each.id, each.provider, each.outcome.value, drug, each.state.value, *amounts)
    Console(width=140, color_system=None, highlight=False, markup=False).print(table)
