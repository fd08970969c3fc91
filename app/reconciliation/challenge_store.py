"""The SQL of challenges. A commissioner sees its own; a provider those raised against it."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal, localcontext
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Numeric,
    RowMapping,
    Select,
    String,
    and_,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    text,
    tuple_,
    type_coerce,
    update,
)

from app.approvals.permissions import PAYER_ROLES
from app.audit import Event, record
from app.auth.model import Caller
from app.db import tables
from app.db.work import Work
from app.reconciliation.challenge_model import (
    OPEN,
    WHOLE,
    Challenge,
    ChallengedLine,
    ChallengeState,
    Part,
)
from app.reconciliation.engines.limits import EXACT_DIGITS, ZERO
from app.reconciliation.errors import RunNotFound, TotalsDoNotTie
from app.reconciliation.model import LineOutcome

_TABLE, _LINES = tables.challenge, tables.challenge_line
CHUNK: Final = 500
_LINE_FIELDS: Final = tuple(ChallengedLine.__slots__)


def visible_challenges(caller: Caller) -> ColumnElement[bool]:
    """Condition on `challenge`: what this caller's organisation may see."""
    if caller.role in PAYER_ROLES:
        return _TABLE.c.commissioner == caller.organisation
    return and_(_TABLE.c.provider == caller.organisation, _TABLE.c.raised_at.is_not(None))


def find(work: Work, caller: Caller, challenge_id: str) -> Challenge:
    """A challenge that the caller's organisation may see; RunNotFound otherwise."""
    query = select(_TABLE).where(_TABLE.c.id == challenge_id, visible_challenges(caller))
    row = work.connection.execute(query).mappings().one_or_none()
    if row is None:
        raise RunNotFound("challenge")
    return _challenge(row)


def find_to_change(work: Work, caller: Caller, challenge_id: str) -> Challenge:
    """As `find`, holding the challenge until the transaction ends."""
    query = select(_TABLE.c.id).where(_TABLE.c.id == challenge_id, visible_challenges(caller))
    work.connection.execute(query.with_for_update())  # SQLite has one writer and ignores this
    return find(work, caller, challenge_id)


@dataclass(frozen=True, slots=True)
class Asked:
    """Which challenges are asked for; None: all. A month is a financial one, as of their lines."""

    state: ChallengeState | None = None
    run: str | None = None
    provider: str | None = None
    commissioner: str | None = None
    financial_year: str | None = None
    financial_month: int | None = None


EVERY: Final = Asked()


def listed(
    work: Work,
    caller: Caller,
    asked: Asked,
    limit: int,
    also: ColumnElement[bool] | None = None,
    after: Challenge | None = None,
) -> tuple[Challenge, ...]:
    """The newest challenges that the caller's organisation may see, and that fit `also`: those
    that stand behind the one `after`, or the first."""
    rows = work.connection.execute(listed_query(caller, asked, limit, also, after)).mappings()
    return tuple(map(_challenge, rows))


def listed_query(
    caller: Caller,
    asked: Asked,
    limit: int,
    also: ColumnElement[bool] | None = None,
    after: Challenge | None = None,
) -> Select[Any]:
    """What `listed` asks: a walk along the index of organisation and day."""
    query = select(_TABLE).where(visible_challenges(caller), *_conditions(asked))
    if also is not None:
        query = query.where(also)
    if after is not None:
        order = (_TABLE.c.drafted_at, _TABLE.c.id)
        place = [literal(getattr(after, each.name), each.type) for each in order]
        query = query.where(tuple_(*order) < tuple_(*place))
    return query.order_by(_TABLE.c.drafted_at.desc(), _TABLE.c.id.desc()).limit(limit)


def _conditions(asked: Asked) -> Iterator[ColumnElement[bool]]:
    same = (
        (_TABLE.c.state, asked.state and asked.state.value),
        (_TABLE.c.run_id, asked.run),
        (_TABLE.c.provider, asked.provider),
        (_TABLE.c.commissioner, asked.commissioner),
    )
    for column, value in same:
        if value is not None:
            yield column == value
    year, month = asked.financial_year or "______", asked.financial_month
    number = "__" if month is None else f"{month:02d}"
    if asked.financial_year is not None or month is not None:
        yield with_line(_LINES.c.month.like(f"{year} M{number}"))


def with_line(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """Condition on `challenge`: one of its lines fits."""
    return exists(
        select(_LINES.c.row)
        .where(_LINES.c.challenge_id == _TABLE.c.id, condition)
        .correlate(_TABLE)
    )


def months_of(work: Work, ids: Iterable[str]) -> Mapping[str, frozenset[str]]:
    """Challenge → the financial months of its lines, as `202526 M01`; of visible ids only."""
    found: dict[str, set[str]] = defaultdict(set)
    for chunk in _chunks(ids):
        query = (
            select(_LINES.c.challenge_id, _LINES.c.month)
            .where(_LINES.c.challenge_id.in_(chunk), _LINES.c.month.is_not(None))
            .distinct()
        )
        for id_, month in work.connection.execute(query):
            found[id_].add(month)
    return {id_: frozenset(months) for id_, months in found.items()}


def months_visible(work: Work, caller: Caller) -> frozenset[str]:
    """The financial months of lines in challenges that the caller's organisation may see."""
    query = (
        select(_LINES.c.month)
        .join(_TABLE, _TABLE.c.id == _LINES.c.challenge_id)
        .where(visible_challenges(caller), _LINES.c.month.like("% M%"))
        .distinct()
    )
    return frozenset(work.connection.execute(query).scalars())


def commissioners_of(work: Work, caller: Caller) -> frozenset[str]:
    """Whose challenges the caller's organisation may see."""
    query = select(_TABLE.c.commissioner).where(visible_challenges(caller)).distinct()
    return frozenset(work.connection.execute(query).scalars())


def open_lines(
    work: Work, caller: Caller, provider: str | None, commissioner: str | None
) -> tuple[tuple[str, str, Decimal], ...]:
    """Challenge, month and pounds of each line that is challenged and waits for somebody."""
    query = (
        select(_TABLE.c.id, _LINES.c.month, _LINES.c.queried)
        .join(_LINES, _LINES.c.challenge_id == _TABLE.c.id)
        .where(
            visible_challenges(caller),
            _TABLE.c.state.in_(sorted(OPEN)),
            _LINES.c.month.like("% M%"),
        )
    )
    if provider is not None:
        query = query.where(_TABLE.c.provider == provider)
    if commissioner is not None:
        query = query.where(_TABLE.c.commissioner == commissioner)
    return tuple(tuple(row) for row in work.connection.execute(query))


def lines_of(work: Work, challenge: Challenge, part: Part = WHOLE) -> tuple[ChallengedLine, ...]:
    """The lines of a challenge that the caller may see, or a part of them.

    TotalsDoNotTie unless all of them make it up, however few are asked for.
    """
    own = _LINES.c.challenge_id == challenge.id
    query = select(*(_LINES.c[name] for name in _LINE_FIELDS)).where(own).order_by(_LINES.c.row)
    if part.after:
        query = query.where(_LINES.c.row > part.after)
    rows = work.connection.execute(query.limit(part.most))
    lines = tuple(ChallengedLine(*row) for row in rows)
    if part == WHOLE:
        check_sum(challenge, lines)
    else:
        _check_sum(challenge, *_stored_sum(work, own))
    return lines


def rows_of(work: Work, challenge: Challenge) -> tuple[int, ...]:
    """The rows of its lines in the commissioner's file, in order."""
    query = select(_LINES.c.row).where(_LINES.c.challenge_id == challenge.id)
    return tuple(work.connection.execute(query.order_by(_LINES.c.row)).scalars())


def _stored_sum(work: Work, which: ColumnElement[bool]) -> tuple[int, Decimal]:
    """How many lines fit, and their amounts summed exactly, without making a line of each."""
    if work.on_postgres:  # where an amount is a decimal, and its sum is exact
        total = func.sum(type_coerce(_LINES.c.queried, Numeric))
        count, found = work.connection.execute(select(func.count(), total).where(which)).one()
        return count, ZERO if found is None else found
    texts = work.connection.execute(select(type_coerce(_LINES.c.queried, String)).where(which))
    amounts = [Decimal(text) for text in texts.scalars()]
    with localcontext(prec=EXACT_DIGITS):
        return len(amounts), sum(amounts, ZERO)


def check_sum(challenge: Challenge, lines: Sequence[ChallengedLine]) -> None:
    """Raise TotalsDoNotTie unless the lines' amounts are the challenge's."""
    with localcontext(prec=EXACT_DIGITS):
        found = sum((line.queried for line in lines), ZERO)
    _check_sum(challenge, len(lines), found)


def _check_sum(challenge: Challenge, lines: int, found: Decimal) -> None:
    if (lines, found) != (challenge.lines, challenge.queried):
        raise TotalsDoNotTie("The challenge's lines", challenge.queried, found)


def take_turns(work: Work, commissioner: str) -> None:
    """Let what is decided of a commissioner's lines be decided one after another."""
    if work.on_postgres:  # SQLite has one writer
        lock = text("SELECT pg_advisory_xact_lock(hashtextextended('lines ' || :own, 0))")
        work.connection.execute(lock, {"own": commissioner})


def challenged_before(
    work: Work, commissioner: str, keys: Iterable[str]
) -> Mapping[str, frozenset[LineOutcome] | None]:
    """Line key → None while a challenge of it stands, else the outcomes of those withdrawn."""
    stands: set[str] = set()
    withdrawn: dict[str, set[LineOutcome]] = defaultdict(set)
    for chunk in _chunks(keys):
        query = (
            select(_LINES.c.line_key, _LINES.c.held_key, _TABLE.c.outcome)
            .join(_TABLE, _TABLE.c.id == _LINES.c.challenge_id)
            .where(_LINES.c.commissioner == commissioner, _LINES.c.line_key.in_(chunk))
        )
        for key, held, outcome in work.connection.execute(query):
            if held is None:
                withdrawn[key].add(LineOutcome(outcome))
            else:
                stands.add(key)
    return {key: frozenset(found) for key, found in withdrawn.items()} | dict.fromkeys(stands)


def holders_of(
    work: Work, commissioner: str, references: Iterable[str]
) -> Mapping[str, frozenset[str]]:
    """Approval reference → the providers whose approval it is, among what a commissioner pays."""
    approval, treatment = tables.approval.c, tables.treatment.c
    held: dict[str, frozenset[str]] = {}
    for chunk in _chunks(references):
        query = (
            select(approval.reference, approval.provider, treatment.provider)
            .join(tables.treatment, treatment.id == approval.treatment_id)
            .where(
                # One that was handed over by another commissioner is the payer's own, too.
                or_(approval.commissioner == commissioner, treatment.commissioner == commissioner),
                approval.reference.in_(chunk),
            )
        )
        for reference, approved, treating in work.connection.execute(query):
            # One that handed the treatment over has no say in what another supplies since.
            held[reference] = frozenset({approved} & {treating})
    return held


def add(
    work: Work, caller: Caller, challenge: Challenge, lines: Sequence[ChallengedLine]
) -> Challenge:
    """Store a draft with its lines and its audit event; TotalsDoNotTie unless they make it up."""
    check_sum(challenge, lines)
    work.connection.execute(insert(_TABLE).values(**_row(challenge)))
    rows = [
        {
            **asdict(line),
            "challenge_id": challenge.id,
            "commissioner": challenge.commissioner,
            "held_key": line.line_key,
        }
        for line in lines
    ]
    work.connection.execute(insert(_LINES), rows)
    _record(work, caller, "challenge drafted", None, challenge)
    return challenge


def save_step(work: Work, caller: Caller, action: str, before: Challenge, after: Challenge) -> None:
    """Store a step of a challenge with its audit event. A withdrawn one lets its lines go."""
    work.connection.execute(update(_TABLE).where(_TABLE.c.id == after.id).values(**_row(after)))
    if after.state is ChallengeState.WITHDRAWN:
        work.connection.execute(
            update(_LINES).where(_LINES.c.challenge_id == after.id).values(held_key=None)
        )
    _record(work, caller, action, before, after)


def _record(
    work: Work, caller: Caller, action: str, before: Challenge | None, after: Challenge
) -> None:
    event = Event(
        action=action,
        object_type="challenge",
        object_id=after.id,
        before=None if before is None else _told(before),
        after=_told(after),
    )
    record(work, caller.actor(), event)


def _told(challenge: Challenge) -> dict[str, Any]:
    """What the log keeps: no free words, which may name a patient."""
    return {
        "state": challenge.state.value,
        "provider": challenge.provider,
        "outcome": challenge.outcome.value,
        "lines": challenge.lines,
        "queried": f"{challenge.queried:f}",
        "upheld": None if challenge.upheld is None else f"{challenge.upheld:f}",
    }


def _row(challenge: Challenge) -> dict[str, Any]:
    return {
        **asdict(challenge),
        "state": challenge.state.value,
        "outcome": challenge.outcome.value,
    }


def _challenge(row: RowMapping) -> Challenge:
    values = {name: row[name] for name in Challenge.__slots__}
    values["state"] = ChallengeState(row["state"])
    values["outcome"] = LineOutcome(row["outcome"])
    return Challenge(**values)


def _chunks(values: Iterable[str]) -> Iterator[list[str]]:
    whole = sorted(set(values))
    for start in range(0, len(whole), CHUNK):
        yield whole[start : start + CHUNK]
