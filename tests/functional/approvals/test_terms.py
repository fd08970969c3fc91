"""Drug names and terms over HTTP: from an unrecognised name to an outcome."""

from collections.abc import Mapping

from fastapi import FastAPI

from tests.functional.approvals.api import Api, good
from tests.functional.approvals.scene import ODD_NAME, SUBMISSION_ROW, Scene, run_of, table

ODD_ROW = SUBMISSION_ROW | {"DRUG NAME": ODD_NAME["name"], "TOTAL COST": "120.50"}


def line_of(payer: Api, run: str) -> Mapping[str, object]:
    line: Mapping[str, object] = good(payer.get(f"/v1/runs/{run}/lines"))["lines"][0]
    return line


def test_a_name_is_reviewed_proposed_accepted_and_withdrawn(
    people: Mapping[str, Api], scene: Scene, application: FastAPI
) -> None:
    payer = people["commissioner"]
    run = run_of(payer, application, table(ODD_ROW))
    assert line_of(payer, run)["outcome"] == "cannot be read"
    (row,) = good(payer.get("/v1/unknown-drug-names", run=run))["names"]
    assert (row["lines"], row["total"]) == (1, "120.50")
    assert row["suggestions"][0]["drug"] == "adalimumab"
    listed = good(payer.get("/v1/unknown-drug-names"))["names"]
    assert row in listed
    own = payer.post(f"/v1/drug-names/{scene.drug_name}/accept")
    assert (own.status_code, own.json()["type"]) == (
        409,
        "urn:assent:problem:drug-name-not-accepted",
    )
    reason = {"reason": "It is another drug."}
    done = good(payer.post(f"/v1/drug-names/{scene.drug_name}/withdraw", reason))
    assert done["withdrawn_why"] == reason["reason"]
    again = payer.post(f"/v1/drug-names/{scene.drug_name}/withdraw", reason)
    assert again.status_code == 409


def test_terms_over_the_api_decide_what_is_recoverable_and_whose_it_is(
    people: Mapping[str, Api], scene: Scene, application: FastAPI
) -> None:
    payer = people["commissioner"]
    dated = {"source": "Invented", "demonstration": True}
    term = {"provider": "DEMO1", "drug": "adalimumab", "basis": "block", **dated}
    moved = {
        "drug": "adalimumab",
        "among": ["DEMQ1", "DEMQ2"],
        "responsible": "DEMQ2",
        "from_day": "2026-04-01",
        **dated,
    }
    assert good(payer.post("/v1/contract-terms", {"terms": [term]})) == {"rows": 1}
    assert good(payer.post("/v1/responsible-commissioners", {"rows": [moved]})) == {"rows": 1}
    assert good(payer.get("/v1/contract-terms"))["terms"][0]["basis"] == "block"
    assert good(payer.get("/v1/responsible-commissioners"))["rows"][0]["responsible"] == "DEMQ2"
    run = run_of(payer, application, table(SUBMISSION_ROW | {"TOTAL COST": "301.00"}))
    line = line_of(payer, run)
    assert line["outcome"] == "not recoverable"
    assert "has it as block" in str(line["reason"])
    assert "reassign the line: DEMQ2, not DEMQ1" in str(line["reason"])
    wrong = payer.post("/v1/contract-terms", {"terms": [term | {"drug": "no-such-drug"}]})
    assert (wrong.status_code, "row 1: drug must be" in wrong.text) == (409, True)
    assert len(good(payer.get("/v1/contract-terms"))["terms"]) == 1


def test_agreed_prices_over_the_api_decide_and_no_text_names_them(
    people: Mapping[str, Api], scene: Scene, application: FastAPI
) -> None:
    payer = people["commissioner"]
    price = {
        "framework": "Invented",
        "drug": "adalimumab",
        "unit": "pen",
        "price": "12.34567890",
        "source": "Invented",
        "demonstration": True,
    }
    assert good(payer.post("/v1/agreed-prices", {"prices": [price]})) == {"rows": 1}
    assert good(payer.get("/v1/agreed-prices"))["prices"][0]["price"] == "12.3456789"
    for fault in ({"product": "tysabri"}, {"price": "-1"}, {"run_off_days": 7}):
        wrong = payer.post("/v1/agreed-prices", {"prices": [price | fault]})
        assert (wrong.status_code, "12.34" in wrong.text) == (409, False)
    assert len(good(payer.get("/v1/agreed-prices"))["prices"]) == 1
    run = run_of(payer, application, table(SUBMISSION_ROW | {"TOTAL COST": "302.00"}))
    found = payer.get(f"/v1/runs/{run}/lines")
    assert "agreed price" in {test["name"] for test in good(found)["lines"][0]["tests"]}
    assert "12.345" not in found.text


def test_supply_terms_over_the_api_decide_and_no_text_names_them(
    people: Mapping[str, Api], scene: Scene, application: FastAPI
) -> None:
    payer = people["commissioner"]
    term = {
        "kind": "home delivery",
        "amount": "23.45",
        "provider": "DEMO1",
        "drug": "adalimumab",
        "source": "Invented",
        "demonstration": True,
    }
    assert good(payer.post("/v1/supply-terms", {"terms": [term]})) == {"rows": 1}
    assert good(payer.get("/v1/supply-terms"))["terms"][0]["amount"] == "23.45"
    for fault in ({"drug": "no-such-drug"}, {"amount": "-1"}):
        wrong = payer.post("/v1/supply-terms", {"terms": [term | fault]})
        assert (wrong.status_code, "23.45" in wrong.text) == (409, False)
    too_much = term | {"kind": "quantity tolerance", "amount": "101"}
    assert payer.post("/v1/supply-terms", {"terms": [too_much]}).status_code == 409
    assert payer.post("/v1/supply-terms", {"terms": [term | {"kind": "x"}]}).status_code == 422
    assert len(good(payer.get("/v1/supply-terms"))["terms"]) == 1
    stated = {"HOME DELIVERY CHARGE": "40.00", "DISPENSING ROUTE": "4", "TOTAL COST": "303.00"}
    run = run_of(payer, application, table(SUBMISSION_ROW | stated))
    found = payer.get(f"/v1/runs/{run}/lines")
    made = {test["name"]: test["result"] for test in good(found)["lines"][0]["tests"]}
    assert made["home delivery"] == "failed"
    assert "23.45" not in found.text


def test_days_for_last_deliveries_and_invoices_are_whole_days_of_the_commissioner(
    people: Mapping[str, Api], scene: Scene
) -> None:
    payer = people["commissioner"]
    said = {"source": "Invented", "demonstration": True}
    terms = [
        {"kind": "last deliveries after a stop", "amount": "14", "from_day": "2026-04-01"},
        {"kind": "last deliveries after a death", "amount": "7", "drug": "adalimumab"},
        {"kind": "invoice days", "amount": "31", "provider": "DEMO1", "to_day": "2027-03-31"},
    ]
    terms = [term | said for term in terms]
    assert good(payer.post("/v1/supply-terms", {"terms": terms})) == {"rows": 3}
    for number, fault in (
        (0, {"amount": "32"}),
        (1, {"amount": "1.5"}),
        (2, {"drug": "adalimumab"}),
    ):
        wrong = payer.post("/v1/supply-terms", {"terms": [terms[number] | fault]})
        assert wrong.status_code == 409
    stands = good(payer.get("/v1/supply-terms"))["terms"]
    assert sorted((each["kind"], each["amount"]) for each in stands) == [
        ("invoice days", "31"),
        ("last deliveries after a death", "7"),
        ("last deliveries after a stop", "14"),
    ]
