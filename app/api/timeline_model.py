"""A patient's timeline as a document."""

import datetime as dt
from typing import Literal

from pydantic import AwareDatetime, Field

from app.api.documents import Document
from app.api.treatments_model import (
    PatientDocument,
    TreatmentSummary,
    patient_document,
    treatment_summary,
)
from app.api.types import Day, ExactNumber
from app.api.veil import Veil
from app.approvals.courses import Course
from app.approvals.happenings import Entry, Happened
from app.approvals.lifecycle import ApprovalState, RequestState
from app.approvals.office import Office
from app.approvals.permissions import Action, can
from app.approvals.timeline import MOST_ENTRIES, MOST_FORMS, MOST_TREATMENTS, Timeline
from app.auth.model import Caller
from app.clock import london_day
from app.db.work import Work
from app.policy import Kind
from app.reconciliation import LineOutcome
from app.reconciliation.supplied import MOST_SUPPLIES, SuppliesTold
from app.reconciliation.worklists import Supplied


class EntryDocument(Document):
    """One thing that happened. What a kind of entry does not tell is null."""

    day: Day
    what: Happened
    treatment_id: str | None = Field(description="null for what is not of one treatment: a death")
    drug: str | None
    at: AwareDatetime | None = Field(
        description="When a request was sent or decided, an approval issued, a first dose recorded"
    )
    to_day: Day | None = Field(description="The last day of what lasts; null has no end")
    request_id: str | None
    request_kind: Kind | None
    request_state: RequestState | None = Field(description="As the request stands now")
    outcome: str | None = Field(description="Of a decision")
    by: str | None = Field(
        description="Who made a decision: the policy, the panel and so on; of a first dose the "
        "role that recorded it"
    )
    stated_by: str | None = Field(
        description="The organisation that recorded a first dose; null where it came with an import"
    )
    reference: str | None
    basis: str | None
    state: ApprovalState | None = Field(description="As the approval stands now")
    policy: str | None
    policy_version: str | None
    policy_title: str | None
    policy_unverified: bool | None = Field(
        description="Of a request: whether any criterion or term of that version is unverified, so "
        "that it is a draft; say so wherever it shows"
    )
    provider: str | None
    commissioner: str | None
    before: str | None = Field(description="The provider or payer before a change")
    reason: str | None = Field(description="Why treatment stopped, for those who are told")


class ScoreDocument(Document):
    """One value, as one form states it."""

    day: Day = Field(description="When it was measured; else its form's decision to treat")
    is_dated: bool = Field(description="Whether the form says when it was measured")
    value: ExactNumber
    label: str = Field(description="The policy's words for the question")
    treatment_id: str
    drug: str
    request_id: str


class CourseDocument(Document):
    """A score over time, the earliest value first. A value that is stated again counts once."""

    name: str
    title: str = Field(description="What the words of its questions share")
    unit: str | None
    scores: list[ScoreDocument]


class SupplyDocument(Document):
    """A supply that a line of a newest run charges for, matched to the treatment."""

    day: Day
    treatment_id: str
    drug: str
    provider: str
    product: str | None = Field(description="A key of the drug dictionary; the drug's own if none")
    quantity: ExactNumber | None
    unit: str | None = Field(description="As the line has it")
    outcome: LineOutcome
    amount: ExactNumber | None = Field(
        description="Pounds, for roles that reconcile; null for others"
    )
    run: str | None = Field(description="Read the line at /v1/runs/{run}/lines/{row}; as amount")
    row: int | None


SuppliesState = Literal["listed", "not all listed yet", "not shown"]


class TimelineDocument(Document):
    """A patient's timeline, as far as the reader may see each treatment by itself."""

    treatment_id: str = Field(description="The treatment that was asked for")
    patient: PatientDocument
    treatments: list[TreatmentSummary] = Field(
        description=f"It and the patient's others, at most {MOST_TREATMENTS}; the newest of these"
    )
    treatments_left_out: bool = Field(description="The patient has more")
    entries: list[EntryDocument] = Field(
        description=f"Oldest first: the newest {MOST_ENTRIES}, of {MOST_FORMS} requests at most"
    )
    entries_left_out: bool = Field(description="There are earlier ones")
    courses: list[CourseDocument] = Field(
        description="Of those requests, but none that was entered in error. The longest first"
    )
    values_erased: bool = Field(
        description="What is kept of the patient was erased: earlier values are not told"
    )
    supplies: list[SupplyDocument] = Field(
        description=f"Of your organisation's own newest runs, oldest first: the newest "
        f"{MOST_SUPPLIES}"
    )
    supplies_left_out: bool = Field(description="There are earlier ones")
    supplies_state: SuppliesState = Field(
        description="*not all listed yet*: the worker has a newer run to go through. "
        "*not shown*: your role is told of none"
    )


def timeline_document(
    work: Work, office: Office, caller: Caller, found: Timeline, told: SuppliesTold | None
) -> TimelineDocument:
    """The timeline with the supplies, without what tells a reader outside care who it is."""
    drugs = {view.treatment.id: view.treatment.drug for view in found.treatments}
    supplies = _supplies(caller, found, told, drugs)
    document = TimelineDocument(
        treatment_id=found.treatments[0].treatment.id,
        patient=patient_document(work, office, caller, found.patient),
        treatments=[treatment_summary(view.treatment) for view in found.treatments],
        treatments_left_out=found.treatments_left_out,
        entries=[_entry(each) for each in found.entries],
        entries_left_out=found.entries_left_out,
        courses=[_course(each, drugs) for each in found.courses],
        values_erased=found.has_ended or found.erased_at is not None,
        supplies=supplies,
        supplies_left_out=told is not None and told.left_out,
        supplies_state=_state(told),
    )
    veil = Veil.over_patient(work, caller, found.patient.id)
    hidden: TimelineDocument = veil.over(document)
    return hidden


def _entry(entry: Entry) -> EntryDocument:
    plain = {name: getattr(entry, name) for name in EntryDocument.model_fields}
    kind, request, approval = entry.request_kind, entry.request_state, entry.state
    return EntryDocument(
        **plain
        | {
            "request_kind": None if kind is None else Kind(kind),
            "request_state": None if request is None else RequestState(request),
            "state": None if approval is None else ApprovalState(approval),
        }
    )


def _course(course: Course, drugs: dict[str, str]) -> CourseDocument:
    return CourseDocument(
        name=course.name,
        title=course.title,
        unit=course.unit,
        scores=[
            ScoreDocument(
                day=each.day,
                is_dated=each.is_dated,
                value=each.value,
                label=each.label,
                treatment_id=each.treatment_id,
                drug=drugs[each.treatment_id],
                request_id=each.request_id,
            )
            for each in course.scores
        ],
    )


def _supplies(
    caller: Caller, found: Timeline, told: SuppliesTold | None, drugs: dict[str, str]
) -> list[SupplyDocument]:
    """What was supplied; of an erased patient only what came after."""
    if told is None or found.has_ended:
        return []
    erased = None if found.erased_at is None else london_day(found.erased_at)
    whole = can(caller, Action.RECONCILE)
    return [
        _supply(each, drugs[each.treatment_id], whole)
        for each in told.supplies
        if _is_after(each.day, erased)
    ]


def _is_after(day: dt.date, erased: dt.date | None) -> bool:
    return erased is None or day > erased


def _supply(supply: Supplied, drug: str, whole: bool) -> SupplyDocument:
    stated = supply.stated
    return SupplyDocument(
        day=supply.day,
        treatment_id=supply.treatment_id,
        drug=drug,
        provider=supply.provider,
        product=stated.product,
        quantity=stated.quantity,
        unit=stated.unit,
        outcome=supply.outcome,
        amount=stated.amount if whole else None,
        run=supply.run_id if whole else None,
        row=supply.row if whole else None,
    )


def _state(told: SuppliesTold | None) -> SuppliesState:
    if told is None:
        return "not shown"
    return "listed" if told.is_current else "not all listed yet"
