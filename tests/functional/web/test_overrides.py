"""A clinician's judgement before a criterion, kept with the draft for the policy's own reasons."""

import html
import re

from tests.functional.web.conftest import Enter
from tests.functional.web.forms import DAY, FORM
from tests.policies.library import POLICIES, versions

POLICY = "adalimumab-crohns-severe"


def test_an_override_is_kept_for_a_reason_of_the_policy_and_taken_back(enter: Enter) -> None:
    held = versions(POLICIES / "gastroenterology" / POLICY)
    newest = max(held.values(), key=lambda each: (each.in_force.from_, each.version))
    criterion = next(each for each in newest.start if each.override is not None)
    assert criterion.override is not None
    reason, said = next(iter(criterion.override.reasons.items()))
    clinician, at = enter("demo1-clinician"), FORM.replace("adalimumab-ra-severe", POLICY)
    patient = {
        "patient.no_nhs_number_reason": "overseas",
        "patient.local_id": "H003000",
        "patient.sex": "male",
        "patient.birth_date-day": "1",
        "patient.birth_date-month": "2",
        "patient.birth_date-year": "1970",
    }
    draft = str(clinician.send(at, at, **patient).headers["location"]).split("/")[2]
    check, action = f"/drafts/{draft}/check", f"/drafts/{draft}/override"
    about = f"/drafts/{draft}/treatment"
    clinician.send(about, about, commissioner="DEMQ1", **_today(clinician.get(about).text))
    assert f"override-{criterion.id}" in clinician.get(check).text, "it is not answered yet"

    words = "A stoma distorts the score."
    fields = {"criterion": criterion.id, "override_reason": reason, "words": words}
    assert clinician.send(check, action, **fields | {"words": " "}).status_code == 422
    assert clinician.send(check, action, **fields | {"override_reason": "mine"}).status_code == 422
    assert clinician.send(check, action, **fields | {"criterion": "NONE"}).status_code == 422
    assert enter("demo1-delegate").send(check, action, **fields).status_code == 403
    assert enter("demo2-clinician").send("/", action, version="1", **fields).status_code == 404
    assert "A stoma distorts the score." not in clinician.get(check).text

    assert clinician.send(check, action, **fields).headers["location"] == check
    shown = html.unescape(clinician.get(check).text)
    assert "A stoma distorts the score." in shown
    assert f'value="{reason}" selected>{said}<' in shown
    taken_back = fields | {"override_reason": ""}
    assert clinician.send(check, action, **taken_back).headers["location"] == check
    assert "A stoma distorts the score." not in clinician.get(check).text


def _today(shown: str) -> dict[str, str]:
    return dict(re.findall(DAY, shown))
