"""Loading a part of the demonstration: repeatable, whole or not at all, never over real data."""

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from app.audit.model import Actor
from app.auth.model import Role
from app.auth.store import register_caller
from app.commands.reconcile import operator
from app.db.engine import make_engine
from app.db.transaction import Database
from app.db.upgrade import upgrade
from app.db.work import Work
from app.demonstration.chance import SEED
from app.demonstration.clinic import make_courses
from app.demonstration.load import Loaded, NotLoadable, check_loadable, find_loaded, load
from app.demonstration.submission import Invoices, period_of
from app.desk import make_desk
from app.reconciliation.service import Desk
from app.settings import Settings
from tests.integration.demonstration.conftest import DAY, MOMENT, rows_of

ADMINISTRATOR = Actor("admin", "system", "SERVICE", "administrator", "test", "correlation-1")


def load_part(database: Database, desk: Desk, **options: object) -> tuple[Loaded, Invoices]:
    given: dict[str, object] = {"one_in": 30, **options}
    # Each run of the command line makes its own.
    by = replace(operator(None), correlation_id="loading")
    return load(database, desk, by, DAY, **given)  # type: ignore[arg-type]


def read(database: Database, fn: Callable[[Work], object]) -> object:
    return database.read(fn, moment=MOMENT)


def test_the_same_seed_and_day_give_the_same_data_on_either_database(
    database: Database, desk: Desk, tmp_path: Path
) -> None:
    settings = Settings(data_dir=tmp_path / "other", demonstration=True)
    settings.data_dir.mkdir()
    engine = make_engine(settings.database_url)
    upgrade(engine)
    other = Database(engine, settings.audit_key_bytes())

    loaded, invoices = load_part(database, desk)
    again, invoices_again = load_part(other, make_desk(settings))

    here, there = rows_of(database), rows_of(other)
    for rows in (here, there):  # which releases go on with a schema: the upgrade's, not the data's
        del rows["schema_release"]
    assert here == there
    assert (loaded, invoices) == (again, invoices_again)
    assert loaded.requests > 5
    engine.dispose()


def test_another_seed_gives_other_data(database: Database, desk: Desk) -> None:
    loaded, invoices = load_part(database, desk, seed=7)
    courses = make_courses(7, DAY)

    assert loaded.seed == 7
    assert invoices.first == dt.date(2026, 4, 1)
    assert courses != make_courses(SEED, DAY)


def test_what_is_loaded_is_not_loaded_again(sqlite_database: Database, desk: Desk) -> None:
    load_part(sqlite_database, desk)
    before = rows_of(sqlite_database)

    with pytest.raises(NotLoadable, match="loaded already"):
        load_part(sqlite_database, desk)
    assert rows_of(sqlite_database) == before


def test_an_interrupted_load_leaves_nothing_and_is_done_again(
    database: Database, desk: Desk
) -> None:
    def interrupted(what: str, share: float) -> None:
        if share > 0.8:
            raise KeyboardInterrupt

    empty = rows_of(database)
    with pytest.raises(KeyboardInterrupt):
        load_part(database, desk, progress=interrupted)

    assert rows_of(database) == empty
    assert read(database, find_loaded) is None
    loaded, _ = load_part(database, desk)
    assert read(database, find_loaded) == loaded


def test_a_database_with_a_real_caller_is_left_alone(
    database: Database, ids: Callable[[], str], random_bytes: Callable[[int], bytes]
) -> None:
    database.transact(
        lambda work: register_caller(
            work, ADMINISTRATOR, name="EPR", kind="system", organisation="RX1", role=Role.CLINICIAN
        ),
        moment=MOMENT,
        new_id=ids,
        random_bytes=random_bytes,
    )

    with pytest.raises(NotLoadable, match="not the demonstration's"):
        read(database, check_loadable)


def test_a_day_before_the_policies_present_texts_is_refused(
    sqlite_database: Database, desk: Desk
) -> None:
    with pytest.raises(NotLoadable, match="1 June 2026"):
        load(sqlite_database, desk, operator(None), dt.date(2026, 5, 31))


@pytest.mark.parametrize(
    ("day", "first", "last"),
    [
        ("2026-11-02", "2026-04-01", "2026-10-31"),
        ("2026-07-01", "2026-04-01", "2026-06-30"),
        ("2026-06-30", "2025-04-01", "2026-03-31"),
        ("2027-04-01", "2026-04-01", "2027-03-31"),
        ("2027-05-31", "2026-04-01", "2027-03-31"),
        ("2028-01-01", "2027-04-01", "2027-12-31"),
    ],
)
def test_the_submission_states_finished_months_of_one_financial_year(
    day: str, first: str, last: str
) -> None:
    assert period_of(dt.date.fromisoformat(day)) == (
        dt.date.fromisoformat(first),
        dt.date.fromisoformat(last),
    )
