"""Replays in the browser: an organisation's own year under another version, worked off by a job."""

import re

from fastapi import FastAPI

from app.clock import now
from tests.functional.approvals.scene import SUBMISSION_ROW
from tests.functional.web.conftest import Enter, Person
from tests.functional.web.forms import ANSWERS, sent
from tests.functional.web.hostile_scene import act, lines, upload
from tests.functional.web.test_policy_drafts import NEXT, NUMBER, begun, send, work_off

AT = "/library/adalimumab-ra-severe/2016-01-26.1"
#: Stricter than the version before it: an activity that every patient of the tests is below.
STRICTER = re.sub(r"(das28_at_start >=? )5\.1", r"\g<1>6.5", NEXT)


def replayed(person: Person, application: FastAPI, at: str, **fields: str) -> str:
    """Ask for a replay and work it off; the page that shows it."""
    reply = send(person, f"{at}/replay", f"{at}/replay", **({"kind": "initiation"} | fields))
    assert reply.status_code == 303, reply.text
    page = str(reply.headers["location"])
    assert "being worked out" in person.get(page).text
    work_off(application)
    return page


def test_a_draft_is_replayed_over_what_the_organisation_pays_for(
    enter: Enter, application: FastAPI
) -> None:
    assert STRICTER != NEXT
    clinician = enter("demo1-clinician")
    request, _ = sent(clinician, ANSWERS)
    sent(clinician, ANSWERS | {"das28_at_start": "7.0"})
    sent(clinician, ANSWERS | {"das28_at_start": "4.0"})
    author = enter("demq1-policy-author")
    at = begun(author, STRICTER)
    page = replayed(author, application, at, against="2016-01-26.1")
    shown = author.get(page).text
    assert "3 requests of" in shown
    assert re.search(r"Requests that would change</span> <span[^>]*>1<", shown), shown[-5000:]
    assert re.search(r">People</span> <span[^>]*>1<", shown)
    assert "By criterion" in shown
    assert "the spend is not known" in shown
    # An author sees no patient's record, so no request is named to them.
    assert request[:8] not in shown
    assert "/requests/" not in shown
    payer = enter("demq1-commissioner")
    told = payer.get(page).text
    assert f'href="/requests/{request}"' in told
    assert "999 0" not in told
    assert payer.get(f"/requests/{request}").status_code == 200


def test_the_people_and_the_money_behind_a_change_are_those_of_the_requests_that_change(
    enter: Enter, application: FastAPI
) -> None:
    """Of three patients two are below the stricter score; each was invoiced for another sum."""
    doctor, payer = enter("demo1-clinician"), enter("demq1-commissioner")
    for score, invoiced in (
        ("6.0", ("300.25", "100.00")),
        ("6.2", ("50.50",)),
        ("7.0", ("999.00",)),
    ):
        request, _ = sent(doctor, ANSWERS | {"das28_at_start": score})
        (number,) = set(
            re.findall(r"NHS number (\d{3} \d{3} \d{4})", doctor.get(f"/requests/{request}").text)
        )
        reconcile(payer, application, *(line_of(number, cost) for cost in invoiced))
    author = enter("demq1-policy-author")
    at = begun(author, STRICTER)
    shown = payer.get(replayed(author, application, at, against="2016-01-26.1")).text
    assert "3 requests of" in shown
    figures = dict(
        re.findall(r'app-sum__label">([^<]+)</span> <span class="app-sum__figure">([^<]+)<', shown)
    )
    assert figures == {
        "Requests that would change": "2",
        "People": "2",
        "Spend of their approvals": "£450.75",
        "Of it, approvals that would not be given": "£450.75",
    }
    (matrix,) = re.findall(r"Requests by outcome before and after.*?</table>", shown, re.S)
    rows = [
        [re.sub(r"<[^>]+>", "", cell).strip() for cell in re.findall(r"<t[hd].*?</t[hd]>", row)]
        for row in re.findall(r'<tr class="nhsuk-table__row">(.*?)</tr>', matrix, re.S)
    ]
    assert sorted(row[-2:] for row in rows) == [["1", "£999.00"], ["2", "£450.75"]]
    listed = shown.partition(">Requests that would change</h2>")[2]
    assert sorted(re.findall(r"£[\d.,]+", listed)) == ["£400.25", "£50.50"]


def line_of(number: str, cost: str) -> dict[str, str]:
    """A line of today for a patient."""
    day = now().date()
    year = day.year if day.month > 3 else day.year - 1
    return SUBMISSION_ROW | {
        "FINANCIAL MONTH": str((day.month - 4) % 12 + 1),
        "FINANCIAL YEAR": f"{year}{(year + 1) % 100:02}",
        "NHS NUMBER": number.replace(" ", ""),
        "PERSON BIRTH DATE": "1970-02-01",
        "CLINICAL INTERVENTION DATE (DRUG DISPENSED)": day.isoformat(),
        "TOTAL COST": cost,
    }


def reconcile(payer: Person, application: FastAPI, *rows: dict[str, str]) -> None:
    """Upload the lines, accept the file and work the run off."""
    waits = upload(payer, "/submissions", "/submissions", lines(*rows))
    act(payer, waits, f"{waits}/accept")
    work_off(application)


def test_what_the_other_version_asked_counts_though_this_one_asks_it_no_more(
    enter: Enter, application: FastAPI
) -> None:
    sent(enter("demo1-clinician"), ANSWERS | {"das28_at_start": "4.0"})
    author = enter("demq1-policy-author")
    at = begun(author, NEXT.replace("das28_at_start > 5.1", "ra_diagnosis"))
    page = replayed(author, application, at, against="2016-01-26.1")
    row = re.search(r">Criteria not met</th><td[^>]*>Approved", author.get(page).text)
    assert row is not None, author.get(page).text[-5000:]


def test_another_organisation_has_nothing_in_its_replay_and_does_not_find_ours(
    enter: Enter, application: FastAPI
) -> None:
    sent(enter("demo1-clinician"), ANSWERS)
    ours = replayed(enter("demo1-pharmacist"), application, AT)
    assert "1 request of" in enter("demo1-pharmacist").get(ours).text
    for who in ("demo2-pharmacist", "demq2-commissioner", "demq2-policy-author"):
        other = enter(who)
        assert other.get(ours).status_code == 404, who
        assert ours not in other.get("/replays").text
        theirs = replayed(other, application, AT)
        assert "0 requests of" in other.get(theirs).text, who
    assert ours in enter("demo1-pharmacist").get("/replays").text


def test_the_same_replay_is_not_queued_twice(enter: Enter) -> None:
    one = enter("demq1-commissioner")
    places = {
        send(one, f"{AT}/replay", f"{AT}/replay", kind="initiation").headers["location"]
        for _ in range(2)
    }
    assert len(places) == 1


def test_what_cannot_be_replayed_is_told(enter: Enter) -> None:
    one = enter("demq1-commissioner")
    wrong = {"kind": "initiation", "against": "1900-01-01"}
    for fields in ({"kind": "transfer"}, {"kind": "x"}, wrong):
        reply = send(one, f"{AT}/replay", f"{AT}/replay", **fields)
        assert reply.status_code == 400, fields
    assert enter("demo1-clinician").get(f"{AT}/replay").status_code == 403


def test_the_proofs_of_a_version_are_asked_for_and_kept(enter: Enter, application: FastAPI) -> None:
    author = enter("demq1-policy-author")
    assert "Not run on this text" in author.get(AT).text
    reply = send(author, AT, f"{AT}/proofs")
    assert reply.status_code == 303
    assert "being worked out" in author.get(AT).text
    work_off(application)
    for who in ("demq2-policy-author", "demo1-clinician"):
        shown = enter(who).get(AT).text
        assert "Run by z3" in shown
        assert "Every criterion to start can be satisfied by one patient" in shown
    assert enter("demq1-commissioner").send(AT, f"{AT}/proofs").status_code == 403


def test_what_a_version_does_to_the_one_before_is_proved_and_shown_with_whom_it_lets_pass(
    enter: Enter, application: FastAPI
) -> None:
    """The correction asks for a score above 5.8 where the version before asked for 5.1."""
    author, second = enter("demq1-policy-author"), enter("demq1-policy-author-2")
    at = begun(author, NEXT.replace("> 5.1", "> 5.8", 1))
    send(author, at, f"{at}/ask")
    work_off(application)
    assert send(second, at, f"{at}/publish").status_code == 303
    page = f"/library/adalimumab-ra-severe/{NUMBER}/changes"
    assert "Not run on these two texts" in author.get(page).text
    asked = send(author, page, f"{page}/proofs", since="2016-01-26.1")
    assert asked.headers["location"] == f"{page}?since=2016-01-26.1#proofs", asked.text
    assert "being worked out" in author.get(page).text
    work_off(application)
    for who in ("demq1-commissioner", "demo1-clinician"):
        shown = enter(who).get(page).text
        assert "All criteria to start (initiation): only tightens" in shown
        assert "ADA-3 (initiation): only tightens" in shown
        assert "Passes under 2016-01-26.1 alone:" in shown
        assert f"Passes under {NUMBER} alone:" not in shown, "nobody does"
        assert "Ask for proofs" not in shown
        assert "only loosens: " not in shown
    turned = "/library/adalimumab-ra-severe/2016-01-26.1/changes"
    assert "Not run on these two" in author.get(f"{turned}?since={NUMBER}").text, "another question"
    unknown = send(author, turned, f"{turned}/proofs", since="1900-01-01")
    assert unknown.status_code == 404
    assert enter("demq1-commissioner").send(page, f"{page}/proofs").status_code == 403
