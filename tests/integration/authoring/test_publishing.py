"""Publishing by two people, into files and into the database; a correction lists its decisions."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from app.approvals.errors import PolicyNotUsable, UnknownPolicy
from app.approvals.library import Library
from app.approvals.office import Office, remember_version
from app.approvals.published import JoinedLibrary, find
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
from app.policy import Overlay, PolicyVersion, load_overlay
from app.policy.lock import check_lock
from app.reconciliation.policies_held import policies_held
from tests.conftest import Transact
from tests.integration.db.together import together
from tests.unit.authoring.random_forms import forms
from tests.unit.policy.makers import BASE, make_policy

SOURCES = {"src": {"title": "S", "url": "https://example.org", "read_on": "2026-01-01"}}
TODAY = dt.date(2026, 11, 22)
ANN, BEN = "Ann Author", "Ben Second"
EMPTY = JoinedLibrary(Library(()))
OVERLAY = """
policy: a-policy
language: 1
commissioner: DEMQ1
in_force: {from: 2026-03-01}
what_changed: A second line.
sources: {local: {title: Made up for tests}}
questions: {NAME: {type: boolean, label: The first line failed}}
start:
  - {id: LOCAL, text: The first line failed, met_when: NAME, source: local, evidence: verified}
"""


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
    transact(lambda work: publish_to_database(work, EMPTY, version(), ANN, BEN))

    column = tables.policy_version.c
    stored = read(lambda work: work.connection.execute(sa.select(column.hash, column.origin)).one())
    assert tuple(stored) == (version().hash, "published")
    events = read(lambda work: trail(work, "policy", "a-policy"))
    assert len(events) == 1


def test_the_database_keeps_a_published_text_too(transact: Transact) -> None:
    transact(lambda work: publish_to_database(work, EMPTY, version(), ANN, BEN))

    for again, says in ((version(), "published already"), (version(title="X"), "as a correction")):
        with pytest.raises(BenchRefused, match=says):
            transact(lambda work, again=again: publish_to_database(work, EMPTY, again, ANN, BEN))  # type: ignore[misc]
    with pytest.raises(BenchRefused, match="two people"):
        transact(lambda work: publish_to_database(work, EMPTY, version(correction=1), ANN, ANN))


def overlay(name: str = "first_line") -> Overlay:
    return load_overlay(OVERLAY.replace("NAME", name), "overlay.yaml")


def publish(transact: Transact, held: JoinedLibrary, *found: PolicyVersion | Overlay) -> None:
    for each in found:
        transact(lambda work, each=each: publish_to_database(work, held, each, ANN, BEN))  # type: ignore[misc]


def test_a_packaged_version_may_be_published_as_it_is_and_not_with_another_text(
    transact: Transact, read: Transact
) -> None:
    held = JoinedLibrary(Library([version()]))
    with pytest.raises(BenchRefused, match="packaged with another text"):
        publish(transact, held, version(title="X"))
    publish(transact, held, version())
    assert read(held.at).versions("a-policy") == (version(),)
    assert read(EMPTY.at).versions("a-policy")[0].hash == version().hash


def test_a_release_that_packages_another_text_under_a_published_number_decides_nothing(
    transact: Transact, read: Transact
) -> None:
    publish(transact, EMPTY, version())
    later = JoinedLibrary(Library([version(title="X")]))
    with pytest.raises(PolicyNotUsable, match="packages another text under that number"):
        read(later.at).versions("a-policy")
    with pytest.raises(PolicyNotUsable):
        read(later.at).for_drug(version().drug, TODAY)
    assert read(later.at).usable() == ()


@pytest.mark.parametrize(
    ("held", "found", "says"),
    [
        ([], overlay(), "the library has no policy a-policy"),
        ([version()], overlay("flag"), "2026-01-01 has flag among its questions already"),
        ([version()], version(correction=1, drug="other"), "this version for other"),
        ([], version(correction=1), "does not hold. Publish that first"),
        (
            [version()],
            version(language=2, in_force={"from": "2026-02-01"}, succeeds=["b"]),
            "no policy b",
        ),
    ],
)
def test_what_does_not_go_with_the_library_is_not_published(
    transact: Transact, held: list[PolicyVersion], found: PolicyVersion | Overlay, says: str
) -> None:
    with pytest.raises(BenchRefused, match=says):
        publish(transact, JoinedLibrary(Library(held)), found)


def test_a_version_that_a_published_overlay_would_clash_with_is_not_published(
    transact: Transact,
) -> None:
    publish(transact, EMPTY, version(), overlay())
    questions = {**BASE["questions"], "first_line": {"type": "boolean", "label": "Taken"}}
    clashing = version(in_force={"from": "2026-04-01"}, questions=questions)
    with pytest.raises(BenchRefused, match="has first_line among its questions already"):
        publish(transact, EMPTY, clashing)
    publish(transact, EMPTY, version(in_force={"from": "2026-04-01"}))


def test_what_is_rolled_back_was_never_in_the_library(transact: Transact, read: Transact) -> None:
    held = JoinedLibrary(Library(()))

    def fail(work: Work) -> None:
        publish_to_database(work, held, version(), ANN, BEN)
        work.read_once.clear()
        assert held.at(work).policies() == ("a-policy",)
        raise BenchRefused("after all, no")

    with pytest.raises(BenchRefused, match="after all"):
        transact(fail)
    assert read(held.at).policies() == ()
    publish(transact, held, version(title="X"))
    assert read(held.at).get("a-policy", "2026-01-01").title == "X"


def test_those_who_publish_at_once_take_turns_and_every_process_sees_all(
    transact: Transact, read: Transact
) -> None:
    known = JoinedLibrary(Library(()))
    assert read(known.at).policies() == ()
    found = [version(policy=f"p-{n}") for n in range(4)]
    together(4, lambda n: publish(transact, JoinedLibrary(Library(())), found[n]))
    numbers = sa.select(tables.publication.c.number).order_by(tables.publication.c.number)
    assert read(lambda w: w.connection.execute(numbers).scalars().all()) == [1, 2, 3, 4]
    assert read(known.at).policies() == tuple(each.policy for each in found)


def test_one_of_two_texts_published_at_once_under_a_number_is_refused(
    transact: Transact, read: Transact
) -> None:
    def attempt(number: int) -> bool:
        try:
            publish(transact, EMPTY, version(title=f"Text {number}"))
        except BenchRefused:
            return False
        return True

    assert sorted(together(3, attempt)) == [False, False, True]
    assert len(read(EMPTY.at).versions("a-policy")) == 1


def test_a_text_cannot_be_stored_beside_another_of_its_number(transact: Transact) -> None:
    transact(lambda work: remember_version(work, version()))
    with pytest.raises(PolicyNotUsable, match="Another text is stored as a-policy 2026-01-01"):
        transact(lambda work: remember_version(work, version(title="X")))


def test_an_adoption_names_what_there_is_and_reconciliation_knows_it_too(
    transact: Transact, read: Transact
) -> None:
    publish(transact, EMPTY, version(), overlay())
    with pytest.raises(UnknownPolicy, match=r"There are: 2026-01-01, overlay-DEMQ1-2026-03-01\."):
        find(read(EMPTY.at), "a-policy", "2030-01-01")
    office = Office(Library(()), demonstration=True)
    (held,) = read(lambda work: policies_held(work, office, None))
    assert (held.drug, held.from_) == (version().drug, dt.date(2026, 1, 1))


def test_a_correction_lists_the_decisions_it_affects(
    transact: Transact, read: Transact, ids: Callable[[], str]
) -> None:
    first, other = version(), version(in_force={"from": "2026-02-01"})
    transact(lambda work: publish_to_database(work, EMPTY, first, ANN, BEN))
    transact(lambda work: publish_to_database(work, EMPTY, other, ANN, BEN))
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
    transact(lambda work: publish_to_database(work, EMPTY, before, ANN, BEN))
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
    assert result.people == 1
    assert "Affected: 1 person." in list(result.lines())
    assert len(forms(draft, 1, 1)) == 1


@pytest.mark.parametrize(("commissioner", "number"), [("DEMQ1", 1), ("DEMQ2", 0)])
def test_a_replay_with_an_overlay_decides_its_commissioners_requests_only(
    transact: Transact, read: Transact, ids: Callable[[], str], commissioner: str, number: int
) -> None:
    from app.authoring.replay.run import replay
    from app.authoring.replay.stored import stored_forms
    from app.policy import Kind, Outcome, apply_overlay

    before = version()
    transact(lambda work: publish_to_database(work, EMPTY, before, ANN, BEN))
    transact(lambda work: _decided(work, before, ids))  # DEMQ1 pays
    layered = apply_overlay(before, _overlay(commissioner))

    def run(work: Work) -> Any:
        first, last = dt.date(2026, 1, 1), dt.date(2026, 12, 31)
        stored = stored_forms(work, layered, Kind.INITIATION, first, last)
        return replay(stored.forms, layered, Kind.INITIATION)

    result = read(run)

    assert result.forms == number
    if number:
        assert result.matrix == {("approved", Outcome.MORE_INFORMATION_NEEDED): 1}
        assert [each.criteria for each in result.changed] == [("LOCAL",)]


def _overlay(commissioner: str) -> Overlay:
    data = {
        "policy": "a-policy",
        "language": 1,
        "commissioner": commissioner,
        "in_force": {"from": "2026-01-01"},
        "what_changed": "More is asked for.",
        "sources": {"pathway": {"title": "A local pathway"}},
        "questions": {"local": {"type": "boolean", "label": "Seen locally"}},
        "start": [{"id": "LOCAL", "text": "Local", "met_when": "local", "source": "pathway",
                   "evidence": "verified"}],
    }  # fmt: skip
    return load_overlay(json.dumps(data), "overlay.yaml")


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


def outcome_bytes(**columns: list[str | None]) -> bytes:
    import io

    import pyarrow as pa
    import pyarrow.parquet as pq

    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


def test_the_newest_run_of_each_submission_is_found_and_a_line_sent_twice_counts_once(
    transact: Transact, read: Transact, ids: Callable[[], str], tmp_path: Path
) -> None:
    from app.authoring.replay.stored import latest_outcomes, spend_by_reference
    from app.reconciliation.files import FileStore

    files = FileStore(tmp_path)
    assert read(lambda work: latest_outcomes(work, files)) == ()
    older = outcome_bytes(reference=["PA-1"], accepted=["999"], content_hash=["a"])
    newer = outcome_bytes(
        reference=["PA-1", "PA-1", None], accepted=["100.10", "0.90", "7"], content_hash=list("abc")
    )
    again = outcome_bytes(
        reference=["PA-1", "PA-1", "PA-2"], accepted=["100.10", "5.00", "3"],
        content_hash=list("adz"),
    )  # fmt: skip
    for number, (submission, data) in enumerate((("s1", older), ("s1", newer), ("s2", again))):
        transact(lambda work, n=number, s=submission, d=data: _run(work, files, s, n, d))  # type: ignore[misc]

    found = read(lambda work: latest_outcomes(work, files))

    assert found == (newer, again)
    spent = {reference: str(money) for reference, money in spend_by_reference(found).items()}
    assert spent == {"PA-1": "106.00", "PA-2": "3"}


def test_a_supply_sent_again_at_another_price_counts_once() -> None:
    from app.authoring.replay.stored import spend_by_reference

    def run(*lines: tuple[str | None, str, str, str]) -> bytes:
        days, prices, hashes, products = zip(*lines, strict=True)
        return outcome_bytes(
            reference=["PA-1"] * len(lines),
            accepted=list(prices),
            content_hash=list(hashes),
            supplied_on=list(days),
            drug_product=list(products),
            provider=["DEMO1"] * len(lines),
            kind=["drug"] * len(lines),
            drug=["adalimumab"] * len(lines),
        )

    first = run(("2026-04-01", "100", "a", "x"), ("2026-04-29", "100", "b", "x"))
    # The first supply at another price; another day; and another product on the first day.
    again = run(
        ("2026-04-01", "110", "c", "x"),
        ("2026-05-27", "100", "d", "x"),
        ("2026-04-01", "7", "e", "y"),
    )
    assert spend_by_reference((first, again)) == {"PA-1": Decimal(110 + 100 + 100 + 7)}
    twice_in_one = run(("2026-04-01", "50", "f", "x"), ("2026-04-01", "60", "g", "x"))
    assert spend_by_reference((twice_in_one, first)) == {"PA-1": Decimal(110 + 100)}
    dayless = (run((None, "100", "a", "x")), run((None, "110", "c", "x")))
    assert spend_by_reference(dayless) == {"PA-1": Decimal(210)}  # as the command says


def test_outcomes_that_are_gone_are_said_and_not_counted_as_nothing(
    transact: Transact, read: Transact, tmp_path: Path
) -> None:
    from app.authoring.replay.stored import latest_outcomes
    from app.reconciliation.files import FileStore

    data = outcome_bytes(reference=["PA-1"], accepted=["1"], content_hash=["a"])
    transact(lambda work: _run(work, FileStore(tmp_path), "s1", 0, data))
    empty = FileStore(tmp_path / "elsewhere")
    with pytest.raises(BenchRefused, match="Restore the files"):
        read(lambda work: latest_outcomes(work, empty))


def _run(work: Work, files: Any, submission: str, number: int, data: bytes) -> None:
    """One stored run over a submission, with its outcomes."""
    import hashlib

    from app.reconciliation.service import OUTCOMES

    digest = hashlib.sha256(data).hexdigest()
    files.save("DEMQ1", OUTCOMES, digest, data)
    now, zero = work.moment.instant, Decimal(0)
    known = sa.select(tables.submission.c.id).where(tables.submission.c.id == submission)
    if work.connection.execute(known).first() is None:
        work.connection.execute(
            sa.insert(tables.submission).values(
                id=submission, organisation="DEMQ1", sha256=submission, file_name="f", size=1,
                layout="l", lines=1, skipped=0, total=zero, received_at=now, received_by="x",
            )
        )  # fmt: skip
    work.connection.execute(
        sa.insert(tables.reconciliation_run).values(
            id=f"run-{number}", submission_id=submission, organisation="DEMQ1", engine="e",
            rules_version=str(number), reference_version="r", snapshot_digest="d",
            as_at=work.moment.day, lines=1, total=zero, accepted=zero, queried=zero, summary={},
            outcomes_file=digest, outcomes_sha256=digest,
            created_at=now + dt.timedelta(minutes=number), created_by="x",
        )
    )  # fmt: skip
