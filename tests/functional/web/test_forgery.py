"""No form of any page does anything without the token of its session, or from another site."""

import pytest
from fastapi import FastAPI

from app.api.matrix_pages import PAGE_ROUTES
from tests.functional.web.conftest import Enter
from tests.functional.web.test_hostile_input import rows
from tests.functional.web.test_walls import NOWHERE, PARTS

#: Sent by the provider, which signs what it sends; or by somebody who has no session yet.
WITHOUT_SESSION = {"POST /sign-in/back-channel-logout", "POST /sign-in/demonstration"}
FORMS = sorted(
    name for name in PAGE_ROUTES if name.startswith("POST ") and name not in WITHOUT_SESSION
)
#: A name as an uploaded file has one.
STAGED = "0" * 64
WHY = {"csrf": "not of this session", "origin": "came from another site"}
#: Who may open what, so that it is the form that is refused and not the person.
WHO = (
    "demo1-clinician",
    "demq1-commissioner",
    "demq1-invoice-validation",
    "demp1-panel-member",
    "demo1-pharmacist",
    "demo1-administrator",
    "demo1-auditor",
    "demq1-policy-author",
)


def address(route: str) -> str:
    path = route.removeprefix("POST ").replace("{id}", NOWHERE).replace("{name}", STAGED)
    for name, value in PARTS.items():
        path = path.replace(f"{{{name}}}", value).replace(f"{{{name}:path}}", value)
    assert "{" not in path, path
    return path


@pytest.mark.parametrize("spoilt", ["csrf", "origin"])
def test_no_form_is_taken_without_its_token_or_from_another_site(
    enter: Enter, application: FastAPI, spoilt: str
) -> None:
    people = [enter(who) for who in WHO]
    before = rows(application)
    headers = {"Origin": "https://evil.example"} if spoilt == "origin" else {}
    taken = []
    for route in FORMS:
        files = {"file": ("a.csv", b"a,b\n1,2\n", "text/csv")}
        fields = {"csrf": "another session's", "once": NOWHERE, "version": "1", "reason": "x"}
        told = []
        for person in people:
            for sent in ({"data": fields}, {"data": fields, "files": files}):
                reply = person.http.post(address(route), headers=headers, **sent)
                told.append((reply.status_code, reply.text))
        if any(status < 400 for status, _ in told):
            taken.append(f"{route}: {sorted({status for status, _ in told})}")
        elif not any("before you signed in" in text or WHY[spoilt] in text for _, text in told):
            taken.append(f"{route}: refused, but not for the form's sake")
    assert taken == []
    assert rows(application) == before
