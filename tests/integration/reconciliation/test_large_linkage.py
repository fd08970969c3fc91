"""Proposals within limits are those of one comparison of all, for lines in files and in memory."""

import datetime as dt
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app.reconciliation import match_submission
from app.reconciliation.engines.asked_duckdb import asked
from app.reconciliation.engines.duckdb import Machine
from app.reconciliation.engines.index import Folder, index_snapshot
from app.reconciliation.errors import StoredFileDamaged
from app.reconciliation.large_lines import LargeLines
from app.reconciliation.line_columns import batch_of
from app.reconciliation.line_keys import keys_of
from app.reconciliation.linkage import limited, weighing
from app.reconciliation.linkage.comparing import FIELDS, compare, conditions_of, parameters_of
from app.reconciliation.linkage.directly import compare_directly
from app.reconciliation.linkage.known import Known
from app.reconciliation.linkage.large import find_in_files
from app.reconciliation.linkage.limited import Limits, find_in_memory
from app.reconciliation.linkage.model import Found, Proposed, Why
from app.reconciliation.linkage.most_costly import most_costly
from app.reconciliation.linkage.rechecking import weigh_again
from app.reconciliation.linkage.seeking import approvals_of, find_seekers, held_of, sought
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
    def in_one(self) -> Found:
        """All of it compared in one go, without a limit: what the others must agree with."""
        lines = [each.line for each in self.matched]
        known, prepared = self.known, self.known.prepare(lines)
        seekers = find_seekers(self.matched, prepared, known.index, known.approvals)
        held = held_of(known.approvals, known.practices)
        compared = compare(seekers.lines, held, known.parameters)
        matter = Matter(seekers, prepared, keys_of(lines), known.index, known.refused)
        return most_costly([propose(known.judge, matter, compared)], known.judge.model)


def _in_files(sides: Sides, limits: Limits | None = None) -> Found:
    return find_in_files(sides.files, sides.known, limits=limits)


def _in_memory(sides: Sides, limits: Limits | None = None) -> Found:
    lines = [each.line for each in sides.matched]
    prepared = sides.known.prepare(lines)
    seekers = find_seekers(sides.matched, prepared, sides.known.index, sides.known.approvals)
    machine = sides.files.machine
    return find_in_memory(seekers, prepared, keys_of(lines), sides.known, machine, limits)


Find = Callable[[Sides, Limits | None], Found]
EITHER = pytest.mark.parametrize("find", [_in_files, _in_memory])


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


@EITHER
def test_the_same_is_proposed_with_the_same_evidence_and_every_line_ends_the_same(
    sides: Sides, find: Find
) -> None:
    expected = sides.in_one
    assert len(expected.proposals) > 50
    assert {Why.PROPOSED, Why.AMBIGUOUS, Why.NOT_LIKELY, Why.WITHHELD} <= set(expected.counts)
    for limits in (None, SMALL):
        assert find(sides, limits) == expected


@EITHER
def test_no_more_lines_and_pairs_are_held_than_at_a_time(
    sides: Sides, find: Find, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines, pairs = list[int](), list[int]()
    whole = weighing.propose

    def counted(judge: Any, matter: Matter, compared: Any) -> Found:
        lines.append(len(matter.seekers.lines))
        pairs.append(len(compared))
        return whole(judge, matter, compared)

    monkeypatch.setattr(limited, "propose", counted)
    find(sides, SMALL)
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


@EITHER
def test_what_was_refused_is_not_proposed_again(sides: Sides, find: Find) -> None:
    first = next(each for each in sides.in_one.proposals if not each.ambiguous)
    (one,) = first.candidates
    refused = frozenset({(first.line_key, one.approval_reference, one.evidence_digest)})
    known = replace(sides.known, refused=refused)
    again = find(replace(sides, known=known), SMALL)
    assert first.row not in {each.row for each in again.proposals}
    assert again.counts[Why.REFUSED] == 1
    assert again == replace(sides, known=known).in_one


def test_without_splink_every_pair_has_the_same_levels_and_weights(sides: Sides) -> None:
    lines = [each.line for each in sides.matched]
    prepared, known = sides.known.prepare(lines), sides.known
    held = held_of(known.approvals, known.practices)
    every = [sought(position, item) for position, item in enumerate(prepared)]  # of use or not
    every += [replace(x, gp_practice=None, position=x.position + len(every)) for x in every]
    number, drug = held[0].nhs_number, held[0].drug  # a number that is right
    every.append(replace(every[0], nhs_number=number, drug=drug, position=len(every)))
    both = every, held, known.parameters
    expected = compare(*both)
    with asked() as connection:
        found = compare_directly(connection, *both)
    assert len(expected) > 200
    for mine, splinks in zip(found, expected, strict=True):
        assert replace(mine, weights={}) == replace(splinks, weights={})
        assert mine.weights == pytest.approx(splinks.weights, abs=1e-9)
    seen = {(name, level) for each in expected for name, level in each.levels.items()}
    assert len(seen) == len([label for name in FIELDS for label, _ in conditions_of(name)])


def test_of_one_line_among_few_approvals_the_same_is_found_as_among_all(sides: Sides) -> None:
    lines = [each.line for each in sides.matched]
    prepared, known = sides.known.prepare(lines), sides.known
    seekers = find_seekers(sides.matched, prepared, known.index, known.approvals)
    held = held_of(known.approvals, known.practices)
    at = {item.line.row: item for item in prepared}
    sharing: dict[int, set[str]] = {}
    for pair in compare(seekers.lines, held, known.parameters):
        sharing.setdefault(lines[pair.position].row, set()).add(pair.treatment)
    for shown in sides.in_one.proposals:
        own = [c for c in known.snapshot.coverages if c.treatment_id in sharing[shown.row]]
        few = replace(
            known,
            index=index_snapshot(replace(known.snapshot, coverages=tuple(own))),
            approvals=approvals_of(own),
        )
        (again,) = weigh_again(few, at[shown.row], shown).proposals
        digests = [each.evidence_digest for each in shown.candidates]
        assert [each.evidence_digest for each in again.candidates] == digests
        chances = [each.probability for each in shown.candidates]
        assert [each.probability for each in again.candidates] == pytest.approx(chances)
        assert (again.here, again.among) == (shown.here, shown.among)


@EITHER
def test_of_more_than_are_kept_the_most_costly_are_and_the_rest_is_counted(
    sides: Sides, find: Find
) -> None:
    every = sides.in_one
    kept = find(sides, replace(SMALL, kept=10))
    assert [each.row for each in kept.proposals] == sorted(_costliest(every)[:10])
    assert kept.counts[Why.NOT_KEPT] == len(every.proposals) - 10
    assert sum(kept.counts.values()) == sum(every.counts.values())
    assert most_costly([every], every.model, 10) == kept


@EITHER
def test_where_too_many_share_what_is_stated_lines_are_left_out_and_counted(
    sides: Sides, find: Find
) -> None:
    every = sides.in_one
    lines = sum(every.counts.values())
    none = find(sides, replace(SMALL, of_line=0))
    assert none.proposals == ()
    assert none.counts[Why.TOO_COMMON] > 50
    assert sum(none.counts.values()) == lines
    some = find(sides, replace(SMALL, pairs=120))
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
