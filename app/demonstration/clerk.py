"""The hands of the demonstration: one case's forms, sent through the service's own use cases.

No row is inserted here. Each step is taken at a moment of the past, in the order in which the
steps would have been taken, inside the transaction that the work belongs to.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, TypeVar

from app.approvals import (
    amending,
    changing,
    correcting,
    patients,
    reviewing,
    starting,
    store,
    submitting,
)
from app.approvals.consenting import consent
from app.approvals.errors import ApprovalsError
from app.approvals.funding import FundingDecision, record_funding, resolve_query
from app.approvals.lifecycle import ApprovalEvent, RequestState
from app.approvals.model import (
    ApprovalRecord,
    Basis,
    FollowUpCommand,
    InitiationCommand,
    RequestDetails,
    RequestRecord,
    RequestView,
    TreatmentRecord,
)
from app.approvals.office import Office
from app.approvals.standing import has_standing, is_live
from app.auth.model import Caller
from app.db.work import Work
from app.demonstration.clinic import Course
from app.demonstration.organisations import People
from app.policy import Kind

T = TypeVar("T")


class Refused(Exception):
    """The service refused a step of a story, and nothing of that step was stored."""


@dataclass
class Clerk:
    """What every case shares. `work` is moved on by the agenda: its moment is the story's."""

    work: Work
    office: Office
    people: People
    refusals: list[str] = field(default_factory=list)

    @property
    def today(self) -> dt.date:
        return self.work.moment.day

    def do(self, use_case: Callable[[Work], T]) -> T:
        """Run one use case so that a refusal leaves nothing behind. Raises Refused."""
        step = self.work.savepoint()
        try:
            done = use_case(self.work)
        except ApprovalsError as error:
            step.rollback()
            self.refusals.append(f"{self.today}: {type(error).__name__}: {error}")
            raise Refused from error
        step.commit()
        return done


@dataclass
class Case:
    """One treatment in the service, with the latest request on it."""

    clerk: Clerk
    course: Course
    _request: str = ""
    _treatment: str = ""

    # --- what stands ----------------------------------------------------------------------------

    @property
    def treatment(self) -> TreatmentRecord:
        return store.treatment_of(self.clerk.work, self._treatment)

    @property
    def request(self) -> RequestRecord:
        caller = self.clerk.people.clinician(self.treatment.provider)
        return store.find_request(self.clerk.work, caller, self._request)

    @property
    def state(self) -> RequestState:
        return self.request.state

    @property
    def approvals(self) -> tuple[ApprovalRecord, ...]:
        return store.approvals_of(self.clerk.work, self._treatment) if self._treatment else ()

    @property
    def covered_to(self) -> dt.date | None:
        """The last day covered by the newest approval."""
        days = [approval.covers_to for approval in self.approvals]
        return max((day for day in days if day is not None), default=None)

    @property
    def is_covered(self) -> bool:
        """Whether a running approval covers today."""
        return is_live(self.clerk.work, self.treatment, self.clerk.today)

    @property
    def stands(self) -> bool:
        """Whether any approval has neither ended nor been taken back."""
        return has_standing(self.clerk.work, self._treatment)

    @property
    def _clinician(self) -> Caller:
        return self.clerk.people.clinician(self.treatment.provider)

    # --- the hospital ---------------------------------------------------------------------------

    def begin(self, command: InitiationCommand) -> RequestState:
        caller = self.clerk.people.clinician(self.course.provider)
        return self._keep(
            self.clerk.do(
                lambda work: submitting.submit_initiation(work, self.clerk.office, caller, command)
            )
        )

    def follow(
        self,
        kind: Kind,
        details: RequestDetails | None = None,
        answers: Mapping[str, Any] | None = None,
    ) -> RequestState:
        """A later request of the treatment: a continuation or a change."""
        command = FollowUpCommand(
            treatment_id=self._treatment,
            kind=kind,
            decision_to_treat=self.clerk.today,
            answers=answers or {},
            details=details or RequestDetails(),
        )
        submit = (
            submitting.submit_continuation if kind is Kind.CONTINUATION else changing.submit_change
        )
        caller = self._clinician
        return self._keep(
            self.clerk.do(lambda work: submit(work, self.clerk.office, caller, command))
        )

    def amend(self, answers: Mapping[str, Any]) -> RequestState:
        return self._step(amending.amend, self._clinician, answers)

    def authorise(self) -> RequestState:
        pharmacist = self.clerk.people.pharmacist(self.treatment.provider)
        return self._step(reviewing.authorise, pharmacist)

    def correct(self, answers: Mapping[str, Any], reason: str) -> RequestState:
        return self._step(correcting.correct, self._clinician, answers, frozenset(), reason)

    def enter_in_error(self, reason: str) -> RequestState:
        request, caller = self.request, self._clinician
        return self._keep(
            self.clerk.do(
                lambda work: correcting.enter_in_error(
                    work, caller, request.id, reason, request.version
                )
            )
        )

    def started(self, first_dose: dt.date) -> None:
        self.clerk.do(
            lambda work: starting.record_first_dose(
                work,
                self.clerk.office,
                self._clinician,
                self._treatment,
                first_dose,
                self.treatment.version,
            )
        )

    def not_started(self, reason: str) -> None:
        self.clerk.do(
            lambda work: starting.record_not_started(
                work, self._clinician, self._treatment, reason, self.treatment.version
            )
        )

    def number_found(self, nhs_number: str) -> None:
        """The NHS number of a patient who was known by hospital number only."""
        pharmacist = self.clerk.people.pharmacist(self.course.provider)
        patient_id = self.treatment.patient_id
        self.clerk.do(
            lambda work: patients.record_nhs_number(
                work, pharmacist, patient_id, nhs_number, "Traced after admission."
            )
        )

    def consented(self, provider: str) -> RequestState:
        """The receiving provider consents to the transfer that was asked for."""
        request, caller = self.request, self.clerk.people.pharmacist(provider)
        return self._keep(
            self.clerk.do(
                lambda work: consent(work, self.clerk.office, caller, request.id, request.version)
            )
        )

    # --- panel and commissioner -----------------------------------------------------------------

    def panel_approves(self, reason: str) -> RequestState:
        return self._step(
            reviewing.panel_approve,
            self._decider,
            reason,
            frozenset[str](),
            declares_no_interest=True,
        )

    def panel_declines(self, reason: str) -> RequestState:
        return self._step(reviewing.panel_decline, self._decider, reason, declares_no_interest=True)

    def panel_asks(self, question: str) -> RequestState:
        request, decider = self.request, self._decider
        return self._keep(
            self.clerk.do(
                lambda work: reviewing.panel_return(
                    work, decider, request.id, question, request.version, declares_no_interest=True
                )
            )
        )

    def funded(
        self,
        to_day: dt.date,
        price_cap: Decimal,
        quantity_cap: Decimal,
        unit: str,
    ) -> RequestState:
        """An individual funding approval, with the most that is paid for one and in all."""
        request = self.request
        caller = self.clerk.people.commissioner(request.commissioner)
        decision = FundingDecision(
            basis=Basis.INDIVIDUAL_FUNDING,
            case_reference=f"IFR-DEMO-{self.course.number:04d}",
            from_day=self.clerk.today,
            to_day=to_day,
            terms="One year at the agreed price and quantity, then a review (demonstration).",
            reason="Exceptional clinical circumstances were shown (demonstration).",
            unit_price_cap=price_cap,
            price_unit=unit,
            quantity_cap=quantity_cap,
            quantity_unit=unit,
        )
        return self._keep(
            self.clerk.do(
                lambda work: record_funding(
                    work, self.clerk.office, caller, request.id, decision, request.version
                )
            )
        )

    def resolve(self, resolution: ApprovalEvent, reason: str) -> None:
        """The commissioner resolves the newest approval's query."""
        approval = self.approvals[-1]
        caller = self.clerk.people.commissioner(approval.commissioner)
        self.clerk.do(
            lambda work: resolve_query(
                work, caller, approval.reference, resolution, reason, approval.version
            )
        )

    # --- shared ---------------------------------------------------------------------------------

    @property
    def _decider(self) -> Caller:
        request = self.request
        if request.panel is not None:
            return self.clerk.people.panel(request.panel)
        return self.clerk.people.commissioner(request.commissioner)

    def _step(
        self, use_case: Callable[..., RequestView], caller: Caller, *arguments: Any, **named: Any
    ) -> RequestState:
        request = self.request
        return self._keep(
            self.clerk.do(
                lambda work: use_case(
                    work,
                    self.clerk.office,
                    caller,
                    request.id,
                    *arguments,
                    request.version,
                    **named,
                )
            )
        )

    def _keep(self, view: RequestView) -> RequestState:
        self._request = view.request.id
        self._treatment = view.request.treatment_id
        return view.request.state


def at(work: Work, day: dt.date, minute: int) -> Work:
    """The work at a moment of a past day, this many minutes after seven in the morning (UTC)."""
    instant = dt.datetime.combine(day, dt.time(7), dt.UTC) + dt.timedelta(minutes=minute)
    return replace(work, moment=replace(work.moment, instant=instant, day=day))


def references(cases: Iterable[Case]) -> dict[int, tuple[tuple[dt.date, str], ...]]:
    """What each hospital was told: its references and from when they count, by course."""
    return {
        case.course.number: tuple((a.covers_from, a.reference) for a in case.approvals)
        for case in cases
        if case.approvals
    }
