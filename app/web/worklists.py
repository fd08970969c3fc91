"""The lists of what waits for the people of a role: what each is called, asks and tells.

The home page shows the first rows of each, `worklist_pages` any page of one. Which of them there
are follows from the role; whom their rows name, from `home_patients`.
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from app.approvals import drafting, due, waiting
from app.approvals.drafting import DraftRecord
from app.approvals.due import SOON, WITHIN, Due
from app.approvals.library import Library
from app.approvals.lifecycle import RequestState
from app.approvals.permissions import Action, can
from app.approvals.seconding import votes_out
from app.approvals.waiting import Waiting
from app.auth.holders import same_holder
from app.auth.model import Caller, Role
from app.auth.people import names_of
from app.clock import london_day
from app.db.work import Work
from app.web.claims_list import CLAIMS
from app.web.decision import state_words
from app.web.form import paper
from app.web.listing import MOST, Asked, Listing, Part, Row, treatment_words, with_patients
from app.web.panel_votes import waiting_words
from app.web.places import day_of, instant_of, parts_of, place_text
from app.web.words import counted, day_words, first_upper, instant_words

_S = RequestState


@dataclass(frozen=True, slots=True)
class Queue:
    """Requests in some states. `own`: of the role's organisation only; `by_answer`: a panel's.

    `asked`: those that ask it for its consent. `other`: whom the column of organisations names.
    """

    name: str
    title: str
    states: tuple[RequestState, ...]
    own: bool
    asked: bool = False
    by_answer: bool = False
    other: str = "Provider"


_ANSWER: Final = Queue(
    "answers",
    "Waiting for your organisation's answer",
    (_S.MORE_INFORMATION_NEEDED, _S.RETURNED),
    own=True,
)
_TAKE_OVER: Final = Queue(
    "transfers",
    "Transfers to you that wait for your consent",
    (_S.AWAITING_CONSENT,),
    own=False,
    asked=True,
    other="From",
)
_HAND_ON: Final = Queue(
    "transfers-out",
    "Transfers from you that wait for another hospital's consent",
    (_S.AWAITING_CONSENT,),
    own=True,
    other="To",
)
#: Role → what waits for it, the most pressing first.
QUEUES: Final[dict[Role, tuple[Queue, ...]]] = {
    Role.CLINICIAN: (_ANSWER, _TAKE_OVER, _HAND_ON),
    Role.DELEGATE: (_ANSWER,),
    Role.PHARMACIST: (
        Queue(
            "authorisations",
            "Waiting for your authorisation",
            (_S.AWAITING_AUTHORISATION,),
            own=True,
        ),
        _ANSWER,
        _TAKE_OVER,
        _HAND_ON,
    ),
    Role.PANEL_MEMBER: (
        Queue("panel", "Waiting for the panel", (_S.REFERRED,), own=False, by_answer=True),
    ),
    Role.COMMISSIONER: (
        Queue(
            "referred",
            "With a panel, or waiting for you",
            (_S.REFERRED,),
            own=False,
            by_answer=True,
        ),
    ),
}


def listings_for(caller: Caller) -> Iterator[Listing]:
    """The lists of a role, the most pressing first."""
    for queue in QUEUES.get(caller.role, ()):
        yield Listing(
            queue.name,
            queue.title,
            "None.",
            partial(_waiting, queue),
            partial(_count_waiting, queue),
        )
    if can(caller, Action.PREPARE):
        yield LAPSING
        yield DUE
        yield DRAFTS
    if can(caller, Action.RECORD_START):
        yield CLAIMS


# --- requests that wait --------------------------------------------------------------------------


def _waiting(queue: Queue, asked: Asked, after: str | None, limit: int) -> Part:
    work, caller, library = asked.work, asked.caller, asked.library
    found = waiting.waiting_requests(
        work,
        caller,
        queue.states,
        limit + 1,
        own=queue.own,
        asked=queue.asked,
        by_answer=queue.by_answer,
        after=None if after is None else _waiting_place(after),
    )
    shown = found[:limit]
    voted = _voted(work, library, caller, shown)
    named = asked.told.of_treatments({each.treatment_id for each in shown})
    today = work.moment.day
    heads: tuple[str, ...] = ("Treatment", queue.other, "Sent", "Waits for")
    if queue.by_answer:
        heads = ("Treatment", queue.other, "Sent", "Answer by", "Waits for")
    rows = tuple(
        _waiting_row(library, each, today, voted.get(each.request_id), queue) for each in shown
    )
    names = [named.get(each.treatment_id, "") for each in shown]
    return Part(
        *with_patients(heads, rows, names, "Another provider's"),
        place_text(*_key(shown[-1].place)) if len(found) > limit else None,
    )


def _count_waiting(queue: Queue, asked: Asked) -> int:
    way = {"own": queue.own, "asked": queue.asked}
    return waiting.count_up_to(asked.work, asked.caller, queue.states, MOST, **way)


def _key(place: waiting.Place) -> tuple[dt.date | None, dt.datetime, str]:
    return place.answer_by, place.submitted_at, place.request_id


def _waiting_place(text: str) -> waiting.Place:
    day, instant, id_ = parts_of(text, 3)
    return waiting.Place(day_of(day) if day else None, instant_of(instant), id_)


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


def _waiting_row(
    library: Library, found: Waiting, today: dt.date, voted: str | None, queue: Queue
) -> Row:
    days = (today - london_day(found.submitted_at)).days
    ago = f"{counted(days, 'day')} ago" if days else "today"
    target = (answer_words(found.answer_by, today),) if queue.by_answer else ()
    other = (found.counterparty or "") if queue is _HAND_ON else found.provider
    return Row(
        treatment_words(library, found.drug, found.policy, found.indication),
        f"/requests/{found.request_id}",
        (
            other,
            f"{day_words(london_day(found.submitted_at))} ({ago})",
            *target,
            voted or state_words(found.state),
        ),
    )


def answer_words(by: dt.date | None, today: dt.date) -> str:
    """The day by which a panel answers, and how far off it is or how late the panel is."""
    if by is None:
        return "The policy sets no day"
    days = (by - today).days
    if days < 0:
        return f"{day_words(by)} (late by {counted(-days, 'day')})"
    return f"{day_words(by)} ({_away(days)})"


def _away(days: int) -> str:
    return f"in {counted(days, 'day')}" if days else "today"


# --- what is due ---------------------------------------------------------------------------------


def _due(asked: Asked, after: str | None, limit: int) -> Part:
    today = asked.work.moment.day
    span = (today - WITHIN, today + WITHIN)
    place = None if after is None else _due_place(after)
    found = due.approvals_due(asked.work, asked.caller, *span, limit + 1, place)
    rows = tuple(_due_row(asked.library, each, today) for each in found[:limit])
    return _due_part(asked, ("Treatment", "Covered to", "First dose"), rows, found, limit)


def _count_due(asked: Asked) -> int:
    today = asked.work.moment.day
    query = due.due_query(asked.caller, today - WITHIN, today + WITHIN, MOST)
    return due.count_up_to(asked.work, query, MOST)


def _lapsing(asked: Asked, after: str | None, limit: int) -> Part:
    today = asked.work.moment.day
    place = None if after is None else _due_place(after)
    found = due.approvals_lapsing(asked.work, asked.caller, today, today + SOON, limit + 1, place)
    rows = tuple(_lapsing_row(asked.library, each, today) for each in found[:limit])
    return _due_part(asked, ("Treatment", "Lapses after"), rows, found, limit)


def _count_lapsing(asked: Asked) -> int:
    today = asked.work.moment.day
    return due.count_up_to(
        asked.work, due.lapsing_query(asked.caller, today, today + SOON, MOST), MOST
    )


def _due_part(
    asked: Asked,
    heads: tuple[str, ...],
    rows: tuple[Row, ...],
    found: Sequence[Due],
    limit: int,
) -> Part:
    named = asked.told.of_treatments({each.treatment_id for each in found[:limit]})
    names = [named.get(each.treatment_id, "") for each in found[:limit]]
    last = found[limit - 1].place if len(found) > limit else None
    return Part(
        *with_patients(heads, rows, names, "Another provider's"),
        None if last is None else place_text(last.by, last.treatment_id),
    )


def _due_place(text: str) -> due.Place:
    day, id_ = parts_of(text, 2)
    return due.Place(day_of(day), id_)


def _due_row(library: Library, found: Due, today: dt.date) -> Row:
    ended = " (ended)" if found.by < today else ""
    given = "not recorded" if found.first_dose is None else f"given {day_words(found.first_dose)}"
    return Row(
        treatment_words(library, found.drug, found.policy, found.indication),
        f"/treatments/{found.treatment_id}",
        (f"{day_words(found.by)}{ended}", given),
        continues=found.treatment_id,
    )


def _lapsing_row(library: Library, found: Due, today: dt.date) -> Row:
    days = (found.by - today).days
    return Row(
        treatment_words(library, found.drug, found.policy, found.indication),
        f"/treatments/{found.treatment_id}",
        (f"{day_words(found.by)} ({_away(days)})",),
        starts=found.treatment_id,
    )


LAPSING: Final = Listing(
    "lapsing",
    "Lapses unless a first dose is recorded",
    f"No approval lapses within {SOON.days} days.",
    _lapsing,
    _count_lapsing,
)
DUE: Final = Listing(
    "continuations",
    "Continuations due",
    f"No approval ends within {WITHIN.days} days.",
    _due,
    _count_due,
)


# --- drafts --------------------------------------------------------------------------------------


def _drafts(asked: Asked, after: str | None, limit: int) -> Part:
    place = None if after is None else _draft_place(after)
    found = drafting.open_drafts(asked.work, asked.caller, limit + 1, place)
    named = asked.told.of_drafts(found[:limit])
    last = found[limit - 1].place if len(found) > limit else None
    return Part(
        *with_patients(
            ("Form", "Kind", "Changed"),
            tuple(_draft_row(asked.library, each, asked.caller) for each in found[:limit]),
            [named[each.id] for each in found[:limit]],
            "No NHS number yet",
        ),
        None if last is None else place_text(last.changed_at, last.id),
    )


def _count_drafts(asked: Asked) -> int:
    return drafting.count_open(asked.work, asked.caller, MOST)


def _draft_place(text: str) -> drafting.Place:
    instant, id_ = parts_of(text, 2)
    return drafting.Place(instant_of(instant), id_)


def _draft_row(library: Library, draft: DraftRecord, caller: Caller) -> Row:
    title = "A later request"
    if draft.policy is not None and draft.policy in library.usable():
        title = library.versions(draft.policy)[-1].title
    by = "you" if draft.changed_by == caller.id else "a colleague"
    kind = first_upper(draft.kind)
    if paper.is_paper(draft.form):
        kind = f"{kind}, from paper"
    changed = f"{instant_words(draft.changed_at)}, by {by}"
    return Row(title, f"/drafts/{draft.id}", (kind, changed))


DRAFTS: Final = Listing("drafts", "Drafts", "No form is half-filled.", _drafts, _count_drafts)
