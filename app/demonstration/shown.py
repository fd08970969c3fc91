"""What `assent demo` prints: where every pound went, what to open, and lines ready to paste."""

import datetime as dt
import io
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from app.demonstration.clinic import SERVICES
from app.demonstration.load import Loaded
from app.demonstration.organisations import COMMISSIONERS, seats
from app.reconciliation.report import pounds

Figures = Mapping[str, Any]
_POLICY_DRUGS: Final = frozenset(service.drug for service in SERVICES.values())
_WIDTH: Final = 100
NOT_STATED: Final = "(not stated)"


def loaded_text(loaded: Loaded, today: dt.date) -> str:
    """What is loaded, in a few lines."""
    text = (
        f"Invented data up to {loaded.day:%-d %B %Y}: {loaded.treatments} treatments, "
        f"{loaded.requests} requests, {loaded.approvals} approvals. No patient, price, reference "
        "or organisation in it is real."
    )
    if loaded.day != today:
        text += " To have it up to today, stop, delete the database and the files, and start again."
    return text


def result_text(figures: Figures) -> str:
    """A run's figures: by outcome, the largest sums first, and by drug, those with a policy first.

    `figures` is what a run keeps of its summary: amounts as exact text, in pounds.
    """
    outcomes = sorted(figures["by_outcome"], key=lambda f: -abs(Decimal(f["total"])))
    drugs = _by_drug(figures["by_drug"])
    unreadable = int(figures["total"]["unreadable_totals"])
    text = _table("outcome", outcomes, figures["total"]) + _table("drug", drugs, figures["total"])
    if unreadable:
        text += f"{unreadable} line(s) state no legible total and count as 0.00.\n"
    return text


def _by_drug(found: Sequence[Figures]) -> list[Figures]:
    """Drugs with a policy, then all others as one row, then lines that state none."""
    held = [f for f in found if f["drug"] in _POLICY_DRUGS]
    held.sort(key=lambda f: -Decimal(f["total"]))
    none = [f for f in found if f["drug"] == NOT_STATED]
    others = [f for f in found if f["drug"] not in _POLICY_DRUGS and f["drug"] != NOT_STATED]
    return [
        *held,
        {"drug": f"{len(others)} other drugs", **_added(others)},
        *({**f, "drug": "none recognised"} for f in none),
    ]


def _added(found: Sequence[Figures]) -> dict[str, Any]:
    amounts = ("total", "accepted", "queried")
    added: dict[str, Any] = {
        name: str(sum((Decimal(f[name]) for f in found), Decimal(0))) for name in amounts
    }
    return {"lines": sum(f["lines"] for f in found), **added}


def _table(name: str, rows: Sequence[Figures], whole: Figures) -> str:
    total = Decimal(whole["total"])
    table = Table(title=f"By {name}", title_justify="left", show_footer=True)
    table.add_column(name.capitalize(), footer="total")
    table.add_column("Lines", justify="right", footer=str(whole["lines"]))
    for label in ("total", "accepted", "queried"):
        footer = pounds(Decimal(whole[label]))
        table.add_column(f"{label.capitalize()} (£)", justify="right", footer=footer)
    table.add_column("of total", justify="right", footer="100.0%")
    for row in rows:
        amounts = [pounds(Decimal(row[label])) for label in ("total", "accepted", "queried")]
        table.add_row(row[name], str(row["lines"]), *amounts, _share(Decimal(row["total"]), total))
    out = io.StringIO()
    Console(file=out, width=_WIDTH, color_system=None, highlight=False, markup=False).print(table)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def _share(part: Decimal, whole: Decimal) -> str:
    return f"{part / whole * 100:.1f}%" if whole else "–"


def tokens_text() -> str:
    """Every caller's public token."""
    width = max(len(seat.token) for seat in seats())
    lines = ["Tokens (public, and of no use anywhere else):"]
    lines += [f"  {seat.token:<{width}}  {seat.name}" for seat in seats()]
    return "\n".join(lines)


def calls_text(address: str, submission: str, runs: Mapping[str, str]) -> str:
    """Lines to paste into a shell, in the order of a first look."""
    icb = COMMISSIONERS[0]
    commissioner = f"demo-{icb.lower()}-commissioner"
    folder = submission.rpartition("/")[0]
    calls = (
        (
            "A clinician's form, decided at once, criterion by criterion",
            _sent(address, "/v1/requests", "request-adalimumab-approved"),
        ),
        (
            "Another form, and what it tells the form for the patient's next drug",
            f"{_sent(address, '/v1/requests', 'request-natalizumab-approved')}\n"
            f"  {_sent(address, '/v1/known-answers', 'known-answers-ocrelizumab')}",
        ),
        (
            "The first policy as text",
            f"curl -s {address}/v1/policies/adalimumab-ra-severe/versions/2016-01-26/text "
            "-H 'Authorization: Bearer demo-demo1-clinician'",
        ),
        (
            f"Where {icb}'s pounds went, and the first lines without an approval",
            f"curl -s {address}/v1/runs/{runs[icb]}/summary.txt "
            f"-H 'Authorization: Bearer {commissioner}'\n"
            f"  curl -s '{address}/v1/runs/{runs[icb]}/lines?outcome=no%20approval&limit=3' "
            f"-H 'Authorization: Bearer {commissioner}'",
        ),
        (
            "The whole file again, from the command line, and back with each line's outcome",
            f"ASSENT_DEMONSTRATION=true .venv/bin/assent reconcile {submission} \\\n"
            f"    -o {folder}/outcomes.csv",
        ),
    )
    shown = [f"  # {what}\n  {call}" for what, call in calls]
    return "\n".join(["Lines to paste:", *shown])


def _sent(address: str, path: str, form: str) -> str:
    """A clinician's call with one of the examples as its body."""
    return (
        f"curl -s {address}{path} -H 'Authorization: Bearer demo-demo1-clinician' \\\n"
        f"    -H \"X-Request-ID: $(python3 -c 'import uuid; print(uuid.uuid4())')\" \\\n"
        f"    -H 'Content-Type: application/json' -d @examples/{form}.json"
    )
