"""Reminders by e-mail: asked for on a page, sent by the worker through a real mail server."""

import datetime as dt
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from pydantic import SecretStr

from app import postman
from app.approvals import changing, deaths, objecting
from app.approvals.model import FollowUpCommand, RequestDetails, StopReason
from app.auth import people
from app.auth.model import Caller, Role
from app.auth.people import Seat
from app.db import tables
from app.db.transaction import Database
from app.db.work import Moment, Work
from app.door import Door
from app.gauges import Gauges
from app.main import create_app
from app.policy import Kind
from app.reminders import counting, outbox
from app.reminders.model import Reason
from app.reminders.wording import body_of
from app.settings import Settings
from app.web import worklists
from app.work import run_for_ever
from tests.functional.approvals.api import Clock
from tests.functional.conftest import ADMINISTRATOR
from tests.functional.web.conftest import Enter, Person
from tests.functional.web.forms import ANSWERS, begun, sent
from tests.mail_server import PASSWORD, USER, MailCatcher, catching
from tests.policies.library import packaged_library

ADDRESS = "jo.registrar@trust.example"
NOON = dt.datetime(2026, 6, 15, 11, 0, tzinfo=dt.UTC)


@pytest.fixture
def caught(tmp_path: Path) -> Iterator[MailCatcher]:
    with catching(tmp_path) as found:
        yield found


@pytest.fixture
def clock() -> Clock:
    return Clock(NOON)


@pytest.fixture
def settings(tmp_path: Path, caught: MailCatcher) -> Settings:
    return Settings(
        demonstration=True,
        demonstration_sign_in=True,
        data_dir=tmp_path / "var",
        requests_per_minute=1_000_000,
        requests_per_minute_of_people=1_000_000,
        smtp_host="127.0.0.1",
        smtp_port=caught.port,
        smtp_user=USER,
        smtp_password=SecretStr(PASSWORD),
        smtp_ca_file=caught.ca_file,
        mail_from="assent@trust.example",
        mail_domains=("trust.example",),
    )


@pytest.fixture
def application(database: Database, settings: Settings, clock: Clock) -> FastAPI:
    return create_app(
        settings, database=database, library=packaged_library(), now=lambda: clock.instant
    )


@pytest.fixture
def told() -> list[str]:
    return []


def post(application: FastAPI, told: list[str], settings: Settings | None = None) -> None:
    """What the worker does of the post at one turn."""
    chores = postman.posting(settings or application.state.settings, told.append)
    run_for_ever(application.state.door, {}, pause=lambda _: True, chores=chores)


def asked(enter: Enter, who: str = "demo1-clinician", address: str = ADDRESS) -> Person:
    person = enter(who)
    assert ask(person, address).status_code == 303
    return person


def ask(person: Person, address: str) -> Any:
    name = re.findall(r'name="once" value="([^"]+)"', person.get("/reminders").text)[0]
    return person.send("/reminders", "/reminders", address=address, once=name)


def end(person: Person) -> Any:
    name = re.findall(r'name="once" value="([^"]+)"', person.get("/reminders").text)[-1]
    return person.send("/reminders", "/reminders/end", once=name)


def text_of(caught: MailCatcher) -> str:
    return str(caught.taken[-1].get_content()).replace("\r\n", "\n")


def counts_in(text: str) -> dict[str, int]:
    return {words: int(number) for number, words in re.findall(r"^ +(\d+)  (.+?)\r?$", text, re.M)}


def treated(enter: Enter, many: int) -> list[str]:
    clinician = enter("demo1-clinician")
    return [sent(clinician, ANSWERS)[1] for _ in range(many)]


def ask_database(database: Database, query: sa.Select[Any]) -> Any:
    """The rows of a query, of every organisation."""
    return database.read(
        lambda work: work.connection.execute(query).all(), moment=Moment(NOON, NOON.date())
    )


def turn(clock: Clock, database: Database, days_before_the_end: int) -> None:
    """So many days before the last covered day of the first approval."""
    ((last,),) = ask_database(database, sa.select(sa.func.min(tables.approval.c.covers_to)))
    day = last - dt.timedelta(days=days_before_the_end)
    clock.instant = dt.datetime.combine(day, dt.time(11), dt.UTC)


def states(database: Database) -> list[str]:
    found = ask_database(database, sa.select(tables.reminder_message.c.state))
    return sorted(row.state for row in found)


# --- what is sent -------------------------------------------------------------------------------


def test_a_digest_counts_what_is_due_and_names_no_patient(
    application: FastAPI,
    database: Database,
    enter: Enter,
    clock: Clock,
    caught: MailCatcher,
    told: list[str],
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    treated(enter, 2)
    turn(clock, database, 20)
    asked(enter)
    with caplog.at_level(logging.DEBUG):
        post(application, told)

    assert told == ["sent"]
    message = caught.taken[0]
    assert (message["To"], message["From"]) == (ADDRESS, "assent@trust.example")
    assert message["Subject"] == "Assent: 2 waiting at DEMO1"
    text = text_of(caught)
    assert counts_in(text) == {
        "approvals end within 30 days and are due for their continuations": 2
    }
    assert "http://127.0.0.1:8000/\n" in text
    assert "http://127.0.0.1:8000/reminders" in text
    assert not re.search(r"999 ?\d{3} ?\d{4}|H0\d{5}|adalimumab|arthritis", text, re.I)
    # Everything after the greeting went over TLS, and nothing of it was written down anywhere.
    spoken = [line for secure, line in caught.said if not secure]
    assert [line[:8] for line in spoken] == ["ehlo 127", "STARTTLS"]
    written = caplog.text + "".join(capfd.readouterr())
    assert PASSWORD not in written
    assert ADDRESS not in written


@pytest.mark.parametrize("reason", list(counting.Reason))
def test_no_wording_says_what_to_do_with_a_treatment(reason: counting.Reason) -> None:
    for number in (1, 2):
        text = body_of(
            "DEMO1",
            "clinician",
            NOON.date(),
            [counting.Count(reason, number)],
            home="https://assent.example/",
            page="https://assent.example/reminders",
        )
        assert not re.search(r"\b(stop|cease|withh|discontinu|suspend|pause|must)", text, re.I)
        assert "no reason to change a patient's treatment" in text


def test_the_dead_and_ended_treatments_are_not_counted_but_those_who_object_are(
    application: FastAPI,
    database: Database,
    enter: Enter,
    clock: Clock,
    caught: MailCatcher,
    told: list[str],
) -> None:
    first, second, third, _ = treated(enter, 4)
    turn(clock, database, 20)
    door, doctor = application.state.door.acting_for("DEMO1"), clinician()
    today = clock.instant.date()
    patient = {each: patient_of(database, each) for each in (first, second)}
    door.transact(lambda work: deaths.record_death(work, doctor, patient[first], today))
    door.transact(
        lambda work: objecting.record_objection(work, doctor, patient[second], "To nobody else.")
    )
    ended = FollowUpCommand(
        treatment_id=third,
        kind=Kind.STOP,
        decision_to_treat=today,
        answers={},
        details=RequestDetails(from_day=today, stop_reason=StopReason.OTHER),
    )
    office = application.state.office
    door.transact(lambda work: changing.submit_change(work, office, doctor, ended))
    asked(enter)

    post(application, told)
    assert counts_in(text_of(caught)) == {
        "approvals end within 30 days and are due for their continuations": 2
    }
    # Nor does the list of what is due name the patient who has died.
    shown = enter("demo1-clinician").get("/").text
    assert f"/treatments/{first}" not in shown
    assert f"/treatments/{second}" in shown


def test_what_waits_for_people_is_counted_for_whom_it_waits(
    application: FastAPI, enter: Enter, caught: MailCatcher, told: list[str]
) -> None:
    doctor = enter("demo1-clinician")
    sent(doctor, ANSWERS | {"screened": "no"})  # for people: the panel, or who pays
    begun(enter("demo1-delegate"), "H000778", 60_002)
    asked(enter)
    asked(enter, "demo1-delegate", "delegate@trust.example")
    asked(enter, "demo2-clinician", "elsewhere@trust.example")
    asked(enter, "demq1-commissioner", "payer@trust.example")

    post(application, told)
    found = {each["To"]: counts_in(str(each.get_content())) for each in caught.taken}
    assert found == {
        ADDRESS: {"form that a colleague prepared": 1},
        "payer@trust.example": {"request for your organisation to decide": 1},
    }


def test_a_digest_counts_the_states_that_the_home_page_lists() -> None:
    # What another hospital is asked is listed, and nobody is reminded of it.
    listed = {
        role: [(each.states, each.own) for each in queues if each.name != "transfers-out"]
        for role, queues in worklists.QUEUES.items()
    }
    counted = {
        role: [(states, own) for _, states, own in queues]
        for role, queues in counting.QUEUES.items()
    }
    assert counted == listed


#: So many days from today → why a digest counts an approval that ends then; None: it does not.
ENDS = {
    -91: None,
    -90: Reason.ENDED,
    -1: Reason.ENDED,
    0: Reason.SOON,
    30: Reason.SOON,
    31: Reason.LATER,
    90: Reason.LATER,
    91: None,
}
STARTS = {-1: None, 0: Reason.LAPSES, 30: Reason.LAPSES, 31: None}


@pytest.mark.parametrize(("column", "spans"), [("covers_to", ENDS), ("start_by", STARTS)])
def test_a_digest_counts_the_days_that_the_home_page_lists(
    application: FastAPI,
    database: Database,
    enter: Enter,
    clock: Clock,
    column: str,
    spans: dict[int, Reason | None],
) -> None:
    (treatment,), today = treated(enter, 1), clock.instant.date()
    away = today + dt.timedelta(days=1000)
    person, approval = enter("demo1-clinician"), tables.approval

    def put(work: Work, days: int) -> dict[Reason, int]:
        own = approval.c.treatment_id == treatment
        there = {"covers_to": away, "start_by": away} | {column: today + dt.timedelta(days=days)}
        work.connection.execute(sa.update(approval).where(own).values(**there))
        return {each.reason: each.number for each in counting.what_waits(work, clinician())}

    door, name = application.state.door, "lapsing" if column == "start_by" else "continuations"
    for days, reason in spans.items():
        counted = door.transact(lambda work, days=days: put(work, days))
        assert counted == ({} if reason is None else {reason: 1}), days
        listed = f"/treatments/{treatment}" in person.get(f"/worklists/{name}").text
        assert listed == (reason is not None), days


# --- at most once a day, and at least once ------------------------------------------------------


@pytest.fixture
def waiting(enter: Enter, clock: Clock, database: Database) -> Person:
    """Somebody who asked, and for whom something waits."""
    treated(enter, 1)
    turn(clock, database, 20)
    return asked(enter)


def test_one_digest_goes_out_on_a_day_and_another_on_the_next(
    application: FastAPI, clock: Clock, caught: MailCatcher, told: list[str], waiting: Person
) -> None:
    for _ in range(3):
        post(application, told)
        clock.instant += dt.timedelta(hours=2)
    assert told == ["sent"]
    clock.instant += dt.timedelta(days=1)
    post(application, told)
    assert told == ["sent", "sent"]
    assert caught.taken[0]["Message-ID"] != caught.taken[1]["Message-ID"]


def test_none_is_written_at_night_and_none_where_nothing_waits(
    application: FastAPI, enter: Enter, clock: Clock, told: list[str], database: Database
) -> None:
    asked(enter)  # for whom nothing waits
    post(application, told)
    treated(enter, 1)
    turn(clock, database, 20)
    clock.instant = clock.instant.replace(hour=5)
    post(application, told)
    assert (told, states(database)) == ([], [])


def test_a_worker_killed_between_sending_and_marking_makes_one_more_copy_and_no_third(
    application: FastAPI,
    clock: Clock,
    caught: MailCatcher,
    told: list[str],
    waiting: Person,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def die(*_: Any) -> None:
        raise SystemExit("killed")

    with monkeypatch.context() as patched:
        patched.setattr(outbox, "sent", die)
        with pytest.raises(SystemExit):
            post(application, told)
    assert len(caught.taken) == 1
    post(application, told)  # it is left to the worker that took it for a while
    assert len(caught.taken) == 1
    for _ in range(3):
        clock.instant += outbox.HELD
        post(application, told)
    assert [each["Message-ID"] for each in caught.taken] == [caught.taken[0]["Message-ID"]] * 2
    assert told == ["sent"]


def test_a_server_that_does_not_take_it_is_tried_again_ever_later_until_the_day_is_over(
    application: FastAPI,
    clock: Clock,
    caught: MailCatcher,
    told: list[str],
    waiting: Person,
    database: Database,
) -> None:
    caught.to_message = "451 not now"
    tried = []
    begun = clock.instant
    for _ in range(300):
        before = len(told)
        post(application, told)
        if len(told) > before:
            tried.append(int((clock.instant - begun).total_seconds() // 60))
        clock.instant += dt.timedelta(minutes=1)
    assert told == ["again"] * len(tried)
    assert tried == [0, 1, 3, 7, 15, 31, 63, 127, 247]
    caught.to_message = "250 OK"
    clock.instant += dt.timedelta(hours=2)
    post(application, told)
    assert told[-1] == "sent"
    caught.to_message = "554 not this"
    clock.instant = (clock.instant + dt.timedelta(days=1)).replace(hour=12)
    post(application, told)
    clock.instant += dt.timedelta(days=1)
    caught.to_message = "250 OK"
    post(application, told)
    assert told[-3:] == ["again", "given up", "sent"]
    assert states(database) == ["given up", "sent", "sent"]


def test_a_server_that_is_down_loses_nothing(
    application: FastAPI, clock: Clock, caught: MailCatcher, told: list[str], waiting: Person
) -> None:
    settings = application.state.settings.model_copy(update={"smtp_port": 1})
    post(application, told, settings)
    clock.instant += dt.timedelta(minutes=1)
    post(application, told)
    assert told == ["again", "sent"]
    assert len(caught.taken) == 1


def test_an_address_that_the_server_refuses_is_not_written_to_again_and_its_owner_is_told(
    application: FastAPI, clock: Clock, caught: MailCatcher, told: list[str], waiting: Person
) -> None:
    caught.to_recipient = "550 no such mailbox"
    post(application, told)
    assert told == ["refused"]
    assert "the mail server refused the address" in waiting.get("/reminders").text
    clock.instant += dt.timedelta(days=1)
    post(application, told)
    assert told == ["refused"]
    caught.to_recipient = "250 OK"


@pytest.mark.parametrize("how", ["no TLS", "a certificate that nobody trusts", "wrong password"])
def test_nothing_goes_to_a_server_that_is_not_the_one_of_the_settings(
    application: FastAPI, caught: MailCatcher, told: list[str], waiting: Person, how: str
) -> None:
    settings = application.state.settings
    if how == "no TLS":
        caught.offers_tls = False
    elif how == "wrong password":
        settings = settings.model_copy(update={"smtp_password": SecretStr("another")})
    else:
        settings = settings.model_copy(update={"smtp_ca_file": None})
    post(application, told, settings)
    assert told == ["again"]
    assert caught.taken == []
    assert not [line for secure, line in caught.said if not secure and line.startswith("AUTH")]


# --- who gets them ------------------------------------------------------------------------------


def test_who_wants_no_more_gets_none_not_even_one_that_was_written(
    application: FastAPI, caught: MailCatcher, told: list[str], waiting: Person, database: Database
) -> None:
    caught.to_message = "451 not now"
    post(application, told)
    assert states(database) == ["waiting"]
    assert end(waiting).status_code == 303
    assert "You get none for DEMO1" in waiting.get("/reminders").text
    assert states(database) == []
    post(application, told)
    assert told == ["again"]


def test_who_was_revoked_lost_the_role_or_came_no_more_gets_none(
    application: FastAPI, clock: Clock, told: list[str], waiting: Person, database: Database
) -> None:
    door: Door = application.state.door
    person = door.read(
        lambda work: (
            work.connection.execute(sa.select(tables.reminder_address.c.person_id)).scalars().one()
        )
    )
    seat = Seat("DEMO1", Role.CLINICIAN)
    in_time = clock.instant
    clock.instant += dt.timedelta(days=61)  # since the last time that the person signed in
    post(application, told)
    assert told == []
    clock.instant = in_time
    door.transact(lambda work: people.grant(work, ADMINISTRATOR, person, seat))
    door.transact(lambda work: people.withdraw(work, ADMINISTRATOR, person, seat))
    post(application, told)
    assert told == []
    door.transact(lambda work: people.grant(work, ADMINISTRATOR, person, seat))
    door.transact(lambda work: people.revoke_person(work, ADMINISTRATOR, person))
    post(application, told)
    assert told == []


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("jo@elsewhere.example", "ends in @trust.example"),
        ("jo@trust.example.evil.example", "ends in @trust.example"),
        ("jo@trust.example, al@trust.example", "one e-mail address"),
        ("Jo <jo@trust.example>", "one e-mail address"),
        ("jo@trust.example\r\nBcc: al@trust.example", "one e-mail address"),
        ("", "one e-mail address"),
        ("a" * 250 + "@trust.example", "one e-mail address"),
    ],
)
def test_an_address_that_may_not_be_written_to_is_told_on_the_page(
    enter: Enter, database: Database, address: str, why: str
) -> None:
    reply = ask(enter("demo1-clinician"), address)
    assert reply.status_code == 422
    assert why in reply.text
    assert ask_database(database, sa.select(tables.reminder_address)) == []


def test_asking_again_replaces_the_address_and_what_was_asked_is_on_record_without_it(
    enter: Enter, database: Database
) -> None:
    person = asked(enter)
    assert ask(person, "jo.other@trust.example").status_code == 303
    found = ask_database(database, sa.select(tables.reminder_address.c.address))
    event, payload = tables.audit_event.c, tables.audit_payload.c
    told = ask_database(
        database,
        sa.select(event.action, payload.body)
        .join(tables.audit_payload, payload.id == event.payload_id)
        .where(event.object_type == "reminder"),
    )
    assert [row.address for row in found] == ["jo.other@trust.example"]
    assert [each.action for each in told] == ["ask for reminders"] * 2
    assert "trust.example" not in "".join(each.body for each in told)


def test_another_persons_and_another_organisations_reminders_are_not_shown(enter: Enter) -> None:
    asked(enter)
    for other in ("demo1-delegate", "demo2-clinician"):
        assert ADDRESS not in enter(other).get("/reminders").text
        assert "You get none" in enter(other).get("/reminders").text


def test_without_a_mail_server_none_can_be_asked_for_and_the_worker_has_no_post(
    application: FastAPI, enter: Enter
) -> None:
    off = application.state.settings.model_copy(update={"smtp_host": ""})
    assert postman.posting(off) == []
    application.state.settings = off
    person = enter("demo1-clinician")
    assert "no mail server is set" in person.get("/reminders").text
    assert person.send("/reminders", "/reminders", address=ADDRESS).status_code == 403
    assert "/reminders" not in person.get("/").text


def test_the_metrics_tell_how_many_went_and_wait(
    application: FastAPI, caught: MailCatcher, told: list[str], waiting: Person
) -> None:
    gauges = Gauges()
    caught.to_message = "451 not now"
    chores = [
        *postman.posting(application.state.settings, gauges.reminded),
        gauges.queues(60),
    ]
    run_for_ever(application.state.door, {}, pause=lambda _: True, chores=chores)
    text = gauges.text().decode()
    assert 'assent_reminders_total{how="again"} 1.0' in text
    assert "assent_reminders_waiting 1.0" in text


# --- parts --------------------------------------------------------------------------------------


def clinician() -> Caller:
    return Caller("doctor", "", "person", "DEMO1", Role.CLINICIAN, "tests", "test")


def patient_of(database: Database, treatment: str) -> str:
    query = sa.select(tables.treatment.c.patient_id).where(tables.treatment.c.id == treatment)
    ((found,),) = ask_database(database, query)
    return str(found)
