"""Decisions are counted for Prometheus once they are committed, and never twice."""

import uuid

from tests.functional.approvals.api import Api, good, initiation


def counted(api: Api) -> list[str]:
    """The counts of decisions, without the times at which they began."""
    text = api.client.get("/metrics").text
    return [line for line in text.splitlines() if line.startswith("assent_decisions_total")]


def test_a_decision_is_counted_once_however_often_its_form_is_sent(clinician: Api) -> None:
    assert counted(clinician) == []
    request_id = str(uuid.uuid4())
    for _ in range(2):
        good(clinician.post("/v1/requests", initiation(), request_id=request_id), 201)
    line = 'assent_decisions_total{kind="initiation",made_by="policy",outcome="approved"} 1.0'
    assert counted(clinician) == [line]


def test_a_refused_call_and_a_dry_run_count_nothing(clinician: Api) -> None:
    good(clinician.post("/v1/requests", initiation()), 201)
    before = counted(clinician)
    assert clinician.post("/v1/requests", initiation()).status_code == 409
    good(clinician.post("/v1/checks", initiation(2)))
    assert counted(clinician) == before
