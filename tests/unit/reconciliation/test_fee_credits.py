"""A credit of a fee gives back the fee, and leaves its supply free for another (ADR 64)."""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal

import pytest

from app.reconciliation import ContractLine, MatchedLine, Snapshot
from app.reconciliation.engines import duckdb, plain
from app.reconciliation.engines.before import EarlierFile, what_stands_before
from app.reconciliation.engines.open_charges import Bearing
from app.reconciliation.model import Earlier, Terms
from app.reconciliation.terms_model import SupplyTerm, SupplyTermKind
from app.reference_data.drugs import load_drugs
from app.reference_data.organisations import load_organisations
from tests.unit.reconciliation.builders import cells, coverage, snapshot, submission

KNOWN = load_drugs(), load_organisations()
DAY, LATER = "2025-06-10", "2025-06-12"
AGREED = SupplyTerm(
    "DEMQ1", SupplyTermKind.HOME_DELIVERY, Decimal(10), None, None, "invented", demonstration=True
)
DAYS = replace(AGREED, kind=SupplyTermKind.FEE_DAYS, amount=Decimal(5))
HELD = replace(snapshot(coverage()), terms=Terms(supplies=(AGREED, DAYS)))
SUPPLY = cells(date=DAY)
ENGINES = pytest.mark.parametrize(
    "match", [plain.match_submission, duckdb.match_submission], ids=["plain", "duckdb"]
)
Match = Callable[..., tuple[MatchedLine, ...]]


def fee(total: str, day: str = DAY, drug: str = "home delivery", **other: str) -> dict[str, str]:
    return cells(drug=drug, date=day, total=total, price="", **other)


def told(matched: Sequence[MatchedLine]) -> list[tuple[str, str]]:
    return [(each.outcome.value, f"{each.accepted:f}") for each in matched[1:]]


def of(match: Match, *rows: dict[str, str], held: Snapshot = HELD) -> list[tuple[str, str]]:
    lines = submission(SUPPLY, *rows).lines
    return told(match(lines, held, *KNOWN))


@ENGINES
def test_a_supply_pays_for_one_delivery_and_for_another_once_that_is_given_back(
    match: Match,
) -> None:
    wrong, right = fee("8"), fee("9", LATER)
    assert of(match, wrong, right) == [("matched", "8"), ("not a drug line", "0")]
    back = fee("-8", drug="home delivery credit")
    found = of(match, wrong, back, right)
    assert found == [("matched", "8"), ("not a drug line", "-8"), ("matched", "9")]
    assert of(match, right, back, wrong) == [found[2], found[1], found[0]]


@ENGINES
def test_the_credit_says_which_row_it_gives_back(match: Match) -> None:
    lines = submission(SUPPLY, fee("8"), fee("-8", drug="home delivery credit")).lines
    (test,) = [each for each in match(lines, HELD, *KNOWN)[2].tests if each.name == "debit"]
    assert (test.result.value, test.detail) == ("passed", "it gives back row 2")


@pytest.mark.parametrize(
    "changes",
    [
        {"total": "-7"},
        {"drug": "dispensing fee credit"},
        {"day": "2025-06-09"},
        {"nhs": "9990000026", "local": "other"},
        {"drug": "TYSABRI home delivery credit"},
        {"drug": "rebate"},
    ],
    ids=["amount", "sort", "earlier day", "patient", "drug", "no fee"],
)
@ENGINES
def test_a_credit_of_something_else_frees_nothing(match: Match, changes: dict[str, str]) -> None:
    back = fee(**{"total": "-8", "drug": "home delivery credit", **changes})
    found = of(match, fee("8"), back, fee("9", LATER))
    assert found[2] == ("not a drug line", "0")


@ENGINES
def test_two_credits_of_one_fee_free_its_supply_once(match: Match) -> None:
    backs = [fee("-8", drug=f"home delivery credit {n}") for n in (1, 2)]
    found = of(match, fee("8"), *backs, fee("9", LATER), fee("7", "2025-06-13"))
    assert [each for each in found if each[0] == "matched"] == [("matched", "8"), ("matched", "9")]


# --- over earlier submissions ---------------------------------------------------------------------

BEARING = Bearing(frozenset(), frozenset(), fees=frozenset({"9990000018", "L001"}))


def before(*files: Sequence[dict[str, str]]) -> Earlier:
    lines = [submission(*rows).lines for rows in files]
    held = [EarlierFile(each, frozenset(line.row for line in each), HELD) for each in lines]
    names = {
        name
        for each in lines
        for line in each
        for name in (line.nhs_number, line.local_patient_id)
        if name
    }
    return what_stands_before(held, replace(BEARING, fees=frozenset(names)), *KNOWN)


def next_fee(match: Match, earlier: Earlier, *rows: dict[str, str]) -> list[tuple[str, str]]:
    lines: tuple[ContractLine, ...] = tuple(submission(*rows).lines)
    found = match(lines, replace(HELD, earlier=earlier), *KNOWN)
    return [(each.outcome.value, f"{each.accepted:f}") for each in found]


BACK = fee("-8", drug="home delivery credit")


@ENGINES
def test_a_credit_in_a_later_file_frees_the_supply_for_that_file_and_for_those_after_it(
    match: Match,
) -> None:
    first = [SUPPLY, fee("8")]
    again = fee("9", LATER)
    assert next_fee(match, before(first), again) == [("not a drug line", "0")]
    assert next_fee(match, before(first), BACK, again) == [
        ("not a drug line", "-8"),
        ("matched", "9"),
    ]
    assert next_fee(match, before(first, [BACK]), again) == [("matched", "9")]
    assert next_fee(match, before(first, [BACK, fee("7")]), again) == [("not a drug line", "0")]


@ENGINES
def test_a_credit_in_the_fee_s_own_file_leaves_its_supply_free_for_later_files(
    match: Match,
) -> None:
    assert next_fee(match, before([SUPPLY, fee("8"), BACK]), fee("9")) == [("matched", "9")]


def test_what_stands_before_names_the_fees_that_a_credit_may_give_back() -> None:
    (stands,) = before([SUPPLY, fee("8")]).fees
    assert (stands.sort, stands.amount, stands.day, stands.supply) == (
        "home delivery", Decimal(8), dt.date(2025, 6, 10), 0,
    )  # fmt: skip
    assert before([SUPPLY, fee("8")], [BACK]).fees == ()
