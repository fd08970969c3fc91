"""`assent audit …`: seal the log, check it, tell the story of one request or patient out of it."""

import json
from pathlib import Path
from typing import Annotated

import typer

from app.approvals.erasing import Erasure, KnownAs, erase_patient, known_as
from app.audit import Event, Fault, checkpoints, export, record
from app.audit.errors import CheckpointUnreadable, EpochNotOpened, SealRefused
from app.audit.findings import Check, keep_finding
from app.audit.sealing import open_epoch
from app.audit.verify import verify_log
from app.audit.verify_seals import unsealed, verify_checkpoints, verify_seals
from app.commands.at_the_line import administrator
from app.commands.doors import door_or_exit, settings_or_exit
from app.db.work import Work
from app.desk import make_desk
from app.door import Door
from app.reconciliation.erasing import LineWords, erase_line_words, find_lines
from app.reconciliation.known_lines import FoundLines
from app.sealer import Sealer, sealer
from app.story import Story, as_lines, story_of

app = typer.Typer(no_args_is_help=True, help="The audit log: seal, verify, export, erase.")
SHOWN = 20


def _opened() -> tuple[Door, Sealer]:
    return door_or_exit(), sealer(settings_or_exit())


@app.command("seal")
def seal_command(
    despite: Annotated[
        str | None,
        typer.Option(help="Seal although rows are at fault, for this reason; it is kept for ever."),
    ] = None,
) -> None:
    """Seal every waiting row and keep a checkpoint. `assent worker` does this by itself."""
    door, made = _opened()
    try:
        count = made.seal_all(
            door,
            despite,
            lambda one: typer.echo(f"seal {one.number}: {one.events} rows, root {one.root}"),
        )
    except SealRefused as refusal:
        typer.echo(str(refusal), err=True)
        raise typer.Exit(3) from None
    except OSError as error:
        typer.echo(f"The checkpoint could not be kept in {made.folder}: {error.strerror}", err=True)
        raise typer.Exit(4) from None
    if not count:
        typer.echo("nothing waits to be sealed")


@app.command("verify")
def verify_command(
    checkpoint_file: Annotated[
        list[Path] | None,
        typer.Option(
            "--checkpoints", exists=True, dir_okay=False, help="A file of checkpoints kept apart."
        ),
    ] = None,
) -> None:
    """Check every row, payload, seal and epoch; with checkpoints also that no end was cut off.

    Exit code 0: as it was written; 3: it is not, and the first fault is named; 2: a file of
    checkpoints cannot be relied on.
    """
    door, made = _opened()
    ours = made.folder / checkpoints.FILE
    files = checkpoint_file or ([ours] if ours.is_file() else [])
    try:
        kept = [each for path in files for each in checkpoints.read(path, made.keys)]
    except CheckpointUnreadable as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None

    def check(work: Work) -> tuple[list[Fault], int, int]:
        rows = verify_log(work, made.keys)
        faults = [*rows.faults, *verify_seals(work, made.keys), *verify_checkpoints(work, kept)]
        return faults, unsealed(work), rows.not_attributable

    faults, waiting, before = door.read(check)
    newest = max((each.number for each in kept), default=0)
    door.transact(
        lambda work: keep_finding(
            work, Check.VERIFICATION, faults=len(faults), seal=newest, checkpoints=len(kept)
        )
    )
    typer.echo(f"{len(kept)} checkpoints held against the log; {waiting} rows not sealed yet")
    if before:
        typer.echo(
            f"{before} payloads were erased before revision 0056, when erasures did not list what "
            "they took: by whom is not attributable"
        )
    if not faults:
        typer.echo("the audit log is as it was written")
        return
    _tell(faults)
    raise typer.Exit(3)


def _tell(faults: list[Fault]) -> None:
    ordered = sorted(faults, key=lambda fault: (fault.event_id == 0, fault.event_id))
    typer.echo(f"{len(faults)} faults; the first: {_words(ordered[0])}", err=True)
    for fault in ordered[1:SHOWN]:
        typer.echo(f"  {_words(fault)}", err=True)
    if len(ordered) > SHOWN:
        typer.echo(f"  … and {len(ordered) - SHOWN} more", err=True)


def _words(fault: Fault) -> str:
    if fault.event_id == 0:
        return f"{fault.object_type} {fault.object_id}: {fault.what}"
    place = f"{fault.object_type} {fault.object_id}, its event {fault.object_number}"
    return f"row {fault.event_id} ({place}): {fault.what}"


@app.command("checkpoint-key")
def checkpoint_key() -> None:
    """Print the public key that checks checkpoints; publish it with them."""
    typer.echo(checkpoints.public_key(settings_or_exit().audit_key_bytes()))


@app.command("open-epoch")
def open_epoch_command(
    reason: Annotated[str, typer.Option(help="Which backup was restored, when, and why.")],
) -> None:
    """Begin a new epoch of the log after a restore, before the service starts."""
    door, made = _opened()
    try:
        number = door.transact(lambda work: open_epoch(work, made.keys, reason))
    except (EpochNotOpened, SealRefused) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(3) from None
    made.keep_checkpoint(door)
    typer.echo(f"epoch {number} is open")


@app.command("export")
def export_command(
    reason: Annotated[str, typer.Option(help="Why it is read; the export is audited itself.")],
    request: Annotated[str | None, typer.Option(help="A request's id.")] = None,
    treatment: Annotated[str | None, typer.Option(help="A treatment's id.")] = None,
    patient: Annotated[str | None, typer.Option(help="A patient record's own id.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON, with each event's proof.")
    ] = False,
) -> None:
    """The whole story of one request, treatment or patient, in readable form."""
    chosen = {"request": request, "treatment": treatment, "patient": patient}
    given = {kind: id_ for kind, id_ in chosen.items() if id_}
    if len(given) != 1 or not reason.strip():
        typer.echo("Name one of --request, --treatment or --patient, and the reason.", err=True)
        raise typer.Exit(2)
    ((kind, id_),) = given.items()
    door, files = door_or_exit(), make_desk(settings_or_exit()).files

    def tell(work: Work) -> Story:
        if kind == "patient":
            return story_of(work, files, id_)
        return Story(export.of_object(work, kind, id_), {})

    found = door.read(tell)
    story = found.told
    if not story:
        typer.echo(f"The log holds nothing of that {kind}. Check the id.", err=True)
        raise typer.Exit(1)
    after = {"events": len(story), "reason": reason.strip()}
    event = Event("audit trail exported", kind, id_, after=after)
    door.transact(lambda work: record(work, administrator(), event))
    if as_json:
        typer.echo(json.dumps([export.as_json(each) for each in story], ensure_ascii=False))
        return
    for each in story:
        typer.echo("\n".join(export.as_text(each)) + "\n")
    if kind == "patient":
        typer.echo("\n".join(as_lines(found)), err=True)


@app.command("erase")
def erase_command(
    patient: Annotated[str, typer.Option(help="The patient record's own id.")],
    reason: Annotated[str, typer.Option(help="On what ground; it is kept.")],
) -> None:
    """Erase what is kept of a patient beside the record of their treatment.

    That is what the log says of them, drafts, stored answers, rows of imports that wait, and free
    words, also those of challenges and decisions about their lines. Requests, decisions and
    approvals stay, and so do the events and the chain of seals.
    """
    door = door_or_exit()
    files = make_desk(settings_or_exit()).files

    def find(work: Work) -> tuple[KnownAs, FoundLines]:
        known = known_as(work, patient)
        return known, find_lines(work, files, known)

    known, found = door.read(find)

    def run(work: Work) -> tuple[Erasure, LineWords]:
        actor = administrator()
        done = erase_patient(work, actor, patient, reason)
        return done, erase_line_words(work, actor, patient, known, found, reason)

    done, lines = door.transact(run)
    typer.echo(f"{done.payloads + lines.payloads} payloads erased")
    typer.echo(
        f"{done.drafts} drafts, {done.answers} stored answers, {done.words} free words, "
        f"{done.import_rows} rows of imports erased"
    )
    typer.echo(f"{done.attachments} attached files erased")
    typer.echo(f"the words of {lines.challenges} challenges and {lines.others} decisions erased")
    if found.unread:
        typer.echo(
            f"{found.unread} stored files could not be read: words about their lines may name the "
            "patient. Put the files back from a backup, then erase again.",
            err=True,
        )
