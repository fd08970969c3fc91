"""Every route is in the matrix, and every role in every relation meets what the table says."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.routing import Mount, Route

from app.api.matrix import ROUTES, page
from app.api.roles import ROLES_KEY
from app.approvals.permissions import ROLES, SCOPE_OF, TABLE, Action, Relation
from app.auth.model import Role
from app.auth.scopes import SCOPES
from app.commands.openapi import current_application
from tests.functional.approvals import test_outsiders
from tests.functional.approvals.api import Api, answering, good, initiation
from tests.functional.approvals.scene import Scene, attached
from tests.functional.approvals.test_reviews import transfer

PAGE = Path(__file__).parents[3] / "docs" / "assurance" / "permissions.md"
R = Relation


def walked(routes: Iterable[Any]) -> Iterator[Any]:
    """Every route, those of included routers too. A kind of route that is not known fails."""
    for route in routes:
        inner = getattr(route, "original_router", None)
        if inner is not None:
            yield from walked(inner.routes)
        else:
            assert isinstance(route, Route), f"{route} is reached by no row of the matrix"
            yield route


def served() -> dict[str, Any]:
    """Every route of the application, hidden ones and pages too."""
    return {
        f"{method} {route.path}": route
        for route in walked(current_application().routes)
        for method in (route.methods or set()) - {"HEAD"}
    }


def test_every_route_of_the_application_is_in_the_matrix() -> None:
    assert set(served()) == set(ROUTES)
    described = current_application().openapi()["paths"]
    assert {f"{m.upper()} {path}" for path, ms in described.items() for m in ms} <= set(ROUTES)


def test_a_route_of_another_kind_is_not_passed_over() -> None:
    with pytest.raises(AssertionError, match="reached by no row"):
        list(walked([Mount("/files", app=current_application())]))


def test_a_routes_description_names_the_roles_of_its_action() -> None:
    wrong = {}
    for name, route in served().items():
        action = ROUTES[name]
        if not isinstance(action, Action) or not route.include_in_schema:
            continue  # a page asks the table itself
        told = (route.openapi_extra or {}).get(ROLES_KEY)
        if told != sorted(ROLES[action]):
            wrong[name] = told
    assert wrong == {}


def test_every_action_has_a_row_a_scope_and_a_route() -> None:
    assert set(TABLE) == set(SCOPE_OF) == set(Action)
    assert set(SCOPE_OF.values()) == set(SCOPES)
    assert {action for action in ROUTES.values() if isinstance(action, Action)} == set(Action)
    assert all(relations for by_role in TABLE.values() for relations in by_role.values())


def test_the_page_of_permissions_is_fresh() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), (
        "docs/assurance/permissions.md is stale: write app.api.matrix.page() to it"
    )


# --- the application is held to the table --------------------------------------------------------

#: An object of the scene → what each organisation has to do with it.
PARTIES: dict[str, dict[str, Relation]] = {
    "first": {"DEMO1": R.OWN_PROVIDER, "DEMQ1": R.PAYING_COMMISSIONER},
    "transfer": {
        "DEMO1": R.OWN_PROVIDER,
        "DEMO2": R.RECEIVING_PROVIDER,
        "DEMQ1": R.PAYING_COMMISSIONER,
    },
}
OBJECTS = ("/v1/requests/{id}", "/v1/treatments/{id}", "/v1/approvals/{reference}")
TRIED = sorted(name for name in ROUTES if name.split(" ")[1].startswith(OBJECTS))


def test_every_role_in_every_relation_meets_what_the_table_says(
    everybody: Mapping[tuple[str, Role], Api], scene: Scene
) -> None:
    """Who may take a step sends a stale version and is told so; the others are refused."""
    wrong: dict[tuple[str, str, str], str] = {}
    for operation in TRIED:
        action = ROUTES[operation]
        assert isinstance(action, Action)
        parties = PARTIES["transfer" if operation.endswith("consent") else "first"]
        row = test_outsiders.TABLE[operation]
        for (organisation, role), api in everybody.items():
            relation = parties.get(organisation, R.NOBODY)
            may = relation in TABLE[action].get(role, frozenset()) - {R.NOBODY}
            right = scene.version(operation.split(" ")[1])
            version = test_outsiders.STALE if may else right
            reply = test_outsiders.call(api, operation, row, scene, version)
            if (reply.status_code not in (403, 404)) is not may or reply.status_code >= 500:
                wrong[operation, role, relation] = f"{reply.status_code}, expected {may}"
            if relation is R.NOBODY and role in TABLE[action] and reply.status_code != 404:
                wrong[operation, role, relation] = f"{reply.status_code}: it is not hidden"
            if operation.endswith("/remove") and reply.status_code == 200:  # the next needs another
                clinician = everybody["DEMO1", Role.CLINICIAN]
                scene = replace(scene, attachment=attached(clinician, scene.request))
    assert wrong == {}


#: A treatment of DEMO1 → who has another part in it, and on which routes it is asked about.
PARTS: dict[str, tuple[str, Relation, tuple[str, ...]]] = {
    "supplied": ("DEMO2", R.SUPPLYING_PROVIDER, ("/v1/treatments/{id}", "/v1/approvals/")),
    "handed over": ("DEMO1", R.FORMER_PROVIDER, ("/v1/treatments/{id}", "/v1/approvals/")),
    "referred": ("DEMP1", R.PANEL_ASKED, ("/v1/treatments/{id}", "/v1/requests/{id}")),
}


def with_part(
    part: str, scene: Scene, callers: Mapping[tuple[str, Role], Api], change: Callable[..., None]
) -> Scene:
    """The scene about another treatment of DEMO1, in which the named organisation has its part."""
    own, other = callers["DEMO1", Role.CLINICIAN], callers["DEMO2", Role.CLINICIAN]
    form = initiation(70)
    if part == "referred":
        change("DEMQ1", "panel", "DEMP1")
        form = answering(form, screened=False)
    if part == "supplied":
        form |= {"details": {"supplying_providers": ["DEMO2"]}}
    made = good(own.post("/v1/requests", form), 201)
    at = f"/v1/treatments/{made['treatment_id']}"
    if part == "handed over":
        moving = transfer(own, at)
        good(other.post(f"/v1/requests/{moving['id']}/consent", version=moving["version"]))
    reference = made["approval"]["reference"] if made["approval"] else scene.reference
    versions = {
        made["id"]: made["version"],
        made["treatment_id"]: good(callers["DEMQ1", Role.COMMISSIONER].get(at))["version"],
        reference: made["approval"]["version"] if made["approval"] else 1,
    }
    return replace(
        scene,
        request=made["id"],
        treatment=made["treatment_id"],
        reference=reference,
        attachment=attached(own, made["id"]) if part == "referred" else scene.attachment,
        versions={**scene.versions, **versions},
    )


@pytest.mark.parametrize("part", sorted(PARTS))
def test_whoever_has_a_part_in_it_meets_what_the_table_says(
    everybody: Mapping[tuple[str, Role], Api],
    scene: Scene,
    change: Callable[..., None],
    part: str,
) -> None:
    """The panel that is asked, the hospital that handed it over, the one that supplies the drug."""
    own = with_part(part, scene, everybody, change)
    organisation, relation, routes = PARTS[part]
    wrong: dict[tuple[str, str], str] = {}
    for operation in (name for name in TRIED if name.split(" ")[1].startswith(routes)):
        action = ROUTES[operation]
        assert isinstance(action, Action)
        if operation.endswith("consent"):
            continue  # on a transfer: above
        for role in Role:
            may = relation in TABLE[action].get(role, frozenset())
            right = own.version(operation.split(" ")[1])
            reply = test_outsiders.call(
                everybody[organisation, role],
                operation,
                test_outsiders.TABLE[operation],
                own,
                test_outsiders.STALE if may else right,
            )
            if (reply.status_code not in (403, 404)) is not may or reply.status_code >= 500:
                wrong[operation, role] = f"{reply.status_code}, expected {may}"
    assert wrong == {}
