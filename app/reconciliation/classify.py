"""What kind of charge a line is, told from its amount, its drug and the words in its name.

The words are dated data: `kind_words.csv` of the reference data (ADR 84). A day is that of the
supply, the last one where only a month is known; no day looks at words of all dates.
"""

import datetime as dt

from app.reconciliation.model import ContractLine, LineKind
from app.reference_data.drugs import Recognition
from app.reference_data.kinds import fee_sort_in, kind_in, tells_fee


def fee_sort(name: str | None, on: dt.date | None) -> str:
    """Which agreed charge a fee of this name is held against."""
    return fee_sort_in(name or "", on)


def is_fee_named(name: str | None, drug: str | None, on: dt.date | None) -> bool:
    """Whether a line of this name would be a fee, were its total no credit."""
    return tells_fee(name or "", on, with_drug=bool(drug))


def may_be_fee(name: str | None) -> bool:
    """Whether a line of this name may be a fee, whatever drug is recognised in it and whenever."""
    return tells_fee(name or "", None, with_drug=False)


def classify(line: ContractLine, recognition: Recognition, on: dt.date | None = None) -> LineKind:
    """The kind of a line. A negative total is a credit, whatever it is called."""
    if line.total_cost is not None and line.total_cost < 0:
        return LineKind.CREDIT
    has_drug = recognition.drug is not None
    told = kind_in(line.drug_name or "", on, with_drug=has_drug)
    if told is not None:
        return LineKind(told)
    if has_drug:
        return LineKind.DRUG
    if (line.point_of_delivery or "").casefold() == "device":
        return LineKind.DEVICE
    return LineKind.UNKNOWN
