"""What current slices of earlier submissions say that bears on a submission: read, then told.

Few lines are matched by the plain functions (`engines.before`), many by the SQL steps
(`earlier_many`), to the same.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal, localcontext
from functools import cache
from itertools import groupby
from typing import TypeVar

import pyarrow as pa

from app.db.work import Work
from app.reconciliation import rows_store, store
from app.reconciliation.earlier_many import contents_stated, many_before
from app.reconciliation.earlier_rows import (
    REPEATED,
    WANTED,
    Connection,
    Looking,
    Names,
    Other,
    Source,
    hold_names,
    says_early,
    slices_in,
    view,
    want_repeated,
    with_lines,
)
from app.reconciliation.earlier_store import Held, held_of, place_of, standing_before
from app.reconciliation.engines.before import EarlierFile, what_stands_before
from app.reconciliation.engines.duckdb import database
from app.reconciliation.engines.known import NotTabular
from app.reconciliation.engines.limits import EXACT_DIGITS, exact
from app.reconciliation.engines.open_charges import Bearing
from app.reconciliation.errors import StoredFileDamaged
from app.reconciliation.line_columns import batch_of, lines_of
from app.reconciliation.model import (
    NO_EARLIER,
    ContractLine,
    Earlier,
    EarlierFee,
    EarlierSpaced,
    EarlierSupply,
    Snapshot,
    UsedQuantity,
)
from app.reconciliation.pseudonymised import as_pseudonyms, names_pseudonyms
from app.reconciliation.slices import Fold, slice_of
from app.reconciliation.store import SubmissionRecord
from app.reconciliation.stored_lines import ROWS, stored_submission


def earlier_for(work: Work, by: Looking, record: SubmissionRecord, snapshot: Snapshot) -> Earlier:
    """What stands before a submission; within `Database.read`, where all of it is of one state.

    A slice that the submission states itself is not among it, so neither a run that is made again
    nor a restatement counts itself.
    """
    assert record.number is not None
    place = place_of(work, record.organisation, record.id, record.number)
    before = [
        Held(record.organisation, *each)
        for each in standing_before(work, record.organisation, place)
    ]
    return _before(work, by, before, _source(work, by, record), snapshot) if before else NO_EARLIER


def earlier_of_draft(
    work: Work,
    looking: Callable[[str], Looking],
    provider: str,
    lines: Sequence[ContractLine],
    snapshot: Snapshot,
    *,
    restates: bool,
) -> Earlier:
    """What stands of a provider's own slices before lines that it has not sent yet.

    As its commissioners hold them, and as it holds them itself where those do not (ADR 64): read
    beyond scope, and only lines that name the provider. `looking` is how an organisation's are
    read. A draft file `restates` the slices that it states; a planned supply comes on top of them.
    """
    if not lines:
        return NO_EARLIER
    source = pa.Table.from_batches([batch_of(lines)])
    found = NO_EARLIER
    for organisation, held in groupby(held_of(work, provider), key=lambda each: each.organisation):
        with work.beyond_scope():
            said = _before(
                work, looking(organisation), list(held), source, snapshot, restates=restates
            )
        found = _together(found, said)
    return found


def _together(one: Earlier, other: Earlier) -> Earlier:
    """What two organisations' slices say, of which none is the other's."""
    used: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    with localcontext(prec=EXACT_DIGITS):
        for each in (*one.used, *other.used):
            used[each.approval_reference, each.unit] += each.quantity
    return Earlier(
        tuple(UsedQuantity(*key, exact(quantity)) for key, quantity in sorted(used.items())),
        one.charges + other.charges,
        one.stated | other.stated,
        one.supplies + tuple(_moved(each, len(one.charges)) for each in other.supplies),
        one.spaced + tuple(_moved(each, len(one.charges)) for each in other.spaced),
        one.fees + tuple(_paid_after(each, len(one.supplies)) for each in other.fees),
    )


def _paid_after(fee: EarlierFee, by: int) -> EarlierFee:
    """The same with its supply after so many others."""
    return fee if fee.supply is None else replace(fee, supply=fee.supply + by)


S = TypeVar("S", EarlierSupply, EarlierSpaced)


def _moved(each: S, by: int) -> S:
    """The same with its charge after so many others."""
    return each if each.charge is None else replace(each, charge=each.charge + by)


def _before(
    work: Work,
    by: Looking,
    before: Sequence[Held],
    source: Source,
    snapshot: Snapshot,
    *,
    restates: bool = True,
) -> Earlier:
    """What these say that bears on the lines of `source`."""
    others = [
        Other(_source(work, by, found), found.layout, each.keys)
        for each in before
        for found in (store.find_submission(work, each.organisation, each.submission),)
    ]
    return told_before(by, others, source, snapshot, restates=restates)


def _source(work: Work, by: Looking, record: SubmissionRecord) -> Source:
    """A submission's kept rows where they lie; where none are, its lines as such rows."""
    digest = rows_store.rows_of(work, record)
    if digest is not None:
        try:
            return str(by.files.path_of(record.organisation, ROWS, digest))
        except StoredFileDamaged:
            pass  # the bytes are read anew
    lines = stored_submission(by.files, record, None).lines
    return pa.Table.from_batches([batch_of(lines)])


def told_before(
    by: Looking,
    before: Sequence[Other],
    source: Source,
    snapshot: Snapshot,
    *,
    restates: bool = True,
) -> Earlier:
    """What these submissions, in the order of acceptance, say that bears on the lines of `source`.

    Many lines go to the SQL steps where there is a folder for them, unless a number among the
    approvals is one that the tables do not hold.
    """
    fold = cache(by.organisations.fold)
    with database(by.machine) as connection:
        view(connection, "own", source)
        own = set(slices_in(connection, "own", fold).values()) if restates else set()
        others = [replace(each, keys=each.keys - own) for each in before if each.keys - own]
        if not others:
            return NO_EARLIER
        names = hold_names(connection, by, snapshot)
        repeated = with_lines(connection, others, REPEATED)
        want_repeated(connection, [each for each, _ in repeated], fold)
        counted = with_lines(connection, others, WANTED)
        wanted = [each for each, _ in counted]
        many = sum(count for _, count in counted) > by.most_plain
        if many and by.machine.spill_to is not None:
            try:
                return many_before(connection, by, wanted, snapshot, names)
            except NotTabular:
                pass
        return _few_before(connection, by, wanted, snapshot, names)


# --- few lines ------------------------------------------------------------------------------------


def _few_before(
    connection: Connection, by: Looking, wanted: Sequence[Other], snapshot: Snapshot, names: Names
) -> Earlier:
    """The same of lines that are held in memory."""
    fold = cache(by.organisations.fold)
    files = [_file(connection, by, snapshot, other, fold) for other in wanted]
    contents = contents_stated(connection, files)
    bearing = Bearing(contents, names.credited, names.fees, says_early(snapshot))
    return what_stands_before(files, bearing, by.dictionary, by.organisations)


def _file(
    connection: Connection, by: Looking, snapshot: Snapshot, other: Other, fold: Fold
) -> EarlierFile:
    """Its lines that are wanted, as the engine compares them."""
    view(connection, "other", other.source)
    rows = connection.sql(f"SELECT * FROM other WHERE {WANTED} ORDER BY row")
    lines = lines_of(rows.to_arrow_table())
    standing = frozenset(line.row for line in lines if slice_of(line, fold) in other.keys)
    seen = replace(snapshot, layout=other.layout)
    if by.key is not None and names_pseudonyms(lines):
        hidden, seen = as_pseudonyms(lines, seen, by.key)
        return EarlierFile(hidden, standing, seen)
    return EarlierFile(lines, standing, seen)
