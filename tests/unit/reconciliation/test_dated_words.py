"""Words that mean something from a day to a day, in every engine: a brand's name that was taken up
again for another drug, and a word of a kind of line that came into use."""

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from app.reconciliation import ContractLine, LineKind, MatchedLine, match_submission
from app.reconciliation.engines import duckdb
from app.reconciliation.engines.duckdb import Machine
from app.reconciliation.engines.out_of_core import match_rows
from app.reconciliation.outcome_files import from_parquet
from app.reference_data import kinds
from app.reference_data.drugs import DrugDictionary, load_drugs
from app.reference_data.model import Synonym
from app.reference_data.organisations import load_organisations
from app.reference_data.recognition import build_lexicon
from tests.unit.reconciliation.builders import cells, coverage, snapshot, submission
from tests.unit.reconciliation.test_out_of_core import stored

LAST, FIRST = dt.date(2025, 6, 10), dt.date(2025, 6, 11)
SNAPSHOT = snapshot(coverage())
Match = Callable[[Path, Sequence[ContractLine]], Sequence[MatchedLine]]


def synonym(drug: str, from_: dt.date | None, to: dt.date | None) -> Synonym:
    return Synonym(
        *(("newbrand",), False, frozenset(), drug, None), from_, to, dt.date(2025, 6, 1), "brand"
    )


def dictionary() -> DrugDictionary:
    rows = [synonym("adalimumab", None, LAST), synonym("natalizumab", FIRST, None)]
    lexicon = build_lexicon(rows, noise=frozenset(), glue=frozenset())
    return replace(load_drugs(), lexicon=lexicon)


@pytest.fixture(autouse=True)
def _dated_levy(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    levy = kinds.KindPhrase(("levy",), "levy", kinds.FEE, True, False, "service fee", FIRST, None)
    table = kinds.KindWords({"levy": (levy,)})
    monkeypatch.setattr(kinds, "load_kind_words", lambda: table)
    monkeypatch.setattr("app.reconciliation.engines.line_sql.load_kind_words", lambda: table)
    kinds._spans.cache_clear()
    yield
    kinds._spans.cache_clear()


def plain(_: Path, lines: Sequence[ContractLine]) -> Sequence[MatchedLine]:
    return match_submission(lines, SNAPSHOT, dictionary(), load_organisations())


def in_duckdb(_: Path, lines: Sequence[ContractLine]) -> Sequence[MatchedLine]:
    return duckdb.match_submission(lines, SNAPSHOT, dictionary(), load_organisations())


def from_file_to_file(folder: Path, lines: Sequence[ContractLine]) -> Sequence[MatchedLine]:
    held = SNAPSHOT, dictionary(), load_organisations(), Machine("1GB")
    out = folder / "outcomes.parquet"
    match_rows(stored(folder, lines), out, *held)
    return from_parquet(out.read_bytes(), lines)


@pytest.mark.parametrize("match", [plain, in_duckdb, from_file_to_file])
def test_a_word_means_what_it_meant_on_the_day_of_supply(match: Match, tmp_path: Path) -> None:
    rows = [
        cells(drug=name, date=day.isoformat(), local=f"L{n}")
        for n, name in enumerate(("NEWBRAND 40mg", "NEWBRAND LEVY"))
        for day in (LAST, FIRST)
    ]
    told = match(tmp_path, submission(*rows).lines)
    assert [each.recognition.drug for each in told] == ["adalimumab", "natalizumab"] * 2
    assert [each.kind for each in told] == [
        *(LineKind.DRUG, LineKind.DRUG),
        *(LineKind.DRUG, LineKind.FEE),
    ]
