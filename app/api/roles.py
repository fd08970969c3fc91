"""Which roles may make a call: told in the description, from the table that decides it."""

from typing import Any

from app.approvals.permissions import ROLES, Action

#: Mark in `openapi_extra` of a route: the roles that may call it. `app/api/openapi.py` turns it
#: into a sentence and documents the 403.
ROLES_KEY = "x-roles"


def for_roles(*actions: Action) -> dict[str, Any]:
    """The `openapi_extra` of a route that takes any of these actions."""
    roles = frozenset[str]().union(*(ROLES[action] for action in actions))
    return {ROLES_KEY: sorted(roles)}
