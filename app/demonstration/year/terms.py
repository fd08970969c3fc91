"""What surrounds the months: contract terms and who is responsible. All of it INVENTED, and marked.

They begin with the demonstration year and stay open.
"""

import datetime as dt
from decimal import Decimal
from typing import Any, Final

from app.demonstration.clinic import DELEGATED, SERVICES
from app.demonstration.organisations import ICB, PROVIDERS, SPECIALISED
from app.reconciliation.term_rows import Row
from app.reconciliation.terms_model import EVERY_DRUG, Basis, SupplyTermKind

SOURCE: Final = "demonstration: invented contract"


def contracts_of(payer: str, begins: int) -> list[Row]:
    """How this commissioner pays each trust: pass-through, but for some drugs of some trusts."""
    first = dt.date(begins, 4, 1)
    rows = [_row(provider, EVERY_DRUG, Basis.PASS_THROUGH, first) for provider in PROVIDERS]
    if payer == ICB:
        # From January one trust has its rheumatology's drug within a fixed price.
        rows.append(_row("DEMO2", "adalimumab", Basis.PASS_THROUGH, first, dt.date(begins, 12, 31)))
        rows.append(_row("DEMO2", "adalimumab", Basis.FIXED, dt.date(begins + 1, 1, 1)))
    if payer == SPECIALISED:
        rows.append(_row("DEMO3", "immunoglobulin", Basis.BLOCK, first))
    return rows


def _row(
    provider: str, drug: str, basis: Basis, first: dt.date, last: dt.date | None = None
) -> dict[str, Any]:
    return {
        "provider": provider,
        "drug": drug,
        "basis": basis.value,
        "from_day": first,
        "to_day": last,
        "demonstration": True,
        "source": SOURCE,
    }


def last_deliveries_of(payer: str, begins: int) -> list[Row]:
    """The days that the ICB gives to homecare after a stop or a death, and to its invoices."""
    if payer != ICB:
        return []
    return [
        {
            "kind": kind.value,
            "provider": None,
            "drug": None,
            "amount": Decimal(14),
            "from_day": dt.date(begins, 4, 1),
            "to_day": None,
            "demonstration": True,
            "source": SOURCE,
        }
        for kind in (
            SupplyTermKind.AFTER_STOP,
            SupplyTermKind.AFTER_DEATH,
            SupplyTermKind.INVOICE_DAYS,
        )
    ]


def payers_of(delegated_on: dt.date) -> list[Row]:
    """Which of the two commissioners pays for each drug; one drug changes hands on a day."""
    rows = []
    for drug, payer in sorted({(s.drug, s.commissioner) for s in SERVICES.values()}):
        if drug != DELEGATED:
            rows.append(_payer(drug, payer, None, None))
            continue
        rows.append(_payer(drug, SPECIALISED, None, delegated_on - dt.timedelta(days=1)))
        rows.append(_payer(drug, ICB, delegated_on, None))
    return rows


def _payer(drug: str, payer: str, first: dt.date | None, last: dt.date | None) -> Row:
    return {
        "drug": drug,
        "among": [ICB, SPECIALISED],
        "responsible": payer,
        "from_day": first,
        "to_day": last,
        "demonstration": True,
        "source": "demonstration: invented delegation; real ones took effect on a 1 April",
    }
