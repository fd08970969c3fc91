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
from app.reconciliation.untested import ANY_TEST, Untested

CSV_HEADER = ("breakdown", "key", "lines", "unreadable totals", "total", "accepted", "queried")
_PENNY = Decimal("0.01")
#: Under this name each test that could not be made on accepted lines has a row of CSV, and all of
#: them together one (ANY_TEST). A line with two such tests is in the rows of both.
NOT_TESTED = "accepted, and not tested"


def as_text(summary: Summary, width: int = 100) -> str:
    """Every breakdown as a table of text, with the submission's total under each."""
    out = io.StringIO()
    console = Console(file=out, width=width, color_system=None, highlight=False, markup=False)
    for name, buckets in summary.breakdowns().items():
        console.print(_table(name, buckets, summary.grand))
    if summary.untested is not None and summary.untested.by_test:
        console.print(_untested_table(summary.untested))
    console.print(untested_words(summary.untested))
    if summary.grand.unreadable:
        console.print(
            f"{summary.grand.unreadable} line(s) state no legible total and count as 0.00."
        )
    return out.getvalue()


def untested_words(untested: Untested | None) -> str:
    """How much of what was accepted is of lines with a test that could not be made."""
    if untested is None:
        return "How much was accepted of lines not fully tested is not known: the run is older."
    if not untested.by_test:
        return "Every accepted line was tested in full."
    return (
        f"£{pounds(untested.amount)} was accepted of lines with a test that could not be made; "
        "a line with two counts in both."
    )


def _untested_table(untested: Untested) -> Table:
    table = Table(title=NOT_TESTED.capitalize(), title_justify="left")
    table.add_column("Test")
    table.add_column("Accepted (£)", justify="right")
    for name, amount in largest_first(untested):
        table.add_row(name, pounds(amount))
    return table


def largest_first(untested: Untested) -> list[tuple[str, Decimal]]:
    """The tests with their pounds, the most pounds first."""
    return sorted(untested.by_test.items(), key=lambda each: (-each[1], each[0]))


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
    if summary.untested is not None:
        body["untested"] = {
            "accepted": exact(summary.untested.amount),
            "by_test": [
                {"test": name, "accepted": exact(amount)}
                for name, amount in summary.untested.by_test.items()
            ],
        }
    return body


def summary_told(figures: Mapping[str, Any]) -> Summary:
    """The summary whose figures these are."""

    def of(name: str) -> tuple[Bucket, ...]:
        return tuple(_bucket(each[name], each) for each in figures.get(f"by_{name}", ()))

    return Summary(
        grand=_bucket("total", figures["total"]),
        by_outcome=of("outcome"),
        by_provider=of("provider"),
        by_drug=of("drug"),
        by_month=of("month"),
        by_commissioner=of("commissioner") if "by_commissioner" in figures else None,
        by_proposed=of("proposed commissioner"),
        untested=untested_told(figures),
    )


def untested_told(figures: Mapping[str, Any]) -> Untested | None:
    """What was accepted untested, of such figures; None where they are of an older run."""
    told = figures.get("untested")
    if told is None:
        return None
    by_test = {each["test"]: Decimal(each["accepted"]) for each in told["by_test"]}
    return Untested(Decimal(told["accepted"]), by_test)


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
    for key, amount in untested_rows(summary):
        writer.writerow([NOT_TESTED, key, "", "", "", exact(amount), ""])
    writer.writerow(["all", *_row(summary.grand)])
    return out.getvalue()


def untested_rows(summary: Summary) -> list[tuple[str, Decimal]]:
    """A row for each test that could not be made on accepted lines, and one for all together.

    None of an older run, which does not know.
    """
    if summary.untested is None:
        return []
    return [*summary.untested.by_test.items(), (ANY_TEST, summary.untested.amount)]


def _row(bucket: Bucket) -> list[str]:
    return [
        safe_cell(bucket.key),
        str(bucket.lines),
        str(bucket.unreadable),
        exact(bucket.total),
        exact(bucket.accepted),
        exact(bucket.queried),
    ]
