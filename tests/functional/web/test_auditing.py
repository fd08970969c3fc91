"""The auditor's pages: trails of one's own organisation, narrowed, read on record; the log."""

import datetime as dt
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from pydantic import SecretStr

from app.approvals import trails
from app.audit import Actor, Reading, record_reading
from app.audit.findings import Check, Finding, LogState, keep_finding
from app.db import tables
from app.db.work import Work
from app.sealer import sealing
from app.settings import Settings
from app.web.auditing.view import state_rows
from app.work import run_for_ever
from tests.functional.web.conftest import Enter, Person
from tests.functional.web.forms import ANSWERS, sent
from tests.patience import tries

NOW = dt.datetime(2026, 6, 15, 9, 30, tzinfo=dt.UTC)


def find(person: Person, named: str) -> Any:
    return person.send("/audit", "/audit", named=named)


def test_a_trail_tells_who_did_what_and_reading_it_is_on_record_too(enter: Enter) -> None:
    doctor, auditor = enter("demo1-clinician"), enter("demo1-auditor")
    request, treatment = sent(doctor, ANSWERS)
    number = re.findall(r"999 \d{3} \d{4}", doctor.get(f"/treatments/{treatment}").text)[0]

    at = f"/audit/requests/{request}"
    shown = auditor.get(at)
    assert shown.status_code == 200
    assert "Clinician of DEMO1 (demonstration) (person, clinician) for DEMO1" in shown.text
    assert f"Request {request}, its event 1" in shown.text
    assert "Request read" in shown.text
    assert "Audit trail read" not in shown.text.partition("<tbody")[2]
    again = auditor.get(at).text
    assert "Audit trail read" in again.partition("<tbody")[2]
    assert "Auditor of DEMO1 (demonstration) (person, auditor) for DEMO1" in again

    whole = auditor.get(f"/audit/treatments/{treatment}").text
    assert f"Treatment {treatment}, its event 1" in whole
    assert f"Request {request}, its event 1" in whole
    for text in (again, whole):
        assert number not in text
        assert number.replace(" ", "") not in text
        assert "1970-02-01" not in text


def test_a_trail_is_found_by_an_approvals_reference_a_request_or_a_treatment(enter: Enter) -> None:
    doctor, auditor = enter("demo1-clinician"), enter("demo1-auditor")
    request, treatment = sent(doctor, ANSWERS)
    reference = re.findall(r"PA[A-Z0-9-]{13,}", doctor.get(f"/requests/{request}").text)[0]
    for named, leads_to in (
        (reference, f"/audit/treatments/{treatment}"),
        (f" {reference.lower()} ", f"/audit/treatments/{treatment}"),
        (request, f"/audit/requests/{request}"),
        (treatment.upper(), f"/audit/treatments/{treatment}"),
    ):
        assert find(auditor, named).headers["location"] == leads_to
    for named in ("", "nothing", "PA0000000000000", "<script>", "0" * 2000):
        assert find(auditor, named).status_code == 422
    for who in ("demo2-auditor", "demq2-auditor"):
        for named in (reference, request, treatment):
            assert find(enter(who), named).status_code == 422


def test_a_trail_is_narrowed_by_person_action_and_day(enter: Enter, application: FastAPI) -> None:
    doctor, auditor = enter("demo1-clinician"), enter("demo1-auditor")
    request, _ = sent(doctor, ANSWERS)
    at = f"/audit/requests/{request}"
    auditor.get(at)
    shown = auditor.get(at).text
    people = dict(
        (name, id_)
        for id_, name in re.findall(r'<option value="([0-9a-f-]{36})">([^<]+)</option>', shown)
    )
    assert set(people) == {
        "Clinician of DEMO1 (demonstration)",
        "Auditor of DEMO1 (demonstration)",
    }

    def headings(query: str) -> list[str]:
        text = auditor.get(f"{at}?{query}").text
        return re.findall(r'nhsuk-tag--\w+">([^<]+)<', text)

    mine = headings(f"who={people['Auditor of DEMO1 (demonstration)']}")
    assert set(mine) == {"Audit trail read"}
    assert set(headings("action=request+read")) == {"Request read"}
    today = application.state.door.moment().day
    tomorrow = today + dt.timedelta(days=1)
    day = "&".join(f"from-{p}={getattr(tomorrow, p)}" for p in ("day", "month", "year"))
    assert headings(day) == []
    until = day.replace("from-", "to-")
    assert headings(until) != []
    assert auditor.get(f"{at}?from-day=31&from-month=2&from-year=2026").status_code == 422


def test_nobody_reads_another_organisations_trail(enter: Enter) -> None:
    request, treatment = sent(enter("demo1-clinician"), ANSWERS)
    for who, status in (
        ("demo1-auditor", 200),
        ("demq1-auditor", 200),
        ("demq1-commissioner", 200),
        ("demo1-pharmacist", 200),
        ("demo2-auditor", 404),
        ("demq2-auditor", 404),
        ("demo1-clinician", 403),
        ("demo1-administrator", 403),
    ):
        person = enter(who)
        assert person.get(f"/audit/requests/{request}").status_code == status, who
        assert person.get(f"/audit/treatments/{treatment}").status_code == status, who


def test_a_patients_trail_holds_nothing_of_what_another_hospital_does_for_them(
    enter: Enter, application: FastAPI
) -> None:
    _, treatment = sent(enter("demo1-clinician"), ANSWERS)
    _, elsewhere = sent(enter("demo2-clinician"), ANSWERS)

    def same_patient(work: Work) -> None:
        t = tables.treatment
        own = sa.select(t.c.patient_id).where(t.c.id == treatment).scalar_subquery()
        work.connection.execute(sa.update(t).where(t.c.id == elsewhere).values(patient_id=own))

    application.state.door.transact(same_patient)
    text = enter("demo1-auditor").get(f"/audit/treatments/{treatment}").text
    assert elsewhere not in text
    assert "DEMO2" not in text
    payer = enter("demq1-auditor").get(f"/audit/treatments/{treatment}").text
    assert elsewhere in payer  # who pays for both sees both


def test_a_patients_trail_holds_the_searches_and_lists_that_showed_them_and_nobody_else(
    enter: Enter, application: FastAPI
) -> None:
    doctor = enter("demo1-clinician")
    _, treatment = sent(doctor, ANSWERS)

    def look(work: Work) -> None:
        for organisation, action in (("DEMO1", "searched"), ("DEMO2", "searched elsewhere")):
            actor = Actor("somebody", "person", organisation, "clinician", "portal", "c-1")
            names = {"hits": 2, "treatments": [treatment, "another's treatment"], "drafts": ["d"]}
            record_reading(work, actor, Reading(action, names=names))
        other = Reading("searched for others", names={"treatments": ["another's treatment"]})
        record_reading(work, replace(actor, organisation="DEMO1"), other)

    application.state.door.transact(look)
    text = enter("demo1-auditor").get(f"/audit/treatments/{treatment}").text.partition("<tbody")[2]
    assert "Searched<" in text
    assert "earched elsewhere" not in text
    assert "earched for others" not in text
    assert "another" not in text


def test_lists_that_showed_a_patient_are_told_part_by_part_and_none_is_passed_over(
    enter: Enter, application: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trails, "LOOKED_THROUGH", 3)
    _, treatment = sent(enter("demo1-clinician"), ANSWERS)
    count = 8

    def look(work: Work) -> None:
        for n in range(count):
            actor = Actor("somebody", "person", "DEMO1", "clinician", "portal", "c-1")
            names = {"treatments": [treatment]}
            record_reading(work, actor, Reading(f"searched {n}", names=names))

    application.state.door.transact(look)
    auditor, at = enter("demo1-auditor"), f"/audit/treatments/{treatment}"
    told: list[str] = []
    following: str | None = at
    while following is not None:
        page = auditor.get(following).text
        told += re.findall(r"Searched (\d)<", page.partition("<tbody")[2])
        more = re.search(r'href="(\?before=\d+)">Look further back', page)
        assert ("Back to the newest" in page) is (following != at)
        following = f"{at}{more[1]}" if more else None

    assert told == [str(n) for n in reversed(range(count))]


# --- how the log stands --------------------------------------------------------------------------


def test_the_page_tells_what_the_worker_and_the_command_last_found(
    enter: Enter, application: FastAPI, tmp_path: Path
) -> None:
    auditor = enter("demo1-auditor")
    assert "never: no worker has sealed the log yet" in auditor.get("/audit").text.lower()
    settings: Settings = application.state.settings.model_copy(
        update={"checkpoints_dir": tmp_path / "elsewhere"}
    )
    door = application.state.door
    # The tests' database signs with a key of its own.
    key = door.read(lambda work: work.audit_key).decode()
    settings = settings.model_copy(update={"audit_key": SecretStr(key)})
    for _ in tries():  # on PostgreSQL a row waits for every older transaction of the server
        run_for_ever(door, {}, pause=lambda _: True, chores=[sealing(settings)])
        shown = auditor.get("/audit").text
        if "as the worker found on" in shown:
            break
    assert "Checkpoints kept elsewhere" in shown
    assert re.search(r"Up to seal \d+, as the worker found on", shown)
    assert "Never, or not since this release" in shown

    door.transact(
        lambda work: keep_finding(work, Check.VERIFICATION, faults=2, seal=1, checkpoints=3)
    )
    shown = auditor.get("/audit").text
    assert "against 3 checkpoints: 2 faults found" in shown
    assert "Look into it" in shown


GOOD = LogState(
    seal=7,
    sealed_at=NOW,
    oldest_waiting=None,
    findings={
        Check.SEALING: Finding(Check.SEALING, NOW, 0, 7, 0),
        Check.VERIFICATION: Finding(Check.VERIFICATION, NOW, 0, 7, 5),
    },
)


@pytest.mark.parametrize(
    ("state", "complaint"),
    [
        (GOOD, None),
        (replace(GOOD, oldest_waiting=NOW - dt.timedelta(minutes=5)), None),
        (replace(GOOD, oldest_waiting=NOW - dt.timedelta(hours=2)), "Waits for a seal"),
        (replace(GOOD, seal=8), "Checkpoints kept elsewhere"),
        (
            replace(
                GOOD, findings=GOOD.findings | {Check.SEALING: Finding(Check.SEALING, NOW, 1, 7, 0)}
            ),
            "The worker",
        ),
        (replace(GOOD, findings={}), "Last verified"),
    ],
)
def test_what_somebody_should_look_into_is_marked(state: LogState, complaint: str | None) -> None:
    bad = [row.name for row in state_rows(state, NOW) if not row.good]
    assert bad == ([] if complaint is None else [complaint])
