"""`assent linkage …`: have approvals proposed for a run's lines, and accept or refuse them."""

from decimal import Decimal
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from app.audit import Reading
from app.auth.model import Caller
from app.commands.doors import door_or_exit, settings_or_exit
from app.commands.reading import read_recorded
from app.commands.reconcile import operator
from app.commands.refusals import done
from app.commands.supplies import pharmacist
from app.desk import make_desk
from app.door import Door
from app.reconciliation.linkage import proposing
from app.reconciliation.linkage.proposing import Listed
from app.reconciliation.linkage.store import ProposalRecord
from app.reconciliation.report import pounds

app = typer.Typer(
    no_args_is_help=True, help="Approvals proposed for lines whose patient is not known."
)
RunId = Annotated[str, typer.Argument(help="The run's id.")]
Id = Annotated[str, typer.Argument(help="The proposal's id.")]
Payer = Annotated[str | None, typer.Option("--commissioner", help="For whom: its ODS code.")]
Trust = Annotated[str | None, typer.Option("--provider", help="For whom: its ODS code.")]
Why = Annotated[str, typer.Option("--reason", help="Why, in your words. No patient data.")]
After = Annotated[int, typer.Option("--after", min=0, help="Go on after this row of the list.")]
_SHOWN = 500
_CERTAIN = 0.9999


@app.callback()
def linkage() -> None:
    """Approvals proposed for lines whose patient is not known."""


@app.command("propose")
def propose(run: RunId, commissioner: Payer = None, provider: Trust = None) -> None:
    """Compare the lines that no pass matched with the approvals in scope; matches nothing."""
    caller = _either(commissioner, provider)
    door, desk = door_or_exit(), make_desk(settings_or_exit())
    seen = done(lambda: door.read(lambda work: proposing.look(work, desk, caller, run)))
    found = done(lambda: proposing.work_out(desk, seen))
    done(lambda: door.transact(lambda work: proposing.save(work, caller, seen, found)))
    _print(_listed(door, caller, run))


@app.command("list")
def list_proposals(
    run: RunId, commissioner: Payer = None, provider: Trust = None, after: After = 0
) -> None:
    """The newest proposals for a run, the most costly lines first."""
    caller, door = _either(commissioner, provider), door_or_exit()
    _print(_listed(door, caller, run, after))


@app.command("accept")
def accept(
    id: Id,
    approval: Annotated[str, typer.Argument(help="Which of its approvals: the reference.")],
    reason: Why,
    commissioner: Annotated[str, typer.Option("--commissioner", help="Its ODS code.")],
) -> None:
    """Make a proposed approval the line's, by hand; it counts from the next run on."""
    door, desk, caller = door_or_exit(), make_desk(settings_or_exit()), operator(commissioner)
    accepting = done(
        lambda: door.read(
            lambda work: proposing.prepare_to_accept(work, desk, caller, id, approval)
        )
    )
    _, job = done(
        lambda: door.transact(lambda work: proposing.accept(work, caller, accepting, reason))
    )
    typer.echo(f"Accepted. Job {job} reconciles the submission again.")


@app.command("refuse")
def refuse(id: Id, reason: Why, commissioner: Payer = None, provider: Trust = None) -> None:
    """None of its approvals is the line's: not proposed again unless either side changes."""
    caller, door = _either(commissioner, provider), door_or_exit()
    done(lambda: door.transact(lambda work: proposing.refuse(work, caller, id, reason)))
    typer.echo("Refused.")


def _listed(door: Door, caller: Caller, run: str, after: int = 0) -> Listed:
    reading = Reading("linkage proposals read", names={"run": run})
    return read_recorded(
        door,
        caller,
        lambda work: (proposing.list_proposals(work, caller, run, _SHOWN, after), reading),
    )


def _either(commissioner: str | None, provider: str | None) -> Caller:
    if (commissioner is None) == (provider is None):
        typer.echo("Say for whom: either --commissioner or --provider.", err=True)
        raise typer.Exit(2)
    return operator(commissioner) if commissioner else pharmacist(provider or "")


def _print(found: Listed) -> None:
    if found.search is None:
        typer.echo("Nothing was proposed for this run yet: assent linkage propose RUN.", err=True)
        return
    console = Console()
    table = Table(
        "row",
        "charged (£)",
        "approval",
        "chance",
        "what speaks for it and against it (bits)",
        "state",
    )
    for each in found.proposals:
        total = each.proposed.total
        charged = "" if total is None else pounds(Decimal(total))
        for name, chance, words in _rows(each):
            table.add_row(str(each.proposed.row), charged, name, chance, words, each.state)
        table.add_section()
    if found.proposals:
        console.print(table)
    for each in found.proposals:
        typer.echo(f"row {each.proposed.row}: proposal {each.id}")
    counts = found.counts
    typer.echo(
        f"Model {found.search.model}; {counts.proposals} proposals. Nothing is matched by them."
    )
    if counts.waiting and counts.charged is not None:
        typer.echo(f"{counts.waiting} wait, for lines that charge £{pounds(counts.charged)}.")
    if found.next is not None:
        typer.echo(f"There are more: assent linkage list … --after {found.next}")
    for why, count in sorted(found.search.counts.items()):
        typer.echo(f"{count:>7}  {why}")


def _rows(record: ProposalRecord) -> list[tuple[str, str, str]]:
    made = record.proposed
    rows = []
    for each in made.candidates:
        words = "; ".join(
            field.words if field.weight is None else f"{field.words} ({field.weight:+.1f})"
            for field in each.fields
        )
        name = f"{each.approval_reference}\none of {len(made.candidates)} alike"
        rows.append(
            (
                name if made.ambiguous else each.approval_reference,
                f"{min(each.probability, _CERTAIN):.4f}",
                words,
            )
        )
    if made.next_best is not None:
        rows.append(("next best", f"{made.next_best.probability:.4f}", "not proposed"))
    return rows
