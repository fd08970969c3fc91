"""Back-entry: a form that was signed on paper while the service could not be reached.

It is judged as any other, on the day of its own decision to treat, and marked with both times: when
it was signed and when it was entered. Its day of signature counts as the day of the form only where
the commissioner has settled that (`BACK_ENTRY_COVERS`); otherwise it covers from the day on which
it was entered, as ADR 0017 has it.
"""

import datetime as dt
from dataclasses import replace
from typing import Final

from app.approvals.coverage import Cover
from app.approvals.errors import DetailsNotAccepted
from app.approvals.model import PaperForm, RequestDetails, RequestRecord
from app.approvals.office import setting
from app.audit import Actor, Event, record
from app.clock import london_day
from app.db.work import Work
from app.policy import Kind

#: A commissioner's dated setting: true lets a paper form cover from the day it was signed.
BACK_ENTRY_COVERS: Final = "back_entry_covers"
LONGEST_ROLE = 80


def check_paper(
    details: RequestDetails,
    kind: Kind,
    decision_to_treat: dt.date,
    now: dt.datetime,
    days: int,
) -> None:
    """Raise DetailsNotAccepted unless a paper form, if there is one, may be entered at `now`.

    `now` is an aware instant. `days` is how long after its signature a form may be entered; 0:
    never.
    """
    paper = details.paper
    if paper is None:
        return
    if kind not in (Kind.INITIATION, Kind.CONTINUATION):
        raise _refused("", f"A {kind} has no paper form. Enter it as usual, with its own day.")
    if not 1 <= len(paper.signed_by.strip()) <= LONGEST_ROLE:
        raise _refused(".signed_by", f"Give 1 to {LONGEST_ROLE} characters.")
    if paper.reference is not None and not 1 <= len(paper.reference.strip()) <= LONGEST_ROLE:
        raise _refused(".reference", f"Give 1 to {LONGEST_ROLE} characters, or leave it out.")
    if paper.signed_at.tzinfo is None:
        raise _refused(".signed_at", "Give the time with its offset from UTC.")
    if paper.signed_at > now:
        raise _refused(".signed_at", "That time is still ahead. Give when the form was signed.")
    if now - paper.signed_at > dt.timedelta(days=days):
        raise _refused(
            ".signed_at",
            f"A paper form is entered within {days} days of its signature. Submit it as a form of "
            "today, and ask the commissioner about the days before.",
        )
    if decision_to_treat > london_day(paper.signed_at):
        raise DetailsNotAccepted(
            "decision_to_treat",
            "The decision to treat is after the day on which the paper form was signed. Check "
            "both.",
        )


def note_back_entry(work: Work, actor: Actor, request: RequestRecord, paper: PaperForm) -> None:
    """Put the back-entry on record, with the time of the signature and that of the entry."""
    covers = _permitted(work, request)
    event = Event(
        action="back-entered",
        object_type="request",
        object_id=request.id,
        treatment_id=request.treatment_id,
        request_id=request.id,
        after={
            "reason": paper.reason,
            "signed_by": paper.signed_by,
            "signed_at": paper.signed_at,
            "reference": paper.reference,
            "entered_at": request.submitted_at,
            "covers_from_signature": covers,
        },
        policy_hash=request.policy_hash,
    )
    record(work, actor, event)


def day_of_form(work: Work, request: RequestRecord) -> dt.date:
    """The Europe/London day that the form counts from: that of a paper form where permitted.

    Answers that were amended since were not on the paper: they count from the day of the entry on.
    """
    entered = london_day(request.submitted_at)
    paper = request.details.get("paper")
    if paper is None or request.revision > 1 or not _permitted(work, request):
        return entered
    return min(entered, london_day(dt.datetime.fromisoformat(paper["signed_at"])))


def marked(cover: Cover, request: RequestRecord) -> Cover:
    """The cover, marked late where it reaches back before the day of the entry."""
    reaches_back = "paper" in request.details and cover.from_day < london_day(request.submitted_at)
    return replace(cover, late=True) if reaches_back else cover


def _permitted(work: Work, request: RequestRecord) -> bool:
    return covers_back(work, request.commissioner, london_day(request.submitted_at))


def covers_back(work: Work, commissioner: str, entered: dt.date) -> bool:
    """Whether the commissioner lets a form entered on that day cover from its signature."""
    return setting(work, commissioner, BACK_ENTRY_COVERS, entered) is True


def _refused(part: str, why: str) -> DetailsNotAccepted:
    return DetailsNotAccepted(f"details.paper{part}", why)
