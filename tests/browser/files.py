"""Files of contract monitoring lines, as a payer or a trust sends them in."""

import csv
import io
from pathlib import Path

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
