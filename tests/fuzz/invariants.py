"""What must hold of the database after a round, whatever was called."""

from pathlib import Path

import sqlalchemy as sa

from app.audit import Keyring, verify_rows
from app.audit.sealing import seal
from app.audit.verify_seals import verify_seals
from app.db.tables import job
from app.db.work import Work
from app.work import FAILED
from tests.faults.checks import HALF, damaged_files
from tests.fuzz.stage import KEY, Stage

#: What `tests/faults` finds half there, as it is where more is done than its clients do: approvals
#: that were brought in were decided elsewhere, without request or decision, and a stopped
#: treatment's approval goes under query when its form is corrected.
HERE = {
    "a live approval whose treatment is not marked live": "SELECT a.id FROM approval a "
    "JOIN treatment t ON t.id = a.treatment_id WHERE t.stopped_on IS NULL "
    "AND a.state IN ('live', 'under query') AND NOT EXISTS "
    "(SELECT 1 FROM live_treatment l WHERE l.treatment_id = a.treatment_id)",
    "an approval without its decision": "SELECT id FROM approval a "
    "WHERE a.legacy_reference IS NULL "
    "AND NOT EXISTS (SELECT 1 FROM decision d WHERE d.id = a.decision_id)",
    "a treatment without a request": "SELECT id FROM treatment t WHERE NOT EXISTS "
    "(SELECT 1 FROM request r WHERE r.treatment_id = t.id) AND NOT EXISTS "
    "(SELECT 1 FROM approval a WHERE a.treatment_id = t.id AND a.legacy_reference IS NOT NULL)",
}
_OVERTURNED = "(SELECT d.id FROM decision d WHERE d.outcome = 'overturned')"
#: What is there twice, or in two places → a query that finds it.
TWICE = {
    "two approvals of one decision": "SELECT decision_id FROM approval "
    "WHERE decision_id IS NOT NULL GROUP BY decision_id HAVING count(*) > 1",
    "two approvals of one request": "SELECT request_id FROM approval "
    f"WHERE request_id IS NOT NULL AND decision_id NOT IN {_OVERTURNED} "
    "GROUP BY request_id HAVING count(*) > 1",
    "two payments for the doses of one urgent start": "SELECT request_id FROM approval "
    "WHERE state = 'doses given only' GROUP BY request_id HAVING count(*) > 1",
    "a live approval of doses given": f"SELECT id FROM approval WHERE decision_id IN {_OVERTURNED} "
    "AND state NOT IN ('doses given only', 'withdrawn', 'entered in error')",
    "an approval of doses given that was decided otherwise": "SELECT id FROM approval "
    f"WHERE state = 'doses given only' AND decision_id NOT IN {_OVERTURNED}",
    "two approvals with one reference": "SELECT reference FROM approval "
    "GROUP BY reference HAVING count(*) > 1",
    "a decision of two that one made": "SELECT d.id FROM decision d "
    "WHERE d.agreed_with IS NOT NULL AND (d.agreed_with = d.decided_by OR 2 <> "
    "(SELECT count(*) FROM panel_vote v WHERE v.decision_id = d.id))",
    "an approval of a request that was never approved": "SELECT a.id FROM approval a "
    "JOIN request r ON r.id = a.request_id "
    "WHERE r.state NOT IN ('approved', 'entered in error') "
    f"AND a.decision_id NOT IN {_OVERTURNED}",
}


def broken(stage: Stage) -> list[str]:
    """Every fault of the log, of the rows, of the files and of the worker."""
    door, keys = stage.app.state.door, Keyring.of(KEY)
    while door.transact(lambda work: seal(work, keys)):
        pass
    return list(door.read(lambda work: _found(work, stage.files / "files")))


def _found(work: Work, files: Path) -> list[str]:
    keys = Keyring.of(KEY)
    found = [str(fault) for fault in (*verify_rows(work, keys), *verify_seals(work, keys))]
    for what, query in (HALF | HERE | TWICE).items():
        found += [f"{what}: {id_}" for id_ in work.connection.execute(sa.text(query)).scalars()]
    failed = sa.select(job.c.id).where(job.c.error == FAILED)
    found += damaged_files(work, files)
    found += [f"a job failed through a fault: {id_}" for id_ in work.connection.scalars(failed)]
    return found
