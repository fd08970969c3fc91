"""The end of retention, in its order: files of submissions first, then the people of long ago.

What each step erases, and when it is due, `app.reconciliation.ending` and `app.approvals.retention`
say. A person waits until no kept file names them. Each submission and each batch of people is one
transaction, and files go after it: whoever is killed in between, the next run does the rest.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from app.approvals.erasing import KnownAs, known_as
from app.approvals.retention import THE_END, Due, due, end_person
from app.audit import Actor
from app.db.work import Work
from app.door import Door
from app.reconciliation import ending
from app.reconciliation.ending import Ending
from app.reconciliation.erasing import erase_line_words
from app.reconciliation.known_lines import FoundLines, decided
from app.reconciliation.service import Desk

#: People whose record is erased in one transaction.
BATCH: Final = 50


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is past: submissions, and people; those who wait until no kept file names them.

    `unread`: kept files that nobody can read, for which everybody waits.
    """

    submissions: tuple[Ending, ...]
    people: tuple[Due, ...]
    waiting: tuple[Due, ...]
    unread: int


@dataclass(frozen=True, slots=True)
class Ended:
    """What was erased; `waiting` and `unread` as above."""

    submissions: int
    files: int
    people: tuple[Due, ...]
    waiting: int
    unread: int


def look(door: Door, desk: Desk, years: int) -> Outlook:
    """What is past today. Changes nothing; of the people as the files are now."""
    submissions = door.read(lambda work: ending.due_submissions(work, desk.files, years))
    people, waiting, unread = _people(door, desk, years)
    return Outlook(submissions, people, waiting, unread)


def end(door: Door, desk: Desk, actor: Actor, years: int) -> Ended:
    """Erase what is past."""
    past = door.read(lambda work: ending.due_submissions(work, desk.files, years))
    submissions = 0
    for each in past:
        submissions += door.transact(partial(_end_submission, actor, each, years))
    # Also those of a run that was killed before it came so far.
    files = ending.erase_files(desk.files, door.read(ending.ended_files))
    free, waiting, unread = _people(door, desk, years)
    gone: list[Due] = []
    for first in range(0, len(free), BATCH):
        some = free[first : first + BATCH]
        gone += door.transact(partial(_end_people, actor, some, years))
    return Ended(submissions, files, tuple(gone), len(waiting), unread)


def _people(door: Door, desk: Desk, years: int) -> tuple[tuple[Due, ...], tuple[Due, ...], int]:
    """Those who are past and whom no kept file names, those who wait, and files nobody can read."""

    def find(work: Work) -> tuple[tuple[Due, ...], Mapping[str, KnownAs]]:
        found = tuple(due(work, years))
        return found, {each.person: known_as(work, each.person) for each in found}

    found, known = door.read(find)
    named = door.read(lambda work: ending.still_named(work, desk, known))
    free = tuple(each for each in found if each.person not in named.people)
    return free, tuple(each for each in found if each.person in named.people), named.unread


def _end_submission(actor: Actor, each: Ending, years: int, work: Work) -> bool:
    return ending.end_submission(work, actor, each, years)


def _end_people(actor: Actor, some: Sequence[Due], years: int, work: Work) -> list[Due]:
    """Those of them who are past still."""
    wanted = {each.person for each in some}
    found = [each for each in due(work, years) if each.person in wanted]
    for each in found:
        known = known_as(work, each.person)
        lines = FoundLines(frozenset(), decided(work, known.references), 0)
        erase_line_words(work, actor, each.person, known, lines, THE_END)
        end_person(work, actor, each, years)
    return found
