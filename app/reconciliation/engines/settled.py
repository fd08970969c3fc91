"""Lines settled before any approval is looked at."""

from typing import Final

from app.reconciliation.engines.diagnose import Verdict
from app.reconciliation.engines.prepare import Prepared
from app.reconciliation.engines.repeats import can_repeat
from app.reconciliation.model import Coverage, LineKind, LineOutcome, Test
from app.reconciliation.outcomes import FAILED, NOT_TESTABLE, PASSED, sentence

DUPLICATE: Final = "duplicate"

_NOT_DRUGS = {
    LineKind.FEE: "The line charges a fee or a delivery, not a drug.",
    LineKind.DEVICE: "The line charges a device or consumable, not a drug.",
    LineKind.NOT_A_DRUG: "The line charges something that is not a drug.",
}


def settle(item: Prepared) -> Verdict | None:
    """The verdict on a line that is unreadable or no drug supply; None for every other line."""
    line = item.line
    if line.shifted:
        return Verdict(LineOutcome.CANNOT_BE_READ, _sentence(line.why_unread("row")))
    if item.kind is LineKind.FREE_OF_CHARGE:
        return _free_of_charge(item)
    if line.total_cost is None:
        why = line.why_unread("total_cost") or "it is empty"
        return Verdict(LineOutcome.CANNOT_BE_READ, f"The total cost cannot be read ({why}).")
    if item.kind is LineKind.CREDIT:
        return _credit(item)
    if item.kind in _NOT_DRUGS:
        return Verdict(LineOutcome.NOT_A_DRUG_LINE, _NOT_DRUGS[item.kind])
    if item.kind is LineKind.UNKNOWN:
        return _unrecognised(item)
    return None


def duplicate(row: int) -> Verdict:
    """The verdict on the second and later lines of the same content."""
    return Verdict(LineOutcome.DUPLICATE_LINE, f"The line states the same as row {row}.")


def stated_before() -> Verdict:
    """The verdict on a line that stands in a current slice of an earlier submission."""
    reason = "The line states the same as a line of an earlier submission that stands."
    return Verdict(LineOutcome.DUPLICATE_LINE, reason)


def repeats_another(verdict: Verdict) -> Test:
    """The test of a line that states what stands already."""
    return Test(DUPLICATE, FAILED, verdict.reason[:1].lower() + verdict.reason[1:].rstrip("."))


def told_apart(item: Prepared) -> Test:
    """The test of a line that repeats none."""
    if can_repeat(item):
        return Test(DUPLICATE, PASSED, "it repeats no line that stands")
    detail = "the line states no patient or no time by which a second one could be told"
    return Test(DUPLICATE, NOT_TESTABLE, detail)


def without_debit() -> Verdict:
    """The verdict on a credit that gives back no charge that is known."""
    return Verdict(
        LineOutcome.CREDIT_WITHOUT_DEBIT,
        "The line gives money back, and no charge of that patient, drug and amount was found "
        "that it could be given back for.",
    )


_FEE_REMEDIES = {
    LineOutcome.MATCHED: "",
    LineOutcome.OVER_PRICE: "Credit the excess, or agree the charge with the commissioner.",
    LineOutcome.NOT_A_DRUG_LINE: (
        "Charge it with the supply that it belongs to, on the day of that, or withdraw it."
    ),
}


def settled_fee(outcome: LineOutcome, test: Test, coverage: Coverage | None) -> Verdict:
    """The verdict on a fee on a line of its own, with the approval of its supply."""
    reason = f"The line charges a fee: {test.detail}."
    return Verdict(outcome, reason, coverage, remedy=_FEE_REMEDIES[outcome])


def reversal(row: int) -> Verdict:
    """The verdict on a credit that takes back an earlier charge."""
    return Verdict(
        LineOutcome.NOT_A_DRUG_LINE,
        f"The line is a credit that reverses row {row}, and is counted as that row is.",
        remedy="",
    )


def not_pass_through(contract: Test) -> Verdict:
    """The verdict on a drug that the contract pays for in another way than line by line."""
    return Verdict(
        LineOutcome.NOT_RECOVERABLE,
        sentence(contract.detail),
        remedy="Take the line out of the charge, or send the term that makes it pass-through.",
    )


def _free_of_charge(item: Prepared) -> Verdict:
    charged = bool(item.line.total_cost)
    why = "and yet carries a cost" if charged else "and carries no cost"
    return Verdict(
        LineOutcome.NOT_RECOVERABLE,
        f"The line is named as free of charge, trial, compassionate or private {why}.",
        remedy=None if charged else "",
    )


def _credit(item: Prepared) -> Verdict:
    total = item.line.total_cost
    if total is not None and total < 0:
        return Verdict(
            LineOutcome.NOT_A_DRUG_LINE, "The line gives money back: a credit.", remedy=""
        )
    return Verdict(
        LineOutcome.NOT_A_DRUG_LINE, "The line is named as a credit, but its cost is not negative."
    )


def _unrecognised(item: Prepared) -> Verdict:
    suggestion = item.recognition.suggestion
    hint = f"Is it {suggestion}? " if suggestion else ""
    return Verdict(
        LineOutcome.CANNOT_BE_READ,
        f"The drug is not recognised: {item.recognition.reason}.",
        remedy=f"{hint}Correct the drug's code or name, or have the spelling added as a synonym.",
    )


def _sentence(text: str | None) -> str:
    words = text or "the row cannot be read"
    return words[:1].upper() + words[1:] + "."
