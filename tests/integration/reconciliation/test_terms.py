"""What commissioners keep, in the database: names that were accepted, contract terms, who pays."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from app.approvals import deaths
from app.approvals.model import StopReason
from app.auth.errors import NotAllowed
from app.auth.model import Caller
from app.db import tables
from app.db.work import Work
from app.policy import Kind
from app.reconciliation import service, spellings, terms_loading
from app.reconciliation.errors import SpellingNotAccepted, SpellingNotFound, TermsNotAccepted
from app.reconciliation.scope import ALL_ORGANISATIONS
from app.reconciliation.service import Desk, Reconciled
from tests.integration.reconciliation.matching import LATER, START, line
from tests.unit.reconciliation.builders import csv_bytes
from tests.world import COMMISSIONER, OTHER_COMMISSIONER, PHARMACIST, World

ODD = "HUMIRRAA 40MG PENN"
FILE = csv_bytes(
    [line(START, drug=ODD), line(LATER, drug=ODD.lower()), line(START, drug="GAUZE X", total="9")]
)
SECOND = replace(COMMISSIONER, id="second-person", name="Second Person")
SECOND_THERE = replace(OTHER_COMMISSIONER, id="second-there", name="Second There")
OPERATOR = replace(COMMISSIONER, id="operator", organisation=ALL_ORGANISATIONS)
OPERATORS = (replace(OPERATOR, name="Ann"), replace(OPERATOR, id="operator-2", name="Ben"))


@pytest.fixture(autouse=True)
def _persons(world: World) -> None:
    """Each of these callers is a person who signs in."""
    told = (COMMISSIONER, SECOND, OTHER_COMMISSIONER, SECOND_THERE)
    rows = [
        {
            "id": each.id,
            "issuer": "https://id.test",
            "subject": each.id,
            "name": each.name,
            "created_at": world.moment.instant,
        }
        for each in told
    ]
    world.do(lambda w: w.connection.execute(sa.insert(tables.person), rows))


def run(world: World, desk: Desk, caller: Caller = COMMISSIONER, data: bytes = FILE) -> Reconciled:
    return service.reconcile(
        world.do,
        desk,
        caller,
        data,
        "lines.csv",
        read=lambda fn: world.database.read(fn, moment=world.moment),
    )


def drugs_of(done: Reconciled) -> list[str | None]:
    return [item.recognition.drug for item in done.matched]


def take(world: World, desk: Desk, first: Caller, second: Caller, name: str = ODD) -> str:
    row = world.do(lambda w: spellings.propose(w, desk, first, name, "adalimumab", "humira"))
    world.do(lambda w: spellings.accept(w, second, row["id"]))
    return str(row["id"])


def test_unknown_names_are_listed_by_cost_with_likely_drugs(world: World, desk: Desk) -> None:
    run(world, desk)
    found = world.do(lambda w: spellings.review(w, desk, COMMISSIONER))
    assert [(row.words, row.lines) for row in found] == [("humirraa 40 mg penn", 2), ("gauze x", 1)]
    assert found[0].total > found[1].total == 9
    assert found[0].suggestions[0].drug == "adalimumab"
    assert found[1].suggestions == ()
    assert world.do(lambda w: spellings.review(w, desk, OTHER_COMMISSIONER)) == ()


def test_an_accepted_name_counts_from_then_on_and_until_it_is_withdrawn(
    world: World, desk: Desk
) -> None:
    before = run(world, desk)
    spelling = take(world, desk, COMMISSIONER, SECOND)
    after = run(world, desk)
    assert drugs_of(before) == [None, None, None]
    assert drugs_of(after) == ["adalimumab", "adalimumab", None]
    assert {m.recognition.product for m in after.matched[:2]} == {"humira"}
    assert after.is_new
    assert after.run.snapshot_digest != before.run.snapshot_digest
    listed = world.do(lambda w: spellings.review(w, desk, COMMISSIONER))
    assert [row.words for row in listed] == ["gauze x"]
    world.do(lambda w: spellings.withdraw(w, COMMISSIONER, spelling, "It was another drug."))
    again = run(world, desk)
    assert (again.is_new, again.run.id) == (False, before.run.id)
    stored = world.do(lambda w: service.load_run(w, desk, COMMISSIONER, after.run.id))
    assert drugs_of(stored) == drugs_of(after)
    acts = sa.select(tables.audit_event.c.action).where(
        tables.audit_event.c.object_type == "drug name"
    )
    assert len(world.do(lambda w: w.connection.execute(acts).all())) == 3


def test_a_proposal_decides_nothing_and_its_proposer_cannot_accept_it(
    world: World, desk: Desk
) -> None:
    row = world.do(lambda w: spellings.propose(w, desk, COMMISSIONER, ODD, "adalimumab", None))
    assert drugs_of(run(world, desk)) == [None, None, None]
    with pytest.raises(SpellingNotAccepted, match="another person"):
        world.do(lambda w: spellings.accept(w, COMMISSIONER, row["id"]))
    with pytest.raises(SpellingNotFound):
        world.do(lambda w: spellings.accept(w, OTHER_COMMISSIONER, row["id"]))
    with pytest.raises(SpellingNotFound):
        world.do(lambda w: spellings.withdraw(w, OTHER_COMMISSIONER, row["id"], "Not mine."))


def test_one_commissioner_s_names_are_not_another_s_and_the_service_s_are_everybody_s(
    world: World, desk: Desk
) -> None:
    take(world, desk, OTHER_COMMISSIONER, SECOND_THERE)
    assert drugs_of(run(world, desk)) == [None, None, None]
    world.do(
        lambda w: spellings.take_by_two(
            w, desk, OPERATORS, ODD, "adalimumab", "humira", registered=False
        )
    )
    assert drugs_of(run(world, desk)) == ["adalimumab", "adalimumab", None]


@pytest.mark.parametrize(
    ("name", "drug", "product"),
    [
        ("HUMIRA 40MG", "adalimumab", None),  # known
        ("HUMIRA / ENBREL", "adalimumab", None),  # two drugs: no name of one
        (ODD, "humira", None),
        (ODD, "adalimumab", "enbrel"),
        ("12345", "adalimumab", None),
        ("word " * 60, "adalimumab", None),
    ],
)
def test_a_name_is_taken_only_where_no_drug_is_known_in_it(
    world: World, desk: Desk, name: str, drug: str, product: str | None
) -> None:
    with pytest.raises(SpellingNotAccepted):
        world.do(lambda w: spellings.propose(w, desk, COMMISSIONER, name, drug, product))


CONTRACTS = """# invented
provider,drug,basis,from,to,demonstration,source
DEMO1,*,block,,,true,demonstration
DEMO1,adalimumab,pass-through,2026-04-01,,true,demonstration
"""
PAYERS = """drug,among,responsible,from,to,demonstration,source
adalimumab,DEMQ1;DEMQ2,DEMQ2,,,true,demonstration
"""


def test_terms_are_loaded_as_a_set_and_the_newest_set_counts(world: World, desk: Desk) -> None:
    def load(text: str, caller: Caller = COMMISSIONER) -> int:
        return world.do(lambda w: terms_loading.load_contracts(w, caller, desk.dictionary, text))

    data = csv_bytes([line(START, drug="HUMIRA"), line(START, drug="TYSABRI")])
    assert load(CONTRACTS) == 2
    done = run(world, desk, data=data)
    assert done.matched[1].outcome.value == "not recoverable"
    assert done.matched[0].outcome.value != "not recoverable"
    assert load(CONTRACTS.splitlines()[1]) == 0
    assert run(world, desk, data=data).matched[1].outcome.value != "not recoverable"
    assert load(CONTRACTS, OTHER_COMMISSIONER) == 2
    assert run(world, desk, data=data).matched[1].outcome.value != "not recoverable"


def test_a_provider_s_own_check_knows_the_terms_that_are_about_it(world: World, desk: Desk) -> None:
    world.do(lambda w: terms_loading.load_contracts(w, COMMISSIONER, desk.dictionary, CONTRACTS))
    data = csv_bytes([line(START, drug="TYSABRI")])
    assert run(world, desk, PHARMACIST, data).matched[0].outcome.value == "not recoverable"


def test_another_commissioner_is_proposed(world: World, desk: Desk) -> None:
    world.do(lambda w: terms_loading.load_payers(w, COMMISSIONER, desk.dictionary, PAYERS))
    done = run(world, desk, data=csv_bytes([line(START, drug="HUMIRA")]))
    assert done.matched[0].proposed_commissioner == "DEMQ2"
    assert "Propose to reassign the line: DEMQ2, not DEMQ1, is" in done.matched[0].reason
    assert [b.key for b in done.summary.breakdowns()["proposed commissioner"]] == ["DEMQ2"]
    nothing = run(world, desk, OTHER_COMMISSIONER, csv_bytes([line(START, drug="HUMIRA")]))
    assert "proposed commissioner" not in nothing.summary.breakdowns()


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("DEMO1,*,blocked,,,true,x", "basis must be one of"),
        ("DEMO1,humira,block,,,true,x", "drug must be a key"),
        ("demo 1,*,block,,,true,x", "provider must be"),
        ("DEMO1,*,block,2026-04-01,2026-03-01,true,x", "to is before from"),
        ("DEMO1,*,block,1.4.2026,,true,x", "from must be a day"),
        ("DEMO1,*,block,,,yes,x", "demonstration must be"),
        ("DEMO1,*,block,,,true,", "source must name"),
        ("DEMO1,*,block", "cells, not 7"),
    ],
)
def test_a_file_of_terms_with_a_fault_is_refused_whole(
    world: World, desk: Desk, row: str, why: str
) -> None:
    text = CONTRACTS + row + "\n"
    with pytest.raises(TermsNotAccepted, match=why):
        world.do(lambda w: terms_loading.load_contracts(w, COMMISSIONER, desk.dictionary, text))
    assert world.do(lambda w: terms_loading.contracts_of(w, COMMISSIONER)) == []


def test_only_a_commissioner_keeps_terms(world: World, desk: Desk) -> None:
    asked: Any = (
        lambda w: spellings.review(w, desk, PHARMACIST),
        lambda w: spellings.propose(w, desk, PHARMACIST, ODD, "adalimumab", None),
        lambda w: terms_loading.load_contracts(w, PHARMACIST, desk.dictionary, CONTRACTS),
        lambda w: terms_loading.load_payers(w, PHARMACIST, desk.dictionary, PAYERS),
    )
    for ask in asked:
        with pytest.raises(NotAllowed):
            world.do(ask)


def test_the_snapshot_knows_of_a_stop_and_of_a_death(world: World, desk: Desk) -> None:
    done = world.trial()
    assert not coverages(world, desk)[0].stopped
    world.on(LATER)
    stop = {"from_day": START, "stop_reason": StopReason.OTHER}
    world.change(done.request.treatment_id, Kind.STOP, **stop)
    patient = sa.select(tables.treatment.c.patient_id)
    patient_id = world.do(lambda w: w.connection.execute(patient).scalar_one())
    world.do(lambda w: deaths.record_death(w, PHARMACIST, patient_id, START))
    found = coverages(world, desk)
    assert [(each.stopped, each.died_on) for each in found] == [(True, START)]
    world.do(lambda w: deaths.take_back_death(w, PHARMACIST, patient_id, "Another patient."))
    assert coverages(world, desk)[0].died_on is None


def coverages(world: World, desk: Desk) -> Any:
    submission = service.read_own(desk, COMMISSIONER, FILE, "lines.csv")
    record = world.do(lambda w: service.receive(w, desk, COMMISSIONER, FILE, submission))
    ask = world.database.read
    return ask(
        lambda w: service.snapshot_for(w, desk, COMMISSIONER, record), moment=world.moment
    ).coverages


@pytest.mark.postgres
@pytest.mark.parametrize("database", ["postgres"], indirect=True)  # SQLite has one writer
def test_of_two_who_propose_a_name_at_one_moment_the_second_is_told_so(
    world: World, desk: Desk
) -> None:
    def propose(caller: Caller) -> Callable[[Work], object]:
        return lambda work: spellings.propose(work, desk, caller, ODD, "adalimumab", "humira")

    refused = world.rivals(propose(COMMISSIONER), propose(SECOND)).exception()
    assert isinstance(refused, SpellingNotAccepted)
    assert "proposed or accepted before" in str(refused)
