"""A trust's check before it invoices: the same engine on a draft file or on one planned supply.

Nothing is stored but the audit entries. Of an approval at another provider the trust learns that
there is one, for lines that name the patient by NHS number and the birth date that fits it, and not
where the patient objects to being shown; each time it is told, that is audited on the patient.
"""

import csv
import datetime as dt
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from app.approvals import objecting, patients, standing, store
from app.approvals.model import TreatmentRecord
from app.approvals.permissions import Action, check_can
from app.audit import Reading
from app.auth.model import Caller
from app.db.work import Work
from app.reconciliation import service
from app.reconciliation.advice import ASKED_ELSEWHERE, Advice, advise
from app.reconciliation.intake import read_submission
from app.reconciliation.model import MatchedLine, Submission
from app.reconciliation.parse_dates import financial_month_of
from app.reconciliation.scope import scope_of
from app.reconciliation.service import Desk
from app.reconciliation.snapshots import take_snapshot
from app.reconciliation.summary import Summary

#: How many patients one check asks after at other providers; further lines are told nothing.
MOST_ASKED: Final = 2_000
TOLD: Final = "told that an approval exists elsewhere"


@dataclass(frozen=True, slots=True)
class PlannedSupply:
    """One supply that a trust plans. Money in pounds; what is not known is None."""

    drug: str
    supply_date: dt.date
    commissioner: str | None = None
    nhs_number: str | None = None
    local_id: str | None = None
    birth_date: dt.date | None = None
    indication_code: str | None = None
    reference: str | None = None
    quantity: Decimal | None = None
    unit: str | None = None
    unit_price: Decimal | None = None
    total: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Checked:
    """What will come of each line, and the sums."""

    submission: Submission
    advice: tuple[Advice, ...]
    summary: Summary

    @property
    def matched(self) -> tuple[MatchedLine, ...]:
        """The lines with what the trust may read of their outcomes."""
        return tuple(each.item for each in self.advice)


def read_draft(desk: Desk, caller: Caller, data: bytes, file_name: str) -> Submission:
    """Read a draft file; as for a submission, only its own lines. Slow for a large one."""
    check_can(caller, Action.CHECK_SUPPLY)
    submission = read_submission(data, file_name)
    service.check_readable(desk, caller, submission)
    return submission


def as_submission(caller: Caller, planned: PlannedSupply) -> Submission:
    """The planned supply as a file of one line, read as any file is."""
    check_can(caller, Action.CHECK_SUPPLY)
    cells = _cells(caller.organisation, planned)
    out = io.StringIO()
    writer = csv.DictWriter(out, list(cells))
    writer.writeheader()
    writer.writerow(cells)
    return read_submission(out.getvalue().encode(), "planned.csv")


def check(
    work: Work, desk: Desk, caller: Caller, submission: Submission
) -> tuple[Checked, tuple[Reading, ...]]:
    """What would come of the lines today, and what is to be audited of the asking."""
    check_can(caller, Action.CHECK_SUPPLY)
    snapshot = take_snapshot(work, desk.office, scope_of(caller), work.moment.day)
    worked = service.match(desk, caller, submission, snapshot)
    held = _held_elsewhere(work, caller, worked.matched)
    advice = tuple(
        advise(item, snapshot.coverages, elsewhere=item.line.row in held) for item in worked.matched
    )
    asked = {"lines": len(advice), "elsewhere": len(held)}
    told = tuple(
        Reading(TOLD, treatment_id=treatment.id, patient_id=treatment.patient_id)
        for treatment in {t.id: t for t in held.values()}.values()
    )
    reading = Reading("supplies checked before invoicing", names=asked)
    return Checked(submission, advice, worked.summary), (reading, *told)


def _held_elsewhere(
    work: Work, caller: Caller, matched: Sequence[MatchedLine]
) -> Mapping[int, TreatmentRecord]:
    """Row → the live treatment with that drug that another provider holds."""
    known: dict[tuple[str, dt.date, str], TreatmentRecord | None] = {}
    found: dict[int, TreatmentRecord] = {}
    for item in matched:
        line, drug = item.line, item.recognition.drug
        if item.outcome not in ASKED_ELSEWHERE or drug is None:
            continue
        if line.nhs_number is None or line.birth_date is None:
            continue
        who = (line.nhs_number, line.birth_date, drug)
        if who not in known and len(known) < MOST_ASKED:
            known[who] = _live_elsewhere(work, caller, *who)
        treatment = known.get(who)
        if treatment is not None:
            found[line.row] = treatment
    return found


def _live_elsewhere(
    work: Work, caller: Caller, nhs_number: str, birth_date: dt.date, drug: str
) -> TreatmentRecord | None:
    person = patients.known_by(work, nhs_number, birth_date)
    if person is None or objecting.stands(work, person):
        return None
    for treatment in store.all_treatments_of(work, patients.same_person(work, person.canonical_id)):
        other = treatment.provider != caller.organisation and treatment.drug == drug
        with work.beyond_scope():  # that it is live is all that is told
            if other and standing.is_live(work, treatment, work.moment.day):
                return treatment
    return None


def _cells(provider: str, planned: PlannedSupply) -> dict[str, str]:
    year, month = financial_month_of(planned.supply_date)

    def text(value: object) -> str:
        return "" if value is None else f"{value}"

    code, name = (planned.drug, "") if planned.drug.isdigit() else ("", planned.drug)
    return {
        "FINANCIAL MONTH": str(month),
        "FINANCIAL YEAR": year,
        "ORGANISATION IDENTIFIER (CODE OF PROVIDER)": provider,
        "ORGANISATION IDENTIFIER (CODE OF COMMISSIONER)": text(planned.commissioner),
        "NHS NUMBER": text(planned.nhs_number),
        "LOCAL PATIENT IDENTIFIER (EXTENDED)": text(planned.local_id),
        "PERSON BIRTH DATE": text(planned.birth_date),
        "CLINICAL INTERVENTION DATE (DRUG DISPENSED)": text(planned.supply_date),
        "THERAPEUTIC INDICATION CODE (SNOMED CT)": text(planned.indication_code),
        "HIGH COST TARIFF EXCLUDED DRUG CODE (SNOMED CT DM+D)": code,
        "DRUG NAME": name,
        "DRUG QUANTITY OR WEIGHT PROPORTION": text(planned.quantity),
        "UNIT OF MEASUREMENT (SNOMED CT DM+D)": text(planned.unit),
        "PROVIDER REFERENCE NUMBER": text(planned.reference),
        "UNIT PRICE (COMMISSIONER)": text(planned.unit_price),
        # A plan without a price is matched like any other; its amounts are nil.
        "TOTAL COST": "0.00" if planned.total is None else f"{planned.total:f}",
    }
