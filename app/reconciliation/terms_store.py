"""The SQL of terms: what a run may know of them, and loading a new set in place of the old."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    RowMapping,
    Table,
    and_,
    insert,
    literal,
    or_,
    select,
    true,
    update,
)

from app.approvals.permissions import PAYER_ROLES
from app.auth.model import Caller
from app.db import tables
from app.db.work import Work
from app.reconciliation.scope import ALL_ORGANISATIONS
from app.reconciliation.terms_model import (
    AcceptedSpelling,
    AgreedPrice,
    Basis,
    ContractTerm,
    ResponsiblePayer,
    SupplyTerm,
    SupplyTermKind,
    Terms,
)

#: What a row of prices and an `AgreedPrice` call by one name.
PRICE_FIELDS: Final = (
    *("framework", "drug", "unit", "price", "source", "demonstration", "provider", "drug_code"),
    *("product", "strength", "run_off_days", "tolerance_percent", "tolerance_pence"),
)
_SPELLING = tables.drug_spelling


def terms_for(work: Work, caller: Caller) -> Terms:
    """The terms that this caller's runs know, in a fixed order."""
    return Terms(
        contracts=tuple(map(_contract, _about(work, caller, tables.contract_term))),
        payers=tuple(map(_payer, _standing(work, tables.responsible_payer, _own(caller)))),
        spellings=_spellings(work, caller),
        prices=tuple(map(_price, _about(work, caller, tables.agreed_price))),
        supplies=supply_terms_for(work, caller),
    )


def supply_terms_for(work: Work, caller: Caller) -> tuple[SupplyTerm, ...]:
    """The supply terms among them alone."""
    return tuple(map(_supply, _about(work, caller, tables.supply_term)))


def terms_to_check(work: Work, caller: Caller) -> Terms:
    """The same for a trust's check before it invoices.

    Of prices and supply terms that name no provider, which are not the trust's to see, it knows
    that they are there, when, and of what; never an amount, which is not even read.
    """
    terms = terms_for(work, caller)
    with work.beyond_scope():
        prices = _unseen(work, caller, tables.agreed_price, _AMOUNTS)
        supplies = _unseen(work, caller, tables.supply_term, ("amount",))
    return replace(
        terms,
        prices=terms.prices + tuple(replace(_price(row), seen=False) for row in prices),
        supplies=terms.supplies + tuple(replace(_supply(row), seen=False) for row in supplies),
    )


_AMOUNTS: Final = ("price", "tolerance_percent", "tolerance_pence")


def _unseen(
    work: Work, caller: Caller, table: Table, amounts: Sequence[str]
) -> Sequence[RowMapping]:
    """Other organisations' rows that are of every provider, with 0 in place of their amounts."""
    column = table.c
    read = [each for each in column if each.name not in amounts]
    nothing = [literal(Decimal(0), column[name].type).label(name) for name in amounts]
    query = select(*read, *nothing).where(
        column.replaced_at.is_(None),
        column.provider.is_(None),
        column.organisation != caller.organisation,
    )
    return work.connection.execute(query.order_by(column.organisation, column.id)).mappings().all()


def _own(caller: Caller) -> ColumnElement[bool]:
    if caller.organisation == ALL_ORGANISATIONS:
        return true()
    return tables.responsible_payer.c.organisation == caller.organisation


def _about(work: Work, caller: Caller, table: Table) -> Sequence[RowMapping]:
    """A commissioner's own; for a provider, those that name it; for an operator of all, all."""
    column = table.c
    own = column.organisation if caller.role in PAYER_ROLES else column.provider
    everything = caller.organisation == ALL_ORGANISATIONS
    return _standing(work, table, true() if everything else own == caller.organisation)


def _standing(work: Work, table: Table, condition: ColumnElement[bool]) -> Sequence[RowMapping]:
    column = table.c
    query = select(table).where(and_(column.replaced_at.is_(None), condition))
    return work.connection.execute(query.order_by(column.organisation, column.id)).mappings().all()


def _contract(row: RowMapping) -> ContractTerm:
    return ContractTerm(
        commissioner=row["organisation"],
        provider=row["provider"],
        drug=row["drug"],
        basis=Basis(row["basis"]),
        from_=row["from_day"],
        to=row["to_day"],
        source=row["source"],
        demonstration=row["demonstration"],
    )


def _price(row: RowMapping) -> AgreedPrice:
    return AgreedPrice(
        commissioner=row["organisation"],
        from_=row["from_day"],
        to=row["to_day"],
        **{name: row[name] for name in PRICE_FIELDS},
    )


def _supply(row: RowMapping) -> SupplyTerm:
    return SupplyTerm(
        commissioner=row["organisation"],
        kind=SupplyTermKind(row["kind"]),
        amount=row["amount"],
        from_=row["from_day"],
        to=row["to_day"],
        source=row["source"],
        demonstration=row["demonstration"],
        provider=row["provider"],
        drug=row["drug"],
    )


def _payer(row: RowMapping) -> ResponsiblePayer:
    return ResponsiblePayer(
        kept_by=row["organisation"],
        drug=row["drug"],
        among=frozenset(row["among"]),
        responsible=row["responsible"],
        from_=row["from_day"],
        to=row["to_day"],
        source=row["source"],
        demonstration=row["demonstration"],
    )


def _spellings(work: Work, caller: Caller) -> tuple[AcceptedSpelling, ...]:
    """Those accepted for every organisation, and the caller's own, which go before them."""
    column = _SPELLING.c
    query = (
        select(_SPELLING)
        .where(
            column.standing.is_not(None),
            column.accepted_at.is_not(None),
            or_(
                column.organisation == ALL_ORGANISATIONS,
                column.organisation == caller.organisation,
            ),
        )
        .order_by(column.organisation, column.standing)
    )
    rows = work.connection.execute(query).mappings().all()
    rows = sorted(rows, key=lambda row: row["organisation"] != ALL_ORGANISATIONS)
    found = {row["words"]: row for row in rows}
    return tuple(
        AcceptedSpelling(tuple(words.split(" ")), row["drug"], row["product"], row["accepted_on"])
        for words, row in sorted(found.items())
    )


def replace_set(work: Work, caller: Caller, table: Table, rows: Sequence[dict[str, Any]]) -> int:
    """Put a commissioner's new rows in place of those that stood; returns how many stood."""
    column = table.c
    gone = work.connection.execute(
        update(table)
        .where(column.organisation == caller.organisation, column.replaced_at.is_(None))
        .values(replaced_at=work.moment.instant)
    ).rowcount
    kept = {
        "organisation": caller.organisation,
        "loaded_by": caller.id,
        "loaded_at": work.moment.instant,
        "replaced_at": None,
    }
    if rows:
        values = [{"id": work.new_id(), **row, **kept} for row in rows]
        work.connection.execute(insert(table), values)
    return gone


def standing_rows(work: Work, caller: Caller, table: Table) -> Sequence[RowMapping]:
    """The caller's own rows that stand."""
    return _standing(work, table, table.c.organisation == caller.organisation)
