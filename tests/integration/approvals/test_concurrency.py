"""Many at once: exactly one live approval, and of two steps on one request one wins."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
import sqlalchemy as sa

from app.approvals import amending, patients, reviewing
from app.approvals.errors import ApprovalsError
from app.approvals.handing import Asked, hand_over_by_two
from app.approvals.lifecycle import RequestState
from app.approvals.model import NoNumberReason, RequestView
from app.db import tables
from tests.world import (
    CLINICIAN,
    COMMISSIONER,
    OTHER_CLINICIAN,
    TRIAL_ANSWERS,
    World,
    patient,
)

THREADS = 8


def race(*steps: Callable[[], Any]) -> list[Any]:
    """Run all at the same moment; each gives its result or the refusal it met."""
    gate = Barrier(len(steps))

    def run(step: Callable[[], Any]) -> Any:
        gate.wait()
        try:
            return step()
        except ApprovalsError as refusal:
            return refusal

    with ThreadPoolExecutor(len(steps)) as pool:
        return list(pool.map(run, steps))


def live(world: World) -> int:
    count = (
        sa.select(sa.func.count())
        .select_from(tables.approval)
        .where(tables.approval.c.state == "live")
    )
    return world.do(lambda w: w.connection.execute(count).scalar_one())


def won(results: list[Any]) -> list[RequestView]:
    return [r for r in results if isinstance(r, RequestView)]


@pytest.mark.parametrize("who", ["one provider", "two providers", "no NHS number"])
def test_of_many_first_requests_one_is_approved(wide: World, who: str) -> None:
    details = patient()
    if who == "no NHS number":
        details = patient(nhs_number=None, no_nhs_number_reason=NoNumberReason.UNREGISTERED)
    callers = [
        OTHER_CLINICIAN if who == "two providers" and i % 2 else CLINICIAN for i in range(THREADS)
    ]
    results = race(*(lambda c=c: wide.trial(c, patient=details) for c in callers))
    assert len(won(results)) == 1
    assert won(results)[0].request.state is RequestState.APPROVED
    assert {type(r).__name__ for r in results} == {"RequestView", "AlreadyApproved"}
    assert live(wide) == 1


def test_first_requests_of_different_patients_do_not_stand_in_each_others_way(
    wide: World,
) -> None:
    results = race(*(lambda i=i: wide.trial(patient=patient(i + 1)) for i in range(THREADS)))
    assert len(won(results)) == THREADS
    assert len({r.approval.reference for r in won(results)}) == THREADS


def test_of_many_continuations_one_is_approved(wide: World) -> None:
    first = wide.trial()
    wide.on(first.approval.covers_to)
    treatment = first.request.treatment_id
    results = race(*(lambda: wide.carry_on(treatment) for _ in range(4)))
    assert len(won(results)) == 1
    assert live(wide) == 2


def test_of_an_approval_and_a_withdrawal_one_wins(wide: World) -> None:
    view = wide.trial(answers={**TRIAL_ANSWERS, "usual": False})
    request_id = view.request.id

    def approve() -> RequestView:
        return wide.do(
            lambda w: reviewing.panel_approve(
                w, wide.office, COMMISSIONER, request_id, "ok", frozenset(), 2
            )
        )

    def withdraw() -> RequestView:
        return wide.do(lambda w: amending.withdraw(w, CLINICIAN, request_id, "no", 2))

    results = race(approve, withdraw, approve, withdraw)
    assert len(won(results)) == 1
    after = wide.request(request_id)
    assert after.request.state is won(results)[0].request.state
    assert (after.approval is not None) is (after.request.state is RequestState.APPROVED)
    assert live(wide) == (1 if after.approval else 0)


def test_a_link_and_two_first_requests_leave_one_live_approval_for_the_person(
    wide: World,
) -> None:
    unnumbered = patient(
        nhs_number=None, no_nhs_number_reason=NoNumberReason.NEWBORN, local_id="OLD1"
    )
    numbered = patient(local_id="NEW1")
    ids = [
        wide.treatment(wide.submit(patient=p, answers={}).request.treatment_id).patient.id
        for p in (unnumbered, numbered)
    ]
    results = race(
        lambda: wide.trial(patient=unnumbered),
        lambda: wide.do(lambda w: patients.link(w, CLINICIAN, ids[0], ids[1], "same")),
        lambda: wide.trial(patient=numbered),
    )
    linked = not isinstance(results[1], ApprovalsError)
    assert live(wide) == (1 if linked else 2)


def test_what_is_approved_amid_a_hand_over_is_the_receiver_s_whichever_was_first(
    wide: World,
) -> None:
    """A step that brings days waits for the hand-over or is taken along by it."""
    waiting = [
        wide.trial(patient=patient(i + 1), answers={**TRIAL_ANSWERS, "usual": False})
        for i in range(THREADS - 1)
    ]
    running = wide.trial(patient=patient(THREADS))
    asked = Asked("DEMQ2", "natalizumab", wide.moment.day, "Invented.")

    def approve(request_id: str) -> RequestView:
        return wide.do(
            lambda w: reviewing.panel_approve(
                w, wide.office, COMMISSIONER, request_id, "ok", frozenset(), 2
            )
        )

    def hand_over() -> Any:
        return wide.do(lambda w: hand_over_by_two(w, COMMISSIONER, asked, "A. One", "B. Two"))

    steps: list[Callable[[], Any]] = [lambda v=v: approve(v.request.id) for v in waiting]
    results = race(*steps[:4], hand_over, *steps[4:])

    assert len(won(results)) == len(waiting), results
    s = tables.segment.c
    days = sa.select(s.treatment_id, s.commissioner).where(s.superseded_at.is_(None))
    found = wide.do(lambda w: {tuple(row) for row in w.connection.execute(days)})
    assert found == {(v.request.treatment_id, "DEMQ2") for v in (*waiting, running)}
    payers = sa.select(tables.treatment.c.commissioner)
    assert set(wide.do(lambda w: w.connection.execute(payers).scalars().all())) == {"DEMQ2"}
