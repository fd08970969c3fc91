"""What the passes need to know of each line, worked out once."""

import datetime as dt
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace

from app.reconciliation.classify import classify
from app.reconciliation.engines.index import Folder
from app.reconciliation.engines.last_deliveries import Given, days_given, given_of, invoice_days
from app.reconciliation.model import ContractLine, LineKind
from app.reconciliation.period import Basis, Period, invoiced, period_of
from app.reconciliation.terms_model import SupplyTerm
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
    def on(self) -> dt.date | None:
        """The day on which dated words of its name are read: the last of its time of supply."""
        return self.period.last if self.period is not None else None

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
    supplies: Sequence[SupplyTerm] = (),
) -> list[Prepared]:
    """Each line prepared, in order. Drug texts repeat, so each is recognised once for all days
    between which no word of a drug begins or ends.

    What its date means is data by layout, route of dispensing and commissioner; which days after a
    stop or a death it allows are the commissioner's supply terms.
    """
    seen: dict[tuple[str | None, str | None, int | None], Recognition] = {}
    changes = dictionary.changes()
    prepared = []
    given = given_of(supplies)
    for line in lines:
        period = period_of(line) or invoiced_period(line, given, fold)
        on = period.last if period else None
        era = None if on is None else bisect_right(changes, on)
        key = (line.drug_code, line.drug_name, era)
        if key not in seen:
            seen[key] = dictionary.recognise(line.drug_code, line.drug_name, on)
        provider = fold(line.provider, on or as_at) if line.provider else None
        payer = fold(line.commissioner, on or as_at) if line.commissioner else None
        kind = classify(line, seen[key], on)
        if period is not None:
            meaning = date_basis(
                layout, line.dispensing_route, payer, period.last, _DATES[period.basis]
            )
            drug = seen[key].drug
            stop, death = days_given(given, line.dispensing_route, payer, provider, drug, period)
            period = replace(period, means=meaning.means, after_stop=stop, after_death=death)
        prepared.append(Prepared(line, seen[key], kind, period, provider, payer))
    return prepared


#: Which of a line's dates its time was taken from, as `date_basis.csv` names it.
_DATES = {
    Basis.DATE: SUPPLIED,
    Basis.MONTH: SUPPLIED,
    Basis.DELIVERY: DELIVERED,
    Basis.INVOICE: INVOICED,
}


def invoiced_period(line: ContractLine, given: Given, fold: Folder) -> Period | None:
    """The days before an invoice's, where the payer has agreed how soon an invoice follows."""
    on = line.invoice_date
    if on is None or not given:
        return None
    payer = fold(line.commissioner, on) if line.commissioner else None
    provider = fold(line.provider, on) if line.provider else None
    return invoiced(line, invoice_days(given, line.dispensing_route, payer, provider, on))
