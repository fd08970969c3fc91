"""One line of a run with its evidence, and what people decide of it by hand."""

import datetime as dt
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import AwareDatetime, Field

from app.api.callers import SignedIn, door_of
from app.api.documents import Document
from app.api.fields import IdPath, Reason
from app.api.reading import read_recorded
from app.api.request_bodies import example
from app.api.roles import for_roles
from app.api.routing import StrictRoute
from app.api.submissions import Reconciler, ThisDesk, UuidPath
from app.api.submissions_model import LineDocument, line_document
from app.api.types import ExactNumber
from app.api.writing import NAMED, Answer, write, write_after
from app.approvals.permissions import PAYER_ROLES, Action
from app.audit import Reading
from app.auth.model import Caller
from app.db.work import Work
from app.reconciliation import Coverage, deciding_lines, evidence, service
from app.reconciliation.deciding_lines import Seen
from app.reconciliation.decision_store import DecisionRecord
from app.reconciliation.engines.explain import Tried
from app.reconciliation.evidence import Evidence
from app.reconciliation.hidden_columns import without_nhs_numbers
from app.reconciliation.model import ContractLine, DecisionKind, LineDecision
from app.reference_data.pseudonyms import PseudonymKey

router = APIRouter(prefix="/v1", tags=["reconciliation"], route_class=StrictRoute)

RowPath = Annotated[int, Path(ge=1, le=1_000_000_000, description="The row in the file")]
LARGEST: Final = 500


class MatchBody(Document):
    """Whose line it is, and how you know."""

    model_config = example(
        {
            "approval_reference": "PA7Q2M9XK4T0WZ3",
            "reason": "The NHS number on the line has two digits changed round.",
        }
    )

    approval_reference: Annotated[str, Field(pattern="^PA[0-9A-Z]{13}$")]
    reason: Reason


class OverrideBody(Document):
    """Whether the line is accepted or queried whole, and why."""

    model_config = example({"kind": "accept", "reason": "Agreed with the trust in writing."})

    kind: Literal["accept", "query"]
    reason: Reason


class UndoBody(Document):
    """Why the decision is undone."""

    model_config = example({"reason": "The wrong row."})

    reason: Reason


class LineDecisionDocument(Document):
    """A decision by hand on a line. It counts in every run over the same content."""

    id: str
    kind: DecisionKind
    approval_reference: str | None
    outcome: str = Field(description="Of the line without the decision, when it was made")
    reason: str
    run: str
    row: int
    made_at: AwareDatetime
    made_by: str
    role: str
    undone_at: AwareDatetime | None
    undone_reason: str | None
    job: str | None = Field(description="Reconciles the submission again: /v1/jobs/{job}")


class LineDecisionList(Document):
    """Decisions by hand, newest first, undone ones too."""

    decisions: list[LineDecisionDocument]


class PassDocument(Document):
    """One pass of the waterfall, and why it found the line's approval or did not."""

    name: str
    result: Tried
    why: str


class CoverageDocument(Document):
    """The part of an approval that the line was matched to, or that its outcome speaks of."""

    reference: str | None
    drug: str
    from_: dt.date = Field(serialization_alias="from")
    to: dt.date | None
    grace_to: dt.date | None
    provider: str
    supplying_providers: list[str]
    commissioner: str
    product: str | None
    status: str
    funding_origin: str


class StatedDocument(Document):
    """What the line itself states, as it was read. Numbers for the trust, pseudonyms for a payer"""

    month: str | None
    commissioner: str | None
    nhs_number: str | None
    local_patient_id: str | None
    nhs_pseudonym: str | None
    local_pseudonym: str | None
    reference: str | None
    indication_code: str | None
    drug_code: str | None
    quantity: ExactNumber | None
    unit: str | None
    unit_price: ExactNumber | None
    home_delivery_charge: ExactNumber | None
    vat_charged: bool | None
    not_read: dict[str, str] = Field(description="Field → why it could not be read")


class EvidenceDocument(Document):
    """A line's outcome with everything that it rests on."""

    line: LineDocument
    stated: StatedDocument
    passes: list[PassDocument] = Field(description="In order, as for a line that stands alone")
    coverage: CoverageDocument | None
    decided_by_hand: DecisionKind | None
    unchanged: bool = Field(
        description="Nothing came since the run of the approvals that the line could be matched "
        "with, and no decision on it. If not, passes and coverage are of now"
    )


@router.get(
    "/runs/{run}/lines/{row}",
    summary="Show why a line has its outcome",
    openapi_extra=for_roles(Action.RECONCILE),
)
def show_line(
    request: Request, caller: Reconciler, desk: ThisDesk, run: UuidPath, row: RowPath
) -> EvidenceDocument:
    """The passes in order with the reason of each, the approval, and every test. Your own only."""

    def read(work: Work) -> tuple[EvidenceDocument, Reading]:
        found = evidence.evidence_of(work, desk, caller, run, row)
        key = service.key_of(desk, caller)
        reading = Reading("run line read", names={"run": run, "row": row})
        return evidence_document(caller, key, found), reading

    return read_recorded(request, caller, read)


@router.post(
    "/runs/{run}/lines/{row}/match",
    status_code=201,
    summary="Match a line to an approval by hand",
    response_model=LineDecisionDocument,
    dependencies=[NAMED],
    openapi_extra=for_roles(Action.DECIDE_LINE),
)
def match_line(
    request: Request,
    caller: SignedIn,
    desk: ThisDesk,
    run: UuidPath,
    row: RowPath,
    body: MatchBody,
) -> Response:
    """Says whose line it is; every other test is still made. It counts from the next run on.

    Where the approval changes later, the decision is stale: it is not applied, and the line says
    so.
    """
    kind = DecisionKind.MATCH
    return _decide(request, caller, desk, run, row, kind, body.approval_reference, body.reason)


@router.post(
    "/runs/{run}/lines/{row}/override",
    status_code=201,
    summary="Accept or query a line by hand",
    response_model=LineDecisionDocument,
    dependencies=[NAMED],
    openapi_extra=for_roles(Action.OVERRIDE_LINE),
)
def override_line(
    request: Request,
    caller: SignedIn,
    desk: ThisDesk,
    run: UuidPath,
    row: RowPath,
    body: OverrideBody,
) -> Response:
    """The whole amount is accepted or queried from the next run on; the outcome stays.

    Where the line's outcome changes later, the decision is stale: it is not applied, and the line
    says so.
    """
    return _decide(request, caller, desk, run, row, DecisionKind(body.kind), None, body.reason)


@router.get(
    "/line-decisions",
    summary="List decisions by hand",
    openapi_extra=for_roles(Action.DECIDE_LINE),
)
def list_decisions(
    request: Request,
    caller: SignedIn,
    limit: Annotated[int, Query(ge=1, le=LARGEST)] = 100,
) -> LineDecisionList:
    """Your organisation's own, newest first."""
    found = door_of(request).read(lambda work: deciding_lines.list_decisions(work, caller, limit))
    return LineDecisionList(decisions=[_document(each, None) for each in found])


@router.post(
    "/line-decisions/{id}/undo",
    summary="Undo a decision by hand",
    response_model=LineDecisionDocument,
    dependencies=[NAMED],
    openapi_extra=for_roles(Action.DECIDE_LINE),
)
def undo(request: Request, caller: SignedIn, id: IdPath, body: UndoBody) -> Response:
    """This one only; from the next run on. An override is undone by a commissioner."""

    def run(work: Work) -> Answer:
        return Answer(200, _document(*deciding_lines.undo(work, caller, id, body.reason)))

    return write(request, caller, run)


def _decide(
    request: Request,
    caller: Caller,
    desk: ThisDesk,
    run: str,
    row: int,
    kind: DecisionKind,
    reference: str | None,
    reason: str,
) -> Response:
    def look() -> tuple[Seen, LineDecision]:
        door = door_of(request)
        seen = door.read(
            lambda work: deciding_lines.look(work, desk, caller, run, row, kind, reference)
        )
        return seen, deciding_lines.draft(desk, caller, seen, row, kind, reference)

    def keep(work: Work, found: tuple[Seen, LineDecision]) -> Answer:
        seen, made = found
        kept = deciding_lines.decide(work, caller, seen, row, made, reason)
        return Answer(201, _document(*kept))

    return write_after(request, caller, look, keep)


def _document(made: DecisionRecord, job: str | None) -> LineDecisionDocument:
    same = ("id", "reason", "row", "made_at", "made_by", "role", "undone_at", "undone_reason")
    return LineDecisionDocument(
        **{name: getattr(made, name) for name in same},
        kind=made.decision.kind,
        approval_reference=made.decision.approval_reference,
        outcome=made.decision.outcome.value,
        run=made.run_id,
        job=job,
    )


def evidence_document(
    caller: Caller, key: PseudonymKey | None, found: Evidence
) -> EvidenceDocument:
    """A line's evidence as the reader may see it."""
    line = found.item.line
    return EvidenceDocument(
        line=line_document(found.item),
        stated=_stated(caller, key, line),
        passes=[PassDocument(name=p.name, result=p.result, why=p.why) for p in found.passes],
        coverage=None if found.coverage is None else _coverage(found.coverage),
        decided_by_hand=found.decision.kind if found.decision else None,
        unchanged=found.unchanged,
    )


def _stated(caller: Caller, key: PseudonymKey | None, line: ContractLine) -> StatedDocument:
    same = ("commissioner", "indication_code", "drug_code", "quantity", "unit", "unit_price")
    more = ("home_delivery_charge", "vat_charged")
    payer = caller.role in PAYER_ROLES
    number, local = line.nhs_pseudonym, line.local_pseudonym
    if payer and key is not None:
        number = key.of_nhs_number(line.nhs_number) if line.nhs_number else number
        local = key.of_local_id(line.local_patient_id) if line.local_patient_id else local
    month = None
    if line.financial_year is not None and line.financial_month is not None:
        month = f"{line.financial_year} M{line.financial_month:02d}"
    reference = line.reference
    if payer and reference is not None:
        reference = without_nhs_numbers(reference)
    return StatedDocument(
        **{name: getattr(line, name) for name in (*same, *more)},
        month=month,
        nhs_number=None if payer else line.nhs_number,
        local_patient_id=None if payer else line.local_patient_id,
        nhs_pseudonym=number,
        local_pseudonym=local,
        reference=reference,
        not_read={fault.field: fault.why for fault in line.faults},
    )


def _coverage(coverage: Coverage) -> CoverageDocument:
    same = ("drug", "from_", "to", "grace_to", "provider", "commissioner", "product", "status")
    return CoverageDocument(
        **{name: getattr(coverage, name) for name in same},
        reference=coverage.approval_reference,
        supplying_providers=sorted(coverage.supplying_providers),
        funding_origin=coverage.funding_origin,
    )
