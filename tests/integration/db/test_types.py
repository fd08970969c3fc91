"""Decimals and instants come back exactly as they went in, the same on both databases."""

import datetime as dt
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.db.tables import patient, submission
from app.db.work import Work
from tests.conftest import Transact
from tests.integration.db.rows import add_patient


def keep(work: Work, total: Decimal) -> Decimal:
    """Write a total and read it back."""
    id_ = work.new_id()
    work.connection.execute(
        sa.insert(submission).values(
            id=id_,
            organisation="DEMO1",
            sha256=id_,
            file_name="f.csv",
            size=1,
            layout="l",
            lines=0,
            skipped=0,
            total=total,
            received_at=work.moment.instant,
            received_by="someone",
        )
    )
    query = sa.select(submission.c.total).where(submission.c.id == id_)
    found = work.connection.execute(query).scalar_one()
    assert isinstance(found, Decimal)
    return found


@pytest.mark.parametrize(
    ("given_", "text"),
    [
        ("0.10000001", "0.10000001"),
        ("0.1", "0.1"),
        ("0.10", "0.1"),
        ("-0.00", "0"),
        ("1E+3", "1000"),
        ("1234.50", "1234.5"),
        ("-999999999999999999.99999999", "-999999999999999999.99999999"),
    ],
)
def test_a_decimal_is_kept_exactly_and_reads_the_same_on_both_databases(
    transact: Transact, given_: str, text: str
) -> None:
    assert str(transact(lambda work: keep(work, Decimal(given_)))) == text


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
)
@given(scaled=st.integers(min_value=-(10**26) + 1, max_value=10**26 - 1))
def test_any_decimal_of_18_digits_and_8_places_survives(transact: Transact, scaled: int) -> None:
    value = Decimal(scaled).scaleb(-8) if abs(scaled) < 10**20 else Decimal(f"{scaled}E-8")
    assert transact(lambda work: keep(work, value)) == value


@pytest.mark.parametrize("text", ["0.000000001", "1000000000000000000", "NaN", "Infinity"])
def test_a_decimal_that_would_be_rounded_or_lost_is_refused(transact: Transact, text: str) -> None:
    with pytest.raises(sa.exc.StatementError, match="an exact decimal"):
        transact(lambda work: keep(work, Decimal(text)))


def test_a_float_is_refused_where_a_decimal_belongs(transact: Transact) -> None:
    with pytest.raises(sa.exc.StatementError, match="expected Decimal, got float"):
        transact(lambda work: keep(work, 0.1))  # type: ignore[arg-type]


def set_created(work: Work, instant: dt.datetime) -> dt.datetime:
    """Write an instant and read it back."""
    id_ = add_patient(work)
    work.connection.execute(
        sa.update(patient).where(patient.c.id == id_).values(created_at=instant)
    )
    query = sa.select(patient.c.created_at).where(patient.c.id == id_)
    found = work.connection.execute(query).scalar_one()
    assert isinstance(found, dt.datetime)
    return found


@pytest.mark.parametrize("fold", [0, 1])
def test_an_instant_comes_back_in_utc_to_the_microsecond(transact: Transact, fold: int) -> None:
    london = dt.datetime(2026, 10, 25, 1, 30, 0, 123456, ZoneInfo("Europe/London"), fold=fold)
    found = transact(lambda work: set_created(work, london))
    assert found.isoformat() == f"2026-10-25T0{fold}:30:00.123456+00:00"


def test_an_instant_without_a_time_zone_is_refused(transact: Transact) -> None:
    with pytest.raises(sa.exc.StatementError, match="an instant needs a time zone"):
        transact(lambda work: set_created(work, dt.datetime(2026, 1, 1)))  # noqa: DTZ001
