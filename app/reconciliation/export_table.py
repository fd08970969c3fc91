"""A run's lines as one table, as its reader may see them: what every export writes. Pure.

A trust reads its own patients' numbers. A payer reads pseudonyms under its own key, and what stands
in free text of the line without NHS numbers.
"""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from app.reconciliation.challenge_model import Challenge
from app.reconciliation.hidden_columns import (
    LOCAL_PSEUDONYM,
    NHS_PSEUDONYM,
    without_nhs_numbers,
)
from app.reconciliation.model import ContractLine, MatchedLine, TestResult
from app.reconciliation.summary import month_of
from app.reference_data.pseudonyms import PseudonymKey

Cell = str | int | Decimal | dt.date | None
NHS_NUMBER: Final = "NHS NUMBER"
LOCAL_ID: Final = "LOCAL PATIENT IDENTIFIER"
OUTCOME: Final = "OUTCOME"


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads the export: a trust its own numbers, a payer pseudonyms (none without a key)."""

    payer: bool
    key: PseudonymKey | None = None


@dataclass(frozen=True, slots=True)
class Sheet:
    """Rows under a header. Amounts are exact pounds; None is an empty cell."""

    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


Columns = Mapping[str, Callable[[MatchedLine], Cell]]


def columns_of(reader: Reader) -> Columns:
    """What a line states, its outcome and the evidence, each under its header."""
    free = without_nhs_numbers if reader.payer else str
    text = _free_text(free)
    return {
        "ROW": lambda m: m.line.row,
        "MONTH": month_of,
        "PROVIDER": lambda m: m.provider,
        "COMMISSIONER": lambda m: m.line.commissioner,
        **_identity(reader),
        "SUPPLY DATE": lambda m: m.line.supply_date,
        "DRUG NAME ON THE LINE": lambda m: text(m.line.drug_name),
        "DRUG": lambda m: m.recognition.drug,
        "PRODUCT": lambda m: m.recognition.product,
        "KIND": lambda m: m.kind.value,
        "QUANTITY": lambda m: m.line.quantity,
        "UNIT": lambda m: text(m.line.unit),
        "UNIT PRICE": lambda m: m.line.unit_price,
        "HOME DELIVERY CHARGE": lambda m: m.line.home_delivery_charge,
        "TOTAL COST": lambda m: m.line.total_cost,
        OUTCOME: lambda m: m.outcome.value,
        "ACCEPTED": lambda m: m.accepted,
        "QUERIED": lambda m: m.queried,
        "APPROVAL REFERENCE": lambda m: m.reference,
        "FOUND BY": lambda m: m.found_by or None,
        "REASON": lambda m: m.reason,
        "REMEDY": lambda m: m.remedy or None,
        "FAILED TESTS": lambda m: _tests(m, TestResult.FAILED),
        "NOT TESTABLE": lambda m: _tests(m, TestResult.NOT_TESTABLE),
    }


def _free_text(free: Callable[[str], str]) -> Callable[[str | None], str | None]:
    return lambda text: None if text is None else free(text)


def _identity(reader: Reader) -> dict[str, Callable[[MatchedLine], Cell]]:
    if not reader.payer:
        return {
            NHS_NUMBER: lambda m: m.line.nhs_number,
            LOCAL_ID: lambda m: m.line.local_patient_id,
        }
    key = reader.key

    def number(line: ContractLine) -> str | None:
        if key is None or line.nhs_number is None:
            return line.nhs_pseudonym
        return key.of_nhs_number(line.nhs_number)

    def local(line: ContractLine) -> str | None:
        if key is None or line.local_patient_id is None:
            return line.local_pseudonym
        return key.of_local_id(line.local_patient_id)

    return {NHS_PSEUDONYM: lambda m: number(m.line), LOCAL_PSEUDONYM: lambda m: local(m.line)}


def _tests(item: MatchedLine, result: TestResult) -> str | None:
    found = [f"{test.name}: {test.detail}" for test in item.tests if test.result is result]
    return "; ".join(found) or None


_CHALLENGES: Final = (
    "CHALLENGE", "STATE", "PROVIDER", "OUTCOME", "DRUG", "MONTH", "LINES", "QUERIED", "UPHELD",
    "RESPOND BY", "CREDIT REFERENCE",
)  # fmt: skip


def challenges_sheet(challenges: Sequence[Challenge]) -> Sheet:
    """The challenges drafted of a run, a row each."""
    rows = tuple(
        (
            each.id,
            each.state.value,
            each.provider,
            each.outcome.value,
            each.drug,
            each.month,
            each.lines,
            each.queried,
            each.upheld,
            each.respond_by,
            each.credit_reference,
        )
        for each in challenges
    )
    return Sheet(_CHALLENGES, rows)
