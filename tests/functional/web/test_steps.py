"""The steps of other people on a request's page: panel, payer, pharmacist."""

import re

from tests.functional.web.conftest import Enter, Person
from tests.functional.web.forms import ANSWERS, DAY, begun, sent


def test_the_payer_sees_what_waits_approves_and_cannot_do_it_twice(enter: Enter) -> None:
    clinician, payer = enter("demo1-clinician"), enter("demq1-commissioner")
    request, _ = sent(clinician, ANSWERS | {"screened": "no"})  # refers to people
    assert "With people who decide" in clinician.get(f"/requests/{request}").text
    home = payer.get("/").text
    assert f'href="/requests/{request}"' in home
    at = f"/requests/{request}"
    shown = payer.get(at).text
    assert ">Approve<" in shown.replace("\n", "") or "Approve" in shown
    assert "Continue this treatment" not in shown
    no_reason = payer.send(at, f"{at}/panel-decline")
    assert no_reason.headers["location"] == f"{at}?missing=panel-decline#panel-decline"
    told = payer.get(f"{at}?missing=panel-decline").text
    assert 'id="panel-decline-reason-error"' in told
    assert "There is a problem" in told
    assert payer.get(f"{at}?missing=<b>").status_code == 400
    asked = payer.send(at, f"{at}/panel-return", reason="Was the screening done elsewhere?")
    assert asked.status_code == 303, asked.text
    assert "Returned with a question" in clinician.get(at).text
    assert "Was the screening done elsewhere?" in clinician.get(at).text
    again = payer.send(at, f"{at}/panel-decline", reason="No.")
    assert again.status_code in (409, 412)


def test_a_step_sent_twice_is_taken_once_and_leads_to_the_same_page(enter: Enter) -> None:
    clinician, payer = enter("demo1-clinician"), enter("demq1-commissioner")
    request, _ = sent(clinician, ANSWERS | {"screened": "no"})
    at = f"/requests/{request}"
    once = {"once": "3e0c52a7-6c0c-4a57-9d55-1f7d7bb6a0e1", "reason": "Not screened."}
    version = {"version": payer.get(at).text.split('name="version" value="')[1].split('"')[0]}
    replies = [payer.send(at, f"{at}/panel-decline", **once, **version) for _ in range(2)]
    assert [each.headers.get("location") for each in replies] == [at, at]
    changed = payer.send(at, f"{at}/panel-decline", **{**once, "reason": "Other."}, **version)
    assert changed.status_code == 412
    assert "was sent before" in changed.text


def test_a_step_without_a_session_shows_the_words_again_and_does_nothing(enter: Enter) -> None:
    clinician, payer = enter("demo1-clinician"), enter("demq1-commissioner")
    request, _ = sent(clinician, ANSWERS | {"screened": "no"})
    at = f"/requests/{request}"
    words = {"reason": "Seen <b>once</b>.", "csrf": "x" * 43, "version": "1"}
    foreign = payer.http.post(f"{at}/panel-decline", data=words)
    assert foreign.status_code == 403
    assert "Seen &lt;b&gt;once&lt;/b&gt;." in foreign.text
    payer.http.cookies.clear()
    headers = {"Referer": f"https://127.0.0.1:8000{at}"}
    lost = payer.http.post(f"{at}/panel-decline", data=words, headers=headers)
    assert lost.status_code == 401
    assert "You were signed out before this was sent" in lost.text
    assert "Seen &lt;b&gt;once&lt;/b&gt;." in lost.text
    assert "x" * 43 not in lost.text, "its own fields are not shown"
    elsewhere = {"Referer": "https://elsewhere.example/requests"}
    assert "elsewhere" not in payer.http.post(f"{at}/panel-decline", headers=elsewhere).text
    assert "With people who decide" in clinician.get(at).text


def test_funding_outside_the_policy_ends_in_a_reference(enter: Enter) -> None:
    clinician, payer = enter("demo1-clinician"), enter("demq1-commissioner")
    request, _ = sent(clinician, ANSWERS | {"das28_at_start": "4.0"})
    at = f"/requests/{request}"
    missing = payer.send(at, f"{at}/fund", reason="Exceptional.", basis="individual funding")
    assert missing.status_code in (400, 422), missing.status_code
    assert "your case reference" in missing.text
    day = dict(zip(("day", "month", "year"), _today(clinician), strict=True))
    done = payer.send(
        at,
        f"{at}/fund",
        reason="Exceptional circumstances were shown.",
        basis="individual funding",
        case_reference="IFR-2026-1",
        terms="One year.",
        **{f"from_day-{part}": value for part, value in day.items()},
    )
    assert done.headers["location"] == at, done.text
    shown = clinician.get(at).text
    assert re.search(r'class="app-reference">PA[0-9A-Z]{13}<', shown)
    assert "Individual funding" in shown


def test_the_trusts_pharmacist_authorises(enter: Enter) -> None:
    clinician, pharmacist = enter("demo1-clinician"), enter("demo1-pharmacist")
    request, _ = sent(clinician, ANSWERS)
    at = f"/requests/{request}"
    assert "Authorise" not in pharmacist.get(at).text, "this trust does not want that step"
    refused = pharmacist.send("/patients", f"{at}/authorise", version="1")
    assert refused.status_code in (409, 412)


def _today(person: Person) -> tuple[str, ...]:
    """The service's own day, as its form proposes it."""
    draft = begun(person, "H002000", 60_900)
    found = dict(re.findall(DAY, person.get(f"/drafts/{draft}/treatment").text))
    return tuple(found[f"decision_to_treat-{part}"] for part in ("day", "month", "year"))


def test_who_has_one_role_is_told_which_and_led_on(enter: Enter) -> None:
    shown = enter("demo1-clinician").get("/role").text
    assert "You act as clinician at DEMO1." in shown
    assert '<a href="/">Go to the home page</a>' in shown
    assert 'name="seat"' not in shown
