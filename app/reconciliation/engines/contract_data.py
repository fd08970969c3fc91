"""What a commissioner's contract data says of a prepared line: contract, prices, supply terms."""

from decimal import Decimal

from app.reconciliation.contract import check_contract
from app.reconciliation.engines.agreed import Agreed, Priced, agreed_on
from app.reconciliation.engines.index import SnapshotIndex
from app.reconciliation.engines.prepare import Prepared
from app.reconciliation.engines.supply_terms import (
    Delivery,
    days_early_on,
    delivery_on,
    tolerance_on,
)
from app.reconciliation.model import Test


def contract_of(item: Prepared, index: SnapshotIndex) -> Test:
    """What the contract between the line's provider and commissioner says of its drug."""
    held = index.contracts.get((item.provider, item.commissioner), ())
    return check_contract(held, item.recognition.drug or "", item.period)


def agreed_price_of(item: Prepared, index: SnapshotIndex) -> Agreed | None:
    """What the line's commissioner agreed to pay; None where it keeps no prices."""
    if item.commissioner not in index.keep_prices:
        return None
    line, drug = item.line, item.recognition.drug
    rows = index.prices.get((item.commissioner, drug), ())
    product, code = item.recognition.product, line.drug_code
    priced = Priced(item.provider, drug, product, code, line.strength, line.unit)
    return agreed_on(rows, priced, item.period)


def delivery_of(item: Prepared, index: SnapshotIndex) -> Delivery:
    """What the line's commissioner agreed to pay for a home delivery."""
    rows = index.supplies.get(item.commissioner, ())
    return delivery_on(rows, item.provider, item.recognition.drug, item.period)


def tolerance_of(item: Prepared, index: SnapshotIndex) -> Decimal:
    """Per cent by which the line's commissioner lets quantity and dose go over."""
    rows = index.supplies.get(item.commissioner, ())
    return tolerance_on(rows, item.provider, item.recognition.drug, item.period)


def days_early_of(item: Prepared, index: SnapshotIndex) -> Decimal | None:
    """How many days early the line's commissioner lets a supply be; None where it said nothing."""
    rows = index.supplies.get(item.commissioner, ())
    return days_early_on(rows, item.provider, item.recognition.drug, item.period)
