"""A trust's check says what its commissioner's run would say, as far as the trust may know it."""

import datetime as dt
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any
from unittest.mock import patch

import pytest
import sqlalchemy as sa

from app.auth.model import Caller, Role
from app.db import tables
from app.reconciliation import checking_supplies, service
from app.reconciliation.checking_supplies import Checked, PlannedSupply
from app.reconciliation.model import LineKind, MatchedLine, TestResult
from app.reconciliation.service import Desk
from tests.integration.reconciliation.matching import START, line
from tests.integration.reconciliation.test_earlier import approve, vials
from tests.integration.reconciliation.test_runs import run
from tests.integration.reconciliation.test_slices import freeze, send
from tests.unit.reconciliation.builders import PATIENT, csv_bytes
from tests.world import COMMISSIONER, PHARMACIST, World, person

JUNE, JULY, AUGUST = START, dt.date(2026, 7, 6), dt.date(2026, 8, 3)
OTHERS = person(Role.PHARMACIST, "DEMO2")
Row = Mapping[str, str]


def check(world: World, desk: Desk, *rows: Row, caller: Caller = PHARMACIST) -> Checked:
    submission = checking_supplies.read_draft(desk, caller, csv_bytes(rows), "draft.csv")
    return _checked(world, desk, caller, submission, restates=True)


def plan(world: World, desk: Desk, day: dt.date, **known: Any) -> MatchedLine:
    told = {"drug": "TYSABRI", "nhs_number": PATIENT, "commissioner": "DEMQ1", "unit": "vial"}
    planned = PlannedSupply(**{**told, "supply_date": day, "quantity": Decimal(1), **known})
    submission = checking_supplies.as_submission(PHARMACIST, planned)
    (found,) = _checked(world, desk, PHARMACIST, submission, restates=False).matched
    return found


def _checked(
    world: World, desk: Desk, caller: Caller, submission: Any, *, restates: bool
) -> Checked:
    """The check, which must say what one says that reads every approval in scope."""

    def once() -> Checked:
        return world.database.read(
            lambda w: checking_supplies.check(w, desk, caller, submission, None, restates=restates),
            moment=world.moment,
        )[0]

    found = once()
    with patch.object(service, "MOST_NAMED", -1):
        whole = once()
    assert (found.advice, found.summary) == (whole.advice, whole.summary)
    return found


def told(items: Sequence[MatchedLine]) -> list[tuple[str, Any]]:
    return [(item.outcome.value, item.accepted) for item in items]


def agree(world: World, **row: Any) -> None:
    """A price of the commissioner's, of every provider unless one is named."""
    nothing = dict.fromkeys(("provider", "drug_code", "product", "strength", "from_day", "to_day"))
    values = {
        **nothing,
        **{"drug": "natalizumab", "unit": "vial", "framework": "invented", "run_off_days": 0},
        **{"tolerance_percent": Decimal(0), "tolerance_pence": Decimal(0)},
        **row,
    }
    _add(world, tables.agreed_price, values)


def set_term(world: World, kind: str, amount: int, **row: Any) -> None:
    nothing = dict.fromkeys(("provider", "drug", "from_day", "to_day"))
    _add(world, tables.supply_term, {**nothing, "kind": kind, "amount": Decimal(amount), **row})


def _add(world: World, table: sa.Table, values: Mapping[str, Any]) -> None:
    kept = {
        "id": world.new_id(),
        "organisation": "DEMQ1",
        "source": "invented",
        "demonstration": True,
        "loaded_by": "somebody",
        "loaded_at": world.moment.instant,
        "replaced_at": None,
    }
    world.do(lambda w: w.connection.execute(sa.insert(table), [{**kept, **values}]))


def result_of(item: MatchedLine, name: str) -> tuple[TestResult, str]:
    (test,) = [each for each in item.tests if each.name == name]
    return test.result, test.detail


# --- what was charged before ----------------------------------------------------------------------


def test_what_its_commissioner_holds_of_it_is_used_already(world: World, desk: Desk) -> None:
    approve(world)
    send(world, desk, vials(JUNE, 2))
    assert told(check(world, desk, vials(JULY, 2)).matched) == [("over quantity", 1000)]
    assert told(check(world, desk, vials(JUNE, 2)).matched) == [("matched", 2000)]
    assert plan(world, desk, JUNE).outcome.value == "matched"
    late = plan(world, desk, JUNE, quantity=Decimal(2))
    assert late.outcome.value == "over quantity"
    assert "2 of them in earlier submissions" in late.reason


def test_what_it_holds_itself_counts_where_its_commissioner_has_nothing(
    world: World, desk: Desk
) -> None:
    approve(world)
    send(world, desk, vials(JUNE, 2), caller=PHARMACIST)
    assert told(check(world, desk, vials(JULY, 2)).matched) == [("over quantity", 1000)]
    send(world, desk, vials(JUNE, 1))
    assert told(check(world, desk, vials(JULY, 2)).matched) == [("matched", 2000)]


def test_a_line_that_another_month_states_is_a_duplicate_and_a_credit_finds_its_charge(
    world: World, desk: Desk
) -> None:
    approve(world)
    send(world, desk, vials(JUNE, 3))
    moved = vials(JUNE, 3, month="4")
    assert told(check(world, desk, moved).matched) == [("duplicate line", 0)]
    back = line(JULY, total="-3000", quantity="3")
    freed = check(world, desk, back, vials(JULY, 2))
    assert told(freed.matched) == [("not a drug line", -3000), ("matched", 2000)]


def test_what_another_hospital_charged_is_not_told(world: World, desk: Desk) -> None:
    """Neither to the other hospital, nor to this one: only lines that name it are read."""
    approve(world)
    there = vials(JUNE, 3, provider="DEMO2", month="4")
    send(world, desk, there, vials(JULY, 1))
    assert told(check(world, desk, vials(AUGUST, 2)).matched) == [("matched", 2000)]
    mine = {**vials(JULY, 1), "ORGANISATION IDENTIFIER (CODE OF PROVIDER)": "DEMO2"}
    (other,) = check(world, desk, mine, caller=OTHERS).matched
    assert (other.outcome.value, other.treatment_id) == ("no approval", None)


# --- what was agreed ------------------------------------------------------------------------------


def test_a_price_that_names_the_trust_is_tested(world: World, desk: Desk) -> None:
    approve(world, cap=None)
    agree(world, provider="DEMO1", price=Decimal(800))
    assert told(check(world, desk, vials(JUNE, 1)).matched) == [("over price", 800)]
    assert plan(world, desk, JUNE, unit_price=Decimal(801)).outcome.value == "over price"
    assert plan(world, desk, JUNE, unit_price=Decimal(800)).outcome.value == "matched"


@pytest.mark.parametrize(
    "hidden",
    [
        {},
        {"product": "tysabri"},  # goes before the price that names the trust
        {"product": "tysabri", "to_day": JUNE - dt.timedelta(days=9), "run_off_days": 30},
    ],
)
@pytest.mark.parametrize("own", [True, False])
def test_no_answer_tells_anything_of_a_price_that_is_not_the_trusts_to_see(
    world: World, desk: Desk, hidden: dict[str, Any], own: bool
) -> None:
    """Whatever the hidden price is, whatever price is tried, the answer is the same."""
    approve(world, cap=None)
    if own:
        agree(world, provider="DEMO1", price=Decimal(800))
    answers = set()
    for secret in ("0.01", "799.99", "800", "800.01", "5000"):
        world.do(lambda w: w.connection.execute(_forget(w.moment.instant)))
        agree(world, price=Decimal(secret), **hidden)
        for tried in ("1", "799.99", "800", "800.01", "4999", "5001"):
            found = plan(world, desk, JUNE, unit_price=Decimal(tried))
            answers.add((tried, found.outcome, *result_of(found, "agreed price")))
    assert len(answers) == 6, "one answer for each price that is tried"
    if own and not hidden:  # less specific than the trust's own: it has no say
        assert {said[0] for said in answers if said[1].value == "over price"} == {
            *("800.01", "4999", "5001")
        }
        return
    assert {said[2] for said in answers} == {TestResult.NOT_TESTABLE}
    assert all("not tested here" in said[3] for said in answers)


def _forget(now: dt.datetime) -> sa.Update:
    prices = tables.agreed_price
    return sa.update(prices).where(prices.c.provider.is_(None)).values(replaced_at=now)


def test_supply_terms_that_name_the_trust_are_tested_and_others_are_not(
    world: World, desk: Desk
) -> None:
    approve(world)
    set_term(world, "home delivery", 30, provider="DEMO1")
    set_term(world, "quantity tolerance", 50, provider="DEMO1")
    own = {"homecare": True, "total": Decimal(3100)}
    dear = plan(world, desk, JUNE, home_delivery_charge=Decimal(40), **own)
    assert (dear.outcome.value, dear.queried) == ("over price", 10)
    assert told(check(world, desk, vials(JUNE, 4)).matched) == [("matched", 4000)]
    set_term(world, "home delivery", 35, drug="natalizumab")  # of every provider, and goes before
    set_term(world, "quantity tolerance", 0, drug="natalizumab")
    unseen = plan(world, desk, JUNE, home_delivery_charge=Decimal(40), **own)
    assert result_of(unseen, "home delivery")[0] is TestResult.NOT_TESTABLE
    assert "not tested here" in result_of(unseen, "home delivery")[1]
    assert told(check(world, desk, vials(JUNE, 4)).matched) == [("over quantity", 3000)]


# --- the check and the later run ------------------------------------------------------------------


def drawn(chance: random.Random) -> list[Row]:
    """A file of one to five lines of the trust, of three months, most of the first patient."""
    rows = []
    for _ in range(chance.randint(1, 5)):
        day = chance.choice((JUNE, JUNE + dt.timedelta(days=chance.randint(0, 9)), JULY, AUGUST))
        count = chance.choice((1, 1, 1, 2))
        price = chance.choice((700, 800, 801, 1000))
        drug = chance.choice(("TYSABRI 300mg", "TYSABRI 300mg", "TYRUKO", "delivery", "HUMIRA"))
        more: dict[str, str] = chance.choice(
            (
                {},
                {},
                {"nhs": ""},
                {"local": ""},
                {"unit": "mg"},
                {"vat": "Y"},
                {"route": "4", "delivery": chance.choice(("20", "30", "31"))},
                {"month": "4"},
            )
        )
        total = count * price * chance.choice((1, 1, 1, -1))
        changes = {"drug": drug, "quantity": str(count), "price": str(price), "total": str(total)}
        rows.append(line(day, **{**changes, **more}))
    return rows


def agreed_at_random(world: World, chance: random.Random, *, hidden: bool) -> None:
    for _ in range(chance.randint(0, 3)):
        named = {"provider": chance.choice(("DEMO1", None) if hidden else ("DEMO1",))}
        named |= chance.choice(({}, {"product": "tysabri"}, {"to_day": JUNE, "run_off_days": 30}))
        agree(world, price=Decimal(chance.choice((750, 800))), **named)
    for kind, amounts in (("home delivery", (25, 30)), ("quantity tolerance", (0, 34))):
        for _ in range(chance.randint(0, 2)):
            own = {"provider": chance.choice(("DEMO1", None) if hidden else ("DEMO1",))}
            own |= chance.choice(({}, {"drug": "natalizumab"}))
            set_term(world, kind, chance.choice(amounts), **own)


#: What a test that the trust may not make may turn out as in the commissioner's run.
_OF_TERMS = {"over price", "over quantity", "matched"}


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("hidden", [False, True])
def test_the_check_says_what_the_later_run_says(
    world: World, desk: Desk, seed: int, hidden: bool
) -> None:
    """For random drafts, on what was sent before; but where terms are not the trust's to see."""
    chance = random.Random(f"{seed} {hidden}")
    approve(world, cap=Decimal(chance.randint(2, 6)))
    agreed_at_random(world, chance, hidden=hidden)
    compared = 0
    for place in range(8):
        if place == 4:
            freeze(world, 3, dt.date(2026, 7, 20))
            world.on(dt.date(2026, 8, 10))
        rows = drawn(chance)
        first = check(world, desk, *rows).matched
        later = run(world, desk, data=csv_bytes(rows)).matched
        for said, came in zip(first, later, strict=True):
            compared += 1
            if hidden and came.kind is LineKind.FEE:
                assert said.accepted <= came.accepted
                continue
            if hidden and came.outcome.value in _OF_TERMS:
                _never_too_kind(said, came)
                continue
            assert (said.outcome, said.accepted, said.queried, said.reason) == (
                *(came.outcome, came.accepted, came.queried),
                came.reason,
            )
    assert compared >= 8


def _never_too_kind(said: MatchedLine, came: MatchedLine) -> None:
    """The check's tests are the run's, or are said not to be made here, or warn of too much."""
    assert said.outcome.value in _OF_TERMS
    results = {test.name: test for test in came.tests}
    for test in said.tests:
        other = results[test.name]
        if test.result is other.result or test.name == "commissioner":
            continue
        if test.name in ("quantity", "dose", "supply length"):
            assert test.result is TestResult.FAILED, "a tolerance counts as none"
        else:
            assert test.result is TestResult.NOT_TESTABLE
            assert "not tested here" in test.detail


def test_a_draft_that_no_commissioner_holds_anything_before_is_checked_alone(
    world: World, desk: Desk
) -> None:
    approve(world)
    other = replace(COMMISSIONER, id="elsewhere", organisation="DEMQ2")
    send(world, desk, vials(JUNE, 3), caller=other)
    assert told(check(world, desk, vials(JULY, 3)).matched) == [("matched", 3000)]
