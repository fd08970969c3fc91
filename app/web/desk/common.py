"""What the pages of the desk share: months, colours, tables of money. Pure wording."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final
from urllib.parse import urlencode

from app.reconciliation.challenge_model import ChallengeState
from app.reconciliation.model import LineOutcome, TestResult
from app.reconciliation.report import largest_first, untested_told
from app.reconciliation.summary import NOT_STATED
from app.reconciliation.untested import ANY_TEST
from app.reference_data.drugs import load_drugs
from app.reference_data.organisations import load_organisations
from app.web.decision import Colour
from app.web.words import first_upper

_O, _C = LineOutcome, ChallengeState
_COLOURS: Final[dict[LineOutcome, Colour]] = {
    _O.MATCHED: "green",
    _O.APPROVED_LATE: "yellow",
    _O.AWAITING_DECISION: "blue",
    _O.APPROVAL_NOT_REQUIRED: "green",
    _O.NO_POLICY_HELD: "grey",
    _O.NOT_A_DRUG_LINE: "grey",
    _O.CREDIT_WITHOUT_DEBIT: "yellow",
    _O.NOT_RECOVERABLE: "grey",
}
_CHALLENGE_COLOURS: Final[dict[ChallengeState, Colour]] = {
    _C.DRAFTED: "grey",
    _C.RAISED: "yellow",
    _C.ANSWERED: "blue",
    _C.UPHELD: "orange",
    _C.WITHDRAWN: "grey",
    _C.CREDITED: "green",
}
TEST_COLOURS: Final[dict[str, Colour]] = {
    TestResult.PASSED: "green",
    TestResult.FAILED: "orange",
    TestResult.NOT_TESTABLE: "grey",
}


def outcome_colour(outcome: str) -> Colour:
    """The colour of an outcome's tag; what is queried for a fault of the line is orange."""
    return _COLOURS.get(LineOutcome(outcome), "orange")


def challenge_colour(state: str) -> Colour:
    """The colour of a challenge's tag."""
    return _CHALLENGE_COLOURS[ChallengeState(state)]


def month_words(key: str | None) -> str:
    """A financial month such as `202526 M01` as "April 2025"; other words stay."""
    if key is None:
        return "every month"
    if key == NOT_STATED:
        return "Month not stated"
    year, _, month = key.partition(" M")
    if not (year.isdigit() and month.isdigit() and len(year) == 6 and 1 <= int(month) <= 12):
        return key
    return period_words(year, int(month))


def period_words(financial_year: str, financial_month: int) -> str:
    """Month 1 of 202526 as "April 2025"."""
    first = int(financial_year[:4])
    at = dt.date(first + (financial_month > 9), (financial_month + 2) % 12 + 1, 1)
    return f"{at:%B %Y}"


def drug_words(key: str | None) -> str:
    """A drug's name for its key."""
    if key is None or key == NOT_STATED:
        return "Drug not recognised"
    drug = load_drugs().drugs.get(key)
    return first_upper(drug.name if drug else key)


def organisation_words(code: str | None) -> str:
    """A name with its code, where the directory knows it."""
    if code is None or code == NOT_STATED:
        return "Provider not stated"
    found = load_organisations().find(code, None)
    return f"{found.name} ({code})" if found else code


@dataclass(frozen=True, slots=True)
class MoneyRow:
    """One row of a breakdown: pounds in all, accepted and queried; and the lines behind it.

    `href` is empty where the lines behind it have no page.
    """

    text: str
    href: str
    colour: Colour | None
    lines: int
    unreadable: int
    total: Decimal
    accepted: Decimal
    queried: Decimal


@dataclass(frozen=True, slots=True)
class MoneyTable:
    """A breakdown whose rows add up to the whole."""

    title: str
    head: str
    href: str
    rows: tuple[MoneyRow, ...]


def money_tables(run: str, summary: Mapping[str, Any]) -> tuple[MoneyTable, ...]:
    """A run's breakdowns: those with most at stake first, months in their order.

    An older run was not broken down by commissioner.
    """
    names = ("outcome", "drug", "provider", "commissioner", "month")
    return tuple(_table(run, summary, name) for name in names if f"by_{name}" in summary)


@dataclass(frozen=True, slots=True)
class UntestedTable:
    """What was accepted of lines with a test that could not be made, in pounds, and by test.

    `amount` is None where the run does not know. Each test leads to its lines, `href` to all.
    """

    amount: Decimal | None
    href: str
    tests: tuple[tuple[str, str, Decimal], ...]


def untested_table(run: str, summary: Mapping[str, Any]) -> UntestedTable:
    """What a run accepted untested, the tests with most pounds first."""
    untested = untested_told(summary)
    if untested is None:
        return UntestedTable(None, "", ())
    tests = tuple(
        (first_upper(name), lines_href(run, "untested", name), amount)
        for name, amount in largest_first(untested)
    )
    return UntestedTable(untested.amount, lines_href(run, "untested", ANY_TEST), tests)


def lines_href(run: str, name: str = "", key: str = "") -> str:
    """Where the lines of a run are, or those of a row of one of its breakdowns."""
    at = f"/submissions/runs/{run}/lines"
    return f"{at}?{urlencode({name: key})}" if name else at


def total_row(summary: Mapping[str, Any]) -> MoneyRow:
    """The whole run."""
    return _row("Total", "", None, summary["total"])


def _table(run: str, summary: Mapping[str, Any], name: str) -> MoneyTable:
    rows = []
    for each in summary[f"by_{name}"]:
        key = each[name]
        colour = outcome_colour(key) if name == "outcome" else None
        rows.append(_row(key_words(name, key), lines_href(run, name, key), colour, each))
    if name != "month":
        rows.sort(key=lambda row: (-row.queried, -row.total, row.text))
    return MoneyTable(f"By {name}", first_upper(name), lines_href(run), tuple(rows))


def key_words(name: str, key: str) -> str:
    """A key of a breakdown by outcome, drug, provider and so on, or of a test, in words."""
    if name == "drug":
        return drug_words(key)
    if name == "provider":
        return organisation_words(key)
    if name == "commissioner":
        return "Commissioner not stated" if key == NOT_STATED else organisation_words(key)
    return month_words(key) if name == "month" else first_upper(key)


def _row(text: str, href: str, colour: Colour | None, figures: Mapping[str, Any]) -> MoneyRow:
    return MoneyRow(
        text,
        href,
        colour,
        figures["lines"],
        figures["unreadable_totals"],
        Decimal(figures["total"]),
        Decimal(figures["accepted"]),
        Decimal(figures["queried"]),
    )
