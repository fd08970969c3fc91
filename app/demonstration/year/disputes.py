"""What is queried in a final file is challenged, answered, decided and credited, or still waits."""

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any, Final

from app.auth.model import Caller, Role
from app.db.work import Work
from app.demonstration.chance import Chance, chance
from app.demonstration.year.calendar import Month
from app.demonstration.year.files import Sent
from app.reconciliation import challenging
from app.reconciliation.challenge_model import Challenge, ChallengeEvent, ChallengeState
from app.reconciliation.challenge_store import Asked
from app.reconciliation.service import Desk, Reconciled

On = Callable[[dt.date, str], Callable[[Callable[[Work], Any]], Any]]
_S, _E = ChallengeState, ChallengeEvent
_DONE: Final = {
    _S.DRAFTED: 0, _S.RAISED: 1, _S.ANSWERED: 2, _S.UPHELD: 3, _S.WITHDRAWN: 3, _S.CREDITED: 4,
}  # fmt: skip
_MOST: Final = 200


def settle(
    on: On, desk: Desk, sent: Sent, run: Reconciled, months: Sequence[Month], seed: int
) -> None:
    """Draft the challenges of a final file's run, and take every step that was taken of each."""
    payer = caller_of(sent.payer, Role.COMMISSIONER)
    month = months[sent.months[-1] - 1]

    def draft(work: Work) -> Sequence[Challenge]:
        challenging.draft(work, payer, challenging.to_draft(desk, payer, run), by_month=True)
        return challenging.list_challenges(work, payer, Asked(run=run.run.id), _MOST)

    for challenge in on(sent.day, f"draft {sent.name}")(draft):
        _advance(on, payer, challenge, month, seed)


def caller_of(code: str, role: Role) -> Caller:
    """Somebody of an organisation, by whose hand the demonstration acts."""
    name = f"{role.value.capitalize()} of {code} (demonstration)"
    return Caller("demonstration", name, "person", code, role, "assent demo year", "demonstration")


def _fate(draw: Chance) -> tuple[ChallengeEvent, ...]:
    """How far the challenge came."""
    if draw.below(0.6):
        ends = {_E.WITHDRAW: 50, _E.UPHOLD: 40, None: 10}
        end = draw.weighted(ends)
        steps = (_E.RAISE, _E.ANSWER, *((end,) if end else ()))
    else:
        steps = (_E.RAISE, *((_E.UPHOLD,) if draw.below(0.6) else ()))
    paid = steps[-1] is _E.UPHOLD and draw.below(0.6)
    return (*steps, _E.CREDIT) if paid else steps


def _advance(on: On, payer: Caller, challenge: Challenge, month: Month, seed: int) -> None:
    named = f"{challenge.provider} {payer.organisation} {challenge.month} {challenge.outcome}"
    steps = _fate(chance(seed, f"year challenge {named} {challenge.drug}"))
    provider = caller_of(challenge.provider, Role.PHARMACIST)
    id, days = challenge.id, dt.timedelta
    acts: dict[ChallengeEvent, tuple[int, dt.date, Callable[[Work, int], Challenge]]] = {
        _E.RAISE: (1, month.freeze + days(1), lambda work, version: challenging.raise_challenge(
            work, payer, id, month.challenge_by, version)),
        _E.ANSWER: (2, month.freeze + days(12), lambda work, version: challenging.answer(
            work, provider, id, "The form is attached (demonstration).", version)),
        _E.UPHOLD: (3, month.challenge_by + days(9), lambda work, version: challenging.uphold(
            work, payer, id, "No approval covers it (demonstration).", None, version)),
        _E.WITHDRAW: (3, month.challenge_by + days(9), lambda work, version: challenging.withdraw(
            work, payer, id, "The evidence shows it (demonstration).", version)),
        _E.CREDIT: (4, month.challenge_by + days(30), lambda work, version: challenging.credit(
            work, payer, id, f"CN-DEMO-{id[:6].upper()}", version)),
    }  # fmt: skip
    version = challenge.version
    for step in steps:
        place, day, act = acts[step]
        if place > _DONE[challenge.state]:
            done = on(day, f"challenge {id} {step}")(_with(act, version))
            version = done.version


def _with(act: Callable[[Work, int], Challenge], version: int) -> Callable[[Work], Challenge]:
    return lambda work: act(work, version)
