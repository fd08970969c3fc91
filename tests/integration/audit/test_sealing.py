"""What is done to a sealed log behind the application's back is found, and named at its row.

The intruder here owns the tables. In some tests he even holds the key that signs rows: then only
the seals, and the checkpoints that are kept elsewhere, tell.
"""

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from app.audit import checkpoints
from app.audit.erasing import erase
from app.audit.errors import CheckpointUnreadable, SealRefused
from app.audit.keys import Keyring
from app.audit.seal import sign
from app.audit.sealing import Sealed, open_epoch, seal
from app.audit.verify import verify_rows
from app.audit.verify_seals import unsealed, verify_checkpoints, verify_seals
from app.db.tables import audit_event, audit_payload, audit_seal
from app.db.transaction import Database
from app.db.work import Work
from tests.conftest import AUDIT_KEY
from tests.integration.audit.rows import PHARMACIST, drop_triggers, note
from tests.integration.db.run import Run

KEYS = Keyring.of(AUDIT_KEY)
Settle = Callable[[Database], None]


class Log:
    """A log on a database of the test's own, and an intruder's hands on it."""

    def __init__(self, database: Database, run: Run, settle: Settle) -> None:
        self.database, self.run, self.settle = database, run, settle

    def write(self, *objects: str) -> None:
        for each in objects:
            self.run.on(self.database, lambda work, name=each: note(work, name))

    def seal(self, despite: str | None = None) -> Sealed | None:
        self.settle(self.database)
        return self.run.on(self.database, lambda work: seal(work, KEYS, despite=despite))

    def sealed(self, *objects: str) -> "Log":
        self.write(*objects)
        assert self.seal() is not None
        return self

    def faults(self) -> list[tuple[int, str]]:
        rows = self.run.on(self.database, lambda work: verify_rows(work, KEYS))
        seals = self.run.on(self.database, lambda work: verify_seals(work, KEYS))
        return [(fault.event_id, fault.what) for fault in [*rows, *seals]]

    def checkpoint(self) -> checkpoints.Checkpoint:
        made = self.run.on(self.database, checkpoints.make)
        assert made is not None
        return made

    def intrude(self, *statements: Any) -> None:
        drop_triggers(self.database.engine)
        with self.database.engine.begin() as connection:
            for statement in statements:
                assert connection.execute(statement).rowcount >= 1

    def forge(self, copy_of: int, **changes: Any) -> None:
        """Insert a copy of a row with changes, signed with the real key."""
        drop_triggers(self.database.engine)
        with self.database.engine.begin() as connection:
            query = sa.select(audit_event).where(audit_event.c.id == copy_of)
            row = dict(connection.execute(query).mappings().one()) | changes
            row["hmac"] = sign(row, AUDIT_KEY)
            connection.execute(sa.insert(audit_event).values(**row))


@pytest.fixture
def log(scratch_database: Database, run: Run, settle: Settle) -> Log:
    return Log(scratch_database, run, settle)


def row(id_: int) -> sa.ColumnElement[bool]:
    return audit_event.c.id == id_


def what(faults: list[tuple[int, str]], event_id: int) -> set[str]:
    return {text for found, text in faults if found == event_id}


def test_a_log_sealed_in_batches_is_sound(log: Log) -> None:
    log.sealed("r-1", "r-2").sealed("r-1").sealed("r-3", "r-1")
    assert log.faults() == []
    assert log.run.on(log.database, unsealed) == 0
    assert log.seal() is None  # nothing waits
    log.write("r-4")
    assert log.run.on(log.database, unsealed) == 1
    assert log.faults() == []


def test_an_old_row_that_was_changed_is_named(log: Log) -> None:
    log.sealed("r-1", "r-2").sealed("r-3")
    log.intrude(sa.update(audit_event).where(row(1)).values(organisation="DEMO9"))
    assert what(log.faults(), 1) == {
        "the row is not as it was signed",
        "the row is not as seal 1 holds it",
    }


def test_the_newest_row_that_was_changed_is_named_before_any_seal_holds_it(log: Log) -> None:
    log.sealed("r-1")
    log.write("r-2")
    log.intrude(sa.update(audit_event).where(row(2)).values(actor="somebody else"))
    assert log.faults() == [(2, "the row is not as it was signed")]


def test_a_row_changed_by_somebody_who_holds_the_key_is_named_by_its_seal(log: Log) -> None:
    log.sealed("r-1", "r-2")
    drop_triggers(log.database.engine)
    with log.database.engine.begin() as connection:
        found = dict(connection.execute(sa.select(audit_event).where(row(2))).mappings().one())
        found["organisation"] = "DEMO9"
        found["hmac"] = sign(found, AUDIT_KEY)
        connection.execute(sa.update(audit_event).where(row(2)).values(**found))
    assert log.faults() == [(2, "the row is not as seal 1 holds it")]


def test_a_row_slipped_in_just_before_sealing_is_not_blessed(log: Log) -> None:
    log.sealed("r-1")
    log.write("r-2")
    copied = sa.select(audit_event).where(row(2))
    drop_triggers(log.database.engine)
    with log.database.engine.begin() as connection:
        forged = dict(connection.execute(copied).mappings().one())
        forged |= {"id": 3, "object_number": 2, "action": "approve"}
        connection.execute(sa.insert(audit_event).values(**forged))
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SELECT setval('audit_event_id_seq', 3)")
    with pytest.raises(SealRefused, match=r"Row 3 .* is not as it was signed"):
        log.seal()
    assert log.run.on(log.database, unsealed) == 2  # nothing was sealed
    assert log.faults() == [(3, "the row is not as it was signed")]
    # Sealed all the same, with a reason, it is still at fault for ever.
    assert log.seal(despite="reported to the security officer") is not None
    assert what(log.faults(), 3) == {"the row is not as it was signed"}
    log.sealed("r-4")
    with log.database.engine.connect() as connection:
        listed = connection.scalar(sa.select(audit_seal.c.faults).where(audit_seal.c.number == 2))
    assert listed == '{"events":[3],"reason":"reported to the security officer"}'


def test_a_row_missing_before_sealing_stops_the_seal(log: Log) -> None:
    log.write("r-1", "r-1", "r-1")
    log.intrude(sa.delete(audit_event).where(row(2)))
    with pytest.raises(SealRefused, match=r"Row 3 .* follows event 2 of its object"):
        log.seal()


def test_a_row_slipped_in_behind_a_seal_is_named_even_when_signed_with_the_key(log: Log) -> None:
    log.sealed("r-1", "r-2").sealed("r-3")
    postgres = log.database.engine.dialect.name == "postgresql"
    # On SQLite an id inside the sealed range has to be free: one that was below it all.
    log.forge(1, id=100 if postgres else 0, object_id="r-9")
    assert log.faults() == [(100 if postgres else 0, "the row was slipped in behind seal 1")]


@pytest.mark.parametrize("gone", [1, 2, 3])
def test_a_sealed_row_that_was_removed_is_named(log: Log, gone: int) -> None:
    log.sealed("r-1", "r-2", "r-3")
    log.intrude(sa.delete(audit_event).where(row(gone)))
    assert log.faults() == [(gone, f"row {gone} of seal 1 is missing")]


def test_all_of_an_object_removed_together_is_found(log: Log) -> None:
    log.sealed("r-1", "r-1", "r-2")
    log.intrude(sa.delete(audit_event).where(audit_event.c.object_id == "r-1"))
    assert [event for event, _ in log.faults()] == [1, 2]


def test_a_seal_that_was_changed_is_found(log: Log) -> None:
    log.sealed("r-1").sealed("r-2")
    log.intrude(sa.update(audit_seal).where(audit_seal.c.number == 1).values(events=7))
    found = {text for _, text in log.faults()}
    assert "the seal is not as it was made" in found


def test_a_seal_made_anew_over_other_rows_without_the_key_is_found(log: Log) -> None:
    log.sealed("r-1").sealed("r-2")
    forged = {"root": "0" * 64, "members": "[]", "events": 0, "hash": "1" * 64}
    log.intrude(sa.update(audit_seal).where(audit_seal.c.number == 2).values(**forged))
    found = {text for _, text in log.faults()}
    assert {
        "the seal is not as it was made",
        "the seal is not as it was signed",
        "the row was slipped in behind seal 2",
    } <= found


def test_a_seal_removed_from_the_middle_is_found(log: Log) -> None:
    log.sealed("r-1").sealed("r-2").sealed("r-3")
    log.intrude(sa.delete(audit_seal).where(audit_seal.c.number == 2))
    found = {text for _, text in log.faults()}
    assert {"seal 2 is missing", "the seal does not follow the one before it"} <= found


def test_an_end_that_was_cut_off_is_found_against_a_checkpoint_and_only_there(log: Log) -> None:
    log.sealed("r-1").sealed("r-2")
    kept = log.checkpoint()
    log.intrude(
        sa.delete(audit_event).where(row(2)),
        sa.delete(audit_seal).where(audit_seal.c.number == 2),
    )
    assert log.faults() == []  # nothing in the database tells
    faults = log.run.on(log.database, lambda work: verify_checkpoints(work, [kept]))
    assert [fault.what.split(":")[0] for fault in faults] == ["the log is cut off"]


def test_an_end_written_anew_is_found_against_a_checkpoint(log: Log) -> None:
    log.sealed("r-1").sealed("r-2")
    kept = log.checkpoint()
    log.intrude(
        sa.delete(audit_event).where(row(2)),
        sa.delete(audit_seal).where(audit_seal.c.number == 2),
    )
    log.sealed("r-7")  # by somebody with the key and the software
    assert log.faults() == []
    (fault,) = log.run.on(log.database, lambda work: verify_checkpoints(work, [kept]))
    assert fault.what.startswith("the seal is not the one that the checkpoint tells of")


def test_erasing_a_patient_leaves_the_chain_intact(log: Log) -> None:
    log.sealed("r-1", "r-2")
    kept = log.checkpoint()
    erased = log.run.on(
        log.database, lambda work: erase(work, PHARMACIST, patient_id="p-1", reason="Asked.")
    )
    assert erased == 2
    assert log.seal() is not None
    assert log.faults() == []
    assert log.run.on(log.database, lambda work: verify_checkpoints(work, [kept])) == []
    with log.database.engine.connect() as connection:
        bodies = connection.scalars(
            sa.select(audit_payload.c.body).where(audit_payload.c.patient_id == "p-1")
        )
        assert set(bodies) == {None}


def test_a_restore_opens_an_epoch_that_takes_the_rest_in_first(log: Log) -> None:
    log.sealed("r-1")
    log.write("r-2")  # written after the last seal
    log.settle(log.database)
    opened = log.run.on(
        log.database, lambda work: open_epoch(work, KEYS, "The backup of Monday was restored.")
    )
    assert opened == 2
    assert log.run.on(log.database, unsealed) == 0
    # Another cluster counts its transactions from the start: rows of the epoch before it with
    # higher ids are not in the way.
    log.sealed("r-1", "r-3")
    assert log.faults() == []
    with log.database.engine.connect() as connection:
        epochs = connection.execute(
            sa.select(audit_seal.c.number, audit_seal.c.epoch).order_by(audit_seal.c.number)
        ).all()
    assert [tuple(each) for each in epochs] == [(1, 1), (2, 1), (3, 2)]


def test_a_key_that_was_retired_still_proves_what_it_signed(log: Log) -> None:
    log.sealed("r-1")
    kept = checkpoints.line(log.checkpoint(), AUDIT_KEY)
    new = b"the key that came after it, of 32 bytes or more"
    later = Database(log.database.engine, new)
    log.run.on(later, lambda work: note(work, "r-1"))
    log.settle(later)
    both = Keyring.of(new, [AUDIT_KEY])
    log.run.on(later, lambda work: seal(work, both))
    assert log.run.on(later, lambda work: verify_rows(work, both)) == []
    assert log.run.on(later, lambda work: verify_seals(work, both)) == []
    known = {checkpoints.public_key(key) for key in both.keys}
    assert checkpoints.parse(kept, known, "the file").number == 1
    # Without the retired key its rows cannot be vouched for.
    assert len(log.run.on(later, lambda work: verify_rows(work, Keyring.of(new)))) == 1


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda line: line.replace('"events":1', '"events":2'), "is not as it was signed"),
        (lambda line: line[:-3], "cannot be read"),
        (lambda _: "[]", "cannot be read"),
        (lambda line: line.replace('"key":"', '"key":"00')[:], "does not know"),
    ],
)
def test_a_checkpoint_that_somebody_changed_is_refused(
    log: Log, spoil: Callable[[str], str], why: str
) -> None:
    log.sealed("r-1")
    line = checkpoints.line(log.checkpoint(), AUDIT_KEY)
    known = {checkpoints.public_key(AUDIT_KEY)}
    assert checkpoints.parse(line, known, "line 1").number == 1
    with pytest.raises(CheckpointUnreadable, match=why):
        checkpoints.parse(spoil(line), known, "line 1")


def test_what_commits_late_does_not_slip_in_behind_a_seal(
    scratch_database: Database, run: Run, settle: Settle
) -> None:
    if scratch_database.engine.dialect.name == "sqlite":
        pytest.skip("SQLite has one writer: nothing can be open beside the sealer")
    log = Log(scratch_database, run, settle)
    log.write("r-1")
    settle(scratch_database)
    with scratch_database.engine.begin() as early:
        # A transaction that has its id, and so its place, and commits after the seal.
        late = Work(early, run.moment, run.ids, run.random_bytes, AUDIT_KEY)
        late.begin()
        note(late, "began first")
        log.write("began last")
        made = run.on(scratch_database, lambda work: seal(work, KEYS))
        assert made is not None
        assert made.events == 1  # neither the open one nor those after it
    assert log.seal() is not None
    assert log.faults() == []
    assert run.on(scratch_database, unsealed) == 0


def test_one_transaction_with_more_rows_than_a_seal_holds_is_sealed_whole(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.audit.sealing.LARGEST", 3)
    log.run.on(log.database, lambda work: [note(work, f"r-{n}") for n in range(8)])
    log.write("r-8", "r-9")
    made = []
    while (one := log.seal()) is not None:
        made.append(one.events)
    assert sum(made) == 10
    if log.database.engine.dialect.name == "postgresql":
        assert made == [8, 2]
    assert log.faults() == []
