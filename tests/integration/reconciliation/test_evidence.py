"""The evidence of a line reads what the line leads to, and tells what reading everything tells."""

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import pytest
from sqlalchemy import select, update

from app.auth.model import Caller
from app.db import tables
from app.db.work import Work
from app.reconciliation import deciding_lines, evidence, service
from app.reconciliation.engines.explain import Tried
from app.reconciliation.errors import StepNotPossible
from app.reconciliation.evidence import Evidence
from app.reconciliation.line_reach import within_reach
from app.reconciliation.model import DecisionKind
from app.reconciliation.service import Desk
from app.reference_data.nhs_number import test_number as invented
from app.reference_data.pseudonyms import Pseudonyms
from tests.integration.reconciliation.matching import LATER, line
from tests.integration.reconciliation.test_runs import run
from tests.unit.reconciliation.builders import OTHER_PATIENT, PATIENT, csv_bytes
from tests.world import COMMISSIONER, OTHER_CLINICIAN, PHARMACIST, World, patient

PEOPLE = (
    patient(1),
    patient(2, local_id="aB-77"),
    patient(3, nhs_number=None, no_nhs_number_reason="overseas", local_id="x 9"),
)


def lines_of(references: Collection[str]) -> list[dict[str, str]]:
    quoted = [line(LATER, nhs="", local="", reference=each) for each in sorted(references)]
    return [
        line(LATER),
        line(LATER, drug="Humira 40mg"),
        line(LATER + dt.timedelta(days=900), drug="Humira 40mg"),
        line(LATER, nhs=OTHER_PATIENT, local="", drug="Humira 40mg"),
        line(LATER, nhs="", local="AB-77", drug="Humira 40mg"),
        line(LATER, nhs="", local="H000009", drug="Humira 40mg"),
        line(LATER, nhs="", local="", drug="Humira 40mg"),
        line(LATER, nhs=PATIENT, local="AB-77", drug="Humira 40mg"),
        *quoted,
        *(each | {"DRUG NAME": "Humira 40mg"} for each in quoted),
    ]


def everything(work: Work, *_: Any, **__: Any) -> frozenset[str]:
    return frozenset(work.connection.execute(select(tables.treatment.c.id)).scalars())


@pytest.mark.parametrize("caller", [COMMISSIONER, PHARMACIST])
def test_it_is_that_of_reading_everything_in_scope(
    world: World, desk: Desk, caller: Caller
) -> None:
    made = [world.submit(patient=each) for each in PEOPLE]
    references = {each.approval.reference for each in made if each.approval is not None}
    assert len(references) == len(PEOPLE)
    lines = lines_of(references)
    results: set[Tried] = set()
    for told in both(world, desk, caller, lines):
        assert told.unchanged
        results |= {each.result for each in told.passes}
    assert results == set(Tried)


# --- numbers and references that no index finds as they are stated --------------------------------

ODD = (
    patient(1, local_id="AbCdEfGhIj 7"),
    patient(2, nhs_number=None, no_nhs_number_reason="overseas", local_id="k L 9 0"),
    patient(3, nhs_number=None, no_nhs_number_reason="overseas", local_id="K L90"),
    patient(4, nhs_number=None, no_nhs_number_reason="overseas", local_id="KL90"),
)
LEGACY = "blq/2021-0042 x"
KEY = Pseudonyms(b"a secret of these tests").key_of("DEMQ1")


def held_before(world: World, reference: str, legacy: str) -> None:
    """As an import would have it: an approval that was known by another reference."""
    approval = tables.approval.c
    world.do(
        lambda w: w.connection.execute(
            update(tables.approval)
            .where(approval.reference == reference)
            .values(legacy_reference=legacy)
        )
    )


def both(
    world: World, desk: Desk, caller: Caller, lines: Sequence[dict[str, str]]
) -> list[Evidence]:
    """The evidence of each line, which must be that of reading everything."""
    found = run(world, desk, caller, csv_bytes(lines))

    def of(row: int) -> Evidence:
        return world.database.read(
            lambda work: evidence.evidence_of(work, desk, caller, found.run.id, row),
            moment=world.moment,
            scope=caller.organisation,
        )

    told = []
    for item in found.matched:
        one = of(item.line.row)
        with patch.object(evidence, "within_reach", everything):
            whole = of(item.line.row)
        assert replace(one, unchanged=whole.unchanged) == whole, item.line.row
        assert (one.item.line, one.item.outcome) == (item.line, item.outcome)
        told.append(one)
    return told


def why(found: Evidence, name: str) -> str:
    (tried,) = [each for each in found.passes if each.name == name]
    return tried.why


@pytest.mark.parametrize("caller", [COMMISSIONER, PHARMACIST])
def test_hospital_numbers_are_found_however_they_are_written(
    world: World, desk: Desk, caller: Caller
) -> None:
    for each in ODD:
        world.submit(patient=each)
    humira = {"nhs": "", "drug": "Humira 40mg"}
    stated = [
        line(LATER, local=local, **humira) for local in ("ABCDEFGHIJ7", "abcdefghij 7", "KL90")
    ]
    found = both(world, desk, caller, stated)
    assert [each.coverage is not None for each in found] == [True, True, True]
    assert "3 coverages fit" in why(found[2], "local patient identifier")


@pytest.mark.parametrize("caller", [COMMISSIONER, PHARMACIST])
def test_a_legacy_reference_is_found_whichever_provider_holds_it(
    world: World, desk: Desk, caller: Caller
) -> None:
    """A payer's line that quotes another hospital's; a hospital sees nothing of it."""
    own = world.submit(patient=patient(1)).approval
    other = world.submit(OTHER_CLINICIAN, patient=patient(2)).approval
    assert own is not None
    assert other is not None
    held_before(world, own.reference, "old 7")
    held_before(world, other.reference, LEGACY)
    quoted = [line(LATER, nhs=PATIENT, reference=text) for text in ("OLD-7", "BLQ20210042X", "B2X")]
    found = [why(each, "approval reference") for each in both(world, desk, caller, quoted)]
    assert own.reference in found[0]
    assert (other.reference in found[1]) is (caller is COMMISSIONER)
    assert found[2] == "no approval is held under it"


def test_a_line_of_pseudonyms_reads_whom_they_stand_for(world: World, desk: Desk) -> None:
    assert KEY is not None
    world.office = replace(world.office, pseudonyms=Pseudonyms(b"a secret of these tests"))
    desk = replace(desk, office=world.office)
    for each in (*PEOPLE, patient(4, local_id="other")):
        world.submit(patient=each)
    bare = {"nhs": "", "local": "", "drug": "Humira 40mg"}
    lines = [
        line(LATER, **bare) | {"NHS NUMBER PSEUDONYM": KEY.of_nhs_number(PATIENT)},
        line(LATER, **bare) | {"LOCAL PATIENT IDENTIFIER PSEUDONYM": KEY.of_local_id("X9")},
        line(LATER, **bare) | {"NHS NUMBER PSEUDONYM": KEY.of_nhs_number(invented(700))},
        line(LATER, drug="Humira 40mg"),
    ]
    reached: list[int] = []

    def noted(*given: Any, **named: Any) -> frozenset[str]:
        found = within_reach(*given, **named)
        reached.append(len(found))
        return found

    with patch.object(evidence, "within_reach", noted):
        found = both(world, desk, COMMISSIONER, lines)
    assert [each.coverage is not None for each in found] == [True, True, False, True]
    assert reached == [1, 1, 0, 1], "not everybody in scope"


# --- deciding by hand -----------------------------------------------------------------------------


@pytest.mark.parametrize("pseudonyms", [False, True])
def test_a_decision_by_hand_rests_on_what_reading_everything_gives(
    world: World, desk: Desk, pseudonyms: bool
) -> None:
    assert KEY is not None
    world.office = replace(world.office, pseudonyms=Pseudonyms(b"a secret of these tests"))
    desk = replace(desk, office=world.office)
    made = [world.submit(patient=each).approval for each in PEOPLE]
    named, unnamed = made[0], made[2]
    assert named is not None
    assert unnamed is not None
    number = {"NHS NUMBER PSEUDONYM": KEY.of_nhs_number(PATIENT)} if pseudonyms else {}
    mine = {"nhs": ""} if pseudonyms else {"nhs": PATIENT}
    humira = {"local": "", "drug": "Humira 40mg"}
    rows = [
        line(LATER, **mine, **humira) | number,
        line(LATER, nhs=OTHER_PATIENT, local="", drug="Humira 40mg"),
        line(LATER, nhs="", local="H000009", drug="Humira 40mg"),
    ]
    found = run(world, desk, COMMISSIONER, csv_bytes(rows))

    def look(row: int, kind: DecisionKind, reference: str | None) -> tuple[Any, int]:
        seen = world.database.read(
            lambda w: deciding_lines.look(
                w, desk, COMMISSIONER, found.run.id, row, kind, reference
            ),
            moment=world.moment,
            scope="DEMQ1",
        )
        drafted = deciding_lines.draft(desk, COMMISSIONER, seen, row, kind, reference)
        return drafted, len(seen.snapshot.coverages)

    for row, kind, reference in (
        (3, DecisionKind.MATCH, unnamed.reference),
        (3, DecisionKind.MATCH, named.reference),
        (2, DecisionKind.ACCEPT, None),
        (1, DecisionKind.QUERY, None),
    ):
        drafted, read = look(row, kind, reference)
        with patch.object(service, "MOST_NAMED", -1):
            whole, every = look(row, kind, reference)
        assert drafted == whole
        assert read < every or kind is DecisionKind.MATCH
    with pytest.raises(StepNotPossible, match="No such approval"):
        look(3, DecisionKind.MATCH, "PA0000000000000")
