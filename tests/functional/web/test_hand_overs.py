"""The pages of hand-overs: what would go over is shown, another confirms, both sides read it."""

import datetime as dt
from collections.abc import Callable

import pytest
from fastapi import FastAPI

from app.approvals import handing
from app.db.work import Moment
from app.reference_data.drugs import load_drugs
from tests.functional.approvals.scene import work_off
from tests.functional.web.conftest import Enter, Person
from tests.functional.web.forms import ANSWERS, sent

AT = "/hand-overs"
GIVER, SECOND, RECEIVER = "demq1-commissioner", "demq1-commissioner-2", "demq2-commissioner"
TODAY = dt.date(2026, 6, 15)


@pytest.fixture
def now(moment: Moment) -> Callable[[], dt.datetime]:
    """Half past ten in London: a test that began before midnight does not end after it."""
    return lambda: moment.instant


def boxes(day: dt.date, **changes: str) -> dict[str, str]:
    asked = {
        "drug": "adalimumab",
        "receiver": "DEMQ2",
        "why": "Delegated (invented).",
        "from-day": str(day.day),
        "from-month": str(day.month),
        "from-year": str(day.year),
    }
    return asked | changes


def proposed(enter: Enter, day: dt.date) -> str:
    """The address of a proposal that one commissioner of DEMQ1 made."""
    giver = enter(GIVER)
    reply = giver.send(f"{AT}/new", AT, **boxes(day))
    assert reply.status_code == 303, reply.text
    return str(reply.headers["location"])


@pytest.fixture
def treatment(enter: Enter) -> str:
    """The address of a running treatment that DEMQ1 pays for."""
    return f"/treatments/{sent(enter('demo1-clinician'), ANSWERS)[1]}"


def test_one_sees_what_would_go_over_and_another_confirms_it(enter: Enter, treatment: str) -> None:
    giver, second, receiver = enter(GIVER), enter(SECOND), enter(RECEIVER)
    shown = giver.send(f"{AT}/new", f"{AT}/preview", **boxes(TODAY))
    assert shown.status_code == 200, shown.text
    assert "1, which stand as they are" in shown.text
    assert "Nothing waits" in giver.get(AT).text, "looking proposes nothing"
    assert receiver.get(treatment).status_code == 404
    at = proposed(enter, TODAY)
    own = giver.get(at).text
    assert "Another commissioner of yours confirms it" in own
    assert "Confirm hand-over" not in own
    refused = giver.send(at, f"{at}/confirm")
    assert refused.status_code == 403
    assert "you made it yourself" in refused.text
    assert "wait for a second commissioner" in second.get("/").text

    done = second.send(at, f"{at}/confirm")

    assert done.headers["location"] == AT, done.text
    assert "Confirmed" in giver.get(at).text
    assert f'href="{at}"' in giver.get(AT).text
    assert "Hand-overs to you in the last 30 days" in receiver.get("/").text
    assert "Adalimumab" in receiver.get(AT).text
    assert "Delegated" not in receiver.get(AT).text, "why is the giver's own"
    assert receiver.get(at).status_code == 404
    assert "DEMQ2" in receiver.get(treatment).text
    assert receiver.get(treatment).status_code == 200


def test_the_provider_reads_who_pays_from_when(enter: Enter, treatment: str) -> None:
    """The form's first day is covered from today, so the old commissioner pays for no day."""
    at = proposed(enter, TODAY)
    assert enter(SECOND).send(at, f"{at}/confirm").status_code == 303
    shown = enter("demo1-clinician").get(treatment).text
    assert ">DEMQ2<" in shown


def test_what_cannot_be_taken_is_said_at_its_box_and_kept(enter: Enter) -> None:
    giver = enter(GIVER)
    for changes, box in (
        ({"drug": ""}, "drug"),
        ({"receiver": ""}, "receiver"),
        ({"receiver": "DEMQ1"}, "receiver"),
        ({"why": ""}, "why"),
    ):
        reply = giver.send(f"{AT}/new", f"{AT}/preview", **boxes(TODAY, **changes))
        assert reply.status_code == 422, reply.text
        assert f'id="{box}-error"' in reply.text
        assert f'href="#{box}"' in reply.text
    far = giver.send(f"{AT}/new", f"{AT}/preview", **boxes(TODAY + dt.timedelta(days=30)))
    assert "at most 7 days before" in far.text
    assert "Delegated (invented)." in far.text


def test_one_that_is_stale_or_early_cannot_be_confirmed(enter: Enter, treatment: str) -> None:
    del treatment
    early = proposed(enter, TODAY + dt.timedelta(days=5))
    second = enter(SECOND)
    assert "It can be confirmed from" in second.get(early).text
    stale = proposed(enter, TODAY)
    sent(enter("demo1-clinician"), ANSWERS)
    shown = second.get(stale).text
    assert "can no longer be confirmed" in shown
    assert "Confirm hand-over" not in shown
    assert second.send(stale, f"{stale}/confirm").status_code == 409
    assert second.send(stale, f"{stale}/decline").headers["location"] == AT


def test_the_page_of_many_does_not_work_out_what_would_go_over_and_confirming_does(
    enter: Enter, treatment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handing, "MOST_AT_ONCE", 0)
    at = proposed(enter, TODAY)
    sent(enter("demo1-clinician"), ANSWERS)
    second = enter(SECOND)
    with monkeypatch.context() as patch:
        patch.setattr(handing, "touched_now", lambda *_: 1 / 0)
        shown = second.get(at).text
    assert "confirming it says so and hands nothing over" in shown
    refused = second.send(at, f"{at}/confirm")
    assert refused.status_code == 409
    assert "has changed since it was proposed" in refused.text
    assert enter(RECEIVER).get(treatment).status_code == 404
    assert second.send(at, f"{at}/decline").headers["location"] == AT


def test_another_commissioner_reaches_no_page_of_a_proposal(enter: Enter) -> None:
    at = proposed(enter, TODAY)
    other: Person = enter(RECEIVER)
    assert other.get(at).status_code == 404
    for step in ("confirm", "decline"):
        assert other.send(AT, f"{at}/{step}").status_code in (403, 404), step
    assert "Nothing waits" in other.get(AT).text


def test_many_are_handed_over_by_the_worker_and_the_page_says_how_far_it_is(
    enter: Enter, treatment: str, application: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handing, "MOST_AT_ONCE", 0)
    at = proposed(enter, TODAY)
    second = enter(SECOND)
    assert second.send(at, f"{at}/confirm").headers["location"] == at
    shown = second.get(at).text
    assert "It was confirmed, and waits for its turn." in shown
    assert f'data-follow="{at}/state"' in shown
    assert '<noscript><meta http-equiv="refresh"' in shown
    assert "Confirm hand-over" not in shown
    told = second.get(f"{at}/state").json()
    assert (told["over"], told["words"]) == (False, "It was confirmed, and waits for its turn.")
    assert enter(RECEIVER).get(f"{at}/state").status_code == 404
    with monkeypatch.context() as patch:
        patch.setattr(handing, "give", lambda *_: 1 / 0)
        work_off(application)
    shown = second.get(at).text
    assert "the work stopped before anything was handed over" in shown
    assert second.get(f"{at}/state").json()["over"] is True
    assert second.send(at, f"{at}/confirm").headers["location"] == at
    work_off(application)
    assert "Confirmed" in second.get(at).text
    assert enter(RECEIVER).get(treatment).status_code == 200
    assert second.get(f"{at}/state").json()["over"] is True


def test_a_day_of_before_anything_could_go_over_is_refused_at_its_box(enter: Enter) -> None:
    giver = enter(GIVER)
    for step in ("preview", ""):
        reply = giver.send(f"{AT}/new", f"{AT}/{step}".rstrip("/"), **boxes(dt.date(1900, 1, 1)))
        assert reply.status_code in (409, 422), reply.text
        assert "at the earliest" in reply.text
        assert "1900" not in reply.text.partition("at the earliest")[0][-60:]


def test_only_drugs_that_a_policy_pays_for_are_offered(enter: Enter) -> None:
    """A treatment is under a policy; the dictionary has drugs that none is about."""
    offered = enter(GIVER).get(f"{AT}/new").text
    assert '<option value="adalimumab">Adalimumab</option>' in offered
    assert '<option value="pembrolizumab"' not in offered
    assert "pembrolizumab" in load_drugs().drugs
