"""What the passes need to know of each line, worked out once."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace

from app.reconciliation.classify import classify
from app.reconciliation.engines.index import Folder
from app.reconciliation.model import ContractLine, LineKind
from app.reconciliation.period import Basis, Period, invoiced, period_of
from app.reference_data.date_basis import DELIVERED, INVOICED, SUPPLIED, date_basis
from app.reference_data.drugs import DrugDictionary, Recognition


@dataclass(frozen=True, slots=True)
class Prepared:
    """A line with its drug, kind, time, provider (a site folded to its trust) and commissioner."""

    line: ContractLine
    recognition: Recognition
    kind: LineKind
    period: Period | None
    provider: str | None
    commissioner: str | None = None

    @property
    def local_key(self) -> tuple[str, str] | None:
        """The local identifier together with the organisation that issued it."""
        if self.provider is None or self.line.local_patient_id is None:
            return None
        return self.provider, self.line.local_patient_id

    @property
    def day(self) -> dt.date | None:
        """The very day of supply, as dispensed or delivered; None where it is not known."""
        return self.period.first if self.period is not None and self.period.is_day else None

    @property
    def has_identity(self) -> bool:
        """Whether the line states anything legible by which its patient can be known."""
        return self.line.nhs_number is not None or self.line.local_patient_id is not None


def prepare(
    lines: Sequence[ContractLine],
    dictionary: DrugDictionary,
    fold: Folder,
    as_at: dt.date,
    layout: str = "",
) -> list[Prepared]:
    """Each line prepared, in order. Drug texts repeat, so each is recognised once per day.

    What its date means, and what that allows after a stop or a death, is data by layout, route of
    dispensing and commissioner.
    """
    seen: dict[tuple[str | None, str | None, dt.date | None], Recognition] = {}
    prepared = []
    for line in lines:
        period = period_of(line) or invoiced_period(line, layout, fold)
        on = period.last if period else None
        key = (line.drug_code, line.drug_name, on)
        if key not in seen:
            seen[key] = dictionary.recognise(*key)
        provider = fold(line.provider, on or as_at) if line.provider else None
        payer = fold(line.commissioner, on or as_at) if line.commissioner else None
        kind = classify(line, seen[key])
        if period is not None:
            meaning = date_basis(
                layout, line.dispensing_route, payer, period.last, _DATES[period.basis]
            )
            period = replace(
                period,
                means=meaning.means,
                after_stop=meaning.after_stop,
                after_death=meaning.after_death,
            )
        prepared.append(Prepared(line, seen[key], kind, period, provider, payer))
    return prepared


#: Which of a line's dates its time was taken from, as `date_basis.csv` names it.
_DATES = {
    Basis.DATE: SUPPLIED,
    Basis.MONTH: SUPPLIED,
    Basis.DELIVERY: DELIVERED,
    Basis.INVOICE: INVOICED,
}


def invoiced_period(line: ContractLine, layout: str, fold: Folder) -> Period | None:
    """The days before an invoice's, where the payer has agreed how soon an invoice follows."""
    if line.invoice_date is None:
        return None
    payer = fold(line.commissioner, line.invoice_date) if line.commissioner else None
    meaning = date_basis(layout, line.dispensing_route, payer, line.invoice_date, INVOICED)
    return invoiced(line, meaning.within)
