"""The service served from this process, for what the demonstration does not show."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from app.approvals.library import Library
from app.db.engine import make_engine
from app.db.transaction import Database
from app.db.upgrade import upgrade
from app.db.work import Work
from app.main import create_app
from app.settings import Settings
from tests.faults.cluster import free_port

AUDIT_KEY = b"the key of the tests, which is 32 bytes or more"


@contextmanager
def served(
    folder: Path, library: Library, settle: Callable[[Work], None]
) -> Iterator[tuple[FastAPI, str]]:
    """The service with a library on an own database, settled first, and its address.

    No worker runs beside it: a job waits until the test does it.
    """
    port = free_port()
    engine = make_engine(f"sqlite:///{folder / 'own.db'}")
    upgrade(engine)
    settings = Settings(
        demonstration=True,
        demonstration_sign_in=True,
        public_url=f"http://127.0.0.1:{port}",
        data_dir=folder / "var",
        requests_per_minute=1_000_000,
        requests_per_minute_of_people=1_000_000,
    )
    application = create_app(settings, database=Database(engine, AUDIT_KEY), library=library)
    application.state.door.transact(settle)
    server = uvicorn.Server(
        uvicorn.Config(application, host="127.0.0.1", port=port, log_config=None)
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    until = time.monotonic() + 60
    while not server.started and time.monotonic() < until:
        time.sleep(0.1)
    yield application, f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(30)
    engine.dispose()
