"""The PostgreSQL role that the service runs as: it owns nothing and cannot pass row security by.

Each table is granted what the service does with it and no more; the audit log and policy versions
are only added to.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any, Final

import sqlalchemy as sa

from app.db.errors import RoleNotSafe
from app.db.tables import metadata

_ADD = ("SELECT", "INSERT")
_CHANGE = (*_ADD, "UPDATE")
_REMOVE = (*_CHANGE, "DELETE")
#: Tables that are only added to, or whose rows may also go. Every other may be changed.
GRANTS: Final[dict[str, tuple[str, ...]]] = {
    "schema_release": ("SELECT",),
    "audit_event": _ADD,
    "audit_seal": _ADD,
    "audit_epoch": _ADD,
    "notice_lift": _ADD,
    "contract_month": _ADD,
    "monitoring_figure": _ADD,
    "run_standing": _ADD,
    "slice_correction": _ADD,
    "slice_delta": _ADD,
    "slice_frozen": _ADD,
    "slice_outcome": _ADD,
    "slice_version": _ADD,
    "policy_overlay": _ADD,
    "policy_proof": _ADD,
    "policy_version": _ADD,
    "publication": _ADD,
    "begun_answers": _REMOVE,  # once they are sent
    "insight_figure": _REMOVE,
    "report_sum": _REMOVE,  # once it is added to its month
    "report_sum_mark": _REMOVE,
    "start_awaited": _REMOVE,
    "listed_entry": _REMOVE,
    "listed_supply": _REMOVE,
    "change_cursor": _REMOVE,
    "slice_touch": _REMOVE,
    "patient_identifier": _REMOVE,  # at the end of retention, as the next
    "patient_death": _REMOVE,
    "patient_pseudonym": _REMOVE,
    "patient_pseudonym_mark": _REMOVE,
    "live_treatment": _REMOVE,
    "client_assertion": _REMOVE,
    "access_token": _REMOVE,
    "sign_in": _REMOVE,
    "logout_token": _REMOVE,
    "rate_bucket": _REMOVE,
    "reminder_address": _REMOVE,
    "reminder_message": _REMOVE,
}
_NAME = re.compile("[a-z_][a-z0-9_]{0,62}")


def grant(engine: sa.Engine, role: str) -> None:
    """Let a role use the tables as the service does. Run it as the tables' owner.

    Raises RoleNotSafe for a role that could pass row-level security by, or is not there.
    """
    if _NAME.fullmatch(role) is None:
        raise RoleNotSafe("A role's name is lower-case letters, digits and “_”. Correct it.")
    with engine.begin() as connection:

        def ask(query: str) -> Sequence[Any] | None:
            return connection.exec_driver_sql(query, {"role": role}).one_or_none()

        why = unsafe_role(ask, role)
        if why is not None:
            raise RoleNotSafe(why)
        schema = connection.exec_driver_sql("SELECT quote_ident(current_schema())").scalar_one()
        statements = [f"GRANT USAGE ON SCHEMA {schema} TO {role}"]
        for table in (*(t.name for t in metadata.sorted_tables), "alembic_version"):
            may = ("SELECT",) if table == "alembic_version" else GRANTS.get(table, _CHANGE)
            statements.append(f"REVOKE ALL ON {table} FROM {role}")
            statements.append(f"GRANT {', '.join(may)} ON {table} TO {role}")
        statements.append(f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA {schema} TO {role}")
        for statement in statements:
            connection.exec_driver_sql(statement)


_ASKED: Final = (
    "SELECT rolname, rolsuper, rolbypassrls, rolcreaterole, EXISTS ("
    "  SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    "  WHERE n.nspname = current_schema() AND c.relkind = 'r'"
    "  AND pg_has_role(r.oid, c.relowner, 'MEMBER')) AS owns "
    "FROM pg_roles r WHERE rolname = coalesce(%(role)s, current_user)"
)
_FAULTS: Final = (
    "is a superuser",
    "may bypass row-level security",
    "may create roles",
    "owns tables of the service",
)


def unsafe_role(ask: Callable[[str], Sequence[Any] | None], role: str | None = None) -> str | None:
    """Why a role (by default the one connected) is no wall between organisations; None if it is.

    `ask` runs the query with the parameter `role` and gives its one row, or None.
    """
    found = ask(_ASKED)
    if found is None:
        return f"There is no role {role}. Create it first: CREATE ROLE {role} LOGIN PASSWORD '…'."
    name, *wrong = found
    faults = [words for is_so, words in zip(wrong, _FAULTS, strict=True) if is_so]
    if not faults:
        return None
    return (
        f"The database role {name} {' and '.join(faults)}, so PostgreSQL would not keep "
        "one hospital's patients from another. Make a plain role, run 'assent db grant ROLE' as "
        "the tables' owner, and connect as that role."
    )
