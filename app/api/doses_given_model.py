"""What a request's document tells of an urgent start, and of overturning it."""

from pydantic import AwareDatetime, Field

from app.api.documents import Document
from app.api.types import Day
from app.approvals.doses_given import DosesGiven, ruling_of
from app.approvals.model import RequestView


class DosesGivenDocument(Document):
    """What whoever overturned an urgent start says of doses given on these days."""

    from_day: Day = Field(description="The first dose under the urgent start")
    to_day: Day = Field(description="The last day that is paid for, or that of the decision")
    paid: bool


class OverturnedDocument(DosesGivenDocument):
    """The ruling that stands: an urgent start was overturned. It is no approval to go on."""

    decided_at: AwareDatetime
    reference: str | None = Field(
        description="The reference to quote on invoice lines of these days, where they are paid for"
    )


def doses_given_document(stored: dict[str, object] | None) -> DosesGivenDocument | None:
    """What a decision says of doses given; None for one that overturns nothing."""
    return None if stored is None else _days(DosesGiven.from_json(stored))


def overturned_document(view: RequestView) -> OverturnedDocument | None:
    """The ruling on doses given that stands, if there is one."""
    found = ruling_of(view.request.state, view.decisions, view.doses_given)
    if found is None:
        return None
    decision, given = found
    pays = view.doses_given if given.paid else None
    return OverturnedDocument(
        from_day=given.from_day,
        to_day=given.to_day,
        paid=given.paid,
        decided_at=decision.decided_at,
        reference=None if pays is None else pays.reference,
    )


def _days(given: DosesGiven) -> DosesGivenDocument:
    return DosesGivenDocument(from_day=given.from_day, to_day=given.to_day, paid=given.paid)
