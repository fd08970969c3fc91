"""Whatever is wrong with a form gets a clear problem that names the place, and stores nothing."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from app.reference_data.nhs_number import test_number as invented_nhs_number
from tests.functional.approvals.api import Api, answering, continuation, good, initiation

Rows = Callable[[], dict[str, int]]
NAME = "Zephaniah"


def patient(**changes: Any) -> dict[str, Any]:
    return initiation(patient=initiation()["patient"] | changes)


def details(**changes: Any) -> dict[str, Any]:
    return initiation(details=changes)


MALFORMED = {
    "a field that is not known": (initiation(provder="red"), "body.provder"),
    "a patient's name": (patient(name=NAME), "body.patient.name"),
    "a day in British form": (initiation(decision_to_treat="10/06/2026"), "body.decision_to_treat"),
    "a day that is not in the calendar": (
        initiation(decision_to_treat="2026-02-30"),
        "body.decision_to_treat",
    ),
    "a year that cannot be meant": (initiation(first_dose="9999-12-31"), "body.first_dose"),
    "a day as a number": (initiation(decision_to_treat=20260610), "body.decision_to_treat"),
    "a route that is not known": (initiation(route="friend"), "body.route"),
    "an organisation's code in small letters": (
        initiation(commissioner="demq1"),
        "body.commissioner",
    ),
    "an NHS number in Arabic-Indic digits": (
        patient(nhs_number="٩٩٩٠٠٠٠٠١٨"),
        "body.patient.nhs_number",
    ),
    "an NHS number in fullwidth digits": (
        patient(nhs_number="９９９００００１８０"),
        "body.patient.nhs_number",
    ),
    "an NHS number as a number": (patient(nhs_number=9990000018), "body.patient.nhs_number"),
    "an NHS number with a line end": (
        patient(nhs_number=invented_nhs_number(1) + "\n"),
        "body.patient.nhs_number",
    ),
    "a birth date in the year 1899": (patient(birth_date="1899-12-31"), "body.patient.birth_date"),
    "a sex that is not known here": (patient(sex="F"), "body.patient.sex"),
    "a hospital number that is too long": (patient(local_id="H" * 21), "body.patient.local_id"),
    "a dose of nothing": (
        details(dose={"amount": "0", "unit": "mg"}),
        "body.details.dose.amount",
    ),
    "a dose with more decimals than are kept": (
        details(dose={"amount": "0.123456789", "unit": "mg"}),
        "body.details.dose.amount",
    ),
    "a dose in words": (
        details(dose={"amount": "forty", "unit": "mg"}),
        "body.details.dose.amount",
    ),
    "a dose interval that is not whole": (
        details(dose={"amount": "40", "unit": "mg", "every_days": "14"}),
        "body.details.dose.every_days",
    ),
    "a note that is too long": (details(note="x" * 2001), "body.details.note"),
    "a note of blanks": (details(note="  "), "body.details.note"),
    "a note with a control character": (details(note="a\u0007b"), "body.details.note"),
    "answers as a list": (initiation(answers=[]), "body.answers"),
    "no answers at all": (
        {name: value for name, value in initiation().items() if name != "answers"},
        "body.answers",
    ),
    "more answers than any policy asks": (
        initiation(answers={f"q{n}": 1 for n in range(201)}),
        "body.answers",
    ),
}


@pytest.mark.parametrize("path", ["/v1/requests", "/v1/checks"])
def test_a_form_that_is_not_as_described_is_422(
    clinician: Api, rows: Rows, subtests: pytest.Subtests, path: str
) -> None:
    for case, (form, where) in MALFORMED.items():
        with subtests.test(case=case):
            before = rows()

            reply = clinician.post(path, form)

            assert (reply.status_code, reply.json()["code"]) == (422, "not-as-described"), (
                reply.text
            )
            assert where in [error["where"] for error in reply.json()["errors"]]
            assert all(error["mend"] for error in reply.json()["errors"])
            assert NAME not in reply.text
            assert rows() == before


DETAILS = {
    "an NHS number that cannot exist": (patient(nhs_number="9990000011"), "patient.nhs_number"),
    "neither an NHS number nor a reason": (patient(nhs_number=None), "patient.nhs_number"),
    "a reason beside an NHS number": (
        patient(no_nhs_number_reason="newborn"),
        "patient.no_nhs_number_reason",
    ),
    "a birth date ahead": (patient(birth_date="2026-06-16"), "patient.birth_date"),
    "a decision ahead": (initiation(decision_to_treat="2026-06-16"), "decision_to_treat"),
    "a first dose before the decision": (initiation(first_dose="2026-06-09"), "first_dose"),
    "a commissioner that nobody knows": (initiation(commissioner="QZZ99"), "commissioner"),
    "a provider as the commissioner": (initiation(commissioner="DEMO1"), "commissioner"),
    "a supplying provider that nobody knows": (
        details(supplying_providers=["DEMO2", "RZZ99"]),
        "details.supplying_providers.1",
    ),
    "a product that the drug does not have": (
        details(product="tysabri"),
        "details.product",
    ),
}


@pytest.mark.parametrize("path", ["/v1/requests", "/v1/checks"])
def test_a_detail_that_cannot_be_so_is_422_and_named(
    clinician: Api, rows: Rows, subtests: pytest.Subtests, path: str
) -> None:
    for case, (form, where) in DETAILS.items():
        with subtests.test(case=case):
            before = rows()

            reply = clinician.post(path, form)

            assert (reply.status_code, reply.json()["code"]) == (422, "details-not-accepted"), (
                reply.text
            )
            assert [error["where"] for error in reply.json()["errors"]] == [where]
            assert rows() == before


ANSWERS = {
    "a question that is not asked": ({"das28_at_strat": "6.0"}, "das28_at_strat", "das28_at_start"),
    "a wrong unit": ({"dose_mg": {"value": "40", "unit": "g"}}, "dose_mg", "mg"),
    "no unit": ({"dose_mg": "40"}, "dose_mg", "unit"),
    "a number in words": ({"das28_at_start": "six"}, "das28_at_start", "number"),
    "a number in Arabic-Indic digits": ({"das28_at_start": "٦"}, "das28_at_start", "digits 0 to 9"),
    "a number out of range": ({"das28_at_start": "10.5"}, "das28_at_start", "10"),
    "too many decimals": ({"das28_at_start": "5.123"}, "das28_at_start", "2"),
    "a measurement in the future": (
        {"das28_at_start": {"value": "6.0", "measured_on": "2026-06-16"}},
        "das28_at_start",
        "today",
    ),
    "yes in words": ({"screened": "yes"}, "screened", "true or false"),
    "an unknown option in a row": (
        {"csdmards": [{"drug": "aspirin"}]},
        "csdmards[1].drug",
        "methotrexate",
    ),
    "an unknown key beside the value": (
        {"screened": {"value": True, "by": NAME}},
        "screened",
        "unit",
    ),
}


@pytest.mark.parametrize("path", ["/v1/requests", "/v1/checks"])
def test_an_answer_that_cannot_be_read_is_422_and_says_how_to_mend_it(
    clinician: Api, rows: Rows, subtests: pytest.Subtests, path: str
) -> None:
    for case, (answers, question, mend) in ANSWERS.items():
        with subtests.test(case=case):
            before = rows()

            reply = clinician.post(path, answering(initiation(), **answers))

            assert (reply.status_code, reply.json()["code"]) == (422, "answers-not-accepted"), (
                reply.text
            )
            (error,) = reply.json()["errors"]
            assert error["where"] == f"answers.{question}"
            assert mend in error["message"] + error["mend"]
            assert NAME not in reply.text
            assert rows() == before


def test_every_faulty_answer_is_named_at_once(clinician: Api) -> None:
    form = answering(initiation(), screened="yes", dose_mg="40", das28_at_start="99")

    reply = clinician.post("/v1/requests", form)

    assert {error["where"] for error in reply.json()["errors"]} == {
        "answers.screened",
        "answers.dose_mg",
        "answers.das28_at_start",
    }


LARGE = json.dumps(initiation(details={"note": "x" * 10_000_000})).encode()
HUGE = json.dumps(initiation(details={"note": "x" * 11_000_000})).encode()
BYTES = {
    "bytes that are not UTF-8": (b'{"policy": "\xff"}', 400, "malformed-json"),
    "the same key twice": (b'{"policy": "a", "policy": "b"}', 400, "malformed-json"),
    "a NUL in a text": (b'{"policy": "a\\u0000"}', 400, "malformed-json"),
    "NaN as an answer": (b'{"answers": {"das28_at_start": NaN}}', 400, "malformed-json"),
    "nesting without end": (b"[" * 10_000, 400, "malformed-json"),
    "half a body": (json.dumps(initiation()).encode()[:-20], 400, "malformed-json"),
    "a body of 10 MB": (LARGE, 422, "not-as-described"),
    "a body over the limit": (HUGE, 413, "body-too-large"),
}


def test_bytes_that_are_no_form_are_refused(
    clinician: Api, rows: Rows, subtests: pytest.Subtests
) -> None:
    for case, (body, status, code) in BYTES.items():
        with subtests.test(case=case):
            before = rows()

            reply = clinician.post("/v1/requests", body)

            assert (reply.status_code, reply.json()["code"]) == (status, code)
            assert rows() == before


REFUSED = {
    "a policy that nobody wrote": (
        initiation(policy="nothing-at-all"),
        422,
        "details-not-accepted",
    ),
    "a decision before any version": (
        initiation(decision_to_treat="2001-01-01"),
        422,
        "no-policy-in-force",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_policy_that_cannot_decide_is_refused(clinician: Api, rows: Rows, case: str) -> None:
    form, status, code = REFUSED[case]
    before = rows()

    reply = clinician.post("/v1/requests", form)

    assert (reply.status_code, reply.json()["code"]) == (status, code)
    assert rows() == before


CONFLICTS = {
    "a second approval": (initiation(), "already-approved"),
    "another birth date": (patient(birth_date="1971-01-01"), "patient-contradiction"),
    "another patient's hospital number": (
        patient(nhs_number=invented_nhs_number(2)),
        "patient-contradiction",
    ),
}


@pytest.mark.parametrize("case", CONFLICTS)
def test_what_contradicts_the_record_is_a_conflict(clinician: Api, rows: Rows, case: str) -> None:
    good(clinician.post("/v1/requests", initiation()), 201)
    form, code = CONFLICTS[case]
    before = rows()

    reply = clinician.post("/v1/requests", form)

    assert (reply.status_code, reply.json()["code"]) == (409, code)
    assert invented_nhs_number(1) not in reply.text
    assert rows() == before


def test_a_second_form_while_one_waits_is_a_conflict(clinician: Api, rows: Rows) -> None:
    waiting = answering(initiation(), screened=False)
    good(clinician.post("/v1/requests", waiting), 201)
    before = rows()

    reply = clinician.post("/v1/requests", waiting)

    assert (reply.status_code, reply.json()["code"]) == (409, "request-already-open")
    assert rows() == before


FOLLOW_UPS = {
    "a kind that is not known": ({"kind": "holiday"}, "body.kind"),
    "a first request on a treatment": ({"kind": "initiation"}, "body.kind"),
    "a switch to nothing": ({"kind": "switch"}, "details.product"),
    "a stop that is ahead": (
        {"kind": "stop", "details": {"from_day": "2026-06-16", "stop_reason": "other"}},
        "details.from_day",
    ),
    "a stop without a reason": (
        {"kind": "stop", "details": {"from_day": "2026-06-15"}},
        "details.stop_reason",
    ),
    "a transfer to nobody known": (
        {"kind": "transfer", "details": {"to_provider": "RZZ99", "from_day": "2026-06-15"}},
        "details.to_provider",
    ),
    "a transfer to a commissioner": (
        {"kind": "transfer", "details": {"to_provider": "DEMQ1", "from_day": "2026-06-15"}},
        "details.to_provider",
    ),
    "answers to a pause": (
        {
            "kind": "pause",
            "answers": {"das28_now": "4.0"},
            "details": {"from_day": "2026-06-15"},
        },
        "answers",
    ),
    "a retrospective reason on a pause": (
        {
            "kind": "pause",
            "retrospective_reason": "urgent",
            "details": {"from_day": "2026-06-15"},
        },
        "retrospective_reason",
    ),
}


@pytest.mark.parametrize("case", FOLLOW_UPS)
def test_a_later_request_that_cannot_be_so_is_422_and_named(
    clinician: Api, rows: Rows, case: str
) -> None:
    changes, where = FOLLOW_UPS[case]
    body = good(clinician.post("/v1/requests", initiation()), 201)
    form = {"decision_to_treat": "2026-06-15", **changes}
    before = rows()

    reply = clinician.post(f"/v1/treatments/{body['treatment_id']}/requests", form)

    assert reply.status_code == 422, reply.text
    assert [error["where"] for error in reply.json()["errors"]] == [where]
    assert rows() == before


@pytest.mark.parametrize("kind", ["continuation", "pause"])
def test_a_birth_date_that_differs_from_the_record_stops_a_later_request(
    clinician: Api, rows: Rows, kind: str
) -> None:
    body = good(clinician.post("/v1/requests", initiation()), 201)
    form = continuation("2026-06-15", birth_date="1971-01-01", kind=kind)
    if kind == "pause":
        form |= {"answers": {}, "details": {"from_day": "2026-06-15"}}
    before = rows()

    reply = clinician.post(f"/v1/treatments/{body['treatment_id']}/requests", form)

    assert (reply.status_code, reply.json()["code"]) == (409, "patient-contradiction")
    assert rows() == before


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v1/requests/1", 422, "not-as-described"),
        ("/v1/requests/7f0c2c59-3c0c-4a57-9d55-1f7d7bb6a0e1", 404, "not-found"),
        ("/v1/treatments/7f0c2c59-3c0c-4a57-9d55-1f7d7bb6a0e1", 404, "not-found"),
        ("/v1/approvals/PA0000000000000", 404, "not-found"),
        ("/v1/approvals/pa0000000000000", 422, "not-as-described"),
        ("/v1/approvals/PA00000000000000", 422, "not-as-described"),
        ("/v1/requests/7f0c2c59-3c0c-4a57-9d55-1f7d7bb6a0e1/audit", 403, "not-allowed"),
        ("/v1/changes?after=x", 422, "not-as-described"),
        ("/v1/changes?limit=0", 422, "not-as-described"),
        ("/v1/changes?limit=501", 422, "not-as-described"),
        ("/v1/approval-needs", 422, "not-as-described"),
        ("/v1/approval-needs?drug=adalimumab&on=tomorrow", 422, "not-as-described"),
        ("/v1/approval-needs?drug=adalimumab&commissioner=QZZ99", 422, "details-not-accepted"),
        ("/v1/imports/7f0c2c59-3c0c-4a57-9d55-1f7d7bb6a0e1", 403, "not-allowed"),
    ],
)
def test_what_cannot_be_read_is_refused(clinician: Api, path: str, status: int, code: str) -> None:
    reply = clinician.get(path)

    assert (reply.status_code, reply.json()["code"]) == (status, code)


STEPS = {
    "amend": {"answers": {}},
    "withdraw": {"reason": "Because."},
    "correct": {"answers": {}, "reason": "Because."},
    "enter-in-error": {"reason": "Because."},
}


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(("version", "status"), [(None, 428), (1, 412), (3, 412)])
def test_a_step_needs_the_version_that_was_read(
    clinician: Api, rows: Rows, step: str, version: int | None, status: int
) -> None:
    body = good(clinician.post("/v1/requests", initiation()), 201)
    assert body["version"] == 2
    before = rows()

    reply = clinician.post(f"/v1/requests/{body['id']}/{step}", STEPS[step], version=version)

    assert reply.status_code == status, reply.text
    assert rows() == before


def test_a_step_that_the_lifecycle_lacks_is_a_conflict(clinician: Api, rows: Rows) -> None:
    body = good(clinician.post("/v1/requests", initiation()), 201)
    before = rows()

    reply = clinician.post(
        f"/v1/requests/{body['id']}/withdraw", {"reason": "Because."}, version=body["version"]
    )

    assert (reply.status_code, reply.json()["code"]) == (409, "step-not-possible")
    assert rows() == before


@pytest.mark.parametrize(
    ("path", "body", "where"),
    [
        ("/v1/searches", b"1.5", "body"),
        ("/v1/requests", json.dumps(initiation() | {"details": 1.5}).encode(), "details"),
    ],
    ids=["the whole body", "a part of it"],
)
def test_a_number_is_no_object_whose_keys_are_all_left_out(
    clinician: Api, path: str, body: bytes, where: str
) -> None:
    reply = clinician.post(path, body)

    assert (reply.status_code, reply.json()["code"]) == (422, "not-as-described"), reply.text
    (error,) = reply.json()["errors"]
    assert (error["where"].removeprefix("body."), error["message"]) == (where, "is not an object")
