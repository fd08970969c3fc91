"""Each route with an object in its path, tried by every role at every organisation.

Requests, treatments and approvals have relations of their own: `test_permission_matrix.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pytest

from app.api.matrix import ROUTES
from app.approvals.permissions import TABLE, Action, Relation
from app.auth.model import Role
from tests.functional.approvals import test_outsiders
from tests.functional.approvals.api import Api, good, initiation
from tests.functional.approvals.scene import BREAK_GLASS, Scene
from tests.functional.approvals.test_permission_matrix import TRIED

R = Relation
#: An organisation's own thing, of which the table says that it is about nobody's object.
_ITS_OWN = frozenset({R.NOBODY})
_PAYERS = {"DEMQ1": frozenset({R.PAYING_COMMISSIONER, R.NOBODY})}


@dataclass(frozen=True)
class Held:
    """Routes in the order in which they are tried, and what each organisation is to their object.

    Who may act changes the object: what follows must still find it. `person`: only whoever made it
    has it, and no other of the same organisation and role.
    """

    parties: Mapping[str, frozenset[Relation]]
    routes: tuple[str, ...]
    maker: tuple[str, Role] | None = None


#: Kind of object → who is what to the scene's one.
OBJECTS: dict[str, Held] = {
    "draft": Held(
        {"DEMO1": frozenset({R.OWN_PROVIDER})},
        (
            "GET /v1/drafts/{id}",
            "POST /v1/drafts/{id}/submit",
            "POST /v1/drafts/{id}/change",
            "POST /v1/drafts/{id}/discard",
        ),
    ),
    "break-glass": Held(
        {"DEMO2": frozenset({R.OWN_PROVIDER, R.NOBODY})},
        ("GET /v1/break-glass/{id}/record", "POST /v1/break-glass/{id}/end"),
        maker=("DEMO2", Role.PHARMACIST),
    ),
    "patient": Held(
        {"DEMO1": frozenset({R.OWN_PROVIDER})},
        (
            "POST /v1/patients/{id}/objection",
            "POST /v1/patients/{id}/objection/withdraw",
            "POST /v1/patients/{id}/death",
            "POST /v1/patients/{id}/death/take-back",
            "POST /v1/patients/{id}/links",
            "POST /v1/patients/{id}/unlink",
        ),
    ),
    "import": Held(
        {"DEMO1": _ITS_OWN},
        ("GET /v1/imports/{id}", "POST /v1/imports/{id}/accept", "POST /v1/imports/{id}/discard"),
    ),
    "challenge": Held(
        {"DEMO1": frozenset({R.OWN_PROVIDER}), "DEMQ1": frozenset({R.PAYING_COMMISSIONER})},
        (
            "GET /v1/challenges/{id}",
            "POST /v1/challenges/{id}/raise",
            "POST /v1/challenges/{id}/answer",
            "POST /v1/challenges/{id}/uphold",
            "POST /v1/challenges/{id}/withdraw",
            "POST /v1/challenges/{id}/credit",
        ),
    ),
    "run": Held(
        _PAYERS,
        (
            "GET /v1/submissions/{submission}",
            "GET /v1/jobs/{job}",
            "GET /v1/runs/{run}",
            "GET /v1/runs/{run}/lines",
            "GET /v1/runs/{run}/summary.txt",
            "GET /v1/runs/{run}/summary.csv",
            "GET /v1/runs/{run}/file",
            "GET /v1/runs/{run}/export",
            "POST /v1/runs/{run}/exports",
            "POST /v1/runs/{run}/identified-file",
            "GET /v1/runs/{run}/lines/{row}",
            "GET /v1/runs/{run}/linkage-proposals",
            "POST /v1/runs/{run}/linkage-proposals",
            "POST /v1/linkage-proposals/{id}/accept",
            "POST /v1/linkage-proposals/{id}/refuse",
            "POST /v1/line-decisions/{id}/undo",
            "POST /v1/runs/{run}/lines/{row}/match",
            "POST /v1/runs/{run}/lines/{row}/override",
        ),
    ),
    "drug name": Held(
        {"DEMQ1": _ITS_OWN},
        ("POST /v1/drug-names/{id}/accept", "POST /v1/drug-names/{id}/withdraw"),
    ),
    "adoption": Held(
        {"DEMQ1": _ITS_OWN},
        (
            "GET /v1/adoption-proposals/{id}",
            "POST /v1/adoption-proposals/{id}/confirm",
            "POST /v1/adoption-proposals/{id}/decline",
        ),
    ),
    "hand-over": Held(
        {"DEMQ1": _ITS_OWN},
        (
            "GET /v1/hand-over-proposals/{id}",
            "POST /v1/hand-over-proposals/{id}/confirm",
            "POST /v1/hand-over-proposals/{id}/decline",
        ),
    ),
    "administered": Held(
        {"DEMO1": _ITS_OWN},
        (
            "POST /v1/administration/people/{id}/end-sessions",
            "POST /v1/administration/people/{id}/withdraw-role",
            "POST /v1/administration/clients/{id}/remove-key",
            "POST /v1/administration/clients/{id}/revoke",
            "POST /v1/administration/callers/{id}/revoke",
            "POST /v1/administration/proposals/{id}/confirm",
            "POST /v1/administration/proposals/{id}/decline",
        ),
    ),
}
#: What the path names is nobody's: a policy of the library, one of the lists that each has.
NOBODYS = ("/v1/policies/{policy}", "/v1/worklists/{name}")


def test_every_route_with_an_object_in_its_path_has_its_parties() -> None:
    named = [r for r in ROUTES if r.split(" ")[1].startswith("/v1/") and "{" in r]
    of_somebody = {r for r in named if not r.split(" ")[1].startswith(NOBODYS)}
    held = [route for each in OBJECTS.values() for route in each.routes]
    assert len(held) == len(set(held))
    assert of_somebody == {*held, *TRIED}


def with_own(kind: str, scene: Scene, callers: Mapping[tuple[str, Role], Api]) -> Scene:
    """The scene, where the test's own caller must have made the object."""
    if kind != "break-glass":
        return scene
    maker = OBJECTS[kind].maker
    assert maker is not None
    opened = good(callers[maker].post("/v1/break-glass", BREAK_GLASS))
    return replace(scene, break_glass=opened["grant"]["id"])


def row_of(
    operation: str, scene: Scene, callers: Mapping[tuple[str, Role], Api]
) -> test_outsiders.Try:
    """What is sent; a patient is linked to another record that is there."""
    row = test_outsiders.TABLE[operation]
    if not operation.endswith("/links"):
        return row
    clinician = callers["DEMO1", Role.CLINICIAN]
    made = good(clinician.post("/v1/requests", initiation(71)), 201)
    treated = good(clinician.get(f"/v1/treatments/{made['treatment_id']}"))
    return replace(row, body=row.body | {"to": treated["patient"]["id"]})


def may(held: Held, action: Action, organisation: str, role: Role) -> bool:
    """What the table says, and whose it is."""
    relations = held.parties.get(organisation, frozenset()) & TABLE[action].get(role, frozenset())
    if held.maker is None:
        return bool(relations)
    # Of one's own access the table says nothing of an object; of another's, that it is one's own.
    return (organisation, role) == held.maker or R.OWN_PROVIDER in relations


@pytest.mark.parametrize("kind", sorted(OBJECTS))
def test_every_role_everywhere_meets_what_the_table_says(
    everybody: Mapping[tuple[str, Role], Api], scene: Scene, kind: str
) -> None:
    """First all who may not: they are refused, told nothing, and where they have no part in it are
    told that it is not there. Then those who may: none is refused for who they are."""
    held = OBJECTS[kind]
    scene = with_own(kind, scene, everybody)
    wrong: dict[tuple[str, str, str], str] = {}
    for operation in held.routes:
        action = ROUTES[operation]
        assert isinstance(action, Action)
        path = operation.split(" ")[1]
        assert "//" not in scene.path(path), f"the scene has no object for {operation}"
        row = row_of(operation, scene, everybody)
        callers = sorted(everybody, key=lambda who: may(held, action, *who))
        for organisation, role in callers:
            allowed = may(held, action, organisation, role)
            reply = test_outsiders.call(
                everybody[organisation, role], operation, row, scene, scene.version(path)
            )
            status = reply.status_code
            who = (operation, organisation, role)
            if status >= 500 or (status not in (403, 404)) is not allowed:
                wrong[who] = f"{status}, expected {allowed}: {reply.text[:200]}"
            elif organisation not in held.parties and role in TABLE[action] and status != 404:
                wrong[who] = f"{status}: it is not hidden"
            if not allowed and any(secret in reply.text for secret in scene.secrets()):
                wrong[who] = f"{status}: told {reply.text[:200]}"
    assert wrong == {}
