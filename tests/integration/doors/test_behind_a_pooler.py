"""Two serving processes and two workers share four sessions of PostgreSQL behind a pooler."""

from pathlib import Path

import pytest

from app.auth.model import Role
from app.db.engine import make_engine
from app.db.transaction import Database
from app.door import Door
from app.settings import DEMONSTRATION_AUDIT_KEY
from tests.integration.doors import test_several_processes as several
from tests.integration.doors.test_shutdown import serving
from tests.poolers import CARRIED, NOT_CARRIED, pooled

pytestmark = [pytest.mark.slow, pytest.mark.long, pytest.mark.postgres]


@pytest.mark.parametrize(
    "carried", [CARRIED, NOT_CARRIED], ids=["statements carried", "statements not carried"]
)
def test_what_is_taken_behind_a_pooler_is_there_once_and_done_once(
    postgres_database: Database, tmp_path: Path, carried: int
) -> None:
    door = Door(Database(postgres_database.engine, DEMONSTRATION_AUDIT_KEY.encode()))
    clinician = several.caller(door, Role.CLINICIAN, "DEMO1")
    commissioner = several.caller(door, Role.COMMISSIONER, "DEMQ1")
    with pooled(tmp_path, postgres_database.engine, carried=carried, sessions=4) as url:
        engine = make_engine(url.render_as_string(hide_password=False))
        service, address = serving(engine, tmp_path, "--workers", "2")
        load = several.Load(address, clinician, commissioner)
        try:
            with several.workers(engine, tmp_path, 2):
                load.start()
                load.wait_for(3 * several.FORMS)
                load.stop()
                several.until(lambda: not several.unfinished(door))
        finally:
            load.enough.set()
            service.terminate()
            service.wait(timeout=60)
            engine.dispose()
    several._check(door, load)
    for log in ("log", "worker-0", "worker-1"):
        assert "Traceback" not in (tmp_path / log).read_text()
        assert '"level": "error"' not in (tmp_path / log).read_text()
