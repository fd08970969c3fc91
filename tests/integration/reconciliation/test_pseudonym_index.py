"""A payer's pseudonym leads to its record by what the worker keeps, and never to a wrong answer."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from unittest.mock import patch

import pytest
import sqlalchemy as sa

from app.approvals import patients, retention
from app.db import tables
from app.db.transaction import Database
from app.db.work import Work
from app.reconciliation import pseudonym_index, pseudonym_reach
from app.reconciliation.errors import StillPrepared
from app.reconciliation.model import ContractLine
from app.reconciliation.pseudonym_index import keep
from app.reconciliation.pseudonym_reach import of_pseudonyms
from app.reference_data.nhs_number import test_number as invented
from app.reference_data.pseudonyms import PseudonymKey, Pseudonyms
from tests.unit.reconciliation.builders import PATIENT
from tests.world import CLINICIAN, World, patient

T = TypeVar("T")
SECRET = Pseudonyms(b"a secret of these tests")
OTHER = Pseudonyms(b"another secret of these tests")


@dataclass
class Kept:
    """The world with the worker's index."""

    world: World
    database: Database
    settle: Callable[[Database], None]
    secret: Pseudonyms = SECRET

    def keep(self) -> None:
        self.settle(self.database)
        while self.do(lambda work: keep(work, self.secret)):
            pass

    def do(self, fn: Callable[[Work], T]) -> T:
        return self.world.do(fn)

    def key(self, payer: str = "DEMQ1") -> PseudonymKey:
        key = self.secret.key_of(payer)
        assert key is not None
        return key

    def found(self, number: str, payer: str = "DEMQ1") -> tuple[set[str], bool]:
        """Who is found, and whether everybody was looked at."""
        key, rows = self.key(payer), pseudonym_reach._rows
        everybody: list[Any] = []

        def looked(*given: Any) -> Any:
            everybody.append(given)
            return rows(*given)

        line = ContractLine(1, "", (), nhs_pseudonym=key.of_nhs_number(number))
        with patch.object(pseudonym_reach, "_rows", looked):
            ids = self.do(lambda work: of_pseudonyms(work, [line], [], key))
        return ids, bool(everybody)

    def slowly(self, number: str, payer: str = "DEMQ1") -> set[str]:
        with patch.object(pseudonym_reach, "candidates", lambda *_: None):
            return self.found(number, payer)[0]

    def rows(self) -> set[tuple[str, str]]:
        query = sa.select(tables.patient_pseudonym)
        return {(r.mac, r.patient_id) for r in self.do(lambda w: w.connection.execute(query).all())}

    def id_of(self, number: str) -> str:
        query = sa.select(tables.patient.c.id).where(tables.patient.c.nhs_number == number)
        return str(self.do(lambda w: w.connection.execute(query).scalar_one()))


@pytest.fixture
def kept(world: World, database: Database, settle: Callable[[Database], None]) -> Kept:
    world.submit()
    return Kept(world, database, settle)


def test_it_is_found_without_looking_at_everybody_once_the_worker_kept_it(kept: Kept) -> None:
    one = {kept.id_of(PATIENT)}
    assert kept.found(PATIENT) == (one, True)
    kept.keep()
    assert kept.found(PATIENT) == (one, False)
    assert kept.found(invented(700)) == (set(), False)


def test_a_patient_who_came_since_is_found_and_then_kept(kept: Kept) -> None:
    kept.keep()
    new = invented(701)
    kept.world.submit(patient=patient(8, nhs_number=new))
    assert kept.found(new) == ({kept.id_of(new)}, False)
    before = kept.rows()
    kept.keep()
    assert len(kept.rows() - before) == 1
    assert kept.found(new) == ({kept.id_of(new)}, False)


def test_a_row_says_nothing_to_whoever_holds_the_payers_key(kept: Kept) -> None:
    kept.keep()
    ((mac, _),) = kept.rows()
    handed_out = PseudonymKey(kept.key().key)  # as whoever makes the payer's files has it
    for each in (handed_out.of_nhs_number(PATIENT), handed_out.of_local_id(PATIENT)):
        assert mac != each
    index = kept.key().index
    assert index is not None
    assert index.key != kept.key().key
    assert mac == index.of(kept.key().of_nhs_number(PATIENT))
    others = kept.key("DEMQ2").index
    assert others is not None
    assert mac != others.of(kept.key("DEMQ2").of_nhs_number(PATIENT))
    assert PATIENT not in repr(kept.key())
    assert str(index.key) not in repr(kept.key())


def test_a_new_secret_is_never_answered_with_the_rows_of_the_old(kept: Kept) -> None:
    kept.keep()
    old = kept.rows()
    kept.secret = OTHER
    one = {kept.id_of(PATIENT)}
    assert kept.found(PATIENT) == (one, True)
    kept.do(lambda work: keep(work, OTHER))  # begun, and not filled
    assert kept.rows() == set()
    assert kept.found(PATIENT) == (one, True)
    kept.keep()
    assert kept.found(PATIENT) == (one, False)
    assert kept.rows().isdisjoint(old)
    assert kept.do(lambda work: keep(work, Pseudonyms(None))) is False
    assert kept.rows() == set()


def test_until_it_is_whole_everybody_is_looked_at(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = [invented(710 + n) for n in range(5)]
    for n, number in enumerate(numbers):
        kept.world.submit(patient=patient(20 + n, nhs_number=number))
    monkeypatch.setattr(pseudonym_index, "AT_A_TIME", 2)
    kept.settle(kept.database)
    turns = 0
    while kept.do(lambda work: keep(work, SECRET)):
        turns += 1
        for number in (PATIENT, *numbers):
            ids, everybody = kept.found(number)
            assert ids == {kept.id_of(number)}
            assert everybody is (turns < 5), turns
    for number in (PATIENT, *numbers):
        assert kept.found(number) == ({kept.id_of(number)}, False)
    assert len(kept.rows()) == 6


def test_with_too_many_events_since_everybody_is_looked_at_until_the_worker_went_through(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept.keep()
    monkeypatch.setattr(pseudonym_index, "MOST_EVENTS", 3)
    new = invented(720)
    kept.world.submit(patient=patient(31, nhs_number=new))
    kept.settle(kept.database)
    assert kept.found(new) == ({kept.id_of(new)}, True)
    kept.keep()
    assert kept.found(new) == ({kept.id_of(new)}, False)


def test_who_is_linked_and_unlinked_is_found_by_whoever_pays(kept: Kept) -> None:
    world = kept.world
    unnumbered = patient(40, nhs_number=None, no_nhs_number_reason="overseas", local_id="X40")
    made = world.submit(patient=unnumbered)
    kept.keep()
    new = invented(730)
    query = sa.select(tables.treatment.c.patient_id).where(
        tables.treatment.c.id == made.treatment.id
    )
    record = kept.do(lambda w: w.connection.execute(query).scalar_one())
    world.do(lambda w: patients.record_nhs_number(w, CLINICIAN, record, new, "A letter."))
    for _ in range(2):
        assert kept.found(new) == ({kept.id_of(new)}, False)
        kept.keep()
    assert len(kept.rows()) == 2
    world.do(lambda w: patients.unlink(w, CLINICIAN, record, "A mistake."))
    kept.keep()
    assert len(kept.rows()) == 1  # nobody pays for the record of the number any more
    assert kept.found(PATIENT) == ({kept.id_of(PATIENT)}, False)


def test_nothing_leads_to_a_record_that_has_ended(kept: Kept) -> None:
    kept.keep()
    id_ = kept.id_of(PATIENT)
    kept.do(lambda work: retention._end_identity(work, [id_]))
    assert kept.rows() == set()
    assert kept.found(PATIENT) == (set(), False)


def test_a_row_that_is_no_longer_true_finds_nobody(kept: Kept) -> None:
    kept.keep()
    number, id_ = invented(740), kept.id_of(PATIENT)
    change = sa.update(tables.patient).where(tables.patient.c.id == id_).values(nhs_number=number)
    kept.do(lambda work: work.connection.execute(change))
    assert kept.found(PATIENT) == (set(), False)


def test_nobody_who_waits_for_a_page_has_very_many_compared(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = kept.key()
    line = ContractLine(1, "", (), nhs_pseudonym=key.of_nhs_number(PATIENT))
    one = {kept.id_of(PATIENT)}

    def found(by: PseudonymKey = key) -> set[str]:
        return kept.do(lambda work: of_pseudonyms(work, [line], [], by, at_once=True))

    assert found() == one, "so few are compared"
    monkeypatch.setattr(pseudonym_reach, "MOST_COMPARED", 0)
    with pytest.raises(StillPrepared):
        found()
    assert found(PseudonymKey(key.key)) == one, "no worker will ever have kept it"
    kept.keep()
    assert found() == one
