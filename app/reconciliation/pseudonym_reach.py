"""The patients whom lines name by pseudonyms.

Those of NHS numbers are found by what the worker keeps under a key of its own (`pseudonym_index`).
Until it is whole, everybody's pseudonym is worked out and compared, as a hospital number's always
is among those of the lines' providers: numbers are read as a stream, a column or two of each, and
nothing of a patient who is not named is kept.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from sqlalchemy import Select, func, select

from app.db import tables
from app.db.work import Work
from app.reconciliation.errors import StillPrepared
from app.reconciliation.model import ContractLine
from app.reconciliation.pseudonym_index import candidates
from app.reference_data.pseudonyms import PseudonymKey

_READ_TOGETHER: Final = 10_000
#: Of more patients than this nobody who waits for a page has all of them compared.
MOST_COMPARED: Final = 20_000


def of_pseudonyms(
    work: Work,
    lines: Sequence[ContractLine],
    providers: Sequence[str],
    key: PseudonymKey,
    *,
    at_once: bool = False,
) -> set[str]:
    """The records that these lines name by a pseudonym under the key, of which somebody's treatment
    is paid for by whose key it is; others may be left out. Beyond scope.

    Slow where nothing is kept, and for hospital numbers: it grows with the patients. With `at_once`
    StillPrepared is raised in place of comparing very many, where the worker will have kept them.
    """
    patient, held = tables.patient.c, tables.patient_identifier.c
    found: set[str] = set()
    numbers = {line.nhs_pseudonym for line in lines if line.nhs_pseudonym}
    if numbers:
        is_named = key.nhs_number_among(numbers)
        query = select(patient.nhs_number, patient.id).where(patient.nhs_number.is_not(None))
        few = candidates(work, key, numbers)
        if few is None and at_once and key.index is not None and _are_many(work, query):
            raise StillPrepared
        people = _rows(work, query) if few is None else iter(few)
        found |= {id_ for number, id_ in people if is_named(number)}
    local = {line.local_pseudonym for line in lines if line.local_pseudonym}
    if local:
        query = select(held.local_id, held.patient_id).where(held.organisation.in_(providers))
        is_named = key.local_id_among(local)
        found |= {id_ for local_id, id_ in _rows(work, query) if is_named(local_id)}
    return found


def _are_many(work: Work, query: Select[Any]) -> bool:
    some = query.limit(MOST_COMPARED + 1).subquery()
    many = work.connection.scalars(select(func.count()).select_from(some)).one()
    return many > MOST_COMPARED


def _rows(work: Work, query: Select[Any]) -> Iterator[Any]:
    rows = work.connection.execute(query.execution_options(yield_per=_READ_TOGETHER))
    yield from rows
