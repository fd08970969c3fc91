"""A commissioner loads its contract and supply terms, agreed prices, and who is responsible.

A set goes in as a whole, in place of the one that stood, which is kept with the time it was
replaced: runs before it keep the digest of what they knew.
"""

from collections.abc import Sequence

from sqlalchemy import RowMapping, Table

from app.approvals.permissions import Action, check_can
from app.audit import Event, record
from app.auth.model import Caller
from app.db import tables
from app.db.work import Work
from app.reconciliation.errors import TermsNotAccepted
from app.reconciliation.scope import ALL_ORGANISATIONS
from app.reconciliation.term_rows import (
    Row,
    check_contracts,
    check_payers,
    check_prices,
    check_supplies,
    read_contracts,
    read_payers,
    read_prices,
    read_supplies,
)
from app.reconciliation.terms_store import replace_set, standing_rows
from app.reference_data.drugs import DrugDictionary


def load_contracts(work: Work, caller: Caller, dictionary: DrugDictionary, text: str) -> int:
    """Replace the commissioner's contract terms by a CSV file's; returns how many now stand.

    Raises NotAllowed, and TermsNotAccepted with every fault of the file.
    """
    _check_may(caller)
    return put_contracts(work, caller, dictionary, read_contracts(text))


def load_payers(work: Work, caller: Caller, dictionary: DrugDictionary, text: str) -> int:
    """Replace the commissioner's table of responsible commissioners; otherwise as above."""
    _check_may(caller)
    return put_payers(work, caller, dictionary, read_payers(text))


def load_prices(work: Work, caller: Caller, dictionary: DrugDictionary, text: str) -> int:
    """Replace the prices that the commissioner agreed; otherwise as above."""
    _check_may(caller)
    return put_prices(work, caller, dictionary, read_prices(text))


def load_supplies(work: Work, caller: Caller, dictionary: DrugDictionary, text: str) -> int:
    """Replace the charges for delivery and tolerances that the commissioner agreed; as above."""
    _check_may(caller)
    return put_supplies(work, caller, dictionary, read_supplies(text))


def put_contracts(
    work: Work, caller: Caller, dictionary: DrugDictionary, rows: Sequence[Row]
) -> int:
    """As `load_contracts`, of rows already read."""
    _check_may(caller)
    check_contracts(rows, dictionary.drugs)
    return _load(work, caller, tables.contract_term, rows)


def put_payers(work: Work, caller: Caller, dictionary: DrugDictionary, rows: Sequence[Row]) -> int:
    """As `load_payers`, of rows already read."""
    _check_may(caller)
    check_payers(rows, dictionary.drugs)
    return _load(work, caller, tables.responsible_payer, rows)


def put_prices(work: Work, caller: Caller, dictionary: DrugDictionary, rows: Sequence[Row]) -> int:
    """As `load_prices`, of rows already read."""
    _check_may(caller)
    check_prices(rows, dictionary.keys())
    return _load(work, caller, tables.agreed_price, rows)


def put_supplies(
    work: Work, caller: Caller, dictionary: DrugDictionary, rows: Sequence[Row]
) -> int:
    """As `load_supplies`, of rows already read."""
    _check_may(caller)
    check_supplies(rows, dictionary.drugs)
    return _load(work, caller, tables.supply_term, rows)


def contracts_of(work: Work, caller: Caller) -> Sequence[RowMapping]:
    """The commissioner's own contract terms that stand."""
    check_can(caller, Action.KEEP_TERMS)
    return standing_rows(work, caller, tables.contract_term)


def prices_of(work: Work, caller: Caller) -> Sequence[RowMapping]:
    """The commissioner's own agreed prices that stand."""
    check_can(caller, Action.KEEP_TERMS)
    return standing_rows(work, caller, tables.agreed_price)


def supplies_of(work: Work, caller: Caller) -> Sequence[RowMapping]:
    """The commissioner's own supply terms that stand."""
    check_can(caller, Action.KEEP_TERMS)
    return standing_rows(work, caller, tables.supply_term)


def payers_of(work: Work, caller: Caller) -> Sequence[RowMapping]:
    """The commissioner's own rows of responsible commissioners that stand."""
    check_can(caller, Action.KEEP_TERMS)
    return standing_rows(work, caller, tables.responsible_payer)


def _check_may(caller: Caller) -> None:
    check_can(caller, Action.KEEP_TERMS)
    if caller.organisation == ALL_ORGANISATIONS:
        raise TermsNotAccepted(["terms are one commissioner's: name it"])


def _load(work: Work, caller: Caller, table: Table, rows: Sequence[Row]) -> int:
    gone = replace_set(work, caller, table, rows)
    event = Event(
        action=f"{table.name.replace('_', ' ')}s loaded",
        object_type="terms",
        object_id=f"{caller.organisation} {table.name}",
        after={"rows": len(rows), "replaced": gone},
    )
    record(work, caller.actor(), event)
    return len(rows)
