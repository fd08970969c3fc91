"""`assent backup` and `assent restore`: nothing lost, and proof of it."""

from collections.abc import Callable, Iterable
from concurrent.futures import BrokenExecutor
from functools import partial
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from sqlalchemy.exc import SQLAlchemyError

from app.approvals.library import Library
from app.audit import Event, checkpoints, record
from app.audit.erasing import note_erased_before
from app.audit.errors import CheckpointUnreadable, SealRefused
from app.audit.sealing import open_epoch
from app.backup.check import Checked, check_everything
from app.backup.errors import BackupRefused, ToolFailed
from app.backup.put_back import PutBack, put_back
from app.backup.replays import Replays
from app.backup.take import FILES, back_up
from app.commands.at_the_line import administrator
from app.commands.doors import door_or_exit, settings_or_exit
from app.db.work import Work
from app.desk import make_office
from app.door import Door
from app.reconciliation.files import FileStore
from app.sealer import Sealer, sealer
from app.settings import Settings

SHOWN = 20


def library_reader(settings: Settings) -> Callable[[Work], Library]:
    """How another process reads the library: the packaged one, and what the database publishes."""
    return make_office(settings).library_at


def backup(
    folder: Annotated[Path, typer.Argument(help="A folder that is not there yet, or is empty.")],
) -> None:
    """Back up the database, the files and the checkpoints, while the service goes on.

    PostgreSQL: run it as the tables' owner, with pg_dump on the PATH. Keep the audit key apart
    from the backup: it is not in it. Exit code 2: refused; 4: a tool or the database failed.
    """
    settings, door = settings_or_exit(), door_or_exit()
    try:
        made = back_up(
            door.database,
            settings.audit_key_bytes(),
            files=settings.data_dir.resolve() / FILES,
            checkpoints=settings.checkpoints(),
            to=folder,
            moment=door.moment(),
        )
    except BackupRefused as error:
        _stop(str(error), 2)
    except (ToolFailed, OSError) as error:
        _stop(f"The backup failed, and {folder} is none: {error}", 4)
    except SQLAlchemyError as error:
        _stop(f"The database did not answer ({type(error).__name__}): {folder} is no backup.", 4)
    typer.echo(
        f"{sum(made.rows.values())} rows of {len(made.rows)} tables at schema "
        f"{made.schema_revision}, and {len(made.files)} files, are in {folder}"
    )


def restore(
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="A backup.")],
    verify: Annotated[
        bool, typer.Option("--verify/--no-verify", help="Hold it against what it was.")
    ] = True,
    jobs: Annotated[
        int, typer.Option(min=0, max=256, help="Processes that replay; 0: one a processor.")
    ] = 0,
) -> None:
    """Put a backup into an empty database and an empty data folder, and check it.

    Run it as the tables' owner, before the service starts; then `assent db grant` (PostgreSQL).
    Exit code 2: refused, and nothing changed; 3: what was restored is not as it was, and no epoch
    was opened; 4: a tool failed.
    """
    settings, door = settings_or_exit(), door_or_exit()
    made = sealer(settings)
    done = _put_back(settings, door, made, folder)
    if verify:
        _verify(settings, door, made, done, jobs)
    else:
        typer.echo("not verified: run it with --verify before anybody relies on it")
    _open_epoch(door, made, done)


def _put_back(settings: Settings, door: Door, made: Sealer, folder: Path) -> PutBack:
    try:
        done = put_back(
            door.database.engine,
            made.keys,
            backup=folder,
            files=settings.data_dir.resolve() / FILES,
            checkpoints=made.folder,
        )
    except BackupRefused as error:
        _stop(str(error), 2)
    except (ToolFailed, OSError) as error:
        _stop(f"The restore failed: {error}. Begin again with an empty database and folder.", 4)
    typer.echo(f"restored the backup of {done.manifest.made_at}")
    for revision in done.upgraded:
        typer.echo(f"applied {revision}")
    held = 0 if done.manifest.newest_seal is None else done.manifest.newest_seal["number"]
    if done.sealed_before > held:
        typer.echo(
            f"the checkpoints kept here, now in {done.moved_to}, tell of seals up to "
            f"{done.sealed_before}; the backup holds up to {held}: what was recorded after it is "
            "lost, and has to be entered again"
        )
    return done


def _verify(settings: Settings, door: Door, made: Sealer, done: PutBack, jobs: int) -> None:
    """Print each check; exit code 3 when one found a fault."""
    office = make_office(settings)
    store = FileStore(settings.data_dir.resolve() / FILES)
    kept = made.folder / checkpoints.FILE
    try:
        known = list(checkpoints.read(kept, made.keys)) if kept.is_file() else []
    except CheckpointUnreadable as error:
        _stop(str(error), 3)

    replay = Replays(
        settings.database_url,
        settings.audit_key_bytes(),
        partial(library_reader, settings),
        door.moment(),
        jobs,
    )

    def check(work: Work) -> list[Checked]:
        library = office.library_at(work)
        return list(check_everything(work, library, made.keys, store, known, replay))

    rows = Checked("rows", sum(done.manifest.rows.values()), done.faults)
    try:
        checked = door.read(check)
    except BrokenExecutor:
        _stop(
            "A process that replays decisions ended before it was done (out of memory?). Restore "
            "again into an empty database and folder, with --jobs 1.",
            4,
        )
    if not _told([rows, *checked]):
        _stop("The restored database is not as it was. Do not start the service on it.", 3)


def _told(checks: Iterable[Checked]) -> bool:
    """Print each check, and its faults; whether all is well."""
    well = True
    for check in checks:
        typer.echo(f"{check.count} {check.what}: {len(check.faults) or 'no'} faults")
        for fault in check.faults[:SHOWN]:
            typer.echo(f"  {fault}", err=True)
        well = well and not check.faults
    return well


def _open_epoch(door: Door, made: Sealer, done: PutBack) -> None:
    reason = f"restored from the backup of {done.manifest.made_at}"

    def open_and_note(work: Work) -> int:
        number = open_epoch(work, made.keys, reason)
        event = Event("backup restored", "epoch", str(number), after={"reason": reason})
        record(work, administrator(), event)
        note_erased_before(work, administrator())  # a backup of before revision 0056
        return number

    try:
        number = door.transact(open_and_note)
    except SealRefused as error:
        _stop(str(error), 3)
    made.keep_checkpoint(door)
    typer.echo(f"epoch {number} of the audit log is open; the service may start")


def _stop(message: str, code: int) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(code)
