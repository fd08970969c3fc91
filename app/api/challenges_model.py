"""The documents of challenges. A provider reads its own patients' numbers, a payer pseudonyms."""

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal

from pydantic import AwareDatetime, Field

from app.api.documents import Document
from app.api.types import Day, ExactNumber
from app.auth.model import Caller
from app.reconciliation import LineOutcome
from app.reconciliation.challenge_drafting import LeftOut
from app.reconciliation.challenge_model import Challenge, ChallengeState
from app.reconciliation.challenging import Drafted, ShownLine, is_payer
from app.reconciliation.report import exact
from app.reconciliation.windows import Timing, Window
from app.reference_data.pseudonyms import PseudonymKey


class ChallengeDocument(Document):
    """A query of some lines of one provider. Amounts are exact, in pounds."""

    id: str
    state: ChallengeState
    commissioner: str
    provider: str
    outcome: LineOutcome
    drug: str | None = Field(description="null: the drug of the lines is not recognised")
    month: str | None = Field(description="null: not grouped by month")
    lines: int
    queried: ExactNumber
    upheld: ExactNumber | None = Field(description="What the provider owes, once decided")
    respond_by: Day | None
    challenge_by: Day | None = Field(
        description="Until when its months are to be challenged, by the commissioner's calendar: "
        "the earliest day of several"
    )
    window: Window = Field(
        description="'closed': it was raised, or would be today, after that day. It is told, and "
        "forbids nothing"
    )
    reason: str | None = Field(description="The commissioner's last decision, in its words")
    credit_reference: str | None
    drafted_at: AwareDatetime
    raised_at: AwareDatetime | None
    answered_at: AwareDatetime | None
    decided_at: AwareDatetime | None
    credited_at: AwareDatetime | None
    version: int


class ChallengedLineDocument(Document):
    """One line that is challenged. Numbers are for the provider, pseudonyms for the payer."""

    row: int = Field(description="The row in the commissioner's file")
    supply_date: dt.date | None
    nhs_number: str | None
    local_patient_id: str | None
    nhs_pseudonym: str | None
    local_pseudonym: str | None
    total: ExactNumber | None
    queried: ExactNumber
    reference: str | None = Field(description="Of the approval found, where it is your own")
    reason: str
    remedy: str


class ChallengeDetail(Document):
    """A challenge with its lines and the provider's answer."""

    challenge: ChallengeDocument
    evidence: str | None = Field(description="The provider's answer, in its words")
    lines: list[ChallengedLineDocument]


class ChallengeList(Document):
    """Challenges, newest first."""

    challenges: list[ChallengeDocument]


class LeftOutDocument(Document):
    """Lines of the run that are not challenged, and why."""

    why: str
    lines: int
    queried: ExactNumber


class DraftedDocument(Document):
    """The challenges drafted of a run. With what is left out they add up to what it queried."""

    run: str
    challenges: list[ChallengeDocument]
    left_out: list[LeftOutDocument]


def challenge_document(challenge: Challenge, timing: Timing) -> ChallengeDocument:
    """A challenge as both parties may read it."""
    own = (name for name in ChallengeDocument.model_fields if name not in Timing.__slots__)
    values = {name: getattr(challenge, name) for name in own}
    values |= {"challenge_by": timing.challenge_by, "window": timing.window}
    for name in ("queried", "upheld"):
        values[name] = pence(values[name])
    return ChallengeDocument(**values)


def pence(amount: Decimal | None) -> Decimal | None:
    """The same amount with two decimal places at least, however it was kept."""
    return None if amount is None else Decimal(exact(amount))


def challenge_detail(
    caller: Caller,
    key: PseudonymKey | None,
    challenge: Challenge,
    timing: Timing,
    shown: tuple[ShownLine, ...],
) -> ChallengeDetail:
    """A challenge with its lines, or a part of them, as the reader may see them."""
    line = _for_payer if is_payer(caller) else _for_provider
    return ChallengeDetail(
        challenge=challenge_document(challenge, timing),
        evidence=challenge.evidence,  # a payer's is bared by `challenging.show`
        lines=[line(each, key) for each in shown],
    )


def drafted_document(run: str, drafted: Drafted, timings: Mapping[str, Timing]) -> DraftedDocument:
    """What was drafted of a run and what was not."""
    return DraftedDocument(
        run=run,
        challenges=[challenge_document(each, timings[each.id]) for each in drafted.challenges],
        left_out=[_left_out(each) for each in drafted.left_out],
    )


def _left_out(each: LeftOut) -> LeftOutDocument:
    return LeftOutDocument(why=each.why, lines=each.lines, queried=Decimal(exact(each.queried)))


def _for_payer(shown: ShownLine, key: PseudonymKey | None) -> ChallengedLineDocument:
    line, challenged = shown.line, shown.challenged
    number, local = line.nhs_pseudonym, line.local_pseudonym
    if key is not None and line.nhs_number is not None:
        number = key.of_nhs_number(line.nhs_number)
    if key is not None and line.local_patient_id is not None:
        local = key.of_local_id(line.local_patient_id)
    return ChallengedLineDocument(
        row=challenged.row,
        supply_date=line.supply_date,
        nhs_number=None,
        local_patient_id=None,
        nhs_pseudonym=number,
        local_pseudonym=local,
        total=line.total_cost,
        queried=Decimal(exact(challenged.queried)),
        reference=challenged.reference,
        reason=challenged.reason,
        remedy=challenged.remedy,
    )


def _for_provider(shown: ShownLine, _key: PseudonymKey | None) -> ChallengedLineDocument:
    line, challenged = shown.line, shown.challenged
    return ChallengedLineDocument(
        row=challenged.row,
        supply_date=line.supply_date,
        nhs_number=line.nhs_number,
        local_patient_id=line.local_patient_id,
        nhs_pseudonym=line.nhs_pseudonym,
        local_pseudonym=line.local_pseudonym,
        total=line.total_cost,
        queried=Decimal(exact(challenged.queried)),
        reference=challenged.reference_told,
        reason=challenged.told,
        remedy=challenged.remedy,
    )
