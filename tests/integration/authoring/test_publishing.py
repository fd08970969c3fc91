"""Publishing by two people, into files and into the database; a correction lists its decisions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from app.audit.store import trail
from app.authoring.errors import BenchRefused
from app.authoring.publish import (
    affected_by,
    corrects,
    publish_to_database,
    publish_to_files,
)
from app.db import tables
from app.db.work import Work
from app.policy import PolicyVersion
from app.policy.lock import check_lock
from tests.conftest import Transact
from tests.unit.authoring.random_forms import forms
from tests.unit.policy.makers import make_policy

SOURCES = {"src": {"title": "S", "url": "https://example.org", "read_on": "2026-01-01"}}
TODAY = dt.date(2026, 11, 22)
ANN, BEN = "Ann Author", "Ben Second"


def version(**changes: Any) -> PolicyVersion:
    return make_policy(sources=SOURCES, **changes)


# --- files --------------------------------------------------------------------------------------


def test_a_version_is_published_with_both_names_and_then_the_lock_holds_it(tmp_path: Path) -> None:
    publish_to_files(tmp_path, version(), ANN, BEN, TODAY)

    lock = (tmp_path / "versions.lock").read_text("utf-8")
    assert check_lock([version()], lock) == ()
    log = (tmp_path / "publications.log").read_text("utf-8")
    assert log == f'2026-11-22 a-policy 2026-01-01 {version().hash} ["{ANN}", "{BEN}"]\n'


@pytest.mark.parametrize(
    ("by", "other"), [(ANN, ANN), (ANN, " ann  AUTHOR "), (ANN, " "), ("", BEN)]
)
def test_it_takes_two_people(tmp_path: Path, by: str, other: str) -> None:
    with pytest.raises(BenchRefused, match="two people"):
        publish_to_files(tmp_path, version(), by, other, TODAY)
    assert not (tmp_path / "versions.lock").exists()


def test_a_published_number_keeps_its_text(tmp_path: Path) -> None:
    publish_to_files(tmp_path, version(), ANN, BEN, TODAY)

    with pytest.raises(BenchRefused, match="published already"):
        publish_to_files(tmp_path, version(), ANN, BEN, TODAY)
    with pytest.raises(BenchRefused, match="as a correction"):
        publish_to_files(tmp_path, version(title="Another"), ANN, BEN, TODAY)
    publish_to_files(tmp_path, version(title="Another", correction=1), ANN, BEN, TODAY)
    assert len((tmp_path / "versions.lock").read_text("utf-8").splitlines()) == 2


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"start": ["flag", "NOT flag"]}, "contradict"),
        ({"commissioner": "To be decided"}, "commissioner is to be decided"),
    ],
)
def test_a_version_with_a_fault_is_not_published(
    tmp_path: Path, changes: dict[str, Any], says: str
) -> None:
    with pytest.raises(BenchRefused, match=says):
        publish_to_files(tmp_path, version(**changes), ANN, BEN, TODAY)


@pytest.mark.parametrize(
    ("number", "corrected"), [(0, None), (1, "2026-01-01"), (2, "2026-01-01.1")]
)
def test_a_correction_knows_what_it_corrects(number: int, corrected: str | None) -> None:
    assert corrects(version(correction=number)) == corrected


# --- the database -------------------------------------------------------------------------------


def test_a_version_is_stored_as_published_and_audited_with_both_names(
    transact: Transact, read: Transact
) -> None:
    transact(lambda work: publish_to_database(work, version(), ANN, BEN))

    column = tables.policy_version.c
    stored = read(lambda work: work.connection.execute(sa.select(column.hash, column.origin)).one())
    assert tuple(stored) == (version().hash, "published")
    events = read(lambda work: trail(work, "policy", "a-policy"))
    assert len(events) == 1


def test_the_database_keeps_a_published_text_too(transact: Transact) -> None:
    transact(lambda work: publish_to_database(work, version(), ANN, BEN))

    for again, says in ((version(), "stored already"), (version(title="X"), "as a correction")):
        with pytest.raises(BenchRefused, match=says):
            transact(lambda work, again=again: publish_to_database(work, again, ANN, BEN))  # type: ignore[misc]
    with pytest.raises(BenchRefused, match="two people"):
        transact(lambda work: publish_to_database(work, version(correction=1), ANN, ANN))


def test_a_correction_lists_the_decisions_it_affects(
    transact: Transact, read: Transact, ids: Callable[[], str]
) -> None:
    first, other = version(), version(in_force={"from": "2026-02-01"})
    transact(lambda work: publish_to_database(work, first, ANN, BEN))
    transact(lambda work: publish_to_database(work, other, ANN, BEN))
    for found in (first, first, other):
        transact(lambda work, found=found: _decided(work, found, ids))  # type: ignore[misc]

    affected = read(lambda work: affected_by(work, version(correction=1)))

    assert [(each.number, each.outcome) for each in affected] == [(1, "approved")] * 2
    assert read(lambda work: affected_by(work, first)) == ()


def _decided(work: Work, found: PolicyVersion, ids: Callable[[], str]) -> str:
    """One request, decided under a version."""
    now, day = work.moment.instant, work.moment.day
    patient, treatment, request = ids(), ids(), ids()
    run = work.connection.execute
    run(
        sa.insert(tables.patient).values(
            id=patient, registered_by="DEMO1", birth_date=day, sex="female", created_at=now
        )
    )
    run(
        sa.insert(tables.treatment).values(
            id=treatment,
            patient_id=patient,
            drug=found.drug,
            indication="i",
            policy=found.policy,
            provider="DEMO1",
            commissioner="DEMQ1",
            created_at=now,
            version=1,
        )
    )
    run(
        sa.insert(tables.request).values(
            id=request,
            treatment_id=treatment,
            kind="initiation",
            state="approved",
            provider="DEMO1",
            commissioner="DEMQ1",
            route="policy",
            policy=found.policy,
            policy_version=found.version,
            policy_hash=found.hash,
            decision_to_treat=day,
            details={},
            submitted_at=now,
            submitted_by=patient,
            revision=1,
            version=1,
        )
    )
    context = {"decision_to_treat": day.isoformat(), "read_on": day.isoformat()}
    context |= {"first_dose": None, "birth_date": "1990-01-01", "sex": "female"}  # type: ignore[dict-item]
    run(
        sa.insert(tables.request_revision).values(
            request_id=request,
            revision=1,
            why="submitted",
            answers={"flag": {"value": True, "unit": None, "measured_on": None, "origin": "typed"}},
            context=context,
            made_at=now,
            made_by=patient,
        )
    )
    run(
        sa.insert(tables.decision).values(
            id=ids(),
            request_id=request,
            number=1,
            revision=1,
            made_by="policy",
            outcome="approved",
            findings=[],
            missing=[],
            reasons=[],
            waived=[],
            policy_hash=found.hash,
            decided_at=now,
        )
    )
    return request


# --- stored requests, replayed ------------------------------------------------------------------


def test_stored_requests_are_replayed_with_the_spend_of_their_approvals(
    transact: Transact, read: Transact, ids: Callable[[], str], tmp_path: Path
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from app.authoring.replay.run import replay
    from app.authoring.replay.stored import stored_forms
    from app.policy import Kind, Outcome

    before, draft = version(), version(start=["flag", "other"], correction=1)
    transact(lambda work: publish_to_database(work, before, ANN, BEN))
    request = transact(lambda work: _decided(work, before, ids))
    transact(lambda work: _approve(work, request, ids))
    outcomes = tmp_path / "outcomes.parquet"
    table = {"reference": ["PA-1", None, "PA-1"], "accepted": ["100.10", "7", "0.90"]}
    pq.write_table(pa.table(table), outcomes)

    def run(work: Work) -> Any:
        first, last = dt.date(2026, 1, 1), dt.date(2026, 12, 31)
        stored = stored_forms(work, draft, Kind.INITIATION, first, last, [outcomes])
        assert stored.unreadable == stored.waived == ()
        return replay(stored.forms, draft, Kind.INITIATION)

    result = read(run)

    assert result.matrix == {("approved", Outcome.MORE_INFORMATION_NEEDED): 1}
    assert [each.criteria for each in result.changed] == [("C-2",)]
    assert str(result.changed[0].spend) == "101.00"
    assert len(forms(draft, 1, 1)) == 1


def _approve(work: Work, request: str, ids: Callable[[], str]) -> None:
    row = work.connection.execute(
        sa.select(tables.request.c.treatment_id).where(tables.request.c.id == request)
    ).one()
    work.connection.execute(
        sa.insert(tables.approval).values(
            id=ids(),
            reference="PA-1",
            treatment_id=row.treatment_id,
            request_id=request,
            state="live",
            basis="policy",
            covers_from=work.moment.day,
            late=False,
            terms={},
            provider="DEMO1",
            commissioner="DEMQ1",
            proved=True,
            issued_at=work.moment.instant,
            version=1,
        )
    )
