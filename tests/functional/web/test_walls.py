"""Who may open which page: roles by the table of permissions, objects by whose they are."""

import pytest

from app.api.matrix_pages import PAGE_ROUTES
from app.approvals.permissions import TABLE, Action
from app.demonstration.organisations import only_in_the_browser, seats
from tests.functional.web.conftest import Enter, Person
from tests.functional.web.forms import ANSWERS, begun, sent

NOWHERE = "7f0c2c59-3c0c-4a57-9d55-1f7d7bb6a0e1"
#: What stands for the other parts of an address.
PARTS = {
    "step": "check",
    "policy": "abc",
    "version": "2020-01-01",
    "question": "das28_at_start",
    "row": "1",
    "name": "not-started",
    **dict.fromkeys(("job", "run", "submission", "attachment"), NOWHERE),
}
GUARDED = sorted(name for name, action in PAGE_ROUTES.items() if isinstance(action, Action))
#: A person of each role, at an organisation that has no part in DEMO1's treatments.
OUTSIDERS = {
    seat.role: seat.token.removeprefix("demo-")
    for seat in (*seats(), *only_in_the_browser())
    if seat.kind == "person" and seat.organisation not in ("DEMO1", "DEMQ1")
}


def call(person: Person, route: str, id: str) -> int:
    """Call a route as a browser would, with the session's own token."""
    method, path = route.split(" ")
    path = path.replace("{id}", id)
    for name, value in PARTS.items():
        path = path.replace(f"{{{name}}}", value)
    assert "{" not in path, f"say in PARTS what {path} takes"
    if method == "GET":
        return int(person.get(path).status_code)
    fields = {"reason": "A reason.", "version": "1", "kind": "stop"}
    return int(person.send("/", path, **fields).status_code)


def test_a_role_without_the_permission_opens_no_page(
    enter: Enter, subtests: pytest.Subtests
) -> None:
    """All on one database, where each role signs in once: nothing that is refused is kept."""
    people = {role: enter(who) for role, who in OUTSIDERS.items()}
    for route in GUARDED:
        with subtests.test(route=route):
            action = PAGE_ROUTES[route]
            assert isinstance(action, Action)
            refused = [role for role in OUTSIDERS if role not in TABLE[action]]
            assert refused, "every role may do it: then say so in the matrix"
            for role in refused:
                status = call(people[role], route, NOWHERE)
                if "{" not in route:
                    assert status == 403, (route, role)
                # An address or a form of the wrong shape is told of before the role is looked at.
                assert status in (400, 403, 404), (route, role)


def test_another_organisation_finds_nothing(enter: Enter) -> None:
    owner = enter("demo1-clinician")
    draft = begun(owner, "H000777", 60_001)
    request, treatment = sent(owner, ANSWERS)
    ids = {"/drafts/": draft, "/requests/": request, "/treatments/": treatment}
    tried = 0
    for route in GUARDED:
        prefix = next((each for each in ids if each in route and "{id}" in route), None)
        if prefix is None:
            continue
        action = PAGE_ROUTES[route]
        assert isinstance(action, Action)
        for role in TABLE[action]:
            if role not in OUTSIDERS:
                continue
            tried += 1
            status = call(enter(OUTSIDERS[role]), route, ids[prefix])
            assert status == 404, (route, role, status)
    assert tried > 30
    assert owner.get(f"/requests/{request}").status_code == 200


def test_a_payer_sees_no_name_and_no_number(enter: Enter) -> None:
    request, treatment = sent(enter("demo1-clinician"), ANSWERS)
    for who in ("demq2-commissioner", "demq1-commissioner"):
        for path in (f"/requests/{request}", f"/treatments/{treatment}"):
            shown = enter(who).get(path)
            if who.startswith("demq2"):
                assert shown.status_code == 404
                continue
            assert shown.status_code == 200
            assert "999 060 " not in shown.text
            assert "1 February 1970" not in shown.text
            assert "Pseudonym" in shown.text
