"""Hostile words as the reason for accepting or refusing a proposed approval."""

import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from app.auth.model import Role
from app.db.tables import line_decision, linkage_proposal
from app.db.work import Work
from tests.functional.approvals.scene import Scene
from tests.functional.desk.conftest import Sit
from tests.functional.web.test_hostile_input import HOSTILE, SCRIPT


def stored(application: FastAPI) -> tuple[int, list[str]]:
    """How many lines are decided by hand, and how each proposal stands."""

    def read(work: Work) -> tuple[int, list[str]]:
        count = work.connection.scalar(sa.select(sa.func.count()).select_from(line_decision))
        states = work.connection.scalars(sa.select(linkage_proposal.c.state)).all()
        return int(count or 0), sorted(states)

    found: tuple[int, list[str]] = application.state.door.read(read)
    return found


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("step", ["accept", "refuse"])
def test_a_reason_is_kept_as_words_or_refused_whole(
    scene: Scene, sit: Sit, application: FastAPI, step: str, kind: str
) -> None:
    browser, at = sit("DEMQ1", Role.COMMISSIONER), f"/linkage-proposals/{scene.proposal}"
    form = browser.form(at, f"{at}/{step}")
    reference = {"approval_reference": scene.reference} if step == "accept" else {}
    before = stored(application)
    reply = browser.post(f"{at}/{step}", form | reference | {"reason": HOSTILE[kind]})
    assert reply.status_code < 500
    assert SCRIPT not in reply.text
    assert SCRIPT not in browser.get(at).text
    if reply.status_code >= 400:
        assert stored(application) == before
        assert "<h1" in reply.text
    else:
        assert stored(application) != before
