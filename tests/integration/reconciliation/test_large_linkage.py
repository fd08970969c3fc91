"""Proposals for lines that lie in files are those for the same lines in memory."""

import datetime as dt
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app.reconciliation import match_submission
from app.reconciliation.engines.duckdb import Machine
from app.reconciliation.engines.index import Folder, index_snapshot
from app.reconciliation.errors import StoredFileDamaged
from app.reconciliation.large_lines import LargeLines
from app.reconciliation.line_columns import batch_of
from app.reconciliation.line_keys import keys_of
from app.reconciliation.linkage import large, weighing
from app.reconciliation.linkage.comparing import compare, parameters_of
from app.reconciliation.linkage.known import Known
from app.reconciliation.linkage.large import Limits, find_in_files
from app.reconciliation.linkage.model import Found, Proposed, Why
from app.reconciliation.linkage.most_costly import most_costly
from app.reconciliation.linkage.seeking import approvals_of, find_seekers, held_of
from app.reconciliation.linkage.weighing import Matter, propose
from app.reconciliation.model import ContractLine, MatchedLine, PolicyHeld, Skipped, Snapshot
from app.reconciliation.outcome_files import write_parquet
from app.reference_data.drugs import load_drugs
from app.reference_data.organisations import load_organisations
from benchmarks._linkage_people import REPORTED, make_world

SMALL = Limits(lines_at_a_time=7, pairs_at_a_time=40)


@dataclass(frozen=True)
class Sides:
    """The same lines in memory and in files, and what is known of approvals."""

    matched: tuple[MatchedLine, ...]
    known: Known
    files: LargeLines

    @property
    def in_memory(self) -> Found:
        lines = [each.line for each in self.matched]
        known, prepared = self.known, self.known.prepare(lines)
        seekers = find_seekers(self.matched, prepared, known.index, known.approvals)
        held = held_of(known.approvals, known.practices)
        compared = compare(seekers.lines, held, known.parameters)
        matter = Matter(seekers, prepared, keys_of(lines), known.index, known.refused)
        return most_costly([propose(known.judge, matter, compared)], known.judge.model)


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Sides:
    """Invented people with twins, households and slips; a line in ten states its content twice."""
    world = make_world(REPORTED, 300, 260)
    pounds = random.Random(7)
    lines = [replace(x, total_cost=Decimal(pounds.randrange(1, 99_999)) / 100) for x in world.lines]
    lines += [replace(each, row=len(lines) + n + 1) for n, each in enumerate(lines[::10])]
    lines[3] = replace(lines[3], nhs_number=None, withheld_reason="03")
    lines[5] = replace(lines[5], nhs_number=None, local_patient_id=None, birth_date=None, faults=())
    lines[8] = replace(lines[8], total_cost=None)
    dictionary, organisations = load_drugs(), load_organisations()
    first = min(each.from_ for each in world.coverages)
    drugs = sorted({each.drug for each in world.coverages})
    held = tuple(PolicyHeld(drug, True, first, None, "any") for drug in drugs)
    day = dt.date(2026, 6, 1)
    snapshot = Snapshot(tuple(world.coverages), (), held, day)
    matched = match_submission(lines, snapshot, dictionary, organisations)
    known = Known(
        snapshot,
        index_snapshot(snapshot),
        approvals_of(snapshot.coverages),
        world.practices,
        frozenset(),
        parameters_of(),
        dictionary,
        Folder(organisations),
    )
    folder = tmp_path_factory.mktemp("large")
    return Sides(tuple(matched), known, in_files(lines, matched, folder))


def in_files(lines: list[ContractLine], matched: Any, folder: Path) -> LargeLines:
    """As a run leaves them, with a row between that is no line."""
    stated: list[ContractLine | Skipped] = [*lines[:4], Skipped(0, "blank row", ()), *lines[4:]]
    pq.write_table(pa.Table.from_batches([batch_of(stated)]), folder / "rows.parquet")
    write_parquet([matched], folder / "outcomes.parquet")
    machine = Machine("64MB", threads=1, spill_to=folder / "spill")
    nothing = cast(Any, None)
    paths = folder / "rows.parquet", folder / "outcomes.parquet"
    return LargeLines(nothing, nothing, *paths, machine)


def test_the_same_is_proposed_with_the_same_evidence_and_every_line_ends_the_same(
    sides: Sides,
) -> None:
    expected = sides.in_memory
    assert len(expected.proposals) > 50
    assert {Why.PROPOSED, Why.AMBIGUOUS, Why.NOT_LIKELY, Why.WITHHELD} <= set(expected.counts)
    for limits in (None, SMALL):
        assert find_in_files(sides.files, sides.known, limits=limits) == expected


def test_no_more_lines_and_pairs_are_held_than_at_a_time(
    sides: Sides, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines, pairs = list[int](), list[int]()
    whole = weighing.propose

    def counted(judge: Any, matter: Matter, compared: Any) -> Found:
        lines.append(len(matter.seekers.lines))
        pairs.append(len(compared))
        return whole(judge, matter, compared)

    monkeypatch.setattr(large, "propose", counted)
    find_in_files(sides.files, sides.known, limits=SMALL)
    most_of_a_line = max(_pairs_of_lines(sides).values())
    assert len(lines) > 20
    assert max(lines) <= SMALL.lines_at_a_time + 1
    assert max(pairs) <= SMALL.pairs_at_a_time + most_of_a_line


def _pairs_of_lines(sides: Sides) -> Mapping[int, int]:
    found: dict[int, int] = {}
    lines = [each.line for each in sides.matched]
    prepared = sides.known.prepare(lines)
    approvals = sides.known.approvals
    seekers = find_seekers(sides.matched, prepared, sides.known.index, approvals)
    for pair in compare(
        seekers.lines, held_of(approvals, sides.known.practices), sides.known.parameters
    ):
        found[pair.position] = found.get(pair.position, 0) + 1
    return found


def test_what_was_refused_is_not_proposed_again(sides: Sides) -> None:
    first = next(each for each in sides.in_memory.proposals if not each.ambiguous)
    (one,) = first.candidates
    refused = frozenset({(first.line_key, one.approval_reference, one.evidence_digest)})
    known = replace(sides.known, refused=refused)
    again = find_in_files(sides.files, known, limits=SMALL)
    assert first.row not in {each.row for each in again.proposals}
    assert again.counts[Why.REFUSED] == 1
    assert again == replace(sides, known=known).in_memory


def test_of_one_row_the_same_is_found_as_among_all(sides: Sides) -> None:
    for each in sides.in_memory.proposals[:3]:
        alone = find_in_files(sides.files, sides.known, only_row=each.row)
        assert alone.proposals == (each,)


def test_of_more_than_are_kept_the_most_costly_are_and_the_rest_is_counted(sides: Sides) -> None:
    every = sides.in_memory
    kept = find_in_files(sides.files, sides.known, limits=replace(SMALL, kept=10))
    assert [each.row for each in kept.proposals] == sorted(_costliest(every)[:10])
    assert kept.counts[Why.NOT_KEPT] == len(every.proposals) - 10
    assert sum(kept.counts.values()) == sum(every.counts.values())
    assert most_costly([every], every.model, 10) == kept


def test_where_too_many_share_what_is_stated_lines_are_left_out_and_counted(sides: Sides) -> None:
    every = sides.in_memory
    lines = sum(every.counts.values())
    none = find_in_files(sides.files, sides.known, limits=replace(SMALL, of_line=0))
    assert none.proposals == ()
    assert none.counts[Why.TOO_COMMON] > 50
    assert sum(none.counts.values()) == lines
    some = find_in_files(sides.files, sides.known, limits=replace(SMALL, pairs=120))
    assert 0 < len(some.proposals) < len(every.proposals)
    assert some.counts[Why.NOT_REACHED] > 50
    assert sum(some.counts.values()) == lines
    # What was compared came before all else in the order of cost.
    compared = {each.row for each in some.proposals}
    least = min(_total(each) for each in every.proposals if each.row in compared)
    missed = [each for each in every.proposals if each.row not in compared]
    assert all(_total(each) <= least for each in missed)


def test_files_that_are_not_of_one_submission_are_not_compared(
    sides: Sides, tmp_path: Path
) -> None:
    lines = [each.line for each in sides.matched]
    swapped = [replace(each, content_hash="0" * 64) for each in lines]
    files = in_files(swapped, sides.matched, tmp_path)
    with pytest.raises(StoredFileDamaged):
        find_in_files(files, sides.known)


def _costliest(found: Found) -> list[int]:
    ordered = sorted(found.proposals, key=lambda each: (-_total(each), each.row))
    return [each.row for each in ordered]


def _total(each: Proposed) -> Decimal:
    return Decimal(each.total or 0)
