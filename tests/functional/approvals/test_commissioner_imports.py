"""A commissioner brings in what it pays for: the patients are the hospital's, whoever sends it."""

from collections.abc import Mapping

from app.reference_data.nhs_number import test_number as invented_nhs_number
from tests.functional.approvals.api import Api, good, initiation
from tests.functional.approvals.scene import IMPORT_ROW, table, upload


def test_a_commissioner_imports_a_patient_whom_nobody_knows_yet(people: Mapping[str, Api]) -> None:
    payer = people["commissioner"]
    seen = good(upload(payer, "/v1/imports", table(IMPORT_ROW)), 201)
    assert (seen["new"], seen["rejected"]) == (1, 0)

    done = good(payer.post(f"/v1/imports/{seen['id']}/accept"))

    assert done["accepted"] == 1
    asked = {"nhs_number": IMPORT_ROW["NHS No"]}
    (found,) = good(people["clinician"].post("/v1/searches", asked))["hits"]
    assert found["treatment"]["provider"] == "DEMO1"


def test_a_hospital_number_of_somebody_else_stops_the_row_also_where_its_commissioner_sends_it(
    people: Mapping[str, Api],
) -> None:
    """The commissioner sees no hospital number; the rule that keeps two persons apart does."""
    good(people["clinician"].post("/v1/requests", initiation(1)), 201)
    known = initiation(1)["patient"]["local_id"]
    row = IMPORT_ROW | {"Hospital No": known, "NHS No": invented_nhs_number(901)}

    for who in ("pharmacist", "commissioner"):
        seen = good(upload(people[who], "/v1/imports", table(row)), 201)
        assert (seen["new"], seen["rejected"]) == (0, 1), who


def test_what_another_commissioner_pays_for_is_not_brought_in_twice(
    people: Mapping[str, Api],
) -> None:
    trust, payer = people["pharmacist"], people["other commissioner"]
    seen = good(upload(trust, "/v1/imports", table(IMPORT_ROW)), 201)
    good(trust.post(f"/v1/imports/{seen['id']}/accept"))
    again = IMPORT_ROW | {"Commissioner code": "DEMQ2", "NHS No": invented_nhs_number(902)}
    again |= {"Hospital No": "H000902"}

    seen = good(upload(payer, "/v1/imports", table(again)), 201)

    assert (seen["new"], seen["rejected"]) == (0, 1)
    assert "PA" not in str(seen["rows"])  # nothing of what it has no part in
