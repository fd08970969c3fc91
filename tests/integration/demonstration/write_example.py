"""Write examples/submission.csv again: lines of each outcome from each trust.

Run it as python -m tests.integration.demonstration.write_example
"""

import re
import tempfile
from collections import Counter
from pathlib import Path

from app.commands.demo import LEGACY
from app.commands.reconcile import operator
from app.db.engine import make_engine
from app.db.transaction import Database
from app.db.upgrade import upgrade
from app.demonstration.load import load
from app.demonstration.submission import as_csv
from app.desk import make_desk
from app.reconciliation.model import LineOutcome
from app.reconciliation.service import load_run
from app.settings import REPOSITORY, Settings
from tests.integration.demonstration.conftest import DAY, MOMENT

_ROW = re.compile(r"\brow (\d+)")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder), demonstration=True)
        database = Database(make_engine(settings.database_url), settings.audit_key_bytes())
        upgrade(database.engine)
        desk = make_desk(settings)
        loaded, invoices = load(database, desk, operator(None), DAY, legacy=LEGACY.read_bytes())
        found = database.read(
            lambda work: load_run(work, desk, operator(None), loaded.runs["*"]), moment=MOMENT
        )
    seen: Counter[tuple[LineOutcome, str | None]] = Counter()
    wanted: set[int] = set()
    for item in found.matched:
        kind = (item.outcome, item.provider)
        if seen[kind] < (2 if item.outcome is LineOutcome.MATCHED else 1):
            seen[kind] += 1
            wanted |= {item.line.row, *(int(row) for row in _ROW.findall(item.reason))}
    rows = [row for place, row in enumerate(invoices.rows, start=1) if place in wanted]
    (REPOSITORY / "examples" / "submission.csv").write_bytes(as_csv(rows))


if __name__ == "__main__":
    main()
