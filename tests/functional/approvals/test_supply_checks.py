"""A trust checks before it invoices: what will be challenged, which form is missing or due."""

import csv
import io
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import sqlalchemy as sa

from app.db.tables import audit_event
from app.db.transaction import Database
from app.db.work import Moment
from app.reference_data.nhs_number import test_number as invented_nhs_number
from tests.functional.approvals.api import Api, Clock, good, initiation
from tests.functional.approvals.scene import upload
from tests.functional.approvals.test_challenges import ROW, as_csv

SUPPLY = {
    "drug": "Humira 40mg pen",
    "supply_date": "2026-06-15",
    "nhs_number": invented_nhs_number(1),
    "birth_date": "1970-01-01",
    "commissioner": "DEMQ1",
    "total": "352.14",
    "care_reason": "Seen in our clinic.",
}
OTHER = "other pharmacist"


@pytest.fixture(autouse=True)
def approval(people: Mapping[str, Api]) -> Any:
    return good(people["clinician"].post("/v1/requests", initiation(1)), 201)


def ask(api: Api, **changes: Any) -> Any:
    return good(api.post("/v1/supply-checks", SUPPLY | changes))


@pytest.mark.parametrize(
    ("who", "changes", "outcome", "form", "elsewhere"),
    [
        ("pharmacist", {}, "matched", None, False),
        ("clinician", {"nhs_number": None, "local_id": "H000001"}, "matched", None, False),
        ("delegate", {"total": None}, "matched", None, False),
        ("pharmacist", {"nhs_number": invented_nhs_number(9)}, "no approval", "initiation", False),
        ("pharmacist", {"drug": "TYSABRI 300mg"}, "drug or indication differs", "switch", False),
        (
            "pharmacist",
            {"supply_date": "2026-06-01"},
            "outside approval period",
            "initiation",
            False,
        ),
        (
            "pharmacist",
            {"supply_date": "2028-06-15"},
            "continuation overdue",
            "continuation",
            False,
        ),
        (OTHER, {}, "no approval", "transfer", True),
        (OTHER, {"birth_date": "1970-01-02"}, "no approval", "initiation", False),
        (OTHER, {"birth_date": None}, "no approval", "initiation", False),
        (OTHER, {"drug": "TYSABRI 300mg"}, "no approval", "initiation", False),
        (OTHER, {"nhs_number": invented_nhs_number(9)}, "no approval", "initiation", False),
    ],
)
def test_a_planned_supply_is_told_what_will_come_of_it(
    people: Mapping[str, Api],
    who: str,
    changes: Any,
    outcome: str,
    form: str | None,
    elsewhere: bool,
) -> None:
    found = ask(people[who], **changes)
    assert (found["line"]["outcome"], found["form"]) == (outcome, form)
    assert found["approval_elsewhere"] is elsewhere
    assert found["challenged"] is (outcome != "matched")


def test_that_an_approval_exists_elsewhere_is_all_that_is_told_and_each_time_on_record(
    people: Mapping[str, Api], approval: Any, database: Database, moment: Moment
) -> None:
    reply = people[OTHER].post("/v1/supply-checks", SUPPLY)
    for secret in (approval["approval"]["reference"], approval["treatment_id"], "DEMO1"):
        assert secret not in reply.text
    query = sa.select(audit_event.c.organisation, audit_event.c.treatment_id).where(
        audit_event.c.action == "told that an approval exists elsewhere"
    )
    told = database.read(lambda work: work.connection.execute(query).all(), moment=moment)
    assert [tuple(row) for row in told] == [("DEMO2", approval["treatment_id"])]


def test_of_a_patient_who_objects_nothing_is_told(people: Mapping[str, Api], approval: Any) -> None:
    treatment = good(people["clinician"].get(f"/v1/treatments/{approval['treatment_id']}"))
    at = f"/v1/patients/{treatment['patient']['id']}/objection"
    good(people["clinician"].post(at, {"reason": "Said so in clinic."}))
    assert ask(people[OTHER])["approval_elsewhere"] is False


def test_a_draft_file_comes_back_with_its_remedies_and_nothing_is_stored(
    people: Mapping[str, Api], rows: Callable[[], dict[str, int]]
) -> None:
    mine = ROW | {"ORGANISATION IDENTIFIER (CODE OF PROVIDER)": "DEMO2"}
    before = rows()
    reply = upload(
        people[OTHER], "/v1/submission-checks", as_csv(mine, mine | {"TOTAL COST": "TBC"})
    )
    assert reply.status_code == 200, reply.text
    first, second = csv.DictReader(io.StringIO(reply.text))
    assert first["ASSENT OUTCOME"] == "no approval"
    assert "not at your organisation" in first["ASSENT REASON"]
    assert "transfer" in first["ASSENT REMEDY"]
    assert first["ASSENT LINE REFERENCE"] == ""
    assert second["ASSENT OUTCOME"] == "cannot be read"
    changed = {name for name, count in rows().items() if count != before[name]}
    # The caller's own count of guesses, as full as before, and nothing of a patient.
    changed.remove("rate_bucket")
    assert changed == {"audit_event", "audit_payload", "care_declaration"}
    assert good(people[OTHER].get("/v1/submissions"))["submissions"] == []


@pytest.mark.parametrize(
    ("who", "content", "status"),
    [
        ("pharmacist", as_csv(ROW | {"ORGANISATION IDENTIFIER (CODE OF PROVIDER)": "DEMO2"}), 409),
        ("pharmacist", b"just one line of words", 422),
        ("commissioner", as_csv(ROW), 403),
    ],
)
def test_a_draft_that_is_not_the_callers_or_cannot_be_read_is_refused(
    people: Mapping[str, Api], who: str, content: bytes, status: int
) -> None:
    assert upload(people[who], "/v1/submission-checks", content).status_code == status


def test_a_check_tells_when_the_continuation_is_due(
    people: Mapping[str, Api], approval: Any, clock: Clock
) -> None:
    found = ask(people["pharmacist"])
    assert found["continuation_due"] == approval["approval"]["covers_to"]


def test_without_a_declared_relationship_nothing_is_asked_elsewhere(
    people: Mapping[str, Api], rows: Callable[[], dict[str, int]]
) -> None:
    before = rows()["care_declaration"]
    found = ask(people[OTHER], care_reason=None)
    assert (found["line"]["outcome"], found["approval_elsewhere"]) == ("no approval", False)
    assert rows()["care_declaration"] == before
    assert ask(people[OTHER])["approval_elsewhere"] is True
    assert rows()["care_declaration"] == before + 1


def test_a_file_that_tries_several_birth_dates_is_told_nothing(people: Mapping[str, Api]) -> None:
    mine = ROW | {"ORGANISATION IDENTIFIER (CODE OF PROVIDER)": "DEMO2"}
    tried = [mine | {"PERSON BIRTH DATE": day} for day in ("1970-01-01", "1970-01-02")]
    reply = upload(people[OTHER], "/v1/submission-checks", as_csv(*tried))
    told = [row["ASSENT REASON"] for row in csv.DictReader(io.StringIO(reply.text))]
    assert all("not at your organisation" not in each for each in told)


def test_what_its_commissioner_holds_is_counted_and_what_it_agreed_with_others_is_not_told(
    people: Mapping[str, Api],
) -> None:
    """Over the wall between organisations, which PostgreSQL holds too."""
    later = ROW | {"FINANCIAL MONTH": "4"}
    good(upload(people["commissioner"], "/v1/submissions", as_csv(ROW)), 202)
    prices = [
        {
            "framework": "Invented",
            "drug": "adalimumab",
            "unit": "pen",
            "price": "100",
            "demonstration": True,
            "source": "invented",
        }
    ]
    good(people["commissioner"].post("/v1/agreed-prices", {"prices": prices}))
    reply = upload(people["pharmacist"], "/v1/submission-checks", as_csv(later))
    (back,) = csv.DictReader(io.StringIO(reply.text))
    assert back["ASSENT OUTCOME"] == "duplicate line"
    mine = {"ORGANISATION IDENTIFIER (CODE OF PROVIDER)": "DEMO2"}
    reply = upload(people[OTHER], "/v1/submission-checks", as_csv(later | mine))
    (back,) = csv.DictReader(io.StringIO(reply.text))
    assert back["ASSENT OUTCOME"] == "no approval"
    for price in ("99", "101"):
        found = ask(people["pharmacist"], unit="pen", quantity="2", unit_price=price)
        told = {test["name"]: (test["result"], test["detail"]) for test in found["line"]["tests"]}
        assert told["agreed price"][0] == "not testable"
        assert "not tested here" in told["agreed price"][1]
        assert found["line"]["outcome"] == "matched"
