"""Challenges in words: rows, amounts, what happened and what can be done. Pure."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from app.api.challenges_model import ChallengeDetail, ChallengedLineDocument, ChallengeDocument
from app.reconciliation.challenge_model import TRANSITIONS, ChallengeEvent, ChallengeState
from app.reconciliation.windows import Window
from app.web.decision import Colour
from app.web.desk.common import challenge_colour, drug_words, month_words, organisation_words
from app.web.words import day_words, first_upper, instant_words, pounds, with_days_in_words

_S, _E = ChallengeState, ChallengeEvent
_WINDOWS: Final[dict[Window, str]] = {
    Window.OPEN: "Still in time",
    Window.CLOSED: "Over",
    Window.NOT_SET: "No day set",
}


@dataclass(frozen=True, slots=True)
class ChallengeRow:
    """A challenge in a list."""

    href: str
    title: str
    provider: str
    commissioner: str
    state: str
    colour: Colour
    lines: int
    queried: Decimal
    upheld: Decimal | None
    waits: str
    late: str  # that its day for challenging is over; empty where it is not


@dataclass(frozen=True, slots=True)
class ChallengeTable:
    """Challenges with their sums; those withdrawn are not summed as queried."""

    rows: tuple[ChallengeRow, ...]
    queried: Decimal
    upheld: Decimal
    open_lines: int


@dataclass(frozen=True, slots=True)
class ChallengeView:
    """What a challenge's page says."""

    title: str
    state: str
    colour: Colour
    facts: tuple[tuple[str, str], ...]
    happened: tuple[tuple[str, str], ...]
    late: str


def challenge_rows(found: Sequence[ChallengeDocument]) -> ChallengeTable:
    """The list, newest first as it came."""
    still = [each for each in found if each.state is not _S.WITHDRAWN]
    return ChallengeTable(
        rows=tuple(_row(each) for each in found),
        queried=sum((each.queried for each in still), Decimal(0)),
        upheld=sum((each.upheld or Decimal(0) for each in still), Decimal(0)),
        open_lines=sum(each.lines for each in still),
    )


def challenge_view(detail: ChallengeDetail) -> ChallengeView:
    """One challenge."""
    each = detail.challenge
    owed = "" if each.upheld is None else pounds(each.upheld)
    facts = (
        ("Provider", organisation_words(each.provider)),
        ("Commissioner", organisation_words(each.commissioner)),
        ("Outcome of the lines", each.outcome.value),
        ("Drug", drug_words(each.drug)),
        ("Month", month_words(each.month)),
        ("Lines", f"{each.lines:,}"),
        ("Challenged", pounds(each.queried)),
        ("Upheld", owed),
        ("To be challenged by", day_words(each.challenge_by) if each.challenge_by else ""),
        ("To be answered by", day_words(each.respond_by) if each.respond_by else ""),
        ("The commissioner's reason", each.reason or ""),
        ("Credit note", each.credit_reference or ""),
    )
    happened = (
        ("Drafted", each.drafted_at),
        ("Raised", each.raised_at),
        ("Answered", each.answered_at),
        ("Withdrawn" if each.state is _S.WITHDRAWN else "Upheld", each.decided_at),
        ("Credited", each.credited_at),
    )
    return ChallengeView(
        title=_title(each),
        state=first_upper(each.state),
        colour=challenge_colour(each.state),
        facts=tuple((key, value) for key, value in facts if value),
        happened=tuple((name, instant_words(at)) for name, at in happened if at),
        late=_late(each),
    )


def line_rows(lines: Sequence[ChallengedLineDocument]) -> tuple[ChallengedLineDocument, ...]:
    """The lines with the days of their reasons in words."""
    return tuple(
        each.model_copy(
            update={name: with_days_in_words(getattr(each, name)) for name in ("reason", "remedy")}
        )
        for each in lines
    )


def month_choices(months: Sequence[str], chosen: str) -> tuple[tuple[str, str, bool], ...]:
    """The months that there are challenges of, and which is chosen."""
    return tuple((each, month_words(each), each == chosen) for each in months)


def window_choices(chosen: Window | None) -> tuple[tuple[str, str, bool], ...]:
    """Whether the calendar's time for challenging is over."""
    return tuple((each.value, words, each is chosen) for each, words in _WINDOWS.items())


def steps_of(
    challenge: ChallengeDocument, *, may_challenge: bool, may_answer: bool, today: dt.date
) -> frozenset[str]:
    """The steps that the reader can take now, by their names in addresses."""
    events = {event for state, event in TRANSITIONS if state is challenge.state}
    may = set[ChallengeEvent]()
    if may_challenge:
        may |= events - {_E.ANSWER}
    if may_answer and _E.ANSWER in events:
        may.add(_E.ANSWER)
    waits = challenge.state is _S.RAISED and challenge.respond_by is not None
    if waits and challenge.respond_by is not None and today <= challenge.respond_by:
        may.discard(_E.UPHOLD)  # the provider may still answer
    return frozenset(event.value for event in may)


def _row(each: ChallengeDocument) -> ChallengeRow:
    return ChallengeRow(
        href=f"/challenges/{each.id}",
        title=_title(each),
        provider=organisation_words(each.provider),
        commissioner=organisation_words(each.commissioner),
        state=first_upper(each.state),
        colour=challenge_colour(each.state),
        lines=each.lines,
        queried=each.queried,
        upheld=each.upheld,
        waits=_waits(each),
        late=_late_in_short(each),
    )


def _late(each: ChallengeDocument) -> str:
    """Of a draft that it would be late, of any other that it was."""
    if each.window is not Window.CLOSED or each.challenge_by is None:
        return ""
    day = day_words(each.challenge_by)
    if each.raised_at is None:
        return f"The day for challenging was {day} and is over: it would be raised late."
    return f"Raised late: the day for challenging was {day}."


def _late_in_short(each: ChallengeDocument) -> str:
    if not _late(each) or each.challenge_by is None:
        return ""
    return f"late: the day for challenging was {day_words(each.challenge_by)}"


def _title(each: ChallengeDocument) -> str:
    month = "" if each.month is None else f", {month_words(each.month)}"
    return f"{drug_words(each.drug)}: {each.outcome.value}{month}"


def _waits(each: ChallengeDocument) -> str:
    if each.state is _S.RAISED and each.respond_by is not None:
        return f"for the provider, until {day_words(each.respond_by)}"
    return {
        _S.DRAFTED: "to be raised",
        _S.ANSWERED: "for the commissioner's decision",
        _S.UPHELD: "for the credit note",
    }.get(each.state, "for nobody")
