"""PostgreSQL keeps organisations apart where the service's own scoping fails.

These tests run as the application's role, which owns nothing. They take the stores' conditions out
and show that another organisation still reaches nothing.
"""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import sqlalchemy as sa

from app.approvals import scope, store
from app.db import tables
from app.db.engine import make_engine
from app.db.errors import RoleNotSafe, UnsafeConnection
from app.db.roles import GRANTS, grant
from app.db.statements import Statement
from app.db.tables import metadata
from app.db.transaction import Database
from app.db.work import NOBODY, Moment, Work
from tests.conftest import APPLICATION_ROLE
from tests.functional.approvals.api import Api
from tests.functional.approvals.scene import Scene
from tests.rows import row_counts

MANY = Statement(sa.text("SELECT count(*) AS many FROM treatment"))
#: Tables that hold nobody's data: they are the same for everyone, or have no row to hide.
SHARED = {
    "caller": "who may call; its reader is not known before it is read",
    "client": "which system may call for which organisations; read before its caller is known",
    "client_key": "public keys",
    "client_assertion": "names of assertions that were used",
    "access_token": "digests of tokens, read before their caller is known",
    "person": "who may sign in; read before the organisation is known",
    "person_role": "in which roles, and for which organisations",
    "credential_holder": "whose a token or a system is; no patient",
    "sign_in": "digests of sign-ins under way",
    "rate_bucket": "how many calls a client has left, by a digest of its id",
    "session": "digests of sessions, read before their person is known",
    "logout_token": "names of logout tokens that were used",
    "organisation_setting": "what an organisation settled, such as its panel; no patient",
    "policy_version": "published texts",
    "policy_overlay": "commissioners' published texts",
    "notice_lift": "packaged safety notices that were lifted",
    "publication": "what was published into the library, by whom",
    "safety_notice": "safety notices, which hold for everybody; no patient",
    "policy_proof": "what the prover said of texts, by hash",
    "adoption": "which commissioner decides by which text",
    "schema_release": "which releases may go on with a schema",
    "audit_seal": "hashes",
    "audit_epoch": "numbers",
    "change_cursor": "how far the log was read; no row of it",
    "report_sum_mark": "until when the reports' months are summed; no organisation",
    "audit_finding": "how many faults a check of the log found, and when",
}


@pytest.fixture
def guarded(database: Database, scene: Scene) -> Database:
    """A database with the scene in it, on PostgreSQL."""
    if database.engine.dialect.name != "postgresql":
        pytest.skip("SQLite has no row-level security: its stores' conditions are the only wall")
    return database


def rows_seen(database: Database, moment: Moment, organisation: str) -> dict[str, int]:
    """How many rows of each table an organisation reaches without any condition of ours."""
    return database.read(
        lambda work: row_counts(work.connection), moment=moment, scope=organisation
    )


def test_the_role_of_these_tests_is_the_one_of_production(guarded: Database) -> None:
    with guarded.engine.connect() as connection:
        found = connection.exec_driver_sql(
            "SELECT current_user, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user"
        ).one()
    assert tuple(found) == (APPLICATION_ROLE, False, False)


def test_every_table_is_guarded_or_known_to_hold_nobodys_data(guarded: Database) -> None:
    with guarded.engine.connect() as connection:
        forced = set(
            connection.exec_driver_sql(
                "SELECT relname FROM pg_class WHERE relrowsecurity AND relforcerowsecurity"
            ).scalars()
        )
    assert {table.name for table in metadata.sorted_tables} == forced | set(SHARED)
    assert forced.isdisjoint(SHARED)


@pytest.mark.parametrize("organisation", ["DEMO3", "DEMQ2", "DEMP2", NOBODY])
def test_an_outsider_reaches_no_row_of_any_guarded_table(
    guarded: Database, moment: Moment, organisation: str
) -> None:
    seen = rows_seen(guarded, moment, organisation)
    reached = {name: count for name, count in seen.items() if count and name not in SHARED}
    assert reached == {}


def test_those_who_take_part_reach_theirs(guarded: Database, moment: Moment) -> None:
    everything = rows_seen(guarded, moment, "*")
    provider = rows_seen(guarded, moment, "DEMO1")
    payer = rows_seen(guarded, moment, "DEMQ1")
    for name in ("treatment", "request", "decision", "approval", "segment", "patient"):
        assert provider[name] == payer[name] == everything[name] > 0, name
    receiving = rows_seen(guarded, moment, "DEMO2")  # asked to take one treatment over
    assert (receiving["treatment"], everything["treatment"]) == (1, 2)
    assert receiving["patient"] == 1


def test_a_query_that_lost_its_scoping_is_refused_by_the_database(
    guarded: Database,
    people: Mapping[str, Api],
    scene: Scene,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reads = {
        f"/v1/requests/{scene.request}": "other clinician",
        f"/v1/treatments/{scene.treatment}": "other clinician",
        f"/v1/approvals/{scene.reference}": "other commissioner",
    }
    for name in ("visible_requests", "visible_treatments"):
        for module in (store, scope):
            monkeypatch.setattr(module, name, lambda _caller: sa.true())
    for path, outsider in reads.items():
        assert people[outsider].get(path).status_code == 404, path
    # The mutation works: with the wall gone too, the outsider would read it.
    monkeypatch.setattr("app.door.Door.acting_for", lambda self, _organisation: self)
    assert people["other clinician"].get(f"/v1/requests/{scene.request}").status_code == 200


def test_an_outsider_can_neither_change_nor_plant_a_row(
    guarded: Database, moment: Moment, scene: Scene
) -> None:
    def change(work: Work) -> int:
        planted = sa.update(tables.request).values(provider="DEMO3", state="approved")
        return work.connection.execute(planted).rowcount

    def plant(work: Work) -> None:
        copied = sa.select(tables.treatment).where(tables.treatment.c.id == scene.treatment)
        with work.beyond_scope():
            row = dict(work.connection.execute(copied).mappings().one())
        work.connection.execute(sa.insert(tables.treatment).values(**row | {"id": work.new_id()}))

    do = {"moment": moment, "new_id": lambda: "planted", "random_bytes": bytes}
    assert guarded.transact(change, scope="DEMO3", **do) == 0
    with pytest.raises(sa.exc.DBAPIError, match="row-level security"):
        guarded.transact(plant, scope="DEMO3", **do)


def test_a_row_that_waits_to_be_sent_is_checked_in_the_scope_that_it_was_written_in(
    guarded: Database, moment: Moment, scene: Scene
) -> None:
    copied = Statement(
        sa.select(tables.treatment).where(tables.treatment.c.id == sa.bindparam("x"))
    )
    added = Statement(sa.insert(tables.treatment))

    def row_of(work: Work) -> dict[str, Any]:
        with work.beyond_scope():
            (row,) = work.ask(copied, {"x": scene.treatment})
        return row | {"id": work.new_id()}

    def plant_before(work: Work) -> None:
        work.write(added, row_of(work))
        with work.beyond_scope():
            work.ask(copied, {"x": scene.treatment})

    def plant_after(work: Work) -> None:
        row = row_of(work)
        with work.beyond_scope():
            pass
        work.write(added, row)

    do = {"moment": moment, "new_id": lambda: "planted", "random_bytes": bytes}
    for plant in (plant_before, plant_after):
        with pytest.raises(sa.exc.DBAPIError, match="row-level security"):
            guarded.transact(plant, scope="DEMO3", **do)


def test_looking_beyond_ends_with_its_block_and_may_be_nested(
    guarded: Database, moment: Moment
) -> None:
    def seen(work: Work) -> int:
        query = sa.select(sa.func.count()).select_from(tables.treatment)
        return work.connection.scalar(query) or 0

    def look(work: Work) -> list[int]:
        counts = [seen(work)]
        with work.beyond_scope():
            counts.append(seen(work))
            with work.beyond_scope():
                counts.append(seen(work))
            counts.append(seen(work))
        return [*counts, seen(work), work.ask(MANY, {})[0]["many"]]

    assert guarded.read(look, moment=moment, scope="DEMO3") == [0, 2, 2, 2, 0, 0]


def test_an_error_beyond_the_scope_is_told_as_it_is(guarded: Database, moment: Moment) -> None:
    def fail(work: Work) -> None:
        with work.beyond_scope():
            work.connection.exec_driver_sql("SELECT 1 / 0")

    with pytest.raises(sa.exc.DataError):
        guarded.read(fail, moment=moment, scope="DEMO3")


def test_the_service_refuses_a_role_that_could_pass_the_wall_by(
    guarded: Database, owned: Callable[[Database], sa.Engine]
) -> None:
    owner = owned(guarded)
    url = owner.url.render_as_string(hide_password=False)
    with pytest.raises(UnsafeConnection, match="is a superuser and may bypass"):
        make_engine(url, restricted=True).connect()
    plain = guarded.engine.url.render_as_string(hide_password=False)
    make_engine(plain, restricted=True).connect().close()


@pytest.mark.parametrize(
    ("role", "why"),
    [
        ("postgres", "is a superuser"),
        ("nobody_has_made_this_role", "There is no role"),
        ("x; DROP TABLE request", "lower-case letters"),
    ],
)
def test_only_a_plain_role_is_granted(
    guarded: Database, owned: Callable[[Database], sa.Engine], role: str, why: str
) -> None:
    with pytest.raises(RoleNotSafe, match=why):
        grant(owned(guarded), role)


def test_what_is_only_added_to_is_granted_no_more(
    guarded: Database, owned: Callable[[Database], sa.Engine]
) -> None:
    held: dict[str, set[str]] = {}
    query = sa.text(
        "SELECT table_name, privilege_type FROM information_schema.role_table_grants "
        "WHERE grantee = :role"
    )
    with owned(guarded).connect() as connection:
        for table, privilege in connection.execute(query, {"role": APPLICATION_ROLE}):
            held.setdefault(table, set()).add(privilege)
    expected: dict[str, Any] = {
        table.name: set(GRANTS.get(table.name, ("SELECT", "INSERT", "UPDATE")))
        for table in metadata.sorted_tables
    }
    assert held == expected | {"alembic_version": {"SELECT"}}
