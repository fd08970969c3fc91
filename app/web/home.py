"""The home page: what waits for the people of an organisation."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from fastapi import APIRouter, Request, Response

from app.api.reading import read_recorded
from app.approvals import handing, second_person
from app.approvals.adopting import ADOPT, adoption_proposals
from app.approvals.handed import handed_and_received
from app.approvals.library import Library
from app.approvals.permissions import Action, can
from app.audit import Reading
from app.auth.model import Caller
from app.authoring import drafting as policy_drafting
from app.db.work import Work
from app.web.callers import caller_of, this_office
from app.web.home_patients import Told
from app.web.listing import MOST, Asked, Listing, Row, drug_words
from app.web.pages import PageRoute, go
from app.web.rendering import page
from app.web.sign_in import SignedInBrowser
from app.web.words import day_words, instant_words
from app.web.worklists import QUEUES, listings_for

router = APIRouter(route_class=PageRoute, include_in_schema=False)

RECEIVED_WITHIN: Final = dt.timedelta(days=30)
_SHOWN: Final = 25


@dataclass(frozen=True, slots=True)
class WaitingList:
    """What waits for one reason. `more`: there is more than is shown, `all_at` shows all."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[Row, ...]
    empty: str
    more: bool
    all_at: str
    number: int

    @property
    def shown(self) -> str:
        """How many there are; of very many, how many at least."""
        return f"{self.number:,}{' or more' if self.number >= MOST else ''}"


@router.get("/")
def home(request: Request, session: SignedInBrowser) -> Response:
    """Who you are, for which organisation, in which role, and what waits for you."""
    if session.seat is None:
        return go("/role")
    caller, office = caller_of(request, session), this_office(request)

    def read(work: Work) -> tuple[tuple[WaitingList, ...], tuple[Reading, ...]]:
        told = Told(work, caller)
        lists = tuple(_lists(Asked(work, office.library_at(work), caller, told)))
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


def _lists(asked: Asked) -> Iterator[WaitingList]:
    """What waits for somebody of this role, the most pressing first."""
    work, caller = asked.work, asked.caller
    kept = [_first(asked, each) for each in listings_for(caller)]
    queues = len(QUEUES.get(caller.role, ()))
    yield from kept[:queues]
    yield from _policies(work, asked.library, caller)
    yield from _hand_overs(work, caller)
    yield from kept[queues:]


def _first(asked: Asked, listing: Listing) -> WaitingList:
    """The first rows of a list; how many there are is counted only where these are not all."""
    part = listing.read(asked, None, _SHOWN)
    return WaitingList(
        listing.title,
        part.heads,
        part.rows,
        listing.empty,
        part.next is not None,
        f"/worklists/{listing.name}",
        listing.count(asked) if part.next else len(part.rows),
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
            len(drafts) > _SHOWN,
            "/policy-drafts",
            len(drafts),
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
                len(waiting) > _SHOWN,
                "/adoptions",
                len(waiting),
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
                    drug_words(each.drug),
                    f"/hand-overs/{each.id}",
                    (each.receiver, day_words(each.from_day), each.proposed_by_name),
                )
                for each in waiting[:_SHOWN]
            ),
            "None.",
            len(waiting) > _SHOWN,
            "/hand-overs",
            len(waiting),
        )
    since = work.moment.instant - RECEIVED_WITHIN
    received = [
        each
        for each in handed_and_received(work, caller)
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
                    drug_words(each.drug),
                    "/hand-overs",
                    (each.organisation, day_words(each.from_day), str(each.treatments)),
                )
                for each in received[:_SHOWN]
            ),
            "None.",
            len(received) > _SHOWN,
            "/hand-overs",
            len(received),
        )


def _title(library: Library, policy: str) -> str:
    return library.versions(policy)[-1].title if policy in library.usable() else policy
