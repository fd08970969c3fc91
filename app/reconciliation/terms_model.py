"""Dated terms that commissioners keep: contracts, prices, supplies, who pays, spellings.

A day is in force from `from_` to `to`, both included; None is open.
"""

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

EVERY_DRUG = "*"


class Basis(StrEnum):
    """How a provider is paid for a drug. Only pass-through is recovered line by line."""

    PASS_THROUGH = "pass-through"
    FIXED = "fixed price"
    BLOCK = "block"
    CANCER_DRUGS_FUND = "Cancer Drugs Fund"
    INNOVATIVE_MEDICINES_FUND = "Innovative Medicines Fund"
    CENTRAL = "centrally funded"


@dataclass(frozen=True, slots=True)
class ContractTerm:
    """That a commissioner pays a provider for a drug, or for every drug (`*`), in this way."""

    commissioner: str
    provider: str
    drug: str
    basis: Basis
    from_: dt.date | None
    to: dt.date | None
    source: str
    demonstration: bool


@dataclass(frozen=True, slots=True)
class ResponsiblePayer:
    """Which of the commissioners in `among` pays for a drug. `kept_by` is whose table says so."""

    kept_by: str
    drug: str
    among: frozenset[str]
    responsible: str
    from_: dt.date | None
    to: dt.date | None
    source: str
    demonstration: bool


@dataclass(frozen=True, slots=True)
class AgreedPrice:
    """What a commissioner agreed to pay for one `unit` of a drug, in pounds.

    What a row leaves None it says of all: `drug_code` is a line's dm+d code, `product` a product
    of the dictionary, `strength` a line's own words, `provider` a trust. For `run_off_days` after
    `to` the price is accepted still, for stock that was bought before. It is exceeded by more
    than the larger of `tolerance_percent` of itself and `tolerance_pence`. A row that is not
    `seen` is known to be there, without its price and tolerance: a trust's check may not see them.
    """

    commissioner: str
    framework: str
    drug: str
    unit: str
    price: Decimal
    from_: dt.date | None
    to: dt.date | None
    source: str
    demonstration: bool
    provider: str | None = None
    drug_code: str | None = None
    product: str | None = None
    strength: str | None = None
    run_off_days: int = 0
    tolerance_percent: Decimal = Decimal(0)
    tolerance_pence: Decimal = Decimal(0)
    seen: bool = True


class SupplyTermKind(StrEnum):
    """What a supply term sets: pounds for a delivery or a fee, per cent that quantity may go over,
    how many days a fee on a line of its own may be dated from its supply, how many days before
    the supply before has run out the next may be, how many days after a stop or a death a last
    homecare delivery may still be dated, or how soon after a homecare supply its invoice is."""

    HOME_DELIVERY = "home delivery"
    QUANTITY_TOLERANCE = "quantity tolerance"
    DISPENSING_FEE = "dispensing fee"
    SERVICE_FEE = "service fee"
    FEE_DAYS = "fee days"
    DAYS_EARLY = "days early"
    AFTER_STOP = "last deliveries after a stop"
    AFTER_DEATH = "last deliveries after a death"
    INVOICE_DAYS = "invoice days"


@dataclass(frozen=True, slots=True)
class SupplyTerm:
    """A charge or tolerance that a commissioner agreed; of every drug or provider where None.

    One that is not `seen` is known to be there, without its amount, which is 0 then.
    """

    commissioner: str
    kind: SupplyTermKind
    amount: Decimal
    from_: dt.date | None
    to: dt.date | None
    source: str
    demonstration: bool
    provider: str | None = None
    drug: str | None = None
    seen: bool = True


@dataclass(frozen=True, slots=True)
class AcceptedSpelling:
    """A whole name, as plain words, that two people took for a drug on a day."""

    words: tuple[str, ...]
    drug: str
    product: str | None
    accepted_on: dt.date


@dataclass(frozen=True, slots=True)
class Terms:
    """What a run knows of all five."""

    contracts: tuple[ContractTerm, ...] = ()
    payers: tuple[ResponsiblePayer, ...] = ()
    spellings: tuple[AcceptedSpelling, ...] = ()
    prices: tuple[AgreedPrice, ...] = ()
    supplies: tuple[SupplyTerm, ...] = ()


NO_TERMS = Terms()
