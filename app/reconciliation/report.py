"""A summary as a text table, JSON and CSV. Amounts are shown to the penny, sent in full."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from rich.console import Console
from rich.table import Table

from app.reconciliation.line_columns import FileFacts
from app.reconciliation.model import Skipped
from app.reconciliation.returned import safe_cell
from app.reconciliation.summary import Bucket, Summary

CSV_HEADER = ("breakdown", "key", "lines", "unreadable totals", "total", "accepted", "queried")
_PENNY = Decimal("0.01")


def as_text(summary: Summary, width: int = 100) -> str:
    """Every breakdown as a table of text, with the submission's total under each."""
    out = io.StringIO()
    console = Console(file=out, width=width, color_system=None, highlight=False, markup=False)
    for name, buckets in summary.breakdowns().items():
        console.print(_table(name, buckets, summary.grand))
    if summary.grand.unreadable:
        console.print(
            f"{summary.grand.unreadable} line(s) state no legible total and count as 0.00."
        )
    return out.getvalue()


def _table(name: str, buckets: tuple[Bucket, ...], grand: Bucket) -> Table:
    table = Table(title=f"By {name}", title_justify="left", show_footer=True)
    table.add_column(name.capitalize(), footer="total")
    table.add_column("Lines", justify="right", footer=str(grand.lines))
    for label in ("total", "accepted", "queried"):
        table.add_column(
            f"{label.capitalize()} (£)", justify="right", footer=pounds(getattr(grand, label))
        )
    for bucket in buckets:
        table.add_row(
            bucket.key,
            str(bucket.lines),
            pounds(bucket.total),
            pounds(bucket.accepted),
            pounds(bucket.queried),
        )
    return table


def pounds(amount: Decimal) -> str:
    """For display only: thousands commas, rounded half up to the penny."""
    return f"{amount.quantize(_PENNY, ROUND_HALF_UP):,}"


def as_json(
    summary: Summary, facts: FileFacts | None = None, skipped: Sequence[Skipped] | None = None
) -> str:
    """The summary as JSON; amounts are strings, exact. With the facts, says what was read.

    Skipped rows are counted where they are not given.
    """
    body = summary_figures(summary)
    if facts is not None:
        body["submission"] = _read(facts, skipped)
    return json.dumps(body, ensure_ascii=False, indent=2)


def summary_figures(summary: Summary) -> dict[str, Any]:
    """The summary as plain JSON values: the whole and each breakdown, amounts as exact text."""
    body: dict[str, Any] = {"total": _figures(summary.grand)}
    for name, buckets in summary.breakdowns().items():
        body[f"by_{name}"] = [{name: b.key, **_figures(b)} for b in buckets]
    return body


def summary_told(figures: Mapping[str, Any]) -> Summary:
    """The summary whose figures these are."""

    def of(name: str) -> tuple[Bucket, ...]:
        return tuple(_bucket(each[name], each) for each in figures.get(f"by_{name}", ()))

    names = ("outcome", "provider", "drug", "month", "proposed commissioner")
    return Summary(_bucket("total", figures["total"]), *map(of, names))


def _bucket(key: str, told: Mapping[str, Any]) -> Bucket:
    amounts = (Decimal(told[name]) for name in ("total", "accepted", "queried"))
    return Bucket(key, told["lines"], told["unreadable_totals"], *amounts)


def _figures(bucket: Bucket) -> dict[str, object]:
    return {
        "lines": bucket.lines,
        "unreadable_totals": bucket.unreadable,
        "total": exact(bucket.total),
        "accepted": exact(bucket.accepted),
        "queried": exact(bucket.queried),
    }


def _read(facts: FileFacts, skipped: Sequence[Skipped] | None) -> dict[str, object]:
    listed = facts.skipped if skipped is None else [{"row": s.row, "why": s.why} for s in skipped]
    return {
        "sha256": facts.sha256,
        "layout": facts.layout,
        "encoding": facts.encoding,
        "rows": facts.lines + facts.skipped,
        "lines": facts.lines,
        "skipped": listed,
        "notes": list(facts.notes),
    }


def exact(amount: Decimal) -> str:
    """Every digit, at least two decimals, never in scientific notation."""
    text = f"{amount:f}"
    whole, _, decimals = text.partition(".")
    return f"{whole}.{decimals.ljust(2, '0')}"


def as_csv(summary: Summary) -> str:
    """The summary as CSV, one row for each bucket and one for the whole."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(CSV_HEADER)
    for name, buckets in summary.breakdowns().items():
        for bucket in buckets:
            writer.writerow([name, *_row(bucket)])
    writer.writerow(["all", *_row(summary.grand)])
    return out.getvalue()


def _row(bucket: Bucket) -> list[str]:
    return [
        safe_cell(bucket.key),
        str(bucket.lines),
        str(bucket.unreadable),
        exact(bucket.total),
        exact(bucket.accepted),
        exact(bucket.queried),
    ]
