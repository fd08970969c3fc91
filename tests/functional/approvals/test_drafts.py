"""A half-filled form is kept; a delegate prepares it and the clinician submits it."""

from collections.abc import Mapping
from typing import Any

import pytest
import sqlalchemy as sa

from app.db.tables import audit_event, audit_payload, draft, request
from app.db.transaction import Database
from app.db.work import Moment
from tests.functional.approvals.api import Api, continuation, good, initiation

SECRET = "a word that only the form holds"


def parts(form: dict[str, Any]) -> dict[str, Any]:
    """A first request's body as a draft holds it."""
    whole = dict(form)
    policy, answers = whole.pop("policy"), whole.pop("answers")
    return {"kind": "initiation", "policy": policy, "form": whole, "answers": answers}


def content(form: dict[str, Any]) -> dict[str, Any]:
    return {name: parts(form)[name] for name in ("form", "answers")}


def prepared(api: Api, form: dict[str, Any]) -> Any:
    return good(api.post("/v1/drafts", parts(form)), 201)


def test_a_delegate_prepares_in_two_sittings_and_the_clinician_submits(
    people: Mapping[str, Api], database: Database, moment: Moment
) -> None:
    half = {"kind": "initiation", "policy": "adalimumab-ra-severe", "answers": {"das28": "six?"}}
    first = good(people["delegate"].post("/v1/drafts", half), 201)
    at = f"/v1/drafts/{first['id']}"
    assert (first["state"], first["version"], first["answers"]) == ("open", 1, half["answers"])

    whole = good(people["delegate"].post(f"{at}/change", content(initiation(1)), version=1))
    assert (whole["version"], whole["form"]["commissioner"]) == (2, "DEMQ1")
    assert people["delegate"].post(f"{at}/submit", version=2).status_code == 403

    decided = good(people["clinician"].post(f"{at}/submit", version=2), 201)
    assert decided["state"] == "approved"
    after = good(people["delegate"].get(at))
    assert (after["state"], after["submitted_request"]) == ("submitted", decided["id"])
    assert good(people["delegate"].get("/v1/drafts"))["drafts"] == []

    def submitters(work: Any) -> list[str]:
        return list(work.connection.scalars(sa.select(request.c.submitted_by)))

    (submitter,) = database.read(submitters, moment=moment)
    assert submitter == after["changed_by"] != after["prepared_by"]


def test_a_draft_is_submitted_once(people: Mapping[str, Api]) -> None:
    clinician = people["clinician"]
    at = f"/v1/drafts/{prepared(clinician, initiation(1))['id']}"
    good(clinician.post(f"{at}/submit", version=1), 201)
    for path, body in (("submit", None), ("discard", None), ("change", content(initiation(1)))):
        again = clinician.post(f"{at}/{path}", body, version=2)
        assert (again.status_code, again.json()["code"]) == (409, "step-not-possible"), path


def test_the_same_call_again_submits_once_and_answers_the_same(people: Mapping[str, Api]) -> None:
    clinician = people["clinician"]
    at = f"/v1/drafts/{prepared(clinician, initiation(1))['id']}/submit"
    same = "7f0c2c59-3c0c-4a57-9d55-1f7d7bb6a0e1"
    first = clinician.post(at, version=1, request_id=same)
    second = clinician.post(at, version=1, request_id=same)
    assert (first.status_code, first.text) == (second.status_code, second.text) == (201, first.text)


def test_two_people_do_not_undo_each_other(people: Mapping[str, Api]) -> None:
    at = f"/v1/drafts/{prepared(people['delegate'], initiation(1))['id']}"
    good(people["pharmacist"].post(f"{at}/change", content(initiation(1)), version=1))
    late = people["delegate"].post(f"{at}/change", content(initiation(2)), version=1)
    assert (late.status_code, late.json()["code"]) == (412, "changed-since")
    assert people["delegate"].post(f"{at}/change", content(initiation(2))).status_code == 428


@pytest.mark.parametrize(
    ("form", "code", "where"),
    [
        ({"commissioner": "DEMQ1"}, "not-as-described", "patient"),
        (initiation(1)["patient"], "not-as-described", "local_id"),
        (parts(initiation(1, commissioner="RX1"))["form"], "details-not-accepted", "commissioner"),
    ],
    ids=["unfinished", "misplaced", "wrong organisation"],
)
def test_what_cannot_be_submitted_stays_an_open_draft(
    people: Mapping[str, Api], form: dict[str, Any], code: str, where: str
) -> None:
    body = parts(initiation(1)) | {"form": form}
    made = good(people["clinician"].post("/v1/drafts", body), 201)
    refused = people["clinician"].post(f"/v1/drafts/{made['id']}/submit", version=1)
    assert (refused.status_code, refused.json()["code"]) == (422, code), refused.text
    assert where in {fault["where"] for fault in refused.json()["errors"]}
    assert good(people["clinician"].get(f"/v1/drafts/{made['id']}")) == made


def test_a_put_away_draft_is_kept_and_closed(
    people: Mapping[str, Api], database: Database, moment: Moment
) -> None:
    at = f"/v1/drafts/{prepared(people['delegate'], initiation(1))['id']}"
    assert good(people["delegate"].post(f"{at}/discard", version=1))["state"] == "discarded"
    assert people["clinician"].post(f"{at}/submit", version=2).status_code == 409
    assert good(people["delegate"].get("/v1/drafts"))["drafts"] == []
    count = sa.select(sa.func.count()).select_from(draft)
    assert database.read(lambda work: work.connection.scalar(count), moment=moment) == 1


def test_a_continuation_is_prepared_on_its_treatment(people: Mapping[str, Api]) -> None:
    clinician, delegate = people["clinician"], people["delegate"]
    first = good(clinician.post("/v1/requests", initiation(1)), 201)
    form = continuation("2026-06-15")
    answers = form.pop("answers")
    kind = form.pop("kind")
    body = {"kind": kind, "form": form, "answers": answers}
    missing = delegate.post("/v1/drafts", body)
    assert (missing.status_code, missing.json()["code"]) == (422, "details-not-accepted")

    made = good(delegate.post("/v1/drafts", body | {"treatment_id": first["treatment_id"]}), 201)
    sent = good(clinician.post(f"/v1/drafts/{made['id']}/submit", version=1), 201)
    assert (sent["kind"], sent["treatment_id"]) == ("continuation", first["treatment_id"])


def test_numbers_are_kept_as_exactly_as_they_were_typed(people: Mapping[str, Api]) -> None:
    body = b'{"kind": "initiation", "form": {}, "answers": {"das28_at_start": 5.10000000000000001}}'
    made = good(people["delegate"].post("/v1/drafts", body), 201)
    assert made["answers"] == {"das28_at_start": "5.10000000000000001"}


def test_a_form_too_long_to_be_one_is_refused(people: Mapping[str, Api]) -> None:
    body = {"kind": "initiation", "form": {"patient": "x" * 300_000}}
    refused = people["delegate"].post("/v1/drafts", body)
    assert (refused.status_code, refused.json()["code"]) == (422, "details-not-accepted")


def test_each_step_is_audited_without_what_was_typed(
    people: Mapping[str, Api], database: Database, moment: Moment
) -> None:
    form = initiation(1, retrospective_reason=SECRET)
    at = f"/v1/drafts/{prepared(people['delegate'], form)['id']}"
    good(people["delegate"].post(f"{at}/change", content(initiation(1)), version=1))
    good(people["clinician"].post(f"{at}/submit", version=2), 201)

    def told(work: Any) -> list[Any]:
        joined = audit_event.join(audit_payload, audit_payload.c.id == audit_event.c.payload_id)
        columns = (audit_event.c.action, audit_event.c.role, audit_payload.c.body)
        ours = audit_event.c.object_type == "draft"
        query = sa.select(*columns).select_from(joined).where(ours).order_by(audit_event.c.id)
        return list(work.connection.execute(query))

    events = database.read(told, moment=moment)
    assert [(event.action, event.role) for event in events] == [
        ("prepare draft", "delegate"),
        ("change draft", "delegate"),
        ("submit draft", "clinician"),
    ]
    patient = initiation(1)["patient"]
    for event in events:
        for secret in (SECRET, patient["nhs_number"], patient["birth_date"], "methotrexate"):
            assert secret not in event.body
