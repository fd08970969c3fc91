"""What the contract says of a drug line, and which commissioner is responsible for it.

A term of the drug goes before a term of every drug. Where none is known, or terms in force
disagree, nothing is concluded: the test is not testable, and the outcome is what it would be.
"""

import datetime as dt
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from app.reconciliation.model import Test
from app.reconciliation.outcomes import FAILED, NOT_TESTABLE, PASSED
from app.reconciliation.period import Period
from app.reconciliation.terms_model import (
    EVERY_DRUG,
    Basis,
    ContractTerm,
    ResponsiblePayer,
)
from app.reference_data.data_files import in_force

CONTRACT, COMMISSIONER = "contract", "commissioner"
_NO_TERM = Test(CONTRACT, NOT_TESTABLE, "no contract term is known")
_NO_ROW = Test(COMMISSIONER, NOT_TESTABLE, "which commissioner is responsible is not known")


@dataclass(frozen=True, slots=True)
class Payer:
    """The test of a line's commissioner; `proposed` is another one to reassign the line to.

    `silent`: no row says anything of the drug and the commissioner at the time.
    """

    test: Test
    proposed: str | None = None
    silent: bool = False


def check_contract(held: Sequence[ContractTerm], drug: str, period: Period | None) -> Test:
    """Whether the drug is pass-through over the whole time of supply.

    `held` are the terms between the line's provider and commissioner. FAILED means that the line
    is not recoverable: it is paid in another way.
    """
    if period is None:
        return _NO_TERM
    said = frozenset[Basis | None]().union(
        *(_bases(held, drug, day) for day in {period.first, period.last})
    )
    if len(said) > 1:
        return Test(CONTRACT, NOT_TESTABLE, "the contract terms known for that time disagree")
    found = next(iter(said))
    if found is None:
        return _NO_TERM
    if found is Basis.PASS_THROUGH:
        return Test(CONTRACT, PASSED, "the contract has it as pass-through")
    return Test(CONTRACT, FAILED, f"the contract has it as {found}, not as pass-through")


def _bases(held: Iterable[ContractTerm], drug: str, day: dt.date) -> frozenset[Basis | None]:
    """What the terms in force on a day say, those of the drug before those of every drug."""
    today = [t for t in held if in_force(t.from_, t.to, day)]
    for wanted in (drug, EVERY_DRUG):
        found = frozenset(t.basis for t in today if t.drug == wanted)
        if found:
            return found
    return frozenset({None})


def check_payer(
    rows: Sequence[ResponsiblePayer], commissioner: str | None, period: Period | None
) -> Payer:
    """Whether the line names the commissioner that is responsible for the drug at the time.

    `rows` are those of the drug. It refuses nothing: a mismatch proposes a reassignment.
    """
    if commissioner is None or period is None:
        return Payer(_NO_ROW)
    held = [row for row in rows if commissioner in row.among]
    days = {period.first, period.last}
    said = {_responsible(held, day) for day in days}
    if len(said) != 1 or said == {None}:
        silent = not any(in_force(row.from_, row.to, day) for row in held for day in days)
        return Payer(_NO_ROW, silent=silent)
    responsible = said.pop()
    if responsible == commissioner:
        return Payer(Test(COMMISSIONER, PASSED, f"{commissioner} is responsible for this drug"))
    detail = f"{responsible}, not {commissioner}, is responsible for this drug at that time"
    return Payer(Test(COMMISSIONER, FAILED, detail), responsible)


def check_payer_of_approval(commissioner: str, payers: Collection[str]) -> Payer:
    """Whether the line names who pays for its approval: asked where no row says who is responsible.

    `payers` are those on the first and on the last day of the time of supply. It refuses nothing.
    """
    if len(set(payers)) != 1:
        detail = "who pays for the approval changes in that time"
        return Payer(Test(COMMISSIONER, NOT_TESTABLE, detail))
    (pays,) = set(payers)
    if pays == commissioner:
        return Payer(Test(COMMISSIONER, PASSED, f"{commissioner} pays for the approval"))
    detail = f"{pays}, not {commissioner}, pays for the approval at that time"
    return Payer(Test(COMMISSIONER, FAILED, detail), pays)


def _responsible(held: Iterable[ResponsiblePayer], day: dt.date) -> str | None:
    """The one responsible commissioner on a day; None where rows are silent or disagree."""
    found = {p.responsible for p in held if in_force(p.from_, p.to, day)}
    return found.pop() if len(found) == 1 else None
