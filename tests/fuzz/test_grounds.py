"""The fuzz run's databases on PostgreSQL: the service owns nothing there, and nothing is left."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.conftest import ADMIN_URL, APPLICATION_ROLE
from tests.fuzz.grounds import OnPostgres


@pytest.mark.postgres
@pytest.mark.usefixtures("_postgres_admin")
def test_a_round_has_a_copy_of_its_own_under_row_level_security(tmp_path: Path) -> None:
    base, row = tmp_path / "base", "INSERT INTO patient VALUES ('p', '9990000018', NULL, 'DEMO1', "
    base.mkdir()
    with OnPostgres() as ground:
        built = ground.begun(base)
        with built.sight.begin() as connection:
            connection.exec_driver_sql(f"{row} '1970-01-01', 'female', NULL, now())")
        built.dispose()
        for turn in (0, 1):
            with ground.copied(base, tmp_path / str(turn), turn) as engines:
                with engines.service.connect() as connection:
                    seen = connection.exec_driver_sql("SELECT count(*) FROM patient").scalar()
                    who = connection.exec_driver_sql("SELECT current_user").scalar()
                with engines.sight.begin() as connection:
                    there = connection.exec_driver_sql("DELETE FROM patient").rowcount
                assert (who, seen, there) == (APPLICATION_ROLE, 0, 1)

    named = sa.text("SELECT datname FROM pg_database WHERE starts_with(datname, :prefix)")
    with sa.create_engine(ADMIN_URL).connect() as connection:
        assert connection.execute(named, {"prefix": ground.prefix}).all() == []
