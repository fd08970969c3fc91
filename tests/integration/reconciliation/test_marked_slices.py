"""Slices that policies touch, slices of an earlier release, and where corrections count."""

import datetime as dt
from collections.abc import Callable
from decimal import Decimal

import sqlalchemy as sa

from app.approvals.office import APPROVAL_NOT_REQUIRED, adopt
from app.approvals.settling import settle
from app.authoring.publish import publish_to_database
from app.db import tables
from app.db.transaction import Database
from app.db.work import Work
from app.policy import load_policy
from app.reconciliation import stale_store, standing_store
from app.reconciliation.service import Desk, snapshot_for
from app.reconciliation.snapshots import digest_of
from app.reconciliation.store import find_submission
from app.reference_data.drugs import load_drugs
from tests.integration.reconciliation.matching import line
from tests.integration.reconciliation.test_corrected_months import check_adds_up
from tests.integration.reconciliation.test_deltas import (
    AFTER,
    FILE,
    JULY,
    JUNE,
    OTHER,
    deltas,
    mark,
    match_again,
    revoke,
    submission_of,
    told,
    work_off,
)
from tests.integration.reconciliation.test_deltas import matched as matched
from tests.integration.reconciliation.test_earlier import approve, vials
from tests.integration.reconciliation.test_runs import count, run
from tests.integration.reconciliation.test_slices import FREEZE, freeze, key, send, slices
from tests.unit.reconciliation.builders import csv_bytes
from tests.world import COMMISSIONER, OTHER_COMMISSIONER, PHARMACIST, TRIAL_TEXT, World

ADALIMUMAB = dict(OTHER, total="70")


def exempt(world: World, organisation: str, drugs: list[str], day: dt.date) -> None:
    actor = COMMISSIONER.actor()
    world.do(lambda w: settle(w, actor, organisation, APPROVAL_NOT_REQUIRED, drugs, day))


# --- what policies ask of a drug ------------------------------------------------------------------


def test_a_drug_that_needs_no_approval_any_more_has_its_lines_matched_again(
    world: World, desk: Desk
) -> None:
    world.trial()
    world.on(dt.date(2026, 6, 16))
    run(world, desk, data=FILE)
    match_again(world, desk)
    assert slices(world)[key(3)].queried == 70
    exempt(world, "DEMQ1", ["adalimumab"], dt.date(2026, 6, 17))
    assert match_again(world, desk) == (1, 1)  # June alone holds a line of that drug
    assert (slices(world)[key(3)].accepted, slices(world)[key(3)].queried) == (1070, 0)
    exempt(world, "DEMQ1", [], dt.date(2026, 6, 17))  # and the list is taken back
    assert match_again(world, desk) == (1, 1)
    assert slices(world)[key(3)].queried == 70
    assert match_again(world, desk) == (0, 0)


def test_another_commissioner_s_list_marks_a_provider_and_no_payer(
    world: World, desk: Desk
) -> None:
    world.on(dt.date(2026, 6, 16))
    for caller in (COMMISSIONER, OTHER_COMMISSIONER, PHARMACIST):
        run(world, desk, caller, csv_bytes([line(JUNE, **ADALIMUMAB)]))
    match_again(world, desk)
    exempt(world, "DEMQ2", ["adalimumab"], dt.date(2026, 6, 17))
    mark(world)
    marked = {
        caller.organisation: slices(world, caller)[key(3)].changes
        for caller in (COMMISSIONER, OTHER_COMMISSIONER, PHARMACIST)
    }
    assert marked == {"DEMQ1": 0, "DEMQ2": 1, "DEMO1": 1}


def test_a_policy_that_is_published_takes_its_drug_s_lines_out_of_no_policy_held(
    world: World, desk: Desk
) -> None:
    world.on(dt.date(2026, 6, 16))
    unheld = next(
        drug
        for drug in sorted(load_drugs().keys())
        if all(
            version.drug != drug
            for policy in world.office.library.policies()
            for version in world.office.library.versions(policy)
        )
    )
    said = run(world, desk, data=csv_bytes([line(JUNE, drug=unheld)])).matched
    assert [each.outcome.value for each in said] == ["no policy held"]
    match_again(world, desk)
    text = TRIAL_TEXT.replace("trial-policy", "trial-new").replace("natalizumab", unheld)
    text = text.replace("tysabri", min(load_drugs().keys()[unheld]))
    version = load_policy(text, "trial-new.yaml", load_drugs().keys())
    world.do(lambda w: publish_to_database(w, world.office.joined, version, "One", "Two"))
    assert match_again(world, desk) == (1, 1)
    marks = world.do(lambda w: w.connection.execute(sa.select(tables.slice_mark.c.action)))
    assert "policy version published" in set(marks.scalars())
    assert count(world, tables.reconciliation_run) == 2


def test_adopting_a_version_changes_no_line_and_marks_none(
    world: World, desk: Desk, matched: str
) -> None:
    """What is held for the time of supply counts, whoever adopted it: the inputs are the same."""

    submission = submission_of(world)

    def seen() -> str:
        def take(work: Work) -> str:
            record = find_submission(work, "DEMQ1", submission)
            return digest_of(snapshot_for(work, desk, COMMISSIONER, record))

        return world.database.read(take, moment=world.moment)

    before = seen()
    version = world.office.library.versions("trial-policy")[-1]
    world.do(lambda w: adopt(w, version, "DEMQ1", world.moment.day, "One", "Two"))
    assert seen() == before
    assert match_again(world, desk) == (0, 0)


# --- submissions of an earlier release ------------------------------------------------------------


def as_of_before(world: World, owned: Callable[[Database], sa.Engine]) -> None:
    """Take away what runs keep of standing, as a database has it that was upgraded."""
    with owned(world.database).begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text("SELECT set_config('app.organisation', '*', true)"))
        kept = (tables.slice_touch, tables.slice_mark, tables.run_standing, tables.change_cursor)
        for table in kept:
            connection.execute(sa.delete(table))


def test_what_an_earlier_release_reconciled_is_found_by_the_worker_and_then_by_changes(
    world: World, desk: Desk, matched: str, owned: Callable[[Database], sa.Engine]
) -> None:
    as_of_before(world, owned)
    assert match_again(world, desk) == (2, 1)
    assert count(world, tables.run_standing) == 1
    assert count(world, tables.reconciliation_run) == 1  # nothing had changed: the run is found
    assert deltas(world) == []
    assert match_again(world, desk) == (0, 0)
    submission = submission_of(world)
    standing = world.do(lambda w: standing_store.last_standing(w, "DEMQ1", submission))
    assert standing is not None
    assert standing.role == COMMISSIONER.role.value


def test_what_changed_between_the_releases_is_a_delta_of_a_closed_month(
    world: World, desk: Desk, matched: str, owned: Callable[[Database], sa.Engine]
) -> None:
    as_of_before(world, owned)
    revoke(world, matched)
    assert match_again(world, desk) == (2, 1)
    assert [each[:3] for each in told(deltas(world))] == [(1, "-1000", "1000")]
    assert world.do(stale_store.without_standing) == ()


def test_a_submission_that_was_never_reconciled_is_left_alone(world: World, desk: Desk) -> None:
    send(world, desk, line(JUNE))
    assert match_again(world, desk) == (0, 0)


# --- where a correction counts --------------------------------------------------------------------


def test_a_correction_counts_where_its_month_does_and_the_later_month_counts_it(
    world: World, desk: Desk
) -> None:
    """Three vials are approved. June has one and July two; June is corrected to two."""
    approve(world)
    run(world, desk, data=csv_bytes([vials(JUNE, 1)]))
    run(world, desk, data=csv_bytes([vials(JULY, 2)]))
    match_again(world, desk)
    assert slices(world)[key(4)].accepted == 2000
    freeze(world, 3, FREEZE)
    world.on(AFTER)
    corrected = run(world, desk, data=csv_bytes([vials(JUNE, 2)]))
    assert [each.outcome.value for each in corrected.matched] == ["matched"]
    match_again(world, desk)
    june, july = slices(world)[key(3)], slices(world)[key(4)]
    assert (june.accepted_now, july.accepted, july.queried) == (2000, 1000, 1000)
    check_adds_up(world)
    assert match_again(world, desk) == (0, 0)


def test_a_correction_counts_the_other_months_of_the_file_that_it_corrects(
    world: World, desk: Desk
) -> None:
    """That file does not count it, so both together are never more than was approved."""
    approve(world)
    run(world, desk, data=csv_bytes([vials(JUNE, 1), vials(JULY, 2)]))
    freeze(world, 3, FREEZE)
    world.on(AFTER)
    run(world, desk, data=csv_bytes([vials(JUNE, 2)]))
    match_again(world, desk)
    june, july = slices(world)[key(3)], slices(world)[key(4)]
    assert june.accepted_now is not None
    assert july.accepted is not None
    assert june.accepted_now + july.accepted <= Decimal(3000)
    check_adds_up(world)


def test_a_file_with_a_correction_and_a_new_month_counts_all_that_was_accepted_before_it(
    world: World, desk: Desk
) -> None:
    approve(world)
    run(world, desk, data=csv_bytes([vials(JUNE, 1)]))
    run(world, desk, data=csv_bytes([vials(JULY, 1)]))
    freeze(world, 3, FREEZE)
    world.on(AFTER)
    run(world, desk, data=csv_bytes([vials(JUNE, 1), vials(dt.date(2026, 8, 3), 2)]))
    match_again(world, desk)
    found = slices(world)
    accepted = sum(found[key(month)].accepted_now or 0 for month in (3, 4, 5))
    assert accepted <= Decimal(3000)
    assert work_off(world, desk) == 0
