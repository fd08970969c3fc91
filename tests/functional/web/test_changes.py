"""Changes of a treatment from its page: each once, with words where something is missing."""

import re

import pytest

from tests.functional.web.conftest import Enter, Person
from tests.functional.web.forms import ANSWERS, sent
from tests.functional.web.test_steps import _today

ONCE = re.compile(r'name="once" value="([^"]+)"><input type="hidden" name="kind" value="([^"]+)"')


def forms(person: Person, treatment: str) -> dict[str, str]:
    """The name of each change's form, by kind."""
    return {kind: once for once, kind in ONCE.findall(person.get(f"/treatments/{treatment}").text)}


def started(person: Person) -> tuple[str, dict[str, str]]:
    """A treatment whose first dose was given today, and today as a form's fields."""
    _, treatment = sent(person, ANSWERS)
    day = dict(zip(("day", "month", "year"), _today(person), strict=True))
    at = f"/treatments/{treatment}"
    fields = {f"first_dose-{part}": value for part, value in day.items()}
    assert person.send(at, f"{at}/first-dose", **fields).headers["location"] == at
    return treatment, {f"from_day-{part}": value for part, value in day.items()}


def test_a_stop_is_recorded_once_and_a_second_click_leads_to_it(enter: Enter) -> None:
    person = enter("demo1-clinician")
    treatment, day = started(person)
    at = f"/treatments/{treatment}"
    fields = {"once": forms(person, treatment)["stop"], "kind": "stop", **day}
    missing = person.send(at, f"{at}/changes", **fields)
    assert missing.status_code == 422
    assert "stop_reason" in missing.text
    fields = {**fields, "stop_reason": "remission"}
    first = person.send(at, f"{at}/changes", **fields)
    assert first.status_code == 303, first.text
    again = person.send("/", f"{at}/changes", **fields)
    assert again.headers["location"] == first.headers["location"]
    shown = person.get(at).text
    assert "remission" in shown
    assert forms(person, treatment) == {}, "nothing more can be changed"


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("pause", {}),
        ("transfer", {"to_provider": "DEMO2"}),
        ("dose change", {"dose_amount": "20", "dose_unit": "mg", "dose_every_days": "14"}),
        ("switch", {"product": "imraldi"}),
    ],
)
def test_each_other_change_is_sent(enter: Enter, kind: str, more: dict[str, str]) -> None:
    person = enter("demo1-clinician")
    treatment, day = started(person)
    at = f"/treatments/{treatment}"
    fields = {"once": forms(person, treatment)[kind], "kind": kind, **day, **more}
    reply = person.send(at, f"{at}/changes", **fields)
    assert reply.status_code == 303, re.sub(r"\s+", " ", reply.text)[-900:]
    assert kind.capitalize() in person.get(str(reply.headers["location"])).text
    if kind == "transfer":
        other = enter("demo2-clinician")
        request = str(reply.headers["location"])
        assert f'href="{request}"' in other.get("/").text
        taken = other.send(request, f"{request}/consent")
        assert taken.headers["location"] == request, taken.text
        assert other.get(at).status_code == 200


def test_who_refuses_a_transfer_is_shown_the_list_and_the_other_hospital_why(enter: Enter) -> None:
    """The one that refused may not see the request any more: it is led to what still waits."""
    person, other = enter("demo1-clinician"), enter("demo2-clinician")
    treatment, day = started(person)
    at = f"/treatments/{treatment}"
    fields = {"once": forms(person, treatment)["transfer"], "kind": "transfer", **day}
    sent_ = person.send(at, f"{at}/changes", **fields, to_provider="DEMO2")
    request = str(sent_.headers["location"])
    reason = "We do not know this patient."
    refused = other.send(request, f"{request}/refuse-consent", reason=reason)
    assert refused.status_code == 303, refused.text
    shown = other.get(str(refused.headers["location"]))
    assert shown.status_code == 200, shown.text
    assert "Transfers to you that wait for your consent" in shown.text
    assert request not in shown.text
    assert other.get(request).status_code == 404
    assert reason in person.get(request).text


def test_a_change_of_nonsense_says_what_to_look_at(enter: Enter) -> None:
    person = enter("demo1-clinician")
    treatment, _ = started(person)
    at = f"/treatments/{treatment}"
    once = forms(person, treatment)["pause"]
    fields = {"from_day-day": "31", "from_day-month": "2", "from_day-year": "2026"}
    reply = person.send(at, f"{at}/changes", once=once, kind="pause", **fields)
    assert reply.status_code == 422
    assert "look at the day" in reply.text
    odd = person.send(at, f"{at}/changes", once=once, kind="anything")
    assert odd.status_code == 422
    assert forms(enter("demo1-delegate"), treatment) == {}
