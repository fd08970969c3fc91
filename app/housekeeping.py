"""The worker's housekeeping: what is kept for a while only, and erased when its time has come."""

import datetime as dt
from functools import partial
from typing import Final

import structlog

from app.approvals import report_sums
from app.audit import Actor
from app.auth.clients import forget_the_past
from app.auth.rates import forget_buckets
from app.db.idempotency import forget_answers
from app.door import Door
from app.ending import end
from app.insight import counting, figures
from app.reconciliation import awaited_store, pseudonym_index
from app.reconciliation.exporting import forget_written
from app.reconciliation.files import FileStore
from app.reconciliation.orphans import erase_orphans
from app.reconciliation.rematching import MOST_TRIES, give_up, mark_changes
from app.reconciliation.service import Desk
from app.reconciliation.staging import forget_staged
from app.settings import Settings
from app.work import Chore

log = structlog.stdlib.get_logger("assent.housekeeping")

EVERY: Final = dt.timedelta(hours=1)
#: How soon a change of an approval is looked at.
REMATCH_EVERY: Final = dt.timedelta(minutes=1)
DAILY: Final = dt.timedelta(days=1)
#: How long a turn fills what a first start, or a new secret, has to be made of everybody.
FILLING_FOR: Final = dt.timedelta(seconds=20)


def forgetting(settings: Settings) -> Chore:
    """Erase stored answers past their days, what has expired, uploads not accepted, exports."""
    kept = dt.timedelta(days=settings.answers_kept_days)

    def do(door: Door) -> None:
        answers = door.transact(lambda work: forget_answers(work, kept))
        tokens = door.transact(forget_the_past)
        buckets = door.transact(forget_buckets)
        files = FileStore(settings.data_dir.resolve() / "files")
        uploads = forget_staged(files, door.now())
        exports = forget_written(files, door.now())
        if answers or tokens or buckets or uploads or exports:
            log.info(
                "forgotten",
                answers=answers,
                tokens=tokens,
                rate_buckets=buckets,
                uploads=uploads,
                exports=exports,
            )

    return Chore("forget what is past its time", EVERY, do)


def rematching_changes() -> Chore:
    """Mark the slices that changes of approvals have made out of date, and queue them.

    What jobs failed to match is queued again, and given up with a loud line in the end.
    """

    def do(door: Door) -> None:
        for organisation, submission, job in door.transact(give_up):
            log.error(
                "rematch given up",
                organisation=organisation,
                submission=submission,
                job=job,
                tries=MOST_TRIES,
                next="mend what the job's error tells, then reconcile the submission again",
            )
        more = True
        while more:
            new, more = door.transact(mark_changes)
            if new:
                log.info("slices out of date", marks=new)

    return Chore("find slices that are out of date", REMATCH_EVERY, do)


def ending_retention(settings: Settings, desk: Desk) -> Chore:
    """Erase the records that are past the period which the operator set; nothing without one."""
    years = settings.records_kept_years

    def do(door: Door) -> None:
        if years is None:
            return
        actor = Actor("worker", "system", "SERVICE", "worker", "retention", door.new_id())
        done = end(door, desk, actor, years)
        if done.people or done.files:
            log.info(
                "retention ended",
                patients=len(done.people),
                treatments=sum(len(each.treatments) for each in done.people),
                submissions=done.submissions,
                files=done.files,
                waiting=done.waiting,
            )
        if done.unread:
            log.warning(
                "nobody is forgotten: stored files cannot be read",
                files=done.unread,
                next="put the files back from a backup",
            )

    return Chore("erase records past their period", DAILY, do)


def tidying(desk: Desk) -> Chore:
    """Take away stored files that no row names, once nobody can name them any more."""

    def do(door: Door) -> None:
        erased = erase_orphans(door.read, desk.files)
        if erased:
            log.info("files that nothing names erased", files=erased)

    return Chore("take away files that nothing names", DAILY, do)


def summing_up(desk: Desk) -> Chore:
    """Count the figures of every commissioner's overview anew."""

    def sum_up(door: Door, commissioner: str) -> None:
        counted = door.read(lambda work: counting.count(work, desk, commissioner))
        door.transact(lambda work: figures.keep(work, commissioner, counted))

    def do(door: Door) -> None:
        for commissioner in door.read(counting.commissioners):
            sum_up(door, commissioner)

    return Chore("sum up for the overviews", EVERY, do)


def keeping_pseudonyms(desk: Desk) -> Chore:
    """Keep what leads from payers' pseudonyms to records; filled some records at a time, for so
    long that jobs do not wait."""

    def do(door: Door) -> None:
        until = door.now() + FILLING_FOR
        more = True
        while more and door.now() < until:
            more = door.transact(partial(pseudonym_index.keep, pseudonyms=desk.office.pseudonyms))

    return Chore("keep what leads from pseudonyms to records", REMATCH_EVERY, do)


def summing_reports() -> Chore:
    """Sum the months that are over for the reports over requests, and what changed in them."""

    def do(door: Door) -> None:
        while door.transact(report_sums.keep):
            pass

    return Chore("sum up for the reports", REMATCH_EVERY, do)


def keeping_lists(desk: Desk) -> Chore:
    """Keep what each organisation's lists of supplies hold; a page needs what changed since."""

    def do(door: Door) -> None:
        for caller in door.read(awaited_store.keepers):
            door.transact(partial(awaited_store.keep, desk=desk, caller=caller))

    return Chore("keep the lists of supplies", REMATCH_EVERY, do)
