"""The schema's history gives the same tables and triggers on both databases."""

import datetime as dt
import json
from decimal import Decimal
from typing import Final

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from app.db.tables import (
    decision,
    metadata,
    publication,
    request,
    request_override,
    slice_delta,
)
from app.db.upgrade import current, head, upgrade
from tests.integration.db.any_rows import all_rows, fill_every_table, plain_value

#: The whole history, oldest first. A new revision is added here.
HISTORY = [f"{number:04}" for number in range(1, 65)]


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
#: The trigger that adds to the reports' sums, of a table that is otherwise changed freely.
SUMMING = {"sqlite": {"request_summed"}, "postgresql": {"request_summed O"}}
LISTING = {
    "sqlite": "SELECT tbl_name, name FROM sqlite_master WHERE type = 'trigger'",
    "postgresql": "SELECT tgrelid::regclass::text, tgname || ' ' || tgenabled::text "
    "FROM pg_trigger WHERE NOT tgisinternal",
}


def test_every_guarded_table_has_all_its_triggers_after_each_revision(
    empty_engine: sa.Engine,
) -> None:
    guarded: dict[str, set[str]] = {}
    for revision in HISTORY:
        assert upgrade(empty_engine, revision) == [revision]
        with empty_engine.begin() as connection:
            found: dict[str, set[str]] = {}
            listing = LISTING[empty_engine.dialect.name]
            for table, trigger in connection.exec_driver_sql(listing):
                found.setdefault(table, set()).add(trigger)
            tables = set(sa.inspect(connection).get_table_names())
        expected = TRIGGERS[empty_engine.dialect.name]
        guarded = {table: names for table, names in expected.items() if table in tables}
        summing = {"request": SUMMING[empty_engine.dialect.name]} if "report_sum" in tables else {}
        assert found == guarded | summing, revision
    assert guarded == TRIGGERS[empty_engine.dialect.name]


def test_the_rows_of_the_first_schema_come_through_the_upgrade(empty_engine: sa.Engine) -> None:
    upgrade(empty_engine, "0001")
    with empty_engine.begin() as connection:
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
        values = {c.name: plain_value(c) for c in table.columns if not c.nullable} | given
        connection.execute(table.insert().values(**values))


@pytest.mark.long
@pytest.mark.parametrize("released", HISTORY[:-1])
def test_every_row_of_every_released_schema_comes_through_the_upgrade(
    empty_engine: sa.Engine, released: str
) -> None:
    upgrade(empty_engine, released)
    with empty_engine.begin() as connection:
        before = fill_every_table(connection)
    assert upgrade(empty_engine) == HISTORY[HISTORY.index(released) + 1 :]
    with empty_engine.begin() as connection:
        after = all_rows(connection)
        for table, rows in before.items():
            kept = [row for row in after[table] if not _is_added(table, row)]
            reset = _reset_after(released, table, rows[0])
            there = [row | reset for row in rows if not _is_added(table, row)]
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
    panel = {"panel": {"status": "panel"} | ({"answer_within": within} if within else {})}
    late = dt.datetime(2026, 6, 15, 23, 30, tzinfo=dt.UTC)
    upgrade(empty_engine, "0052")
    with empty_engine.begin() as connection:
        fill_every_table(
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


def test_a_delta_of_the_release_before_does_not_know_what_was_untested_and_stays(
    empty_engine: sa.Engine,
) -> None:
    names = ("not_testable_was", "not_testable", "not_testable_more")
    upgrade(empty_engine, "0063")
    with empty_engine.begin() as connection:
        (before,) = fill_every_table(connection)["slice_delta"]
    assert not set(names) & set(before)
    assert upgrade(empty_engine, "0064") == ["0064"]
    with empty_engine.begin() as connection:
        assert all_rows(connection)["slice_delta"] == [before | dict.fromkeys(names)]
        # The release before goes on adding deltas: its statement names none of the columns.
        known = before | {"id": "y", "row": 2}
        connection.execute(
            sa.text(
                f"INSERT INTO slice_delta ({', '.join(known)}) "
                f"SELECT {', '.join(f':{n}' if n in ('id', 'row') else n for n in known)} "
                "FROM slice_delta"
            ),
            {"id": "y", "row": 2},
        )
        added = sa.select(*(slice_delta.c[n] for n in names)).where(slice_delta.c.row == 2)
        assert connection.execute(added).all() == [(None, None, None)]
    for name in names:  # and no delta is ever changed, so none is filled in afterwards
        with pytest.raises(sa.exc.DBAPIError, match="never changed"), empty_engine.begin() as c:
            c.execute(sa.update(slice_delta).values({name: Decimal(0)}))


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
