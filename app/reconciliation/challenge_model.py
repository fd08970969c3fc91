"""Challenges as frozen types, and their whole lifecycle as one table. Pure."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final

from app.reconciliation.errors import StepNotPossible
from app.reconciliation.model import LineOutcome


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a challenge's lines: those behind a row, so many of them. None: all of them."""

    after: int = 0
    most: int | None = None


WHOLE: Final = Part()


class ChallengeState(StrEnum):
    """Where a challenge stands between the commissioner and the provider."""

    DRAFTED = "drafted"
    RAISED = "raised"
    ANSWERED = "answered"
    UPHELD = "upheld"
    WITHDRAWN = "withdrawn"
    CREDITED = "credited"


class ChallengeEvent(StrEnum):
    """A step of a challenge."""

    RAISE = "raise"
    ANSWER = "answer"
    UPHOLD = "uphold"
    WITHDRAW = "withdraw"
    CREDIT = "credit"


_S, _E = ChallengeState, ChallengeEvent

#: What is not here is refused. A challenge that nobody answered is upheld only once its day has
#: passed (`check_can_uphold`).
TRANSITIONS: Final[Mapping[tuple[ChallengeState, ChallengeEvent], ChallengeState]] = {
    (_S.DRAFTED, _E.RAISE): _S.RAISED,
    (_S.DRAFTED, _E.WITHDRAW): _S.WITHDRAWN,
    (_S.RAISED, _E.ANSWER): _S.ANSWERED,
    (_S.RAISED, _E.UPHOLD): _S.UPHELD,
    (_S.RAISED, _E.WITHDRAW): _S.WITHDRAWN,
    (_S.ANSWERED, _E.UPHOLD): _S.UPHELD,
    (_S.ANSWERED, _E.WITHDRAW): _S.WITHDRAWN,
    (_S.UPHELD, _E.WITHDRAW): _S.WITHDRAWN,
    (_S.UPHELD, _E.CREDIT): _S.CREDITED,
}
#: States in which a challenge still waits for somebody.
OPEN: Final = frozenset({_S.DRAFTED, _S.RAISED, _S.ANSWERED, _S.UPHELD})


@dataclass(frozen=True, slots=True)
class Challenge:
    """A commissioner's query of some lines of one provider. Amounts in pounds, exact.

    `queried` is the sum of its lines; `upheld` what the provider owes of it once decided.
    """

    id: str
    commissioner: str
    provider: str
    run_id: str
    outcome: LineOutcome
    drug: str | None
    month: str | None
    state: ChallengeState
    lines: int
    queried: Decimal
    drafted_at: dt.datetime
    drafted_by: str
    upheld: Decimal | None = None
    respond_by: dt.date | None = None
    evidence: str | None = None
    reason: str | None = None
    credit_reference: str | None = None
    raised_at: dt.datetime | None = None
    answered_at: dt.datetime | None = None
    decided_at: dt.datetime | None = None
    credited_at: dt.datetime | None = None
    version: int = 1


@dataclass(frozen=True, slots=True)
class ChallengedLine:
    """A line of a challenge. It names no patient: `row` finds it in the run's submission.

    `told` and `reference_told` are the reason and reference as the provider may read them; `month`
    is the financial month billed, as `202526 M01`.
    """

    row: int
    line_key: str
    queried: Decimal
    reason: str
    told: str
    remedy: str
    reference: str | None = None
    reference_told: str | None = None
    month: str | None = None


def next_state(state: ChallengeState, event: ChallengeEvent) -> ChallengeState:
    """The state after a step; StepNotPossible, with the steps that are, where there is none."""
    found = TRANSITIONS.get((state, event))
    if found is None:
        possible = sorted(e.value for s, e in TRANSITIONS if s is state)
        raise StepNotPossible(
            f"A challenge that is '{state}' cannot take the step '{event}'. "
            + (f"Possible steps: {', '.join(possible)}." if possible else "It is closed.")
        )
    return found


def check_can_raise(respond_by: dt.date, today: dt.date) -> None:
    """Raise StepNotPossible unless the provider is left at least today to answer."""
    if respond_by < today:
        raise StepNotPossible(
            f"The provider cannot answer by {respond_by:%d/%m/%Y}, which has passed. "
            "Give a day from today on."
        )


def check_can_uphold(challenge: Challenge, amount: Decimal, today: dt.date) -> None:
    """Raise StepNotPossible where the provider may still answer, or the amount is not its own."""
    waits = challenge.state is _S.RAISED and challenge.respond_by is not None
    if waits and challenge.respond_by is not None and today <= challenge.respond_by:
        raise StepNotPossible(
            f"The provider may answer until {challenge.respond_by:%d/%m/%Y}. "
            "Decide once it has answered, or after that day."
        )
    if not 0 < amount <= challenge.queried:
        raise StepNotPossible(
            f"£{amount:f} cannot be upheld of £{challenge.queried:f}. Give an amount above zero "
            "and up to what is challenged, or withdraw the challenge."
        )
