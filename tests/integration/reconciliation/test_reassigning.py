"""A commissioner hands a drug's treatments to another: each pays for its own days, nobody twice."""

import datetime as dt

import pytest
import sqlalchemy as sa

from app.approvals.errors import DetailsNotAccepted
from app.approvals.reassigning import HandedOver, hand_to_payer
from app.auth.errors import NotAllowed
from app.auth.model import Caller
from app.db import tables
from app.reconciliation.model import LineOutcome
from tests.integration.reconciliation.matching import outcome
from tests.world import COMMISSIONER, OTHER_COMMISSIONER, PHARMACIST, World

LAST, FIRST = dt.date(2026, 8, 31), dt.date(2026, 9, 1)
WHY = "Invented delegation."


def hand_over(world: World, caller: Caller = COMMISSIONER, to: str = "DEMQ2") -> HandedOver:
    return world.do(lambda work: hand_to_payer(work, caller, "natalizumab", to, FIRST, WHY))


def test_each_commissioner_s_lines_are_covered_on_its_own_days_and_on_no_others(
    world: World,
) -> None:
    world.trial()
    assert hand_over(world) == HandedOver(treatments=1, waiting=0)

    for payer, day, covered in (
        (COMMISSIONER, LAST, True),
        (COMMISSIONER, FIRST, False),
        (OTHER_COMMISSIONER, LAST, False),
        (OTHER_COMMISSIONER, FIRST, True),
    ):
        found = outcome(world, day, caller=payer)
        assert (found.outcome is LineOutcome.MATCHED) is covered, (payer.organisation, day)
    assert outcome(world, FIRST, caller=PHARMACIST).outcome is LineOutcome.MATCHED
    assert outcome(world, LAST, caller=PHARMACIST).outcome is LineOutcome.MATCHED


def test_done_again_it_changes_nothing_and_both_are_on_record(world: World) -> None:
    world.trial()
    hand_over(world)
    segments = sa.select(sa.func.count()).select_from(tables.segment)
    before = world.do(lambda work: work.connection.execute(segments).scalar_one())
    assert hand_over(world) == HandedOver(treatments=0, waiting=0)
    assert world.do(lambda work: work.connection.execute(segments).scalar_one()) == before
    query = sa.select(sa.func.count()).where(
        tables.audit_event.c.action == "treatment handed to another commissioner"
    )
    assert world.do(lambda work: work.connection.execute(query).scalar_one()) == 1


def test_only_the_commissioner_that_pays_hands_over_and_only_what_it_pays_for(
    world: World,
) -> None:
    world.trial()
    with pytest.raises(NotAllowed):
        hand_over(world, PHARMACIST)
    with pytest.raises(DetailsNotAccepted):
        hand_over(world, COMMISSIONER, "DEMQ1")
    assert hand_over(world, OTHER_COMMISSIONER, "DEMQ1") == HandedOver(treatments=0, waiting=0)
