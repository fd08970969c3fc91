"""What the lines of a run say of their supplies, read by column and made into no lines."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from app.auth.model import Caller
from app.db.types import DIGITS, PLACES
from app.db.work import Work
from app.reconciliation.errors import TooManyLines
from app.reconciliation.large_lines import LargeLines
from app.reconciliation.run_lines import open_run
from app.reconciliation.service import IN_FULL, Desk
from app.reconciliation.worklists import Stated

#: So many characters of a unit are kept, as in the table.
LONGEST_UNIT: Final = 40
#: No unit is so many figures long, but a number of a patient's in the wrong column is.
_NUMBER: Final = re.compile(r"\d[\d -]{4,}\d")


def stated_by_row(work: Work, desk: Desk, caller: Caller, run_id: str) -> Mapping[int, Stated]:
    """The row of each line of a run → what it says. Raises TooManyLines, StoredFileDamaged.

    Of a drug whose product is not told, the drug. A line's accepted and queried pounds make up
    its total.
    """
    run = open_run(work, desk, caller, run_id)
    if isinstance(run, LargeLines):
        raise TooManyLines(run.run.lines, "to be held in memory for that", IN_FULL)
    rows, drugs, products, accepted, queried = run.came_to(
        "row", "drug", "drug_product", "accepted", "queried"
    )
    quantities, units = run.stated("quantity", "unit")
    return {
        row: Stated(
            product=product or drug,
            quantity=_kept(quantity),
            unit=unit_of(unit),
            amount=_kept(Decimal(yes) + Decimal(no)),
        )
        for row, drug, product, yes, no, quantity, unit in zip(
            rows, drugs, products, accepted, queried, quantities, units, strict=True
        )
    }


def _kept(number: Decimal | str | None) -> Decimal | None:
    """The number, where the database holds all of its figures."""
    if number is None:
        return None
    _, digits, exponent = Decimal(number).normalize().as_tuple()
    if not isinstance(exponent, int):
        return None
    fits = exponent >= -PLACES and len(digits) + exponent <= DIGITS - PLACES
    return Decimal(number) if fits else None


def unit_of(text: str | None) -> str | None:
    """What is kept of a line's unit: None of what is none, which a patient's number may be."""
    if text is None or len(text) > LONGEST_UNIT or _NUMBER.search(text):
        return None
    return text
