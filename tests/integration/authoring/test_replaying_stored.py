"""`assent policies replay --against`, on requests that the store holds."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from app.authoring.publish import publish_to_database
from app.commands.policies import replaying
from app.policy import Kind, Outcome
from tests.conftest import Transact
from tests.integration.authoring.test_publishing import ANN, BEN, EMPTY, _decided, version
from tests.unit.policy.makers import BASE

YEAR = dt.date(2026, 1, 1), dt.date(2026, 12, 31)


def test_the_version_before_decides_by_the_answers_that_its_own_form_takes(
    transact: Transact,
    read: Transact,
    ids: Callable[[], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also by one to a question that the newer version no longer asks."""
    questions = {name: each for name, each in BASE["questions"].items() if name != "flag"}  # type: ignore[attr-defined]
    before = version()
    draft = version(start=["other"], questions=questions, derive=None, correction=1)
    transact(lambda work: publish_to_database(work, EMPTY, before, ANN, BEN))
    transact(lambda work: _decided(work, before, ids))
    door = SimpleNamespace(read=read, transact=transact)
    monkeypatch.setattr(replaying, "door_or_exit", lambda: door)
    monkeypatch.setattr(replaying, "settings_or_exit", lambda: SimpleNamespace(data_dir=tmp_path))

    result = replaying._from_store(draft, before, Kind.INITIATION, YEAR, ())

    assert result.matrix == {("approved", Outcome.MORE_INFORMATION_NEEDED): 1}
