"""A month's file of a hospital, for the pages' benchmark."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Sequence
from typing import Any, Final

from app.reconciliation.parse_dates import financial_month_of
from app.reference_data.pseudonyms import PseudonymKey

SECOND_HOSPITAL: Final = "B001"
#: One line in so many names a patient whom nobody knows, and has no approval.
_UNKNOWN: Final = 10
HEADINGS: Final = (
    "FINANCIAL MONTH",
    "FINANCIAL YEAR",
    "ORGANISATION IDENTIFIER (CODE OF PROVIDER)",
    "ORGANISATION IDENTIFIER (CODE OF COMMISSIONER)",
    "NHS NUMBER",
    "LOCAL PATIENT IDENTIFIER (EXTENDED)",
    "PERSON BIRTH DATE",
    "CLINICAL INTERVENTION DATE (DRUG DISPENSED)",
    "DRUG NAME",
    "DRUG QUANTITY OR WEIGHT PROPORTION",
    "UNIT PRICE (COMMISSIONER)",
    "TOTAL COST",
)
_PSEUDONYM: Final = {"NHS NUMBER": "NHS NUMBER PSEUDONYM"}


def as_file(
    lines: Sequence[Any],
    day: dt.date,
    doubled: Sequence[Any] = (),
    *,
    dearer: int = 0,
    key: PseudonymKey | None = None,
) -> bytes:
    """A month's file: a supply to each of these patients within it, a tenth of them unknown; and
    one more to some of them by a hospital that is not approved for it. `dearer`: by so many pounds
    is each line dearer than without it. `key`: NHS numbers are stated as pseudonyms."""
    year, month = financial_month_of(day)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(HEADINGS if key is None else [_PSEUDONYM.get(x, x) for x in HEADINGS])
    supplied = [("DEMO1", line) for line in lines]
    supplied += [(SECOND_HOSPITAL, line) for line in doubled]
    for n, (provider, line) in enumerate(supplied):
        known = n % _UNKNOWN != 0 or provider != "DEMO1"
        number = line.nhs_number or "" if known else ""
        cost = f"{300 + n % 50 + dearer}.00"
        writer.writerow(
            (
                month,
                year,
                provider,
                "DEMQ1",
                number if key is None or not number else key.of_nhs_number(number),
                (line.local_id if known else f"X{n}") if provider == "DEMO1" else "",
                line.birth_date.isoformat() if known else "1950-01-01",
                (day + dt.timedelta(days=n % 28)).isoformat(),
                "Humira 40mg" if n % 97 else f"HUMIRRAA PENN {n % 11}",
                1,
                cost,
                cost,
            )
        )
    return out.getvalue().encode()
