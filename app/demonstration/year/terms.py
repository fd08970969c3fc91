"""What surrounds the months: contract terms and who is responsible. All of it INVENTED, and marked.

They begin with the demonstration year and stay open.
"""

import datetime as dt
from typing import Any, Final

from app.demonstration.organisations import ICB, PROVIDERS, SPECIALISED
from app.reconciliation.term_rows import Row
from app.reconciliation.terms_model import EVERY_DRUG, Basis

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
