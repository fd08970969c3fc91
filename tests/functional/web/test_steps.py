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
    assert no_reason.headers["location"] == f"{at}#panel-decline"
    asked = payer.send(at, f"{at}/panel-return", reason="Was the screening done elsewhere?")
    assert asked.status_code == 303, asked.text
    assert "Returned with a question" in clinician.get(at).text
    assert "Was the screening done elsewhere?" in clinician.get(at).text
    again = payer.send(at, f"{at}/panel-decline", reason="No.")
    assert again.status_code in (409, 412)


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
