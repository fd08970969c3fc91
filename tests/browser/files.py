"""Files of contract monitoring lines, as a payer or a trust sends them in."""

import csv
import datetime as dt
import io
from pathlib import Path
from zoneinfo import ZoneInfo

from app.reference_data.nhs_number import test_number as invented_number
from tests.functional.approvals.scene import SUBMISSION_ROW, UNKNOWN_PATIENT


def a_file(folder: Path, *totals: str, **more: str) -> Path:
    """Lines of somebody who has no approval."""
    text = io.StringIO()
    rows = [SUBMISSION_ROW | UNKNOWN_PATIENT | {"TOTAL COST": total} | more for total in totals]
    writer = csv.DictWriter(text, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    file = folder / "june.csv"
    file.write_text(text.getvalue(), encoding="utf-8")
    return file


def supplied_today(number: int, born: str) -> dict[str, str]:
    """What a line states of a supply of today to this patient."""
    today = dt.datetime.now(ZoneInfo("Europe/London")).date()
    begins = today.year - (today.month < 4)
    return {
        "FINANCIAL MONTH": str((today.month - 4) % 12 + 1),
        "FINANCIAL YEAR": f"{begins}{(begins + 1) % 100:02}",
        "NHS NUMBER": invented_number(number),
        "PERSON BIRTH DATE": born,
        "CLINICAL INTERVENTION DATE (DRUG DISPENSED)": today.isoformat(),
    }
