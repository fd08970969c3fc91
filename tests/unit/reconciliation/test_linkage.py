"""Linkage weighs fields, shares the chance among those who compete, and tells no value."""

import datetime as dt
from decimal import Decimal

import pytest

from app.reconciliation import match_submission
from app.reconciliation.engines.index import Folder, index_snapshot
from app.reconciliation.engines.prepare import prepare
from app.reconciliation.line_keys import keys_of
from app.reconciliation.linkage.comparing import FIELDS, compare, labels_of, parameters_of
from app.reconciliation.linkage.model import Found, Why
from app.reconciliation.linkage.seeking import approvals_of, find_seekers, held_of
from app.reconciliation.linkage.weighing import Judge, Matter, Refusal, propose, words_of
from app.reconciliation.model import Coverage, PendingRequest, PolicyHeld, Snapshot, Submission
from tests.unit.reconciliation.builders import (
    DRUGS_AND_ORGANISATIONS,
    OTHER_PATIENT,
    PATIENT,
    cells,
    coverage,
    day,
    submission,
)

WRONG = f"{PATIENT[:-2]}{(int(PATIENT[-2]) + 5) % 10}{PATIENT[-1]}"
NEEDED = tuple(
    PolicyHeld(drug, True, day("2020-01-01"), None, "any") for drug in ("adalimumab", "natalizumab")
)
TWIN = {
    "treatment_id": "T2",
    "approval_reference": "PA0000000000002X",
    "nhs_number": OTHER_PATIENT,
    "local_ids": frozenset({("DEMO1", "L777")}),
}


def crowd(*first: Coverage) -> tuple[Coverage, ...]:
    """These, among many others of the drug at the provider, of other patients."""
    others = (
        coverage(
            treatment_id=f"X{i}",
            approval_reference=f"PA{i:013d}",
            nhs_number=f"999{i * 7919 + 5_000_000:07d}",
            local_ids=frozenset({("DEMO1", f"K{i * 37:05d}")}),
            birth_date=dt.date(1931, 1, 1) + dt.timedelta(days=i * 101),
        )
        for i in range(20)
    )
    return (*first, *others)


def found(
    lines: Submission,
    *held: Coverage,
    refused: frozenset[Refusal] = frozenset(),
    pending: tuple[PendingRequest, ...] = (),
) -> Found:
    """What is proposed for the lines."""
    dictionary, organisations = DRUGS_AND_ORGANISATIONS
    snapshot = Snapshot(crowd(*held), pending, NEEDED, day("2025-07-01"))
    matched = match_submission(lines.lines, snapshot, dictionary, organisations)
    fold = Folder(organisations)
    prepared = prepare(lines.lines, dictionary, fold, snapshot.as_at, snapshot.layout)
    index, approvals = index_snapshot(snapshot), approvals_of(snapshot.coverages)
    seekers = find_seekers(matched, prepared, index, approvals)
    parameters = parameters_of()
    compared = compare(seekers.lines, held_of(approvals, {}), parameters)
    matter = Matter(seekers, prepared, keys_of(lines.lines), index, refused)
    return propose(Judge.of(parameters), matter, compared)


def names(of: Found) -> list[list[str]]:
    return [[each.treatment_id for each in made.candidates] for made in of.proposals]


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"nhs": "", "local": "L999"}, Why.NOT_LIKELY),  # the birth date speaks for it, not this
        ({"nhs": WRONG, "local": ""}, Why.PROPOSED),
        ({"nhs": WRONG, "local": "", "born": "1980-03-02"}, Why.PROPOSED),
        ({"nhs": "", "local": "", "born": "1999-09-09"}, Why.NOT_LIKELY),
        ({"nhs": "", "local": "", "born": ""}, Why.TOO_LITTLE),
        ({"nhs": "", "local": "", "withheld": "03"}, Why.WITHHELD),
        ({"nhs": "", "local": "", "drug": "HUMIRA 40mg"}, Why.NOTHING_HELD),
    ],
)
def test_each_line_that_nothing_was_found_for_ends_in_one_way(
    row: dict[str, str], why: Why
) -> None:
    assert found(submission(cells(**row)), coverage()).counts == {why: 1}


def test_a_line_whose_number_somebody_has_is_not_sought_for() -> None:
    lines = submission(cells(nhs=OTHER_PATIENT, local="", date="2020-01-01"))
    assert found(lines, coverage(), coverage(**TWIN)).counts == {}
    lines = submission(cells(nhs=OTHER_PATIENT, local=""))
    waiting = PendingRequest(
        "R1",
        OTHER_PATIENT,
        frozenset(),
        "adalimumab",
        "ra",
        "DEMO1",
        day("2025-06-01"),
        "initiation",
        "submitted",
    )
    # Two neighbouring numbers of the test range: a likely slip, were it nobody's.
    assert found(lines, coverage()).counts == {Why.PROPOSED: 1}
    assert found(lines, coverage(), pending=(waiting,)).counts == {}


def test_twins_share_the_chance_and_a_hospital_number_tells_them_apart() -> None:
    bare = submission(cells(nhs="", local=""))
    of = found(bare, coverage(), coverage(**TWIN))
    assert names(of) == [["T1", "T2"]]
    assert all(each.probability <= 0.5 for each in of.proposals[0].candidates)
    # One figure of each number is known to be wrong, and the numbers are unlike.
    typed = submission(cells(nhs=WRONG, local=""))
    assert names(found(typed, coverage(), coverage(**TWIN))) in ([["T1"]], [["T1", "T2"]])


def test_nobody_is_proposed_twice_after_a_refusal_until_the_evidence_changes() -> None:
    lines = submission(cells(nhs=WRONG, local=""))
    (made,) = found(lines, coverage()).proposals
    (one,) = made.candidates
    refused = frozenset({(made.line_key, one.approval_reference, one.evidence_digest)})
    assert found(lines, coverage(), refused=refused).counts == {Why.REFUSED: 1}
    longer = coverage(to=day("2026-06-30"))
    assert names(found(lines, longer, refused=refused)) == [["T1"]]


def test_an_approval_that_a_match_by_hand_would_not_take_is_not_proposed() -> None:
    lines = submission(cells(nhs=WRONG, local=""))
    for wrong in ({"to": day("2025-05-01")}, {"status": "withdrawn"}, {"drug": "adalimumab"}):
        assert names(found(lines, coverage(**wrong))) == []


def test_a_treatment_that_changed_hospital_is_compared_where_all_others_are_at_the_lines() -> None:
    """It counts at both hospitals, and what covers the line is the other one's."""
    lines = submission(cells(nhs=WRONG, local=""))
    before = coverage(to=day("2025-05-31"))
    after = coverage(from_=day("2025-06-01"), provider="DEMO2", approval_reference="PA7")
    assert names(found(lines, before, after)) == [["T1"]]
    assert names(found(lines, before, coverage(from_=day("2025-06-01")))) == [["T1"]]


def test_the_order_of_the_approvals_changes_nothing() -> None:
    lines = submission(cells(nhs="", local=""))
    one, other = coverage(), coverage(**TWIN)
    assert found(lines, one, other) == found(lines, other, one)


def test_every_level_has_words_and_trained_chances_that_add_up() -> None:
    parameters = parameters_of()
    for name in FIELDS:
        labels = labels_of(name)
        assert [words_of(name, level) for level in range(-1, len(labels))]
        for kind in ("m", "u"):
            whole = sum(parameters[name][label][kind] for label in labels)
            assert Decimal("0.98") < Decimal(whole) < Decimal("1.02"), (name, kind)
    assert 0.5 <= parameters["threshold"] < 1
    assert parameters["seed"] != 90007
