"""The cases of `reconciliation.yaml` on the engines of every day; tests/spark has them on Spark."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.reconciliation import ContractLine, Coverage, LineOutcome, MatchedLine, Snapshot
from app.reconciliation.engines import duckdb, plain
from app.reconciliation.engines.by_hand import approval_digest
from app.reconciliation.line_keys import keys_of
from app.reconciliation.model import (
    DecisionKind,
    DoseLimit,
    Earlier,
    EarlierCharge,
    EarlierFee,
    EarlierSpaced,
    EarlierSupply,
    LineDecision,
    UsedQuantity,
)
from app.reconciliation.terms_model import AgreedPrice, SupplyTerm, SupplyTermKind
from app.reference_data.drugs import load_drugs
from app.reference_data.organisations import load_organisations
from tests.unit.reconciliation.builders import (
    OTHER_PATIENT,
    PATIENT,
    cells,
    coverage,
    snapshot,
    submission,
)

CASES = yaml.safe_load(Path(__file__).with_name("reconciliation.yaml").read_text("utf-8"))
ENGINES = {"plain": plain.match_submission, "duckdb": duckdb.match_submission}
AMOUNTS = {"unit_price_cap", "quantity_cap"}
PRICE_AMOUNTS = {"price", "tolerance_percent", "tolerance_pence"}
SETS = {"supplying_providers", "products", "local_ids"}


def as_coverage(changes: dict[str, Any]) -> Coverage:
    return coverage(**{name: _value(name, value) for name, value in changes.items()})


def _value(name: str, value: Any) -> Any:
    if name in AMOUNTS:
        return Decimal(str(value))
    if name in SETS:
        return frozenset(tuple(one) if isinstance(one, list) else one for one in value)
    if name == "paused":
        return tuple(tuple(pause) for pause in value)
    if name == "dose_limits":
        return tuple(_dose(limit) for limit in value)
    return OTHER_PATIENT if value == "OTHER" else value


def _dose(changes: dict[str, Any]) -> DoseLimit:
    """One vial in 28 days from 2025 on, with changes."""
    values = {"from_": dt.date(2025, 1, 1), "to": None, "amount": 1, "unit": "vial", "days": 28}
    values |= changes
    exact = {name: Decimal(str(values[name])) for name in ("amount", "days")}
    return DoseLimit(**{**values, **exact})


def as_price(changes: dict[str, Any]) -> AgreedPrice:
    """A price of 900 pounds for a vial of natalizumab that DEMQ1 agreed, with changes."""
    values = {
        "commissioner": "DEMQ1",
        "framework": "north",
        "drug": "natalizumab",
        "unit": "vial",
        "price": 900,
        "from_": None,
        "to": None,
        "source": "test",
        "demonstration": True,
    }
    exact = {
        name: Decimal(str(value)) if name in PRICE_AMOUNTS else value
        for name, value in (values | changes).items()
    }
    return AgreedPrice(**exact)


def submitted(case: dict[str, Any]) -> tuple[tuple[ContractLine, ...], Snapshot]:
    """A case's lines, and what is held."""
    rows = [cells(**{name: str(value) for name, value in line.items()}) for line in case["lines"]]
    held = snapshot(*map(as_coverage, case["coverages"]))
    prices = tuple(map(as_price, case.get("prices", ())))
    lines = submission(*rows).lines
    earlier = as_earlier(case.get("earlier", {}), lines)
    supplies = tuple(map(as_supply, case.get("supplies", ())))
    terms = replace(held.terms, prices=prices, supplies=supplies)
    decisions = tuple(as_match(lines, held, *pair) for pair in case.get("by_hand", ()))
    return lines, replace(held, terms=terms, earlier=earlier, decisions=decisions)


def as_match(lines: Sequence[ContractLine], held: Snapshot, line: int, named: int) -> LineDecision:
    """That a person matched the line at this place to the approval of the coverage at that one."""
    key, coverage = keys_of(lines)[line], held.coverages[named]
    assert key is not None
    digest = approval_digest([coverage])
    reference = coverage.approval_reference
    return LineDecision(key, DecisionKind.MATCH, LineOutcome.NO_APPROVAL, reference, digest)


def as_supply(changes: dict[str, Any]) -> SupplyTerm:
    """A term that DEMQ1 agreed for every drug and provider, with changes."""
    values = {
        "commissioner": "DEMQ1",
        "from_": None,
        "to": None,
        "source": "test",
        "demonstration": True,
        **changes,
    }
    kind, amount = SupplyTermKind(values["kind"]), Decimal(str(values["amount"]))
    return SupplyTerm(**{**values, "kind": kind, "amount": amount})


def as_earlier(said: dict[str, Any], lines: Sequence[ContractLine]) -> Earlier:
    """What stands of earlier submissions: used quantities, charges, and lines of this file."""
    return Earlier(
        tuple(_used(each) for each in said.get("used", ())),
        tuple(_charge(_like(each, lines)) for each in said.get("charges", ())),
        frozenset(lines[n].content_hash for n in said.get("stated", ())),
        tuple(_supplied(each) for each in said.get("supplies", ())),
        tuple(EarlierSpaced(**each) for each in said.get("spaced", ())),
        tuple(_paid(_like(each, lines)) for each in said.get("fees", ())),
    )


def _like(changes: dict[str, Any], lines: Sequence[ContractLine]) -> dict[str, Any]:
    """The same, of the content of the line that `of` names."""
    rest = {name: value for name, value in changes.items() if name != "of"}
    return rest | ({"content_hash": lines[changes["of"]].content_hash} if "of" in changes else {})


def _paid(changes: dict[str, Any]) -> EarlierFee:
    """A home delivery of the clean row's patient for 25 pounds, with changes."""
    values = {
        "nhs_number": PATIENT,
        "local_patient_id": "L001",
        "reference": None,
        "provider": "DEMO1",
        "commissioner": "DEMQ1",
        "drug": None,
        "sort": "home delivery",
        "amount": 25,
        "day": dt.date(2025, 6, 10),
        **changes,
    }
    return EarlierFee(**{**values, "amount": Decimal(str(values["amount"]))})


def _supplied(changes: dict[str, Any]) -> EarlierSupply:
    """The clean row's supply, with changes."""
    values = {
        "content_hash": "e" * 64,
        "nhs_number": PATIENT,
        "local_patient_id": "L001",
        "provider": "DEMO1",
        "commissioner": "DEMQ1",
        "drug": "natalizumab",
        "first": dt.date(2025, 6, 10),
        "last": dt.date(2025, 6, 10),
        **changes,
    }
    return EarlierSupply(**{**values, "paid": frozenset(values.get("paid", ()))})


def _used(changes: dict[str, Any]) -> UsedQuantity:
    values = {"approval_reference": "PA0000000000001X", "unit": "vial", **changes}
    return UsedQuantity(**{**values, "quantity": Decimal(str(values["quantity"]))})


def _charge(changes: dict[str, Any]) -> EarlierCharge:
    """The clean row's charge, with changes."""
    values = {
        "content_hash": "f" * 64,
        "nhs_number": PATIENT,
        "local_patient_id": "L001",
        "reference": None,
        "provider": "DEMO1",
        "drug": "natalizumab",
        "amount": 1000,
        "day": dt.date(2025, 6, 10),
        **{name: _value(name, value) for name, value in changes.items()},
    }
    uses = values.get("uses")
    values |= {"amount": Decimal(str(values["amount"])), "uses": uses and _used(uses)}
    return EarlierCharge(**values)


def check(case: dict[str, Any], matched: Sequence[MatchedLine]) -> None:
    """Assert that a case's lines came to what the table says."""
    told = [
        [item.outcome, item.found_by, item.treatment_id, item.accepted, item.queried]
        for item in matched
    ]
    wanted = [
        [LineOutcome(outcome), found_by, treatment, Decimal(str(accepted)), Decimal(str(queried))]
        for outcome, found_by, treatment, accepted, queried in case["expect"]
    ]
    assert told == wanted, case["about"]
    assert case.get("reason", "") in matched[0].reason
    wanted_tests = case.get("tests", {})
    by_line = wanted_tests if isinstance(wanted_tests, list) else [wanted_tests]
    for item, some in zip(matched, by_line, strict=False):
        made = {test.name: test.result.value for test in item.tests}
        assert some.items() <= made.items(), case["about"]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["about"])
def test_every_engine_gives_what_the_table_says(case: dict[str, Any], engine: str) -> None:
    check(case, ENGINES[engine](*submitted(case), load_drugs(), load_organisations()))
