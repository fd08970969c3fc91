"""The home page: what waits for the people of an organisation."""

import datetime as dt
from dataclasses import dataclass
from typing import Final

from fastapi import APIRouter, Request, Response

from app.approvals import drafting
from app.approvals.drafting import DraftRecord
from app.approvals.library import Library
from app.approvals.lifecycle import ApprovalState, RequestState
from app.approvals.permissions import Action, can
from app.approvals.searching import SearchHit, SearchQuery, search
from app.auth.model import Caller
from app.auth.sessions import Session
from app.db.work import Work
from app.reference_data.drugs import load_drugs
from app.web.callers import caller_of, this_office
from app.web.decision import state_words
from app.web.pages import PageRoute, door_of, go
from app.web.rendering import page
from app.web.sign_in import SignedInBrowser
from app.web.words import day_words, first_upper, instant_words

router = APIRouter(route_class=PageRoute, include_in_schema=False)

DUE_WITHIN: Final = dt.timedelta(days=90)
_SHOWN: Final = 25
_WAITING: Final = (RequestState.MORE_INFORMATION_NEEDED, RequestState.RETURNED)


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
    caller = caller_of(request, session)
    may_prepare = can(caller, Action.PREPARE)
    lists: tuple[WaitingList, ...] = ()
    if may_prepare:
        office = this_office(request)

        def read(work: Work) -> tuple[WaitingList, ...]:
            return _lists(work, office.library_at(work), caller, session)

        lists = door_of(request).transact(read)  # each search is on record
    return page(request, "home.html", session=session, may_prepare=may_prepare, lists=lists)


def _lists(
    work: Work, library: Library, caller: Caller, session: Session
) -> tuple[WaitingList, ...]:
    drafts = drafting.open_drafts(work, caller)
    waiting = [
        (state, hit)
        for state in _WAITING
        for hit in search(
            work,
            caller,
            SearchQuery(request_state=state, provider=caller.organisation, limit=_SHOWN),
        ).hits
    ]
    due = search(
        work,
        caller,
        SearchQuery(
            approval_state=ApprovalState.LIVE,
            provider=caller.organisation,
            review_due_by=work.moment.day + DUE_WITHIN,
            limit=_SHOWN,
        ),
    )
    ordered = sorted(due.hits, key=lambda hit: hit.covered_to or dt.date.max)
    return (
        WaitingList(
            "Drafts",
            ("Form", "Kind", "Changed"),
            tuple(_draft_row(library, each, session) for each in drafts[:_SHOWN]),
            "No form is half-filled.",
            _more(len(drafts) > _SHOWN),
        ),
        WaitingList(
            "Waiting for an answer",
            ("Treatment", "What it waits for"),
            tuple(_hit_row(hit, (state_words(state),)) for state, hit in waiting[:_SHOWN]),
            "No request waits for your organisation's answer.",
            _more(len(waiting) > _SHOWN),
        ),
        WaitingList(
            "Continuations due within 90 days",
            ("Treatment", "Covered to"),
            tuple(
                _hit_row(hit, (_covered(hit, work.moment.day),), continues=True)
                for hit in ordered
                if hit.treatment.stopped_on is None
            ),
            "No approval ends within 90 days.",
            _more(due.next is not None),
        ),
    )


def _draft_row(library: Library, draft: DraftRecord, session: Session) -> Row:
    title = "A later request"
    if draft.policy is not None and draft.policy in library.usable():
        title = library.versions(draft.policy)[-1].title
    by = "you" if draft.changed_by == session.person.id else "a colleague"
    changed = f"{instant_words(draft.changed_at)}, by {by}"
    return Row(title, f"/drafts/{draft.id}", (first_upper(draft.kind), changed))


def _hit_row(hit: SearchHit, cells: tuple[str, ...], *, continues: bool = False) -> Row:
    treatment = hit.treatment
    drug = load_drugs().drugs.get(treatment.drug)
    text = f"{first_upper(drug.name if drug else treatment.drug)}, {treatment.indication}"
    return Row(text, f"/treatments/{treatment.id}", cells, treatment.id if continues else None)


def _covered(hit: SearchHit, today: dt.date) -> str:
    if hit.covered_to is None:
        return "No covered days"
    ended = " (ended)" if hit.covered_to < today else ""
    return f"{day_words(hit.covered_to)}{ended}"


def _more(there_are: bool) -> str | None:
    return f"The first {_SHOWN} are shown." if there_are else None
