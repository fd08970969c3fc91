"""The home page: what waits for the people of an organisation."""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from fastapi import APIRouter, Request, Response

from app.api.reading import read_recorded
from app.approvals import drafting, handing, second_person
from app.approvals.adopting import ADOPT, adoption_proposals
from app.approvals.drafting import DraftRecord
from app.approvals.due import Due, approvals_due
from app.approvals.library import Library
from app.approvals.lifecycle import RequestState
from app.approvals.permissions import Action, can
from app.approvals.seconding import votes_out
from app.approvals.waiting import Waiting, waiting_requests
from app.audit import Reading
from app.auth.holders import same_holder
from app.auth.model import Caller, Role
from app.auth.people import names_of
from app.auth.sessions import Session
from app.authoring import drafting as policy_drafting
from app.clock import london_day
from app.db.work import Work
from app.reference_data.drugs import load_drugs
from app.web.callers import caller_of, this_office
from app.web.decision import state_words
from app.web.form import paper
from app.web.home_patients import HEAD, Told
from app.web.pages import PageRoute, go
from app.web.panel_votes import waiting_words
from app.web.rendering import page
from app.web.sign_in import SignedInBrowser
from app.web.words import counted, day_words, first_upper, instant_words

router = APIRouter(route_class=PageRoute, include_in_schema=False)

DUE_WITHIN: Final = dt.timedelta(days=90)
#: One that ended longer ago is a treatment that went elsewhere, or a case for the worklists.
ENDED_WITHIN: Final = dt.timedelta(days=90)
RECEIVED_WITHIN: Final = dt.timedelta(days=30)
_SHOWN: Final = 25
_Queue = tuple[str, tuple[RequestState, ...], bool]
_S = RequestState
_ANSWER: Final[_Queue] = (
    "Waiting for your organisation's answer",
    (_S.MORE_INFORMATION_NEEDED, _S.RETURNED),
    True,
)
_TAKE_OVER: Final[_Queue] = ("Transfers that wait for consent", (_S.AWAITING_CONSENT,), False)
#: Role → what waits for it: title, states, and whether of its own organisation only.
_QUEUES: Final[dict[Role, tuple[_Queue, ...]]] = {
    Role.CLINICIAN: (_ANSWER, _TAKE_OVER),
    Role.DELEGATE: (_ANSWER,),
    Role.PHARMACIST: (
        ("Waiting for your authorisation", (_S.AWAITING_AUTHORISATION,), True),
        _ANSWER,
        _TAKE_OVER,
    ),
    Role.PANEL_MEMBER: (("Waiting for the panel", (_S.REFERRED,), False),),
    Role.COMMISSIONER: (("With a panel, or waiting for you", (_S.REFERRED,), False),),
}


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that waits. `continues` is the treatment that a button there continues."""

    text: str
    href: str
    cells: tuple[str, ...]
    continues: str | None = None


@dataclass(frozen=True, slots=True)
class WaitingList:
    """What waits for one reason."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[Row, ...]
    empty: str
    more: str | None = None

    @property
    def shown(self) -> str:
        """How many, or that there are more."""
        return f"{len(self.rows)}{' or more' if self.more else ''}"


@router.get("/")
def home(request: Request, session: SignedInBrowser) -> Response:
    """Who you are, for which organisation, in which role, and what waits for you."""
    if session.seat is None:
        return go("/role")
    caller, office = caller_of(request, session), this_office(request)

    def read(work: Work) -> tuple[tuple[WaitingList, ...], tuple[Reading, ...]]:
        told = Told(work, caller)
        lists = tuple(_lists(work, office.library_at(work), caller, session, told))
        return lists, told.readings()

    lists = read_recorded(request, caller, read)
    return page(
        request,
        "home.html",
        session=session,
        may_prepare=can(caller, Action.PREPARE),
        may_be_reminded=bool(request.app.state.settings.smtp_host) and can(caller, Action.REMIND),
        lists=lists,
    )


def _lists(
    work: Work, library: Library, caller: Caller, session: Session, told: Told
) -> Iterator[WaitingList]:
    """What waits for somebody of this role, the most pressing first."""
    for title, states, own in _QUEUES.get(caller.role, ()):
        found = waiting_requests(work, caller, states, _SHOWN + 1, own=own)
        voted = _voted(work, library, caller, found[:_SHOWN])
        named = told.of_treatments({each.treatment_id for each in found[:_SHOWN]})
        rows = tuple(
            _waiting_row(library, each, work.moment.day, voted.get(each.request_id))
            for each in found[:_SHOWN]
        )
        yield WaitingList(
            title,
            *_with_patients(
                ("Treatment", "Provider", "Sent", "Waits for"),
                rows,
                [named.get(each.treatment_id, "") for each in found[:_SHOWN]],
                "Another provider's",
            ),
            "None.",
            _more(len(found) > _SHOWN),
        )
    yield from _policies(work, library, caller)
    yield from _hand_overs(work, caller)
    if not can(caller, Action.PREPARE):
        return
    today = work.moment.day
    due = approvals_due(work, caller, today - ENDED_WITHIN, today + DUE_WITHIN, _SHOWN + 1)
    named = told.of_treatments({each.treatment_id for each in due[:_SHOWN]})
    yield WaitingList(
        "Continuations due",
        *_with_patients(
            ("Treatment", "Covered to", "First dose"),
            tuple(_due_row(library, each, today) for each in due[:_SHOWN]),
            [named.get(each.treatment_id, "") for each in due[:_SHOWN]],
            "Another provider's",
        ),
        "No approval ends within 90 days.",
        _more(len(due) > _SHOWN),
    )
    drafts = drafting.open_drafts(work, caller)
    named = told.of_drafts(drafts[:_SHOWN])
    yield WaitingList(
        "Drafts",
        *_with_patients(
            ("Form", "Kind", "Changed"),
            tuple(_draft_row(library, each, session) for each in drafts[:_SHOWN]),
            [named[each.id] for each in drafts[:_SHOWN]],
            "No NHS number yet",
        ),
        "No form is half-filled.",
        _more(len(drafts) > _SHOWN),
    )


def _with_patients(
    heads: tuple[str, ...], rows: tuple[Row, ...], patients: Sequence[str], unnamed: str
) -> tuple[tuple[str, ...], tuple[Row, ...]]:
    """The list with a column of whom each row concerns; as it is where none is named.

    `unnamed` stands where one row alone names nobody.
    """
    if not any(patients):
        return heads, rows
    named = zip(rows, patients, strict=True)
    return (
        (heads[0], HEAD, *heads[1:]),
        tuple(replace(row, cells=(who or unnamed, *row.cells)) for row, who in named),
    )


def _policies(work: Work, library: Library, caller: Caller) -> Iterator[WaitingList]:
    """The policy texts that wait for a second person: to be published, or to be adopted."""
    if can(caller, Action.WRITE_POLICY):
        drafts = [d for d in policy_drafting.drafts_of(work, caller) if d.state == "asked"]
        yield WaitingList(
            "Policy drafts that wait for a second author",
            ("Draft", "Written by", "Written"),
            tuple(
                Row(
                    each.title,
                    f"/policy-drafts/{each.id}",
                    (each.written_by_name, instant_words(each.written_at)),
                )
                for each in drafts[:_SHOWN]
            ),
            "None.",
            _more(len(drafts) > _SHOWN),
        )
    if can(caller, Action.ADOPT):
        waiting = [a for a in adoption_proposals(work, caller) if a.state == "waiting"]
        if waiting:
            yield WaitingList(
                "Adoptions that wait for a second commissioner",
                ("Policy", "What", "From", "Proposed by"),
                tuple(
                    Row(
                        _title(library, each.policy),
                        "/adoptions",
                        (
                            "Decide by it" if each.act == ADOPT else "No longer decide by it",
                            day_words(each.from_day),
                            each.proposed_by_name,
                        ),
                    )
                    for each in waiting[:_SHOWN]
                ),
                "None.",
                _more(len(waiting) > _SHOWN),
            )


def _hand_overs(work: Work, caller: Caller) -> Iterator[WaitingList]:
    """The hand-overs that wait for a second person, and what was handed to the organisation."""
    if not can(caller, Action.HAND_OVER):
        return
    waiting = [
        each for each in handing.proposals(work, caller) if each.state == second_person.WAITING
    ]
    if waiting:
        yield WaitingList(
            "Hand-overs that wait for a second commissioner",
            ("Drug", "To", "From", "Proposed by"),
            tuple(
                Row(
                    _drug(each.drug),
                    f"/hand-overs/{each.id}",
                    (each.receiver, day_words(each.from_day), each.proposed_by_name),
                )
                for each in waiting[:_SHOWN]
            ),
            "None.",
            _more(len(waiting) > _SHOWN),
        )
    since = work.moment.instant - RECEIVED_WITHIN
    received = [
        each
        for each in handing.handed_and_received(work, caller)
        if each.receiver == caller.organisation
        and each.treatments
        and each.decided_at is not None
        and each.decided_at > since
    ]
    if received:
        yield WaitingList(
            "Hand-overs to you in the last 30 days",
            ("Drug", "By", "You pay from", "Treatments"),
            tuple(
                Row(
                    _drug(each.drug),
                    "/hand-overs",
                    (each.organisation, day_words(each.from_day), str(each.treatments)),
                )
                for each in received[:_SHOWN]
            ),
            "None.",
            _more(len(received) > _SHOWN),
        )


def _drug(key: str) -> str:
    known = load_drugs().drugs.get(key)
    return first_upper(known.name if known else key)


def _title(library: Library, policy: str) -> str:
    return library.versions(policy)[-1].title if policy in library.usable() else policy


def _draft_row(library: Library, draft: DraftRecord, session: Session) -> Row:
    title = "A later request"
    if draft.policy is not None and draft.policy in library.usable():
        title = library.versions(draft.policy)[-1].title
    by = "you" if draft.changed_by == session.person.id else "a colleague"
    changed = f"{instant_words(draft.changed_at)}, by {by}"
    kind = first_upper(draft.kind)
    if paper.is_paper(draft.form):
        kind = f"{kind}, from paper"
    return Row(title, f"/drafts/{draft.id}", (kind, changed))


def _voted(
    work: Work, library: Library, caller: Caller, found: Sequence[Waiting]
) -> dict[str, str]:
    """Request id → whose vote is out, for those who decide; only where a policy asks for two."""
    if not can(caller, Action.DECIDE_AS_PANEL):
        return {}
    out = votes_out(work, library, caller, [each.request_id for each in found])
    voters = {each.voted_by for votes in out.values() for each in votes}
    names = names_of(work, voters)
    own = [each for each in voters if same_holder(work, each, caller.id)]
    return {id_: waiting_words(votes, names, own) for id_, votes in out.items()}


def _waiting_row(library: Library, found: Waiting, today: dt.date, voted: str | None) -> Row:
    days = (today - london_day(found.submitted_at)).days
    ago = f"{counted(days, 'day')} ago" if days else "today"
    return Row(
        treatment_words(library, found.drug, found.policy, found.indication),
        f"/requests/{found.request_id}",
        (
            found.provider,
            f"{day_words(london_day(found.submitted_at))} ({ago})",
            voted or state_words(found.state),
        ),
    )


def _due_row(library: Library, due: Due, today: dt.date) -> Row:
    ended = " (ended)" if due.covers_to < today else ""
    cells = (f"{day_words(due.covers_to)}{ended}", "given" if due.started else "not recorded")
    text = treatment_words(library, due.drug, due.policy, due.indication)
    return Row(text, f"/treatments/{due.treatment_id}", cells, due.treatment_id)


def treatment_words(library: Library, drug: str, policy: str, indication: str) -> str:
    """A treatment as lists name it: "Adalimumab, rheumatoid arthritis"."""
    if policy in library.usable():
        indication = library.versions(policy)[-1].indication.term
    return f"{_drug(drug)}, {indication}"


def _more(there_are: bool) -> str | None:
    return f"The first {_SHOWN} are shown." if there_are else None
