"""Challenging lines: draft from a run, raise, answer, decide, credit. One function a step."""

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from app.approvals.permissions import PAYER_ROLES, Action, check_can
from app.approvals.store import check_version
from app.audit.log import recorded_together
from app.auth.model import Caller
from app.db.work import Work
from app.reconciliation import challenge_store, challenge_windows, service, store
from app.reconciliation.challenge_drafting import LeftOut, Plan, plan, reversed_rows
from app.reconciliation.challenge_model import (
    WHOLE,
    Challenge,
    ChallengedLine,
    ChallengeEvent,
    ChallengeState,
    Part,
    check_can_raise,
    check_can_uphold,
    next_state,
)
from app.reconciliation.challenge_store import EVERY, Asked
from app.reconciliation.challenge_text import Named, bare_words
from app.reconciliation.errors import TooManyLines
from app.reconciliation.large_drafts import ToDraft, of_files, of_memory
from app.reconciliation.large_lines import open_where_it_lies
from app.reconciliation.line_filter import EVERY_LINE, LineFilter
from app.reconciliation.model import ContractLine, Snapshot
from app.reconciliation.service import Desk, Reconciled
from app.reconciliation.store import RunRecord, SubmissionRecord
from app.reconciliation.windows import Window


@dataclass(frozen=True, slots=True)
class Drafted:
    """The challenges made of a run, and what was left out with its reason."""

    challenges: tuple[Challenge, ...]
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True, slots=True)
class ShownLine:
    """A challenged line beside the line of the file that it speaks of."""

    challenged: ChallengedLine
    line: ContractLine


def load_for_draft(
    work: Work, desk: Desk, caller: Caller, run_id: str, asked: LineFilter = EVERY_LINE
) -> ToDraft:
    """The lines to draft from: slow for a large run, so outside a transaction.

    Lines of which nothing is queried are counted where they lie, in a run of any size. Where more
    than `large_drafts.MOST` would be challenged, TooManyLines of a large run, and of any other
    every line is read.
    """
    check_can(caller, Action.CHALLENGE)
    run = store.find_run(work, caller.organisation, run_id)
    opened = open_where_it_lies(work, desk, run)
    if opened is not None:
        try:
            return of_files(desk, caller, opened, asked)
        except TooManyLines:
            if desk.matching.takes_files(run.lines):
                raise
    return to_draft(desk, caller, service.load_run(work, desk, caller, run_id), asked)


def to_draft(
    desk: Desk, caller: Caller, loaded: Reconciled, asked: LineFilter = EVERY_LINE
) -> ToDraft:
    """The lines to draft from, of a run that is in memory."""
    back = _taken_back(desk, caller, loaded)
    return of_memory(loaded, back, asked, desk.organisations.fold)


def draft(work: Work, caller: Caller, loaded: ToDraft, *, by_month: bool) -> Drafted:
    """Draft challenges of what a run queried and nobody has challenged yet.

    Drafting again changes nothing: lines that are challenged already are left out.
    """
    check_can(caller, Action.CHALLENGE)
    challenge_store.take_turns(work, caller.organisation)
    made = planned(work, caller, loaded, by_month)
    with recorded_together(work):
        drafted = tuple(_draft(work, caller, loaded, made, i) for i in range(len(made.groups)))
    return Drafted(drafted, made.left_out)


def raise_challenge(
    work: Work, caller: Caller, challenge_id: str, respond_by: dt.date, version: int | None
) -> Challenge:
    """Send a draft to the provider, which may answer until a day. It sees it from now on."""
    before = _open(work, caller, Action.CHALLENGE, challenge_id, version)
    state = next_state(before.state, ChallengeEvent.RAISE)
    check_can_raise(respond_by, work.moment.day)
    after = replace(before, state=state, respond_by=respond_by, raised_at=work.moment.instant)
    return _save(work, caller, "challenge raised", before, after)


def answer(
    work: Work, caller: Caller, challenge_id: str, evidence: str, version: int | None
) -> Challenge:
    """The provider's answer, with its evidence in words."""
    before = _open(work, caller, Action.ANSWER_CHALLENGE, challenge_id, version)
    state = next_state(before.state, ChallengeEvent.ANSWER)
    after = replace(before, state=state, evidence=evidence, answered_at=work.moment.instant)
    return _save(work, caller, "challenge answered", before, after)


def uphold(
    work: Work,
    caller: Caller,
    challenge_id: str,
    reason: str,
    amount: Decimal | None,
    version: int | None,
) -> Challenge:
    """Hold to a challenge: the provider owes the amount, by default all that is challenged."""
    before = _open(work, caller, Action.CHALLENGE, challenge_id, version)
    state = next_state(before.state, ChallengeEvent.UPHOLD)
    owed = before.queried if amount is None else amount
    check_can_uphold(before, owed, work.moment.day)
    now = work.moment.instant
    after = replace(before, state=state, upheld=owed, reason=reason, decided_at=now)
    return _save(work, caller, "challenge upheld", before, after)


def withdraw(
    work: Work, caller: Caller, challenge_id: str, reason: str, version: int | None
) -> Challenge:
    """Give a challenge up. Its lines may be challenged again, for another reason."""
    before = _open(work, caller, Action.CHALLENGE, challenge_id, version)
    state = next_state(before.state, ChallengeEvent.WITHDRAW)
    now = work.moment.instant
    after = replace(before, state=state, upheld=None, reason=reason, decided_at=now)
    return _save(work, caller, "challenge withdrawn", before, after)


def credit(
    work: Work, caller: Caller, challenge_id: str, credit_reference: str, version: int | None
) -> Challenge:
    """Record that the provider has credited what was upheld, and by which credit note."""
    before = _open(work, caller, Action.CHALLENGE, challenge_id, version)
    state = next_state(before.state, ChallengeEvent.CREDIT)
    now = work.moment.instant
    after = replace(before, state=state, credit_reference=credit_reference, credited_at=now)
    return _save(work, caller, "challenge credited", before, after)


def show(
    work: Work, desk: Desk, caller: Caller, challenge_id: str, part: Part = WHOLE
) -> tuple[Challenge, tuple[ShownLine, ...]]:
    """A challenge with its lines, or a part of them, as they stand in the commissioner's file.

    Where that is no longer kept, the lines state nothing but their rows. A payer reads the answer
    bared of every line's numbers, not only of a part's (`challenge_text`).
    """
    check_can(caller, Action.READ_CHALLENGES)
    challenge = challenge_store.find(work, caller, challenge_id)
    lines = challenge_store.lines_of(work, challenge, part)
    bares = is_payer(caller) and challenge.evidence is not None
    every = challenge_store.rows_of(work, challenge) if bares else ()
    with work.beyond_scope():  # the commissioner's file: of it the provider sees these rows only
        run = store.find_run(work, challenge.commissioner, challenge.run_id)
        record = store.find_submission(work, challenge.commissioner, run.submission_id)
        if record.ended_at is None:
            found, named = _stated(work, desk, run, record, [each.row for each in lines], every)
        else:
            found, named = [ContractLine(each.row, "", ()) for each in lines], ()
    if bares and challenge.evidence is not None:
        challenge = replace(
            challenge, evidence=bare_words(challenge.evidence, sorted(named, key=repr))
        )
    stated = {line.row: line for line in found}
    return challenge, tuple(ShownLine(each, stated[each.row]) for each in lines)


def _stated(
    work: Work,
    desk: Desk,
    run: RunRecord,
    record: SubmissionRecord,
    shown: Sequence[int],
    every: Sequence[int],
) -> tuple[list[ContractLine], Collection[Named]]:
    """The lines of some rows of the file, and whom the lines of `every` row of a challenge name."""
    opened = open_where_it_lies(work, desk, run)
    if opened is not None:
        with opened.asking() as reading:
            return [item.line for item in reading.lines(shown)], reading.named(every)
    lines = list(service.load_submission(work, desk, record).lines)
    own = set(every)
    named = {(line.local_patient_id, line.birth_date) for line in lines if line.row in own}
    return lines, named


def list_challenges(
    work: Work,
    caller: Caller,
    asked: Asked = EVERY,
    limit: int = 500,
    window: Window | None = None,
    after: str | None = None,
) -> tuple[Challenge, ...]:
    """The newest challenges that the caller's organisation may see, within a window if asked.

    `after`: those that stand behind this challenge. Raises RunNotFound where it is not to be seen.
    """
    check_can(caller, Action.READ_CHALLENGES)
    within = None if window is None else challenge_windows.within(work, caller, window)
    last = None if after is None else challenge_store.find(work, caller, after)
    return challenge_store.listed(work, caller, asked, limit, within, last)


def months_challenged(work: Work, caller: Caller) -> list[str]:
    """The months of lines in challenges that the caller may see, as `202526 M01`, newest first."""
    check_can(caller, Action.READ_CHALLENGES)
    return sorted(challenge_store.months_visible(work, caller), reverse=True)


def current_version(work: Work, caller: Caller, challenge_id: str) -> int:
    """The version of a challenge as it stands, for a caller who is alone with it."""
    check_can(caller, Action.READ_CHALLENGES)
    return challenge_store.find(work, caller, challenge_id).version


def is_payer(caller: Caller) -> bool:
    """Whether the reader pays for the lines, and so does not see who the patients are."""
    return caller.role in PAYER_ROLES


def planned(work: Work, caller: Caller, loaded: ToDraft, by_month: bool) -> Plan:
    """What drafting now would challenge, and what it would leave out. Stores nothing."""
    own, matched = caller.organisation, loaded.matched
    references = [item.reference for item in matched if item.reference and item.queried > 0]
    return plan(
        matched,
        loaded.taken_back,
        challenge_store.challenged_before(work, own, loaded.keys),
        challenge_store.holders_of(work, own, references),
        by_month=by_month,
        keys=loaded.keys,
        others=loaded.others,
    )


def _taken_back(desk: Desk, caller: Caller, loaded: Reconciled) -> frozenset[int]:
    nothing = Snapshot((), (), (), loaded.run.as_at)
    lines, nothing = service.comparable(desk, caller, loaded.submission, nothing)
    return reversed_rows(lines, nothing, desk.dictionary, desk.organisations)


def _draft(work: Work, caller: Caller, loaded: ToDraft, made: Plan, number: int) -> Challenge:
    group = made.groups[number]
    challenge = Challenge(
        id=work.new_id(),
        commissioner=caller.organisation,
        provider=group.provider,
        run_id=loaded.run.id,
        outcome=group.outcome,
        drug=group.drug,
        month=group.month,
        state=ChallengeState.DRAFTED,
        lines=len(group.lines),
        queried=group.queried,
        drafted_at=work.moment.instant,
        drafted_by=caller.id,
    )
    return challenge_store.add(work, caller, challenge, group.lines)


def _open(
    work: Work, caller: Caller, action: Action, challenge_id: str, version: int | None
) -> Challenge:
    """The challenge to change: first the role, then the object, then its version."""
    check_can(caller, action)
    found = challenge_store.find_to_change(work, caller, challenge_id)
    check_version(found.version, version)
    return found


def _save(
    work: Work, caller: Caller, action: str, before: Challenge, after: Challenge
) -> Challenge:
    changed = replace(after, version=before.version + 1)
    challenge_store.save_step(work, caller, action, before, changed)
    return changed
