"""A trust's check before it invoices: the same engine on a draft file or on one planned supply.

Nothing is stored but the audit entries and declarations of care, and of a file that was uploaded on
a page its result, for as long as the file waits (`kept_checks`). Of an approval at another provider
the trust learns that there is one, where it declares that it cares for the patient: in words for a
planned supply, and for a draft file by the line itself, which states what it supplied (ADR 59). It
names the patient by NHS number and the birth date that fits it; where the patient objects to being
shown it is told nothing. Each declaration, and each time it is told, is audited on the patient.
"""

import csv
import datetime as dt
import io
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from app.approvals.elsewhere import TOLD, known_people, live_elsewhere
from app.approvals.guessing import ReservedGuess
from app.approvals.model import PatientRecord, TreatmentRecord
from app.approvals.permissions import Action, check_can
from app.approvals.searching import declare_care
from app.audit import Reading, record_reading, recorded_together
from app.auth.model import Caller
from app.db.work import Work
from app.reconciliation import service
from app.reconciliation.advice import ASKED_ELSEWHERE, Advice, advise
from app.reconciliation.engines.supply_terms import HOMECARE
from app.reconciliation.intake import read_submission
from app.reconciliation.model import Coverage, MatchedLine, Submission
from app.reconciliation.parse_dates import financial_month_of
from app.reconciliation.service import Desk
from app.reconciliation.summary import Summary

#: Why a trust that sends a draft file cares for the patients of its lines.
SUPPLIED: Final = "Supplied: a line of a draft submission states it."
#: How many patients one check asks after at other providers; further lines are told nothing.
MOST_ASKED: Final = 2_000
CHECKED: Final = "supplies checked before invoicing"


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
    strength: str | None = None
    unit_price: Decimal | None = None
    homecare: bool = False
    home_delivery_charge: Decimal | None = None
    vat_charged: bool | None = None
    total: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Checked:
    """What will come of each line, and the sums."""

    submission: Submission
    advice: tuple[Advice, ...]
    summary: Summary
    asked: "Asked"

    @property
    def matched(self) -> tuple[MatchedLine, ...]:
        """The lines with what the trust may read of their outcomes."""
        return tuple(each.item for each in self.advice)


@dataclass(frozen=True, slots=True)
class Asked:
    """Whom the check asked after at other providers, and why the trust says that it cares for them.

    `missed`: somebody was not known by the number and birth date.
    """

    why: str | None
    known: tuple[PatientRecord, ...] = ()
    missed: bool = False
    held: Mapping[int, TreatmentRecord] = field(default_factory=dict)


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
    work: Work,
    desk: Desk,
    caller: Caller,
    submission: Submission,
    why: str | None,
    *,
    restates: bool,
    check_id: str | None = None,
) -> tuple[Checked, tuple[Reading, ...]]:
    """What would come of the lines today, and what is to be audited of the asking.

    `check_id`: by what the log names a check that is kept to be shown again.

    `why`: the care relationship that is declared; without it nothing is asked elsewhere, and with
    it a guess is set aside first (`guess_of`). Whoever calls keeps both, with `keep`, before it
    tells the answer. A draft file `restates` the months
    that it states, as it will when it is sent; a planned supply comes on top of what was sent.
    """
    check_can(caller, Action.CHECK_SUPPLY)
    snapshot = service.snapshot_to_check(work, desk, caller, submission, restates=restates)
    worked = service.match(desk, caller, submission, snapshot)
    asked_after = Asked(None) if why is None else _ask(work, caller, worked.matched, why)
    held = asked_after.held
    showed = {item.treatment_id for item in worked.matched if item.treatment_id}
    named = defaultdict[str | None, list[Coverage]](list)  # in one go: packed ones are made anew
    for each in snapshot.coverages:
        if each.treatment_id in showed:
            named[each.treatment_id].append(each)
    advice = tuple(
        advise(item, named.get(item.treatment_id, ()), elsewhere=item.line.row in held)
        for item in worked.matched
    )
    asked: dict[str, Any] = {
        "lines": len(advice),
        "elsewhere": len(held),
        "treatments": sorted(showed | {each.id for each in held.values()}),
    }
    told = tuple(
        Reading(TOLD, treatment_id=treatment.id, patient_id=treatment.patient_id)
        for treatment in {t.id: t for t in held.values()}.values()
    )
    if check_id is not None:
        asked["check"] = check_id
    reading = Reading(CHECKED, names=asked)
    return Checked(submission, advice, worked.summary, asked_after), (reading, *told)


def guess_of(desk: Desk, caller: Caller) -> ReservedGuess:
    """What is set aside before a check with a declaration of care, which `keep` settles."""
    return ReservedGuess(caller, desk.office.guesses)


def keep(
    work: Work,
    caller: Caller,
    checked: Checked,
    readings: Iterable[Reading],
    guess: ReservedGuess | None,
) -> None:
    """Keep what was declared, asked and told, in one transaction, before the caller is told.

    `guess`: what was set aside before the check.
    """
    with recorded_together(work):
        declare_care(work, caller, checked.asked.known, checked.asked.why or "")
        for reading in readings:
            record_reading(work, caller.actor(), reading)
    if guess is not None:
        (guess.use if checked.asked.missed else guess.give_back)(work)


def _ask(work: Work, caller: Caller, matched: Sequence[MatchedLine], why: str) -> Asked:
    """Whom the lines name, and row → the live treatment with that drug at another provider.

    A number that lines give with several birth dates is not asked after: that would be a way to
    try them all in one file.
    """
    born: dict[str, set[dt.date]] = defaultdict(set)
    for item in matched:
        if item.line.nhs_number is not None and item.line.birth_date is not None:
            born[item.line.nhs_number].add(item.line.birth_date)
    named: dict[str, dt.date] = {}
    asking: list[tuple[int, str, str]] = []
    for item in matched:
        number, drug = item.line.nhs_number, item.recognition.drug
        if item.outcome not in ASKED_ELSEWHERE or drug is None or number is None:
            continue
        if len(born[number]) != 1 or (number not in named and len(named) >= MOST_ASKED):
            continue
        named[number] = next(iter(born[number]))
        asking.append((item.line.row, number, drug))
    known = known_people(work, named)
    drugs: dict[str, set[str]] = defaultdict(set)
    for _, number, drug in asking:
        if number in known:
            drugs[known[number].canonical_id].add(drug)
    live = live_elsewhere(work, caller, drugs)
    found = {
        row: live[known[number].canonical_id, drug]
        for row, number, drug in asking
        if number in known and (known[number].canonical_id, drug) in live
    }
    persons = {known[number].id: known[number] for number in named if number in known}
    return Asked(why, tuple(persons.values()), len(known) < len(named), found)


_YES_NO: Final = {None: "", True: "Y", False: "N"}


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
        "DRUG STRENGTH": text(planned.strength),
        "DISPENSING ROUTE": HOMECARE if planned.homecare else "",
        "PROVIDER REFERENCE NUMBER": text(planned.reference),
        "UNIT PRICE (COMMISSIONER)": text(planned.unit_price),
        "HOME DELIVERY CHARGE": text(planned.home_delivery_charge),
        "VALUE ADDED TAX CHARGED INDICATOR": _YES_NO[planned.vat_charged],
        # A plan without a price is matched like any other; its amounts are nil.
        "TOTAL COST": "0.00" if planned.total is None else f"{planned.total:f}",
    }
