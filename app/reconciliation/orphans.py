"""Files that no row names: what an upload left that was refused, rolled back or killed.

A file is written before the row that names it, so a transaction that fails leaves it, patients'
data and all. It is taken away once it is older than any transaction that may still name it, by the
disk's own clock. Whoever stores the same content again makes it young (`FileStore`), so that a
file is never taken from under an upload.
"""

import datetime as dt
from collections.abc import Callable
from typing import Final

from sqlalchemy import select

from app.db import tables
from app.db.work import Work
from app.reconciliation.files import FileStore
from app.reconciliation.stored_lines import OUTCOMES, ROWS, SUBMISSIONS

#: Long enough for every transaction, and for a database that was restored by mistake to be noticed:
#: its rows do not name what came after the backup.
KEPT: Final = dt.timedelta(days=30)
KINDS: Final = (SUBMISSIONS, ROWS, OUTCOMES)


#: Which files rows name, read in one state of the database.
Named = set[tuple[str, str, str]]


def erase_orphans(read: Callable[[Callable[[Work], Named]], Named], files: FileStore) -> int:
    """Take away every file that is old and that no row names; returns how many there were.

    `read` runs a query on what is committed, for no organisation (`Door.read` of the worker).
    """
    # Before the rows are read: what is stored from here on is young when it is looked at again.
    old = {kind: files.older(kind, KEPT) for kind in KINDS}
    if not any(old.values()):
        return 0
    named = read(_named)
    unnamed = [(kind, each) for kind in KINDS for each in old[kind] if (*each, kind) not in named]
    return sum(files.erase_if_older(kind, *each, KEPT) for kind, each in unnamed)


def _named(work: Work) -> Named:
    """The folder, name and kind of each file that a row names, kept or ended."""
    s, rows, run = tables.submission.c, tables.submission_rows.c, tables.reconciliation_run.c
    found = set()
    for kind, query in (
        (SUBMISSIONS, select(s.organisation, s.sha256)),
        (ROWS, select(rows.organisation, rows.sha256)),
        (OUTCOMES, select(run.organisation, run.outcomes_file)),
    ):
        for organisation, name in work.connection.execute(query):
            found.add((FileStore.owner(organisation), name, kind))
    return found
