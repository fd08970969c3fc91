"""Lines of a run that are read alone are those that reading all of them gives."""

import dataclasses
import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, cast

import pytest

from app.reconciliation import run_lines
from app.reconciliation.line_choice import choose_lines
from app.reconciliation.line_filter import LineFilter
from app.reconciliation.line_keys import keys_of
from app.reconciliation.model import (
    ContractLine,
    LineKind,
    LineOutcome,
    MatchedLine,
    Test,
    TestResult,
)
from app.reconciliation.outcome_files import from_parquet, to_parquet
from app.reconciliation.run_lines import RunLines, key_at
from app.reconciliation.store import RunRecord
from app.reconciliation.stored_lines import read_file
from app.reconciliation.summary import NOT_STATED, month_of, summarise
from app.reference_data.drugs import Recognition
from app.reference_data.organisations import load_organisations

HEADER = (
    "FINANCIAL MONTH,FINANCIAL YEAR,ORGANISATION IDENTIFIER (CODE OF PROVIDER),NHS NUMBER,"
    "CLINICAL INTERVENTION DATE (DRUG DISPENSED),DRUG NAME,TOTAL COST"
)
#: A repeated line, one without a month of its own, one without a total, and rows that are none.
ROWS = (
    "1,202627,DEMO1,9990000107,2026-04-03,Humira 40mg,300.10",
    "1,202627,DEMO1,9990000107,2026-04-03,Humira 40mg,300.10",
    ",,,,,,",
    ",,DEMO2,9990000204,2026-05-04,Humira 40mg,0.00",
    "2,202627,DEMO1,9990000301,2026-05-09,Enbrel 50mg,-20.05",
    ",,,9990000301,,Something else,",
    ",,,,,,",
    "1,202627,DEMO1,9990000409,2026-04-20,Enbrel 50mg,12.345",
)


@pytest.fixture(params=[1, 3, 1_024])
def opened(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> RunLines:
    """A run over the rows, whose files are laid out so many rows at a time."""
    monkeypatch.setattr(run_lines, "_BATCH", request.param)
    submission = read_file("\r\n".join((HEADER, *ROWS)).encode(), "lines.csv")
    assert submission.skipped
    matched = [came_to(n, line) for n, line in enumerate(submission.lines)]
    grand = summarise(matched, load_organisations().fold).grand
    figures = {name: getattr(grand, name) for name in ("lines", "total", "accepted", "queried")}
    record = {field.name: None for field in dataclasses.fields(RunRecord)}
    run = RunRecord(**cast(dict[str, Any], record | figures))
    assert submission.as_rows is not None
    return RunLines(run, cast(Any, None), submission.as_rows, to_parquet(matched))


def came_to(n: int, line: ContractLine) -> MatchedLine:
    total = line.total_cost or Decimal(0)
    return MatchedLine(
        line=line,
        kind=LineKind.UNKNOWN if n == 4 else LineKind.DRUG,
        recognition=Recognition(
            drug=(line.drug_name or "").split()[0].lower() if n != 4 else None,
            product=None, how="", strength=None, form=None, pack=None, words=(),
            suggestion=None, conflict=False, candidates=(), reason="",
        ),
        outcome=(LineOutcome.MATCHED, LineOutcome.NO_APPROVAL)[n % 2],
        accepted=total if n % 2 == 0 else Decimal(0),
        queried=Decimal(0) if n % 2 == 0 else total,
        provider=line.provider,
        reference=f"PA{n}",
        treatment_id=None,
        found_by="",
        tests=(Test("identity", TestResult.PASSED, f"line {n}"),),
        reason=f"reason {n}",
        remedy="",
    )  # fmt: skip


def whole(opened: RunLines) -> Sequence[MatchedLine]:
    submission = read_file("\r\n".join((HEADER, *ROWS)).encode(), "lines.csv")
    return from_parquet(opened.outcomes, submission.lines)


def told_of(item: MatchedLine) -> tuple[str, str, str, str]:
    drug, provider = item.recognition.drug or NOT_STATED, item.provider or NOT_STATED
    return item.outcome.value, drug, provider, month_of(item)


def test_a_page_of_lines_is_cut_out_of_all_of_them(opened: RunLines) -> None:
    every = whole(opened)
    told = [told_of(item) for item in every]
    nothing = (None, None, None, None)
    ways = {nothing, *told}
    for at, column in enumerate(zip(*told, strict=True)):
        ways |= {(*nothing[:at], value, *nothing[at + 1 :]) for value in (*column, "other")}
    for wants in sorted(ways, key=str):
        fits = [
            item
            for item, has in zip(every, told, strict=True)
            if all(want in (None, value) for want, value in zip(wants, has, strict=True))
        ]
        for after, limit in ((0, 1), (1, 2), (4, 100)):
            found = choose_lines(opened, LineFilter(*wants), after, limit)
            rest = [item for item in fits if item.line.row > after]
            assert found.lines == tuple(rest[:limit]), (wants, after, limit)
            assert found.next == (rest[limit - 1].line.row if len(rest) > limit else None)
            assert found.count == len(fits)
            assert found.total == sum((m.line.total_cost or 0 for m in fits), Decimal(0))
            assert found.accepted == sum((m.accepted for m in fits), Decimal(0))
            assert found.queried == sum((m.queried for m in fits), Decimal(0))


def test_a_line_is_known_by_the_same_key_alone(opened: RunLines) -> None:
    lines = [item.line for item in whole(opened)]
    (contents,) = opened.stated("content_hash")
    assert [key_at(contents, n) for n in range(len(lines))] == list(keys_of(lines))
    assert len(set(contents)) < len(contents)


def test_a_line_is_found_by_the_row_of_the_file(opened: RunLines) -> None:
    for n, item in enumerate(whole(opened)):
        assert opened.position(item.line.row) == n
        assert opened.at([n]) == (item,)
    assert opened.at([]) == ()
    with pytest.raises(run_lines.RunNotFound):
        opened.position(3)


def test_outcomes_of_another_submission_are_refused(opened: RunLines) -> None:
    other = read_file(f"{HEADER}\r\n{ROWS[0]}x\r\n{ROWS[3]}".encode(), "other.csv")
    assert other.as_rows is not None
    wrong = dataclasses.replace(opened, rows=other.as_rows)
    with pytest.raises(run_lines.StoredFileDamaged):
        wrong.at([1])
    assert dt.date(2026, 5, 4) in {line.supply_date for line in other.lines}
