"""Accepting a proposal weighs its one line again, and reads no more than bears on it."""

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from fastapi import FastAPI

from app.db import tables
from app.db.work import Work
from app.reconciliation import service, snapshot_rows, snapshots
from app.reconciliation.linkage import comparing, competing
from app.reconciliation.linkage.model import Sought
from app.reference_data.nhs_number import test_number as invented_nhs_number
from tests.functional.approvals.api import Api, good, initiation
from tests.functional.approvals.scene import run_of
from tests.functional.approvals.test_challenges import LOCAL, as_csv
from tests.functional.approvals.test_linkage import TYPED, proposals

#: Far enough from the first patient's that no part by which pairs are compared is the same.
ELSEWHERE = 90_000


@pytest.fixture(params=["in memory", "in files"], autouse=True)
def _size(application: FastAPI, request: pytest.FixtureRequest) -> Iterator[None]:
    """Everything holds of a run that is not held in memory, too."""
    desk = application.state.desk
    if request.param == "in files":
        application.state.desk = replace(desk, matching=replace(desk.matching, most_lines=0))
    yield
    application.state.desk = desk


def approved(people: Mapping[str, Api], sequence: int, **patient: Any) -> Any:
    """An approval of an invented patient, some of whose details are these."""
    form = initiation(sequence)
    form["patient"] |= patient
    return good(people["clinician"].post("/v1/requests", form), 201)["approval"]


def proposed(payer: Api, application: FastAPI, line: Mapping[str, str] = TYPED) -> Any:
    """The proposal for the one line of a run."""
    run = run_of(payer, application, as_csv(line))
    (made,) = proposals(payer, application, run)["proposals"]
    return made


def accept(api: Api, made: Any) -> Any:
    reference = made["candidates"][0]["approval_reference"]
    body = {"approval_reference": reference, "reason": "The trust confirmed the patient."}
    return api.post(f"/v1/linkage-proposals/{made['id']}/accept", body)


def test_neither_the_run_nor_the_search_nor_other_approvals_are_gone_through(
    people: Mapping[str, Api], application: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    approved(people, 1)
    for other in range(3):
        approved(people, ELSEWHERE + other, birth_date=f"1981-0{other + 5}-20")
    payer = people["commissioner"]
    made = proposed(payer, application)
    assert made["among"] == 4

    def refused(*_: Any, **__: Any) -> Any:
        raise AssertionError("not in a request")

    monkeypatch.setattr(comparing, "_linker", refused)
    monkeypatch.setattr(service, "load_run", refused)
    seen = list[str]()
    whole = snapshot_rows.read_treatments

    def noted(*arguments: Any) -> Any:
        read = whole(*arguments)
        seen.extend(read)
        return read

    monkeypatch.setattr(snapshots, "read_treatments", noted)
    accepted = good(accept(payer, made))
    assert accepted["state"] == "accepted"
    assert len(set(seen)) == 1, "the one approval that has anything in common with the line"


def test_it_is_refused_where_somebody_as_likely_or_likelier_has_come_since(
    people: Mapping[str, Api], application: FastAPI
) -> None:
    approved(people, 1)
    payer = people["commissioner"]
    line = TYPED | {LOCAL: "H700000"}
    made = proposed(payer, application, line)
    # Whose hospital number it is, with the same birth date; her own number is far from the line's.
    approved(people, ELSEWHERE, local_id="H700000")
    refused = good(accept(payer, made), 409)
    assert "changed since" in refused["detail"]
    assert good(payer.get("/v1/line-decisions"))["decisions"] == []


def test_it_is_accepted_where_others_have_come_who_cannot_be_meant(
    people: Mapping[str, Api], application: FastAPI
) -> None:
    approved(people, 1)
    payer = people["commissioner"]
    made = proposed(payer, application)
    for other in range(3):
        approved(people, 2 + other, birth_date=f"1981-0{other + 5}-20")
    assert good(accept(payer, made))["state"] == "accepted"


def test_it_is_refused_where_the_patients_record_was_corrected(
    people: Mapping[str, Api], application: FastAPI
) -> None:
    reference = approved(people, 1)["reference"]
    payer = people["commissioner"]
    made = proposed(payer, application)

    def correct(work: Work) -> None:
        patient = tables.patient
        work.connection.execute(
            patient.update()
            .where(patient.c.nhs_number == invented_nhs_number(1))
            .values(birth_date=work.moment.day.replace(year=1971, month=3, day=5))
        )

    with_everything(application, correct)
    refused = good(accept(payer, made), 409)
    assert "changed since" in refused["detail"]
    assert reference in {each["approval_reference"] for each in made["candidates"]}


def test_it_is_refused_where_what_was_counted_was_not_kept(
    people: Mapping[str, Api], application: FastAPI
) -> None:
    approved(people, 1)
    payer = people["commissioner"]
    made = proposed(payer, application)

    def forget(work: Work) -> None:
        proposal = tables.linkage_proposal
        row = work.connection.execute(proposal.select()).mappings().one()
        evidence = {name: value for name, value in row["evidence"].items() if name != "here"}
        work.connection.execute(proposal.update().values(evidence=evidence))

    with_everything(application, forget)
    refused = good(accept(payer, made), 409)
    assert "earlier release" in refused["detail"]
    assert "made again" in refused["detail"]


def test_it_is_refused_where_more_share_a_detail_than_a_search_compares(
    people: Mapping[str, Api], application: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    for sequence in range(1, 5):
        approved(people, sequence, birth_date=f"1970-0{sequence}-15")
    payer = people["commissioner"]
    made = proposed(payer, application, TYPED | {"PERSON BIRTH DATE": "1970-01-15"})
    monkeypatch.setattr(competing, "MOST_OF_LINE", 3)
    assert "Too many patients" in good(accept(payer, made), 409)["detail"]
    monkeypatch.setattr(competing, "MOST_OF_LINE", 4)
    good(accept(payer, made))


def test_whoever_shares_a_detail_by_which_pairs_are_compared_is_found_where_they_are_kept(
    people: Mapping[str, Api], application: FastAPI
) -> None:
    """Each of these has one detail in common with the line, and the last has none."""
    far = {"birth_date": "1981-11-21"}
    sharing = [
        approved(people, 12_345, **far),  # the first six figures: 999123
        approved(people, 23_451, **far),  # the last six
        approved(people, ELSEWHERE, birth_date="1970-03-05"),
        approved(people, ELSEWHERE + 1, birth_date="1970-05-03"),
        approved(people, ELSEWHERE + 2, birth_date="1970-03-28", gp_practice="A12345"),
    ]
    alone = [
        approved(people, ELSEWHERE + 3, birth_date="1970-03-29"),
        approved(people, ELSEWHERE + 4, birth_date="1970-04-01", gp_practice="A12345"),
        approved(people, ELSEWHERE + 5, **far),
    ]
    last_six = invented_nhs_number(23_451)[4:]
    line = Sought(0, "adalimumab", f"1111{last_six}", dt.date(1970, 3, 5), None, "A12345")
    with_first = replace(line, nhs_number=f"{invented_nhs_number(12_345)[:6]}0000")
    found = application.state.door.read(
        lambda work: competing.sharing(work, line) | competing.sharing(work, with_first)
    )
    assert found >= {each["treatment_id"] for each in sharing}
    assert not found & {each["treatment_id"] for each in alone}


def with_everything(application: FastAPI, act: Any) -> None:
    """Change the database behind the service's back."""

    def run(work: Work) -> None:
        with work.beyond_scope():
            act(work)

    application.state.door.transact(run)
