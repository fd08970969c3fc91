"""A refusal tells no more than one may know: first the role, then the object, then its version.

A body that is not as the description has it is refused before all of these: that tells nothing of
any object.
"""

from collections.abc import Mapping
from typing import Any

from app.api.roles import ROLES_KEY
from app.auth.model import Role
from app.commands.openapi import current_application
from tests.functional.approvals.api import Api
from tests.functional.approvals.scene import Scene
from tests.functional.approvals.test_outsiders import STALE, TABLE, Try
from tests.functional.approvals.test_roles import person

#: Every operation that takes If-Match → the roles that may call it.
VERSIONED: dict[str, list[str]] = {
    f"{method.upper()} {path}": operation[ROLES_KEY]
    for path, methods in current_application().openapi()["paths"].items()
    for method, operation in methods.items()
    if any(each.get("name") == "If-Match" for each in operation.get("parameters", ()))
}


def send(api: Api, operation: str, row: Try, scene: Scene, version: int | None) -> Any:
    return api.post(scene.path(operation.split(" ")[1]), row.body, version=version)


def test_every_changing_step_that_names_an_object_is_tried() -> None:
    assert len(VERSIONED) >= 20
    assert set(VERSIONED) <= set(TABLE)


def test_who_may_not_is_told_so_whatever_version_was_read(
    people: Mapping[str, Api], scene: Scene
) -> None:
    wrong: dict[tuple[str, str, int | None], int] = {}
    for operation, roles in VERSIONED.items():
        for role in sorted(set(Role) - set(roles)):
            for version in (None, STALE):
                api = people[person(Role(role), operation)]
                reply = send(api, operation, TABLE[operation], scene, version)
                if reply.status_code != 403:
                    wrong[operation, role, version] = reply.status_code
    assert wrong == {}


def test_what_another_may_not_see_is_not_found_whatever_version_was_read(
    people: Mapping[str, Api], scene: Scene
) -> None:
    wrong: dict[tuple[str, int | None], int] = {}
    for operation in VERSIONED:
        row = TABLE[operation]
        for version in (None, STALE):
            reply = send(people[row.outsider], operation, row, scene, version)
            if reply.status_code != 404:
                wrong[operation, version] = reply.status_code
    assert wrong == {}


def test_only_who_may_take_the_step_is_asked_for_the_version(
    people: Mapping[str, Api], scene: Scene
) -> None:
    wrong: dict[str, list[int]] = {}
    for operation in VERSIONED:
        row = TABLE[operation]
        told = [
            send(people[row.insider], operation, row, scene, version).status_code
            for version in (None, STALE)
        ]
        if told != [428, 412]:
            wrong[operation] = told
    assert wrong == {}


def test_a_form_that_cannot_be_checked_tells_nobody_else_so(
    people: Mapping[str, Api], scene: Scene
) -> None:
    form = {"kind": "pause", "decision_to_treat": "2026-06-15"}
    at = f"/v1/treatments/{scene.treatment}/checks"
    told = {who: people[who].post(at, form).status_code for who in ("auditor", "other clinician")}

    assert told == {"auditor": 403, "other clinician": 404}
    assert people["clinician"].post(at, form).status_code == 422
