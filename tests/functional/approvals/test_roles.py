"""The roles that the description names for a call are the ones that may make it."""

from collections.abc import Mapping

from app.api.openapi import METHODS
from app.api.roles import ROLES_KEY
from app.auth.model import Role
from app.commands.openapi import current_application
from tests.functional.approvals.api import Api
from tests.functional.approvals.scene import Scene
from tests.functional.approvals.test_outsiders import STALE, TABLE, call

OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, methods in current_application().openapi()["paths"].items()
    for method, operation in methods.items()
    if method in METHODS and path.startswith("/v1/")
}
MARKED = {name: op[ROLES_KEY] for name, op in OPERATIONS.items() if ROLES_KEY in op}
#: Who has each role at the organisation whose step it is.
RECEIVER = {Role.CLINICIAN: "other clinician", Role.PHARMACIST: "other pharmacist"}


def person(role: Role, operation: str) -> str:
    receiver = RECEIVER.get(role) if operation.endswith("consent") else None
    return receiver or role.value


def test_every_operation_says_who_may_call_it() -> None:
    says = ("For these roles: ", "For every role.", "For a commissioner, or a trust's pharmacist")
    silent = [n for n, op in OPERATIONS.items() if not any(s in op["description"] for s in says)]
    assert silent == []


def test_a_role_that_is_not_named_is_refused(people: Mapping[str, Api], scene: Scene) -> None:
    wrong: dict[tuple[str, str], int] = {}
    for operation, roles in MARKED.items():
        version = scene.version(operation.split(" ")[1])
        for role in set(Role) - set(roles):
            api = people[person(role, operation)]
            reply = call(api, operation, TABLE[operation], scene, version)
            if reply.status_code not in (403, 404):
                wrong[operation, role] = reply.status_code
    assert wrong == {}


def test_a_role_that_is_named_is_not_refused_for_its_role(
    people: Mapping[str, Api], scene: Scene
) -> None:
    wrong: dict[tuple[str, str], int] = {}
    for operation, roles in MARKED.items():
        for role in roles:
            api = people[person(Role(role), operation)]
            reply = call(api, operation, TABLE[operation], scene, STALE)
            if reply.status_code == 403:
                wrong[operation, role] = reply.status_code
    assert wrong == {}
