"""Dated terms that commissioners keep: contract terms, responsible commissioners, spellings.

A day is in force from `from_` to `to`, both included; None is open.
"""

import datetime as dt
from dataclasses import dataclass
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
class AcceptedSpelling:
    """A whole name, as plain words, that two people took for a drug on a day."""

    words: tuple[str, ...]
    drug: str
    product: str | None
    accepted_on: dt.date


@dataclass(frozen=True, slots=True)
class Terms:
    """What a run knows of all three."""

    contracts: tuple[ContractTerm, ...] = ()
    payers: tuple[ResponsiblePayer, ...] = ()
    spellings: tuple[AcceptedSpelling, ...] = ()


NO_TERMS = Terms()
