"""The demonstration year: every slice ties, nothing counts twice, and it can be played again."""

import datetime as dt
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from app.commands.reconcile import operator
from app.db import tables
from app.db.engine import make_engine
from app.db.transaction import Database
from app.db.upgrade import upgrade
from app.demonstration.load import Loaded, load
from app.demonstration.organisations import COMMISSIONERS, PROVIDERS
from app.demonstration.periods import year_of
from app.demonstration.year.calendar import months_of, named
from app.demonstration.year.claims import EMPTIED
from app.demonstration.year.files import EMPTY, WITHOUT_DELIVERY
from app.demonstration.year.play import Year, make_year, payer_of, play
from app.desk import make_desk
from app.main import create_app
from app.reconciliation.service import Desk
from app.reconciliation.slice_months import by_month, challenged_by_month
from app.reconciliation.slice_report import SliceRow, current_slices
from app.reconciliation.slices import SliceKey
from app.settings import Settings
from tests.integration.demonstration.conftest import DAY, MOMENT, rows_of

pytestmark = pytest.mark.long

AFTER = MOMENT


@dataclass
class Played:
    """A part of the year, played."""

    database: Database
    desk: Desk
    loaded: Loaded
    year: Year


def loaded_part(database: Database, desk: Desk, one_in: int) -> tuple[Loaded, Year]:
    loaded, _ = load(database, desk, operator(None), DAY, one_in=one_in)
    year = database.read(lambda work: make_year(work, loaded, None, one_in), moment=AFTER)
    return loaded, year


@pytest.fixture(scope="module")
def part(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """Played once for all tests that change nothing."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("year"), demonstration=True)
    engine = make_engine(settings.database_url)
    upgrade(engine)
    database, desk = Database(engine, settings.audit_key_bytes()), make_desk(settings)
    loaded, year = loaded_part(database, desk, 3)
    played(database, desk, loaded, year)
    yield Played(database, desk, loaded, year)
    engine.dispose()


def played(database: Database, desk: Desk, loaded: Loaded, year: Year, **told: Any) -> None:
    play(database, desk, year, loaded, told.get("progress", lambda _what, _share: None))


def slices(database: Database) -> dict[SliceKey, SliceRow]:
    found: dict[SliceKey, SliceRow] = {}
    for code in COMMISSIONERS:
        rows = database.read(
            lambda work, code=code: current_slices(work, payer_of(code), financial_year="202526"),
            moment=AFTER,
        )
        found |= {row.key: row for row in rows}
    return found


def test_the_year_is_the_one_before_the_cumulative_file_s_and_closed_on_the_day() -> None:
    for day in ("2026-06-01", "2026-11-28", "2027-05-31", "2028-01-01"):
        on = dt.date.fromisoformat(day)
        months = months_of(year_of(on))
        assert months[0].first <= on - dt.timedelta(days=360)
        assert all(month.flex < month.freeze < on for month in months)
    assert named(year_of(dt.date(2026, 11, 28))) == "202526"


def test_every_month_is_sent_twice_and_some_again_with_real_differences(
    part: Played,
) -> None:
    year = part.year
    stages = Counter(sent.stage for sent in year.files)
    moved = [c for c in year.claims if c.flex and c.freeze and c.flex.month != c.freeze.month]
    other = [c for c in year.claims if c.flex and c.freeze and c.flex.line != c.freeze.line]

    assert stages["flex"] > 50
    assert stages["freeze"] > 45
    assert stages["correction"] >= 1
    assert stages["year to date"] == 6
    assert [sent.day for sent in year.files] == sorted(sent.day for sent in year.files)
    assert any(c.flex is None and c.freeze for c in year.claims)  # late
    assert any(c.flex and c.freeze is None for c in year.claims)  # withdrawn
    assert any(c.later != c.freeze for c in year.claims)  # corrected once closed
    assert moved
    assert len(other) > 10
    files = [sent for sent in year.files if sent.stage != EMPTY]
    assert {sent.name.rpartition(".")[2] for sent in files} == {"csv", "xlsx"}
    assert stages[EMPTY] >= 1


def test_played_every_slice_ties_and_a_second_play_changes_nothing(part: Played) -> None:
    found = slices(part.database)

    assert {key.provider for key in found} == set(PROVIDERS)
    assert {key.financial_month for key in found} == set(range(1, 13))
    for row in found.values():
        assert row.frozen_on is not None
        if not row.lines:
            continue
        assert row.accepted is not None
        assert row.queried is not None
        assert row.accepted + row.queried == row.total
        assert row.not_testable is not None
    trust, payer, month = EMPTIED
    empty = found[SliceKey(trust, payer, "202526", month)]
    assert (empty.lines, empty.total, empty.version) == (0, 0, 2)
    apart = {key for key, row in found.items() if row.difference}
    stated = SliceKey(WITHOUT_DELIVERY[0], WITHOUT_DELIVERY[1], "202526", WITHOUT_DELIVERY[2])
    assert stated in apart
    assert len(apart) <= 2
    assert len(found) > 50
    assert sum(row.corrections for row in found.values()) > 1

    with part.database.engine.connect() as connection:
        rows = connection.execute(
            sa.select(tables.segment.c.commissioner, tables.treatment.c.commissioner)
            .join(tables.treatment)
            .where(tables.treatment.c.drug == "natalizumab")
            .where(tables.segment.c.superseded_at.is_(None))
        )
        paying = {tuple(row) for row in rows}
    assert {("DEMQ2", "DEMQ1"), ("DEMQ1", "DEMQ1")} <= paying  # handed over in the middle
    late = [r for k, r in found.items() if k.commissioner == "DEMQ1" and k.financial_month > 8]
    assert sum(row.accepted or 0 for row in late) > 0

    before = rows_of(part.database)
    played(part.database, part.desk, part.loaded, part.year)
    assert rows_of(part.database) == before


def test_the_months_sum_their_slices_and_tell_what_is_challenged(part: Played) -> None:
    for code in COMMISSIONERS:
        caller = payer_of(code)
        rows, challenged = part.database.read(
            lambda work, caller=caller: (
                current_slices(work, caller, financial_year="202526"),
                challenged_by_month(work, caller),
            ),
            moment=AFTER,
        )
        months = by_month(rows, challenged)
        assert sum(month.total for month in months) == sum(row.total for row in rows)
        assert sum(m.more for m in months) == sum(r.corrected - r.total for r in rows)
        with part.database.engine.connect() as connection:
            lines = connection.execute(
                sa.select(tables.challenge_line.c.queried)
                .join(tables.challenge)
                .where(tables.challenge.c.commissioner == code)
                .where(tables.challenge.c.state.in_(["drafted", "raised", "answered", "upheld"]))
            ).scalars()
            assert sum(m.challenged for m in months) == sum(lines, Decimal(0)) > 0
    with part.database.engine.connect() as connection:
        states = set(connection.execute(sa.select(tables.challenge.c.state)).scalars())
    assert states >= {"raised", "answered", "upheld", "withdrawn", "credited"}


def test_the_api_tells_the_same_months_to_their_commissioner_and_none_to_another(
    part: Played,
) -> None:
    app = create_app(
        Settings(demonstration=True), database=part.database, now=lambda: AFTER.instant
    )
    for code in COMMISSIONERS:
        token = {"Authorization": f"Bearer demo-{code.lower()}-commissioner"}
        client = TestClient(app, headers=token)
        told = client.get("/v1/slices?financial_year=202526").json()
        caller = payer_of(code)
        months = part.database.read(
            lambda work, caller=caller: by_month(
                current_slices(work, caller, financial_year="202526"),
                challenged_by_month(work, caller),
            ),
            moment=AFTER,
        )
        names = ("total", "accepted", "queried", "not_testable", "more", "challenged")
        assert [[Decimal(m[name]) for name in names] for m in told["months"]] == [
            [getattr(month, name) for name in names] for month in months
        ]
        assert {s["commissioner"] for s in told["slices"]} == {code}
        assert len(client.get("/v1/calendar?financial_year=202526").json()["months"]) == 12
        stated = client.get("/v1/stated-totals?financial_year=202526").json()["totals"]
        assert {s["commissioner"] for s in stated} == {code}


class Stopped(Exception):
    """The play is cut off."""


@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_play_that_was_cut_off_is_done_again_to_the_same_end(
    sqlite_database: Database, desk: Desk, share: float
) -> None:
    loaded, year = loaded_part(sqlite_database, desk, 20)

    def cut(what: str, done: float) -> None:
        if ("file" in what) == (share < 0.5) and done > share:
            raise Stopped

    with pytest.raises(Stopped):
        played(sqlite_database, desk, loaded, year, progress=cut)
    played(sqlite_database, desk, loaded, year)
    again = slices(sqlite_database)
    for row in again.values():
        if not row.lines:
            continue
        assert row.accepted is not None
        assert row.accepted + row.queried == row.total
    apart = {key for key, row in again.items() if row.difference}
    assert len(apart) <= 2
    with sqlite_database.engine.connect() as connection:
        twice = connection.execute(
            sa.select(tables.submission.c.sha256, sa.func.count())
            .group_by(tables.submission.c.organisation, tables.submission.c.sha256)
            .having(sa.func.count() > 1)
        ).all()
        files = connection.execute(
            sa.select(sa.func.count()).where(tables.submission.c.file_name.like("202526-M%"))
        ).scalar_one()
    assert not twice
    assert files == sum(sent.stage != EMPTY for sent in year.files)
