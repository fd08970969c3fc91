"""`assent serve` and `assent worker`."""

import os
import signal
import threading
from typing import Annotated

import typer
import uvicorn
from prometheus_client import start_http_server

from app.commands.doors import door_or_exit, settings_or_exit
from app.commands.processes import notice_deaths
from app.desk import make_desk
from app.gauges import Gauges
from app.handlers import make_handlers
from app.housekeeping import (
    ending_retention,
    forgetting,
    keeping_lists,
    keeping_pseudonyms,
    rematching_changes,
    summing_reports,
    summing_up,
    tidying,
)
from app.postman import posting
from app.sealer import sealing
from app.work import run_for_ever

#: With several processes, how long one may not answer the first before it is killed and begun anew.
#: Starting takes seconds of processor time: the usual 5 seconds never end on a busy machine, where
#: each process would be killed before it serves, again and again.
STARVED_SECONDS = 120


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes; 1 with SQLite.")] = 1,
) -> None:
    """Serve the API and the pages."""
    if host is not None:
        os.environ["ASSENT_HOST"] = host  # the settings' checks must see what is listened on
    settings = settings_or_exit()
    if settings.database_url.startswith("sqlite"):
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        if workers > 1:
            typer.echo("SQLite takes one serving process. Use --workers 1 or PostgreSQL.", err=True)
            raise typer.Exit(2)
    notice_deaths()
    uvicorn.run(
        "app.main:serving",
        factory=True,
        host=settings.host,
        port=settings.port if port is None else port,
        workers=workers,
        access_log=False,  # it would write called addresses; the service writes its own lines
        log_config=None,
        server_header=False,
        # Without a proxy to trust, nobody's X-Forwarded-* is believed, not even this machine's.
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        date_header=True,
        timeout_worker_healthcheck=STARVED_SECONDS,
    )


def worker(
    until_idle: Annotated[
        bool, typer.Option("--until-idle", help="Stop when no job waits.")
    ] = False,
) -> None:
    """Work jobs off until told to stop (SIGINT or SIGTERM); a job under way is finished first."""
    door = door_or_exit(restricted=True)
    settings = settings_or_exit()
    desk = make_desk(settings)
    handlers = make_handlers(desk)
    gauges = Gauges()
    chores = [
        sealing(settings),
        forgetting(settings),
        ending_retention(settings, desk),
        tidying(desk),
        summing_up(desk),
        summing_reports(),
        rematching_changes(),
        keeping_lists(desk),
        keeping_pseudonyms(desk),
        gauges.queues(settings.seal_every_seconds),
        *posting(settings, gauges.reminded),
    ]
    if settings.worker_metrics_port and not until_idle:
        start_http_server(settings.worker_metrics_port, settings.host, gauges.registry)
    stop = threading.Event()
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda *_: stop.set()) for number in numbers]

    def pause(seconds: float) -> bool:
        if until_idle and seconds > 0:
            return True
        return stop.wait(seconds)

    try:
        run_for_ever(door, handlers, pause=pause, chores=chores, watcher=gauges)
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
        door.tracer.close()
