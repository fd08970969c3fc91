"""`assent demo`: the service with invented data, ready to look at, with one command."""

import datetime as dt
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final, NoReturn

import typer
import uvicorn
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)

from app.commands.doors import settings_or_exit
from app.commands.reconcile import operator
from app.db.engine import make_engine
from app.db.transaction import Database
from app.db.upgrade import upgrade
from app.demonstration.clinic import EARLIEST_DAY
from app.demonstration.load import Loaded, NotLoadable, check_loadable, find_loaded, load
from app.demonstration.organisations import COMMISSIONERS
from app.demonstration.shown import calls_text, loaded_text, result_text, tokens_text
from app.demonstration.submission import NAME
from app.desk import make_desk
from app.door import Door
from app.handlers import make_handlers
from app.housekeeping import (
    ending_retention,
    forgetting,
    keeping_lists,
    keeping_pseudonyms,
    rematching_changes,
    summing_reports,
    summing_up,
)
from app.main import create_app
from app.reconciliation import store
from app.reconciliation.errors import StoredFileDamaged
from app.reconciliation.service import SUBMISSIONS, Desk
from app.reconciliation.store import RunRecord
from app.sealer import sealing
from app.settings import REPOSITORY, Settings
from app.work import run_for_ever

MODE: Final = "ASSENT_DEMONSTRATION"
LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
LEGACY: Final = REPOSITORY / "examples" / "blueteq_export.csv"
_OFF: Final = frozenset({"false", "0", "no", "off", "f", "n"})
_PATIENCE_SECONDS: Final = 10.0


app = typer.Typer()


@app.callback(invoke_without_command=True)
def demo(
    context: typer.Context,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    host: Annotated[
        str | None, typer.Option(help="Address to listen on: of this machine only.")
    ] = None,
    day: Annotated[
        dt.datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="The last day of the invented data; today."),
    ] = None,
    serve: Annotated[bool, typer.Option("--serve/--no-serve", help="Serve once loaded.")] = True,
) -> None:
    """Load invented data once, reconcile an invented submission, and serve both.

    Exit code 2: the call or the environment is wrong; nothing is changed then.
    """
    if context.invoked_subcommand is not None:
        return
    settings = _demonstration_settings()
    host = host or settings.host
    port = settings.port if port is None else port
    if host not in LOOPBACK:
        _stop(
            f"The demonstration's tokens are public, so it listens on this machine only, not on "
            f"{host}. Leave --host and ASSENT_HOST out."
        )
    if serve:
        _check_free(host, port)
    settings = open_to_invented_people(settings, host, port)
    door = _door(settings)
    desk = make_desk(settings)
    loaded = _loaded(door, desk, day.date() if day else None, settings)
    submission = _write_submission(door, desk, loaded, settings.data_dir / "demonstration")
    _show(door, loaded, submission, f"http://{host}:{port}")
    if serve:
        _serve(settings, door, desk, host, port)


# --- what it needs ------------------------------------------------------------------------------


def _demonstration_settings() -> Settings:
    """The settings with the demonstration on, unless it is switched off by name."""
    if os.environ.get(MODE, "").strip().casefold() in _OFF:
        _stop(f"{MODE} is set to off. Leave it out to look at the demonstration.")
    os.environ[MODE] = "true"
    return settings_or_exit()


def open_to_invented_people(settings: Settings, host: str, port: int) -> Settings:
    """The settings with demonstration sign-in, for a host that only this machine reaches."""
    shown = f"[{host}]" if ":" in host else host
    opened = {
        "host": host,
        "port": port,
        "public_url": f"http://{shown}:{port}",
        "demonstration_sign_in": True,
    }
    # Validated anew: the settings themselves refuse to let anybody in from elsewhere.
    return Settings(**settings.model_dump() | opened)


def _check_free(host: str, port: int) -> None:
    """Say at once that the port is taken, not after loading."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            _stop(f"Port {port} cannot be used ({error.strerror}). Take another: make run PORT=…")


def demonstration_door() -> tuple[Settings, Door, Desk]:
    """The settings, database and desk of a command about the demonstration."""
    settings = _demonstration_settings()
    return settings, _door(settings), make_desk(settings)


def _door(settings: Settings) -> Door:
    if settings.database_url.startswith("sqlite"):
        settings.data_dir.mkdir(parents=True, exist_ok=True)
    engine = make_engine(settings.database_url)
    upgrade(engine)
    return Door(Database(engine, settings.audit_key_bytes()))


# --- loading ------------------------------------------------------------------------------------


def _loaded(door: Door, desk: Desk, day: dt.date | None, settings: Settings) -> Loaded:
    """The demonstration that the database holds, loaded now if it holds none."""
    today = door.moment().day
    try:
        door.read(check_loadable)
        known = door.read(find_loaded)
        if known is None:
            return _load(door, desk, _checked(day, today))
    except NotLoadable as error:
        _stop(str(error))
    if day is not None and day != known.day:
        _stop(
            f"The demonstration is loaded up to {known.day}. To load it up to {day}, delete the "
            f"database and the files in {settings.data_dir.resolve()} first."
        )
    return known


def _checked(day: dt.date | None, today: dt.date) -> dt.date:
    """The day to load; by default today, or the earliest day where the clock is behind it."""
    latest = max(today, EARLIEST_DAY)
    if day is not None and day > latest:
        raise NotLoadable(f"{day} lies ahead. Give {latest} or a day before it.")
    return day or latest


def _load(door: Door, desk: Desk, day: dt.date) -> Loaded:
    legacy = LEGACY.read_bytes() if LEGACY.exists() else None
    with progress_bars() as progress:
        loaded, _ = load(door.database, desk, operator(None), day, legacy=legacy, progress=progress)
        return loaded


@contextmanager
def progress_bars() -> Iterator[Callable[[str, float], None]]:
    """Bars on the screen, one for each thing that is told of with its share, 0 to 1."""
    columns = (
        TextColumn("{task.description:<28}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bars:
        tasks: dict[str, TaskID] = {}

        def progress(what: str, share: float) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=1.0)
            bars.update(tasks[what], completed=share)

        yield progress


def _write_submission(door: Door, desk: Desk, loaded: Loaded, folder: Path) -> Path:
    """The stored submissions as files to look at; those that are there already are left."""
    folder.mkdir(parents=True, exist_ok=True)
    for owner in loaded.runs:
        path = folder / (NAME if owner == "*" else f"submission-{owner}.csv")
        if not path.exists():
            path.write_bytes(_stored(door, desk, loaded, owner))
    return folder / NAME


def _stored(door: Door, desk: Desk, loaded: Loaded, owner: str) -> bytes:
    """The submission of an organisation's run, as it was stored."""
    run = _run(door, loaded, owner)
    record = door.read(lambda work: store.find_submission(work, owner, run.submission_id))
    try:
        return desk.files.read(owner, SUBMISSIONS, record.sha256, record.sha256)
    except StoredFileDamaged as error:
        _stop(f"{error} Delete the database too, and start again.")


def _run(door: Door, loaded: Loaded, owner: str) -> RunRecord:
    return door.read(lambda work: store.find_run(work, owner, loaded.runs[owner]))


# --- showing and serving ------------------------------------------------------------------------


def _show(door: Door, loaded: Loaded, submission: Path, address: str) -> None:
    shown = shown_path(submission)
    whole = _run(door, loaded, "*")
    typer.echo(f"\n{shown}, reconciled against every approval:\n")
    typer.echo(result_text(whole.summary))
    for code in (code for code in COMMISSIONERS if code in loaded.runs):
        run = _run(door, loaded, code)
        queried = f"of which £{run.queried:,.2f} is queried"
        typer.echo(f"{code}'s own part: {run.lines} lines, £{run.total:,.2f}, {queried}.")
    typer.echo(f"\n{loaded_text(loaded, door.moment().day)}")
    typer.echo(f"\n{tokens_text()}\n\n{calls_text(address, shown, loaded.runs)}\n")


def shown_path(path: Path) -> str:
    """The path as one would type it in this folder."""
    full = path.resolve()
    return str(full.relative_to(Path.cwd())) if full.is_relative_to(Path.cwd()) else str(full)


def _serve(settings: Settings, door: Door, desk: Desk, host: str, port: int) -> None:
    """Serve, with one worker beside, until told to stop; a job under way is finished first."""
    service = create_app(settings, database=door.database, library=desk.office.library)
    stop = threading.Event()
    worker = threading.Thread(
        target=run_for_ever,
        args=(door, make_handlers(desk)),
        kwargs={
            "pause": stop.wait,
            "chores": [
                sealing(settings),
                forgetting(settings),
                ending_retention(settings, desk),
                summing_up(desk),
                summing_reports(),
                rematching_changes(),
                keeping_lists(desk),
                keeping_pseudonyms(desk),
            ],
        },
        name="worker",
    )
    worker.start()
    address = f"http://{host}:{port}"
    typer.echo(
        f"Open {address}/ (stop with Ctrl+C). The API is described at {address}/openapi.json"
    )
    try:
        uvicorn.run(
            service, host=host, port=port, access_log=False, log_config=None, server_header=False
        )
    finally:
        stop.set()
        worker.join(_PATIENCE_SECONDS)


def _stop(why: str) -> NoReturn:
    typer.echo(why, err=True)
    raise typer.Exit(2)
