"""The schema's history gives the same tables and triggers on both databases."""

import datetime as dt
import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Final

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from app.db.errors import MigrationsMissing, UpgradeBlocked
from app.db.tables import decision, metadata, publication, request, request_override
from app.db.upgrade import configuration, current, head, upgrade
from tests.conftest import _empty
from tests.integration.db.together import together

#: The whole history, oldest first. A new revision is added here.
HISTORY = [f"{number:04}" for number in range(1, 57)]


def test_an_empty_database_is_brought_to_the_head_and_a_second_upgrade_does_nothing(
    empty_engine: sa.Engine,
) -> None:
    assert current(empty_engine) is None
    assert upgrade(empty_engine) == HISTORY
    assert current(empty_engine) == head() == HISTORY[-1]
    assert upgrade(empty_engine) == []


def test_the_migrations_make_exactly_the_tables_that_the_code_uses(empty_engine: sa.Engine) -> None:
    upgrade(empty_engine)
    with empty_engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, metadata) == []


TRIGGERS = {
    "sqlite": {
        "audit_event": {
            "audit_event_no_update",
            "audit_event_no_delete",
            "audit_event_no_replace",
        },
        "audit_payload": {
            "audit_payload_only_erasure",
            "audit_payload_no_delete",
            "audit_payload_no_replace",
        },
        "audit_seal": {
            "audit_seal_no_update",
            "audit_seal_no_delete",
            "audit_seal_no_replace",
        },
        "audit_epoch": {
            "audit_epoch_no_update",
            "audit_epoch_no_delete",
            "audit_epoch_no_replace",
        },
        "policy_overlay": {
            "policy_overlay_no_update",
            "policy_overlay_no_delete",
            "policy_overlay_no_replace",
        },
        "publication": {
            "publication_no_update",
            "publication_no_delete",
            "publication_no_replace",
        },
        "policy_version": {
            "policy_version_no_update",
            "policy_version_no_delete",
            "policy_version_no_replace",
        },
        "slice_frozen": {
            "slice_frozen_no_update",
            "slice_frozen_no_delete",
            "slice_frozen_no_replace",
        },
        "slice_delta": {
            "slice_delta_no_update",
            "slice_delta_no_delete",
            "slice_delta_no_replace",
        },
    },
    "postgresql": {
        # "A" = ENABLE ALWAYS: not even a replica's session passes them by.
        "audit_event": {"audit_event_no_change A", "audit_event_no_truncate A"},
        "audit_payload": {"audit_payload_only_erasure A", "audit_payload_no_truncate A"},
        "audit_seal": {"audit_seal_no_change A", "audit_seal_no_truncate A"},
        "audit_epoch": {"audit_epoch_no_change A", "audit_epoch_no_truncate A"},
        "policy_overlay": {"policy_overlay_no_change A", "policy_overlay_no_truncate A"},
        "publication": {"publication_no_change A", "publication_no_truncate A"},
        "policy_version": {"policy_version_no_change A", "policy_version_no_truncate A"},
        "slice_frozen": {"slice_frozen_no_change A", "slice_frozen_no_truncate A"},
        "slice_delta": {"slice_delta_no_change A", "slice_delta_no_truncate A"},
    },
}
LISTING = {
    "sqlite": "SELECT tbl_name, name FROM sqlite_master WHERE type = 'trigger'",
    "postgresql": "SELECT tgrelid::regclass::text, tgname || ' ' || tgenabled::text "
    "FROM pg_trigger WHERE NOT tgisinternal",
}


def test_every_guarded_table_has_all_its_triggers_after_each_revision(
    empty_engine: sa.Engine,
) -> None:
    config = configuration()
    guarded: dict[str, set[str]] = {}
    for revision in HISTORY:
        with empty_engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, revision)
            found: dict[str, set[str]] = {}
            listing = LISTING[empty_engine.dialect.name]
            for table, trigger in connection.exec_driver_sql(listing):
                found.setdefault(table, set()).add(trigger)
            tables = set(sa.inspect(connection).get_table_names())
        expected = TRIGGERS[empty_engine.dialect.name]
        guarded = {table: names for table, names in expected.items() if table in tables}
        assert found == guarded, revision
    assert guarded == TRIGGERS[empty_engine.dialect.name]


def test_the_rows_of_the_first_schema_come_through_the_upgrade(empty_engine: sa.Engine) -> None:
    config = configuration()
    with empty_engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        _fill_first_schema(connection)
    assert upgrade(empty_engine) == HISTORY[1:]
    with empty_engine.connect() as connection:
        assert connection.execute(
            sa.select(decision.c.outcome, decision.c.waived, decision.c.overridden)
        ).all() == [("approved", ["C-1"], None)]
        assert connection.execute(sa.select(request_override)).all() == []
        published = connection.execute(
            sa.select(publication.c.number, publication.c.kind, publication.c.hash)
        )
        assert published.all() == [(1, "version", "h")]


def _fill_first_schema(connection: sa.Connection) -> None:
    """One decided request, as the first schema held it: written without the newer columns."""
    first = sa.MetaData()
    first.reflect(connection)
    day = dt.date(2026, 6, 15)
    now = dt.datetime(2026, 6, 15, 9, 30, tzinfo=dt.UTC)
    rows: dict[str, dict[str, object]] = {
        "policy_version": {"policy": "a", "version": "2026-01-01", "language": 1, "resolved": "{}",
                           "hash": "h", "origin": "published"},
        "patient": {"id": "p", "registered_by": "DEMO1", "birth_date": day, "sex": "female"},
        "treatment": {"id": "t", "patient_id": "p"},
        "request": {"id": "r", "treatment_id": "t", "policy_hash": "h", "details": {}},
        "decision": {"id": "d", "request_id": "r", "outcome": "approved", "waived": ["C-1"]},
    }  # fmt: skip
    for name, given in rows.items():
        table = first.tables[name]
        values = {c.name: _plain_value(c, now) for c in table.columns if not c.nullable} | given
        connection.execute(table.insert().values(**values))


def _plain_value(column: sa.Column[object], now: dt.datetime) -> object:
    """Something that fits a column which the test does not look at."""
    if isinstance(column.type, sa.DateTime):
        return now
    if isinstance(column.type, sa.Date):
        return now.date()
    if isinstance(column.type, sa.JSON):
        return []
    if isinstance(column.type, sa.Boolean):
        return True
    if isinstance(column.type, sa.Numeric):
        return Decimal("1.5")
    if isinstance(column.type, sa.LargeBinary):
        return b"x"
    return 1 if isinstance(column.type, sa.Integer) else "x"


@pytest.mark.parametrize("released", HISTORY[:-1])
def test_every_row_of_every_released_schema_comes_through_the_upgrade(
    empty_engine: sa.Engine, released: str
) -> None:
    config = configuration()
    with empty_engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, released)
        before = _fill_every_table(connection)
    assert upgrade(empty_engine) == HISTORY[HISTORY.index(released) + 1 :]
    with empty_engine.begin() as connection:
        after = _all_rows(connection)
        for table, rows in before.items():
            kept = [row for row in after[table] if not _is_added(table, row)]
            reset = _reset_after(released, table, rows[0])
            there = [row | reset for row in rows]
            assert [{name: row[name] for name in rows[0]} for row in kept] == there, table
        # The release before goes on writing while the new schema is there: its own columns do.
        _delete_and_fill_again(connection, before)


@pytest.mark.parametrize(
    ("within", "outcome", "day"),
    [
        # Half past midnight in London on Tuesday the 16th: five working days on is a Tuesday.
        ({"working_days": 5}, "referred", dt.date(2026, 6, 23)),
        ({"days": 10}, "referred", dt.date(2026, 6, 26)),
        ({"days": 10}, "criteria not met", None),
        (None, "referred", None),
    ],
)
def test_what_waits_at_the_upgrade_gets_the_day_of_its_panels_answer(
    empty_engine: sa.Engine, within: dict[str, int] | None, outcome: str, day: dt.date | None
) -> None:
    config = configuration()
    panel = {"panel": {"status": "panel"} | ({"answer_within": within} if within else {})}
    late = dt.datetime(2026, 6, 15, 23, 30, tzinfo=dt.UTC)
    with empty_engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0052")
        _fill_every_table(
            connection,
            {
                "policy_version": {"resolved": json.dumps(panel)},
                "request": {"state": "referred"},
                "decision": {"made_by": "policy", "outcome": outcome, "decided_at": late},
            },
        )
    upgrade(empty_engine)
    with empty_engine.connect() as connection:
        (found,) = connection.execute(sa.select(request.c.answer_by)).scalars()
    assert found == day


def _fill_every_table(
    connection: sa.Connection, instead: Mapping[str, Mapping[str, object]] | None = None
) -> dict[str, list[dict[str, object]]]:
    """One row in every table that the schema has; returns them as they lie there.

    `instead`: of some tables, what stands in some columns.
    """
    schema = sa.MetaData()
    schema.reflect(connection)
    now = dt.datetime(2026, 6, 15, 9, 30, tzinfo=dt.UTC)
    for table in schema.sorted_tables:
        if table.name != "alembic_version":
            values = {c.name: _plain_value(c, now) for c in table.columns if not _is_counted(c)}
            values |= (instead or {}).get(table.name, {})
            connection.execute(table.insert().values(**values))
    return _all_rows(connection)


#: Table → the revision that sets columns of it back, and to what: 0051 has the worker make the
#: rows of supplies anew.
_RESET: Final[dict[str, tuple[str, dict[str, object]]]] = {
    "start_awaited_mark": ("0051", {"runs": None})
}


def _reset_after(released: str, table: str, row: dict[str, object]) -> dict[str, object]:
    """What the upgrade from a release sets back of a row that the release holds."""
    revision, values = _RESET.get(table, ("", {}))
    return {name: v for name, v in values.items() if name in row and released < revision}


def _is_added(table: str, row: dict[str, object]) -> bool:
    """Whether an upgrade adds such a row: revision 0043 lets a policy find every slice, and from
    0053 on each revision says which releases go on beside it."""
    if table == "schema_release":
        return row["revision"] in HISTORY
    return table == "slice_touch" and row["key"] == "*policy"


def _is_counted(column: sa.Column[object]) -> bool:
    """Whether the database gives the value itself."""
    return column.table.name == "audit_event" and column.name == "id"


def _all_rows(connection: sa.Connection) -> dict[str, list[dict[str, object]]]:
    schema = sa.MetaData()
    schema.reflect(connection)
    return {
        table.name: [dict(row) for row in connection.execute(sa.select(table)).mappings()]
        for table in schema.sorted_tables
        if table.name != "alembic_version"
    }


def _delete_and_fill_again(
    connection: sa.Connection, before: dict[str, list[dict[str, object]]]
) -> None:
    """The statements of the release before, on the schema of today: each names its own columns."""
    schema = sa.MetaData()
    schema.reflect(connection)
    guarded = set(TRIGGERS[connection.dialect.name])  # these are only added to
    for table in reversed(schema.sorted_tables):  # nor what these, or such a table, refer to
        if table.name in guarded:
            guarded |= {key.column.table.name for key in table.foreign_keys}
    unguarded = [t for t in schema.sorted_tables if t.name in before and t.name not in guarded]
    for table in reversed(unguarded):
        connection.execute(table.delete())
    for table in unguarded:
        connection.execute(table.insert().values(**before[table.name][0]))
    event = before["audit_event"][0] | {"object_number": 2}
    connection.execute(
        schema.tables["audit_event"]
        .insert()
        .values(**{name: value for name, value in event.items() if name != "id"})
    )


@pytest.mark.postgres
def test_an_upgrade_that_a_long_transaction_blocks_gives_up_and_says_so(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.db.upgrade.LOCK_SECONDS", 1)
    for engine in _empty(request, "postgres", tmp_path):
        config = configuration()
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, HISTORY[0])
        with engine.begin() as reading:
            reading.exec_driver_sql("SELECT count(*) FROM decision")
            with pytest.raises(UpgradeBlocked, match="nothing was changed"):
                upgrade(engine)
        assert current(engine) == HISTORY[0]
        assert upgrade(engine) == HISTORY[1:]


def test_two_processes_that_start_together_upgrade_once(empty_engine: sa.Engine) -> None:
    done = together(2, lambda _: upgrade(empty_engine))
    assert sorted(done) == [[], HISTORY]


def test_a_failing_upgrade_leaves_nothing_behind(
    empty_engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("stopped half way")

    monkeypatch.setattr("app.db.upgrade.command.upgrade", _then(command.upgrade, fail))
    with pytest.raises(RuntimeError, match="stopped half way"):
        upgrade(empty_engine)
    assert sa.inspect(empty_engine).get_table_names() == []
    monkeypatch.undo()
    assert upgrade(empty_engine) == HISTORY


def _then(*steps: Callable[..., None]) -> Callable[..., None]:
    def run(*args: object, **kwargs: object) -> None:
        for step in steps:
            step(*args, **kwargs)

    return run


def test_a_copy_of_the_service_without_its_migrations_says_so(
    empty_engine: sa.Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("app.db.upgrade.MIGRATIONS", tmp_path)
    with pytest.raises(MigrationsMissing, match="complete copy"):
        upgrade(empty_engine)
