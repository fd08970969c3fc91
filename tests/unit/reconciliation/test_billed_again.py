"""Billed, given back and billed again is one charge, in whichever files and order (ADR 79)."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal

import pytest

from app.reconciliation import MatchedLine, Snapshot
from app.reconciliation.engines import duckdb, plain
from app.reconciliation.engines.before import EarlierFile, what_stands_before
from app.reconciliation.engines.open_charges import Bearing
from app.reconciliation.model import Earlier
from app.reconciliation.terms_model import SupplyTerm, SupplyTermKind, Terms
from tests.unit.reconciliation.builders import (
    DRUGS_AND_ORGANISATIONS,
    PATIENT,
    cells,
    coverage,
    snapshot,
    submission,
)

AGREED = SupplyTerm(
    "DEMQ1", SupplyTermKind.HOME_DELIVERY, Decimal(30), None, None, "invented", demonstration=True
)
HELD = replace(
    snapshot(coverage(quantity_cap=Decimal(1), quantity_unit="vial")),
    terms=Terms(supplies=(AGREED,)),
)
WITHOUT_CHARGES = replace(HELD, terms=Terms())
CHARGE, CHARGE_BACK = cells(), cells(total="-1000", date="2025-07-02")
FEE = cells(drug="delivery", total="25")
FEE_BACK = cells(drug="delivery credit", total="-25", date="2025-07-02")
Match = Callable[..., tuple[MatchedLine, ...]]
ENGINES = pytest.mark.parametrize(
    "match", [plain.match_submission, duckdb.match_submission], ids=["plain", "duckdb"]
)
#: All that can be given back here, and whom the fees are of.
BEARING = Bearing(
    frozenset(),
    frozenset({(PATIENT, Decimal(1000)), (PATIENT, Decimal(25))}),
    fees=frozenset({PATIENT}),
)
Rows = Sequence[dict[str, str]]


def before(files: Sequence[Rows], own: Rows, held: Snapshot = HELD) -> Earlier:
    read = [submission(*rows).lines for rows in files]
    contents = frozenset(line.content_hash for line in submission(*own).lines)
    seen = [EarlierFile(x, frozenset(line.row for line in x), held) for x in read]
    bearing = replace(BEARING, contents=contents)
    return what_stands_before(seen, bearing, *DRUGS_AND_ORGANISATIONS)


def of(match: Match, files: Sequence[Rows], own: Rows, held: Snapshot = HELD) -> list[str]:
    whole = replace(held, earlier=before(files, own, held))
    found = match(submission(*own).lines, whole, *DRUGS_AND_ORGANISATIONS)
    return [each.outcome.value for each in found]


def debit(match: Match, files: Sequence[Rows], own: Rows) -> str:
    """What the test of the first line, a credit, came to where nobody agreed a charge."""
    whole = replace(WITHOUT_CHARGES, earlier=before(files, own, WITHOUT_CHARGES))
    (found, *_) = match(submission(*own).lines, whole, *DRUGS_AND_ORGANISATIONS)
    (test,) = [each for each in found.tests if each.name == "debit"]
    return test.result.value


@ENGINES
def test_a_drug_is_billed_again_after_its_credit_whatever_the_order_of_the_files(
    match: Match,
) -> None:
    for files in itertools.permutations(([CHARGE], [CHARGE_BACK])):
        assert of(match, files, [CHARGE]) == ["matched"]
    assert of(match, [[CHARGE]], [CHARGE_BACK, CHARGE]) == ["not a drug line", "matched"]
    assert of(match, [[CHARGE, CHARGE_BACK]], [CHARGE]) == ["matched"]


@ENGINES
def test_once_it_was_billed_again_the_next_is_a_duplicate(match: Match) -> None:
    for files in ([CHARGE], [CHARGE_BACK], [CHARGE]), ([CHARGE_BACK], [CHARGE], [CHARGE]):
        assert of(match, files, [CHARGE]) == ["duplicate line"]
    # The second was a duplicate, queried whole, so after the credit nothing stands.
    assert of(match, [[CHARGE], [CHARGE], [CHARGE_BACK]], [CHARGE]) == ["matched"]
    assert of(match, [[CHARGE], [CHARGE, CHARGE_BACK]], [CHARGE]) == ["duplicate line"]
    assert of(match, [[CHARGE, CHARGE_BACK, CHARGE]], [CHARGE]) == ["duplicate line"]


@ENGINES
def test_a_fee_is_billed_again_after_its_credit_whatever_the_order_of_the_files(
    match: Match,
) -> None:
    supplied = [cells()]
    for files in itertools.permutations((supplied, [FEE], [FEE_BACK])):
        assert of(match, files, [FEE]) == ["matched"]
    assert of(match, [supplied, [FEE]], [FEE_BACK, FEE]) == ["not a drug line", "matched"]
    assert of(match, [[*supplied, FEE, FEE_BACK]], [FEE]) == ["matched"]
    assert of(match, [supplied, [FEE], [FEE_BACK, FEE]], [FEE]) == ["not a drug line"]
    assert of(match, [supplied, [FEE]], [FEE]) == ["not a drug line"]


@ENGINES
def test_where_no_charge_is_agreed_a_fee_is_given_back_all_the_same(match: Match) -> None:
    nobody = [[FEE], [FEE_BACK]]
    assert before([[FEE]], [FEE], WITHOUT_CHARGES).stated
    assert not before(nobody, [FEE], WITHOUT_CHARGES).stated
    assert debit(match, [[FEE]], [FEE_BACK]) == "passed"
    assert debit(match, nobody, [FEE_BACK]) != "passed"


def test_what_is_given_back_is_neither_stated_nor_used() -> None:
    said = before([[CHARGE], [CHARGE_BACK]], [CHARGE])
    assert (said.stated, said.charges, said.used) == (frozenset(), (), ())
    again = before([[CHARGE_BACK], [CHARGE], [CHARGE]], [CHARGE])
    assert [each.quantity for each in again.used] == [1]
    assert len(again.stated) == len(again.charges) == 1
