"""Over the API: what a panel declined or asked about comes back to it, whatever is corrected."""

from collections.abc import Mapping

import pytest

from tests.functional.approvals.api import Api, answering, good, initiation


def test_a_request_that_a_panel_declined_is_not_approved_by_correcting_it_twice(
    people: Mapping[str, Api],
) -> None:
    clinician, payer = people["clinician"], people["commissioner"]
    sent = good(clinician.post("/v1/requests", answering(initiation(), screened=False)), 201)
    at = f"/v1/requests/{sent['id']}"
    body = good(payer.post(f"{at}/panel-decline", {"reason": "No."}, version=sent["version"]))
    assert body["state"] == "declined"
    for answers in ({"screened": True}, {"das28_at_start": {"value": "6.5"}}):
        change = {"answers": answers, "reason": "Typing error."}
        body = good(clinician.post(f"{at}/correct", change, version=body["version"]))
        assert (body["state"], body["approval"]) == ("referred", None)
        latest = body["decisions"][-1]
        assert (latest["made_by"], latest["outcome"]) == ("policy", "referred")
        assert "A panel declined this request on" in latest["reasons"][1]
        assert latest["reasons"][-1] == "Why it was corrected: Typing error."
    seen = good(payer.get(at))
    assert [each["outcome"] for each in seen["decisions"]] == [
        "referred", "declined", "referred", "referred",
    ]  # fmt: skip
    allowed = {"reason": "Yes.", "waived": []}
    done = good(payer.post(f"{at}/panel-approve", allowed, version=body["version"]))
    assert done["approval"]["basis"] == "panel"


@pytest.mark.parametrize("closed", ["withdraw", "enter-in-error"])
def test_neither_an_answer_nor_a_new_form_goes_past_the_panels_question(
    people: Mapping[str, Api], closed: str
) -> None:
    clinician, payer = people["clinician"], people["commissioner"]
    sent = good(clinician.post("/v1/requests", answering(initiation(), screened=False)), 201)
    at = f"/v1/requests/{sent['id']}"
    asked = {"question": "Why not screened?"}
    body = good(payer.post(f"{at}/panel-return", asked, version=sent["version"]))
    change = {"answers": {"screened": True}}
    body = good(clinician.post(f"{at}/amend", change, version=body["version"]))
    assert (body["state"], body["approval"]) == ("referred", None)
    good(clinician.post(f"{at}/{closed}", {"reason": "Anew."}, version=body["version"]))
    checked = good(clinician.post("/v1/checks", initiation()))
    anew = good(clinician.post("/v1/requests", initiation()), 201)
    assert (anew["state"], anew["approval"]) == ("referred", None)
    assert "An earlier form of this patient" in anew["decisions"][-1]["reasons"][-1]
    assert checked["outcome"] == "referred"
