"""One unit of work: everything that a use case may touch, passed in."""

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

import sqlalchemy as sa

from app.db.statements import Row, Sending, Statement, Values, send

#: The scope of an operator and of the service's own work: every organisation's rows.
EVERYBODY: Final = "*"
#: The scope of a call whose caller is not known yet: no organisation's rows.
NOBODY: Final = ""
KEEPING: Final = "keeping"
_ENTER: Final = sa.text("SELECT set_config('app.organisation', :scope, true)")
_ENTERED: Final = Statement(_ENTER)
# A commit is on disk before it is answered, in whichever session a pooler carries it out: what was
# set when the connection was made holds in another one only.
_ENTERED_TO_WRITE: Final = Statement(
    sa.text(
        "SELECT set_config('app.organisation', :scope, true), "
        "CASE WHEN current_setting('synchronous_commit') = 'off' "
        "THEN set_config('synchronous_commit', 'on', true) END"
    )
)
# PostgreSQL's, which go with the first and the last statements instead of a wait of their own.
_BEGIN_READ: Final = Statement(sa.text("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"))
_COMMIT: Final = Statement(sa.text("COMMIT"))
_ROLLBACK: Final = Statement(sa.text("ROLLBACK"))
_TURN: Final = sa.text("SELECT pg_advisory_xact_lock(hashtextextended('turn at ' || :at, 0))")


@cache
def _begin_write(level: str) -> Statement:
    return Statement(sa.text(f"BEGIN ISOLATION LEVEL {level}"))


@dataclass(frozen=True, slots=True)
class Moment:
    """When a use case runs: the instant in UTC and the Europe/London day it falls on."""

    instant: dt.datetime
    day: dt.date

    def __post_init__(self) -> None:
        if self.instant.tzinfo is None:
            raise ValueError("a moment needs a time zone: pass an aware instant")


@dataclass(frozen=True, slots=True)
class Work:
    """An open transaction with the moment, the sources of ids and randomness, and the audit key.

    A use case may run again from its start after a serialisation failure, so it keeps its effects
    to the transaction: to `connection`, `ask` and `write`.
    """

    opened: sa.Connection = field(repr=False)
    moment: Moment
    new_id: Callable[[], str]
    random_bytes: Callable[[int], bytes]
    audit_key: bytes = field(repr=False)
    scope: str = EVERYBODY
    #: Facts to count once the transaction has committed: a name, then labels. No patient data.
    happened: list[tuple[str, ...]] = field(default_factory=list, repr=False)
    #: What the transaction reads once and must not read differently later, by who reads it.
    read_once: dict[object, Any] = field(default_factory=dict, repr=False)

    #: Every organisation's scope, while a block of `beyond_scope` is open.
    beyond: list[str] = field(default_factory=list, repr=False)
    #: Questions that were sent before they were asked.
    expected: dict[Statement, Sending] = field(default_factory=dict, repr=False)
    #: What is to be sent before anything else is: the database is told in the order of the calls.
    unsent: list[Sending] = field(default_factory=list, repr=False)

    @property
    def connection(self) -> sa.Connection:
        """The transaction's connection, once everything that was written has been sent.

        Ask for it anew for each statement: never keep it.
        """
        if self.unsent:
            self.send()
        return self.opened

    def write(self, statement: Statement, *values: Values) -> None:
        """Carry out a statement whose answer nobody needs, once for each of `values`.

        It is sent with the next question, at the latest at the end of the transaction; an error of
        the database is raised there.
        """
        self.unsent.append(Sending(statement, values, asked=False))

    def ask(self, statement: Statement, values: Values) -> list[Row]:
        """The rows that a statement answers with."""
        question = self.expected.pop(statement, None)
        if question is None or question.values[0] != values:
            question = self.wonder(statement, values)
        return self.answer(question)

    def expect(self, statement: Statement, values: Values) -> None:
        """Send a question with the next one, so that `ask` need not wait for it later.

        Its answer is as old as that: only for what neither the transaction itself, nor anybody
        while it waits for a lock in between, can change. SQLite answers without a wait.
        """
        if self.on_postgres:
            self.expected[statement] = self.wonder(statement, values)

    def wonder(self, statement: Statement, values: Values) -> Sending:
        """Send a question with the next one; `answer` gives what it found."""
        question = Sending(statement, (values,), asked=True)
        self.unsent.append(question)
        return question

    def answer(self, question: Sending) -> list[Row]:
        """The rows that a question of this transaction found."""
        if question.rows is None:
            self.send()
        assert question.rows is not None
        return question.rows

    def send(self) -> None:
        """Send what waits. Whoever ends a savepoint does this first."""
        waiting = self.unsent[:]
        self.unsent.clear()  # what fails is not sent again
        if waiting:
            send(self.opened, waiting)

    @contextmanager
    def beyond_scope(self) -> Iterator[None]:
        """Read and write across organisations inside the block, where a rule needs to.

        Whether a person has a live approval, who a patient is, what number an audit row takes:
        these are asked of the whole database. Whoever uses this tells the caller no more than
        the rule's answer. On SQLite, which has no row-level security, it changes nothing.
        """
        if not self.on_postgres or self.scope == EVERYBODY or self.beyond:
            yield
            return
        self.write(_ENTERED, {"scope": EVERYBODY})
        self.beyond.append(EVERYBODY)
        try:
            yield
        finally:
            self.beyond.pop()
            # Sent before whatever comes next. After an error nothing does but a rollback, which
            # ends the setting too.
            self.write(_ENTERED, {"scope": self.scope})

    #: What a block of `keeping` has read under its locks; empty outside of one.
    kept: dict[Any, Any] = field(default_factory=dict, repr=False)

    @contextmanager
    def keeping(self) -> Iterator[None]:
        """Let the block keep what it reads of objects that it has locked, and read it once.

        Only what nobody else can change before the transaction ends may be kept, and whoever
        changes it in the block takes it out. Not around a savepoint: taken back, it would take
        its locks and rows with it.
        """
        self.kept[KEEPING] = True
        try:
            yield
        finally:
            self.kept.clear()

    @property
    def keeps(self) -> bool:
        """Whether a block of `keeping` is open."""
        return KEEPING in self.kept

    @property
    def on_postgres(self) -> bool:
        """Whether the transaction is on PostgreSQL (otherwise it is on SQLite)."""
        return self.opened.dialect.name == "postgresql"

    def begin(self, *, reads: bool = False) -> None:
        """Open the transaction for the organisation whose it is; on SQLite it is open already."""
        if self.on_postgres:
            level = self.opened.get_execution_options().get("isolation_level", "READ COMMITTED")
            self.write(_BEGIN_READ if reads else _begin_write(level), {})
            self.write(_ENTERED if reads else _ENTERED_TO_WRITE, {"scope": self.scope})

    def commit(self) -> None:
        """Send what waits, and on PostgreSQL the commit with it; SQLite's caller commits.

        Returns, on PostgreSQL, once the commit is on disk. The work ends with it.
        """
        if self.on_postgres:
            self.write(_COMMIT, {})
        self.send()

    def ask_no_more(self, questions: Sequence[tuple[Statement, Values]]) -> None:
        """Let a read end with these questions, which are all that it will ask."""
        if self.on_postgres:
            for statement, values in questions:
                self.expect(statement, values)
            self.write(_ROLLBACK, {})

    def wait_for_turn(self, at: str) -> None:
        """Wait until no other transaction is at its turn `at` this; ours lasts until its end.

        What is read after it stands as those before left it. SQLite has one writer anyway.
        """
        if self.on_postgres:
            self.connection.execute(_TURN, {"at": at})

    def savepoint(self) -> "Savepoint":
        """From here on, until it is committed or rolled back."""
        return Savepoint(self, self.connection.begin_nested())


@dataclass(frozen=True, slots=True)
class Savepoint:
    """A part of a transaction that can be taken back."""

    work: Work
    nested: sa.NestedTransaction

    def commit(self) -> None:
        """Keep what was written since."""
        self.work.send()
        self.nested.commit()

    def rollback(self) -> None:
        """Take back what was written since, and the scope that was entered."""
        self.work.unsent.clear()
        self.work.expected.clear()  # a question that was never sent has no answer
        self.nested.rollback()


def enter_scope(connection: sa.Connection, scope: str) -> None:
    """Tell PostgreSQL for which organisation the rest of the transaction reads and writes."""
    connection.execute(_ENTER, {"scope": scope})
