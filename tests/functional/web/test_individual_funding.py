"""An individual funding request on pages: from a refusal to a supply that is covered."""

import datetime as dt
import re

from tests.functional.web.conftest import Enter, Person
from tests.functional.web.forms import ANSWERS, sent
from tests.functional.web.test_attachments import PDF, attach, links
from tests.functional.web.test_steps import _today

LOW = ANSWERS | {"das28_at_start": "4.0"}
CASE = "The score misses disease that was seen in two joints by ultrasound."
#: No response: the continuation does not meet the policy.
POOR = {
    "intolerable_effects": "no",
    "das28_now": "6.0",
    "with_methotrexate": "yes",
    "methotrexate_unsuitable": "no",
    "dose_mg": "40",
    "dose_interval_days": "14",
    "active_infection": "no",
}
ONCE = re.compile(r'name="once" value="([^"]+)"')


NAMED = "The panel or the commissioner named here decides."


def begin(person: Person, request: str, case: str = CASE) -> str:
    """Ask for individual funding; where that leads."""
    at = f"/requests/{request}"
    once = ONCE.findall(person.get(at).text)[0]
    reply = person.send(at, f"{at}/individual-funding", once=once, case=case)
    assert reply.status_code == 303, reply.text
    return str(reply.headers["location"])


def test_the_ways_on_have_a_heading_of_their_own_and_a_link_at_the_top(enter: Enter) -> None:
    person, payer = enter("demo1-clinician"), enter("demq1-commissioner")
    refused, _ = sent(person, LOW)
    shown = person.get(f"/requests/{refused}").text
    assert in_order(
        shown, "What to do next", 'href="#reason"', ">Attachments<", 'id="reason"', "individual-fu"
    )
    assert 'href="#steps"' not in shown, "nobody's decision is waited for"
    check = begin(person, refused)
    at = str(person.send(check, check.replace("/check", "/submit")).headers["location"])
    assert attach(person, at.rsplit("/", 1)[1], PDF, shared="yes").status_code == 303
    offered = payer.get(at).text
    assert in_order(
        offered, "What to do next", 'href="#steps"', ">Attachments<", 'id="steps"', 'id="fund"'
    )
    waits = person.get(at).text
    assert 'href="#steps"' not in waits, "its clinician decides nothing here"


def in_order(text: str, *parts: str) -> bool:
    """Whether each part stands there, first met after those before it."""
    places = [text.find(part) for part in parts]
    return -1 not in places and places == sorted(places)


def test_from_a_refusal_to_a_matched_approval(enter: Enter) -> None:
    person, payer = enter("demo1-clinician"), enter("demq1-commissioner")
    refused, _ = sent(person, LOW)
    check = begin(person, refused)
    shown = person.get(check).text
    assert CASE in shown
    assert "sent to people to decide" in shown
    assert "individual funding" in shown
    draft = check.removesuffix("/check")
    reply = person.send(check, f"{draft}/submit")
    assert reply.status_code == 303, reply.text
    at = str(reply.headers["location"])
    request = at.rsplit("/", 1)[1]
    page = person.get(at).text
    assert "With people who decide" in page
    assert "Individual funding, outside the policy" in page
    assert "attach the evidence" in page
    assert attach(person, request, PDF, shared="yes", title="Ultrasound report").status_code == 303

    assert f'href="{at}"' in payer.get("/").text, "it waits for the commissioner"
    offered = payer.get(at).text
    assert CASE in offered
    assert "Your organisation decides this, below. Until then" in offered
    assert NAMED not in offered
    assert NAMED in page, "whoever asked is told who decides"
    (file,) = links(payer, request)
    assert payer.get(file).content == PDF
    assert "panel-approve" not in offered, "it is not asked of the policy"
    assert offered.index('id="fund"') < offered.index('id="refuse-funding"')
    today = dict(zip(("day", "month", "year"), _today(person), strict=True))
    funded = payer.send(
        at,
        f"{at}/fund",
        reason="Exceptional circumstances were shown.",
        basis="individual funding",
        case_reference="IFR-2026-7",
        terms="One year.",
        **{f"from_day-{part}": value for part, value in today.items()},
    )
    assert funded.headers["location"] == at, funded.text
    approved = person.get(at).text
    found = re.search(r'class="app-reference">(PA[0-9A-Z]{13})<', approved)
    assert found is not None
    assert "Criteria not met" in person.get(f"/requests/{refused}").text, "that stays as it was"
    number = re.search(r"NHS number (\d{3} \d{3} \d{4})", approved)
    assert number is not None
    checked = person.send(
        "/supply-check",
        "/supply-check",
        nhs_number=number.group(1),
        drug="Humira 40mg pen",
        quantity="2",
        **{"birth_date-day": "1", "birth_date-month": "2", "birth_date-year": "1970"},
        **{f"supply_date-{part}": value for part, value in today.items()},
    )
    assert "It would not be challenged" in checked.text
    assert found.group(1) in checked.text


def test_the_commissioner_declines_with_a_reason(enter: Enter) -> None:
    person, payer = enter("demo1-clinician"), enter("demq1-commissioner")
    check = begin(person, sent(person, LOW)[0])
    at = str(person.send(check, check.replace("/check", "/submit")).headers["location"])
    panel = payer.send(at, f"{at}/panel-decline", reason="No.")
    assert panel.status_code == 409, "it is not the policy's to decline"
    done = payer.send(at, f"{at}/refuse-funding", reason="Others like them are not funded either.")
    assert done.headers["location"] == at, done.text
    shown = person.get(at).text
    assert "Declined" in shown
    assert "Others like them are not funded either." in shown
    assert "stop treatment" not in shown.lower()
    assert "Ask for individual funding" in shown, "with a better case it may be asked again"
    again = payer.send(at, f"{at}/refuse-funding", reason="Once more.")
    assert again.status_code == 409
    referred, _ = sent(person, ANSWERS | {"screened": "no"})
    there = f"/requests/{referred}"
    policys = payer.send(there, f"{there}/refuse-funding", reason="Not asked so.")
    assert policys.status_code == 409
    assert "With people who decide" in person.get(there).text


def test_a_delegate_prepares_it_once_and_others_do_not(enter: Enter) -> None:
    refused, _ = sent(enter("demo1-clinician"), LOW)
    approved, _ = sent(enter("demo1-clinician"), ANSWERS)
    delegate = enter("demo1-delegate")
    at = f"/requests/{refused}"
    fields = {"once": ONCE.findall(delegate.get(at).text)[0], "case": CASE}
    first = delegate.send(at, f"{at}/individual-funding", **fields)
    again = delegate.send(at, f"{at}/individual-funding", **fields)
    assert first.headers["location"] == again.headers["location"]
    assert "Ask for individual funding" not in delegate.get(f"/requests/{approved}").text
    for who, status in {"demo2-clinician": 404, "demq1-commissioner": 403}.items():
        reply = enter(who).send("/", f"{at}/individual-funding", **fields)
        assert reply.status_code == status, who
    late = delegate.send("/", f"/requests/{approved}/individual-funding", **fields)
    assert late.status_code in (409, 412, 422)
    empty = delegate.send(at, f"{at}/individual-funding", once=fields["once"], case="  ")
    assert empty.headers["location"] == f"{at}#individual-funding"


def test_the_case_is_changed_on_the_drafts_page(enter: Enter) -> None:
    person = enter("demo1-clinician")
    check = begin(person, sent(person, LOW)[0])
    at = check.replace("/check", "/treatment")
    shown = person.get(at).text
    assert "The case for funding outside the policy" in shown
    assert CASE in shown


def refused_continuation(person: Person) -> tuple[str, str, dt.date]:
    """A treatment whose continuation was refused: the request, the treatment, the covered end."""
    _, treatment = sent(person, ANSWERS)
    at = f"/treatments/{treatment}"
    draft = str(person.send(at, f"{at}/requests").headers["location"])
    where = str(person.get(draft).headers["location"])
    for _ in range(12):
        if where.endswith("/check"):
            break
        names = re.findall(r'name="shown\.(\w+)"', person.get(where).text)
        given = {f"a.{k}": v for k, v in POOR.items() if k in names}
        shown = {f"shown.{name}": "1" for name in names}
        where = str(person.send(where, where, **shown, **given).headers["location"])
    reply = person.send(f"{draft}/check", f"{draft}/submit")
    assert reply.status_code == 303, reply.text
    shown_treatment = person.get(at).text
    covered = re.search(r"to<br>(\d{1,2} \w+ \d{4})", shown_treatment)
    assert covered is not None, shown_treatment
    last = dt.datetime.strptime(covered.group(1), "%d %B %Y").date()  # noqa: DTZ007 (a day)
    return str(reply.headers["location"]).rsplit("/", 1)[1], treatment, last


def test_a_refused_continuation_is_funded_individually_on_its_treatment(enter: Enter) -> None:
    person, payer = enter("demo1-clinician"), enter("demq1-commissioner")
    refused, treatment, last = refused_continuation(person)
    assert "Criteria not met" in person.get(f"/requests/{refused}").text
    check = begin(person, refused)
    shown = person.get(check).text
    assert CASE in shown
    assert "sent to people to decide" in shown
    reply = person.send(check, check.replace("/check", "/submit"))
    assert reply.status_code == 303, reply.text
    at = str(reply.headers["location"])
    request = at.rsplit("/", 1)[1]
    page = person.get(at).text
    assert "Individual funding, outside the policy" in page
    assert f'href="/treatments/{treatment}"' in page, "it stands on the same treatment"
    assert attach(person, request, PDF, shared="yes", title="Ultrasound report").status_code == 303

    offered = payer.get(at).text
    assert CASE in offered
    (file,) = links(payer, request)
    assert payer.get(file).content == PDF
    assert enter("demq2-commissioner").get(at).status_code == 404
    assert "panel-approve" not in offered
    funding = {
        "reason": "Exceptional circumstances were shown.",
        "basis": "individual funding",
        "case_reference": "IFR-2026-8",
        "terms": "One year.",
    }
    early = payer.send(at, f"{at}/fund", **funding, **_parts("from_day", last))
    assert early.status_code in (409, 422), "no day is covered twice"
    first = last + dt.timedelta(days=1)
    funded = payer.send(at, f"{at}/fund", **funding, **_parts("from_day", first))
    assert funded.headers["location"] == at, funded.text
    approved = person.get(at).text
    found = re.search(r'class="app-reference">(PA[0-9A-Z]{13})<', approved)
    assert found is not None
    assert "Criteria not met" in person.get(f"/requests/{refused}").text, "that stays as it was"
    number = re.search(r"NHS number (\d{3} \d{3} \d{4})", approved)
    assert number is not None
    checked = person.send(
        "/supply-check",
        "/supply-check",
        nhs_number=number.group(1),
        drug="Humira 40mg pen",
        quantity="2",
        **{"birth_date-day": "1", "birth_date-month": "2", "birth_date-year": "1970"},
        **_parts("supply_date", first),
    )
    assert "It would not be challenged" in checked.text, checked.text
    assert found.group(1) in checked.text, "the line is matched to what was funded"


def test_the_case_for_a_continuation_may_be_declined_and_asked_again(enter: Enter) -> None:
    person, payer = enter("demo1-clinician"), enter("demq1-commissioner")
    refused, _, _ = refused_continuation(person)
    check = begin(person, refused)
    at = str(person.send(check, check.replace("/check", "/submit")).headers["location"])
    done = payer.send(at, f"{at}/refuse-funding", reason="Others like them are not funded either.")
    assert done.headers["location"] == at, done.text
    shown = person.get(at).text
    assert "Declined" in shown
    assert "stop treatment" not in shown.lower()
    assert "Ask for individual funding" in shown
    assert begin(person, at.rsplit("/", 1)[1]).endswith("/check")


def _parts(name: str, day: dt.date) -> dict[str, str]:
    return {
        f"{name}-day": str(day.day),
        f"{name}-month": str(day.month),
        f"{name}-year": str(day.year),
    }
