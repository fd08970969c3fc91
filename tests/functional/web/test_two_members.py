"""Two members of a panel at a browser without scripts, where the policy asks for two."""

import html
import re
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi import FastAPI

from app.approvals.office import change_setting
from app.authoring.show import as_pdf
from app.db.transaction import Database
from app.db.work import Work
from app.main import create_app
from app.policy import Section
from app.settings import Settings
from app.web import requests as request_pages
from tests.functional.conftest import ADMINISTRATOR
from tests.functional.web.conftest import Enter, Person
from tests.functional.web.forms import ANSWERS, sent
from tests.pattern_policies import asking_for_two, waivable
from tests.policies.library import packaged_library

REFERRED = ANSWERS | {"screened": "no"}
FIRST, SECOND = "demp1-panel-member", "demp1-panel-member-2"
ANN = "Panel member of DEMP1 (demonstration)"
BEA = "Second panel member of DEMP1 (demonstration)"


@pytest.fixture
def application(database: Database, tmp_path: Path) -> FastAPI:
    """The service with a policy that asks for two, of the panel DEMP1."""
    settings = Settings(
        demonstration=True,
        demonstration_sign_in=True,
        data_dir=tmp_path / "var",
        requests_per_minute=1_000_000,
        requests_per_minute_of_people=1_000_000,
    )
    library = asking_for_two(packaged_library())
    made = create_app(settings, database=database, library=library)

    def settle(work: Work) -> None:
        day = work.moment.day.replace(month=1, day=1)
        change_setting(work, "DEMQ1", "panel", "DEMP1", day, ADMINISTRATOR.id)

    made.state.door.transact(settle)
    return made


def take(person: Person, request: str, step: str, **fields: str) -> None:
    at = f"/requests/{request}"
    reply = person.send(at, f"{at}/{step}", no_interest="yes", **fields)
    assert reply.status_code == 303, reply.text


def text_of(person: Person, path: str) -> str:
    main = person.get(path).text.partition("<main")[2]
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", main)))


def buttons(person: Person, request: str) -> list[str]:
    """What the steps of the request's page are called."""
    shown = person.get(f"/requests/{request}").text.partition('id="steps"')[2]
    return re.findall(r'nhsuk-details__summary-text">([^<]+)<', shown)


def waive_boxes(person: Person, request: str) -> dict[str, bool]:
    """The criteria that may be waived, and whether they are ticked."""
    shown = person.get(f"/requests/{request}").text
    return {
        name: bool(ticked)
        for name, ticked in re.findall(r'name="(waive\.[^"]+)" value="yes"( checked)?', shown)
    }


def test_a_second_member_sees_whose_vote_is_out_confirms_it_and_both_are_on_record(
    enter: Enter, monkeypatch: pytest.MonkeyPatch
) -> None:
    sheets: list[str] = []
    monkeypatch.setattr(request_pages, "as_pdf", lambda text: sheets.append(text) or as_pdf(text))
    doctor, ann, bea = enter("demo1-clinician"), enter(FIRST), enter(SECOND)
    request, _ = sent(doctor, REFERRED)
    at = f"/requests/{request}"
    boxes = waive_boxes(ann, request)
    assert boxes
    assert not any(boxes.values())
    assert buttons(ann, request)[0] == "Approve"
    take(ann, request, "panel-approve", reason="Screened elsewhere.", **dict.fromkeys(boxes, "yes"))

    # The policy's text stands with the request: what a criterion is, and not only how it went.
    policy = html.unescape(ann.get(at).text.partition('id="policy-text"')[2])
    policy = policy.partition("</details>")[0]
    version = packaged_library().versions("adalimumab-ra-severe")[-1]
    for criterion in version.criteria(Section.START):
        assert criterion.text in policy
    assert 'id="policy-text"' not in doctor.get(at).text
    # The first member sees that they have voted, and is offered no second vote.
    assert "Waiting for a second member: you voted to approve" in text_of(ann, "/")
    mine = text_of(ann, at)
    assert "Another member is needed: you cannot vote twice." in mine
    assert "With people who decide" in mine
    assert "Confirm the approval" not in mine
    assert buttons(ann, request)[0] == "Approve with other waivers"
    again = ann.send(
        at, f"{at}/panel-approve", reason="Twice.", no_interest="yes", **dict.fromkeys(boxes, "yes")
    )
    assert again.status_code == 403
    assert "you have voted so already" in again.text

    # The hospital and the payer are told only that people decide.
    for who in (doctor, enter("demq1-commissioner")):
        told = text_of(who, at)
        assert "With people who decide" in told
        for hidden in ("What the panel said", "Screened elsewhere.", "voted", "second member"):
            assert hidden not in told, hidden
        assert "second member" not in text_of(who, "/")
        assert "Screened elsewhere." not in who.get(f"{at}/decision.pdf").text
    assert not any("Screened elsewhere." in sheet for sheet in sheets)

    # The second sees the vote with its reason and waivers, which are ticked, and confirms.
    assert f"Waiting for a second member: {ANN} voted to approve" in text_of(bea, "/")
    theirs = text_of(bea, at)
    assert "Screened elsewhere." in theirs
    assert "It is decided if you vote the same, with the same waivers." in theirs
    assert buttons(bea, request)[0] == "Confirm the approval"
    assert all(waive_boxes(bea, request).values())
    take(bea, request, "panel-approve", reason="I agree.", **dict.fromkeys(boxes, "yes"))

    decided = text_of(bea, at)
    assert "Approved" in decided
    for words in (ANN, BEA, "Screened elsewhere.", "I agree."):
        assert words in decided
    seen = text_of(doctor, at)
    for words in ("Two people decided this together", "Screened elsewhere.", "I agree."):
        assert words in seen
    assert ANN not in seen
    sheets.clear()
    doctor.get(f"{at}/decision.pdf")
    for words in ("What the panel said", "Screened elsewhere.", "I agree."):
        assert words in sheets[0]

    minutes = text_of(enter("demq1-commissioner"), "/minutes")
    assert "1 request: 1 approved." in minutes, "one decision, however many voted"
    assert f"{ANN} {BEA}" in minutes, "both took part"
    assert f"{ANN} had voted the same on" in minutes
    assert "Interests: declared none, both." in minutes
    assert "one person asked, two others decided together" in minutes


def test_where_two_differ_the_page_says_so_and_either_changes_their_own(enter: Enter) -> None:
    doctor, ann, bea = enter("demo1-clinician"), enter(FIRST), enter(SECOND)
    request, _ = sent(doctor, REFERRED)
    at = f"/requests/{request}"
    waived = dict.fromkeys(waive_boxes(ann, request), "yes")
    take(ann, request, "panel-approve", reason="Screened elsewhere.", **waived)
    take(bea, request, "panel-decline", reason="<script>Nobody</script> says so.")
    assert "&lt;script&gt;Nobody&lt;/script&gt; says so." in ann.get(at).text
    for person in (ann, bea):
        assert "Members have voted differently, so nothing is decided." in text_of(person, at)
    assert f"Members differ: you voted to approve, {BEA} voted to decline" in text_of(ann, "/")
    assert "Change your vote: decline" in buttons(ann, request)
    assert "Change your vote: approve" in buttons(bea, request)
    minutes = text_of(ann, "/minutes")
    assert "1 request: 1 voted to approve, 1 voted to decline." in minutes
    assert "a second member is still to vote the same" in minutes
    payer = enter("demq1-commissioner")
    assert "No request was decided in these days." in text_of(payer, "/minutes")

    take(ann, request, "panel-decline", reason="You are right.")
    shown = text_of(doctor, at)
    assert "Declined" in shown
    assert "Nobody</script> says so." in shown
    assert "Screened elsewhere." not in shown, "a vote that was taken back stays the panel's own"
    assert "1 request: 1 declined, 1 voted to approve." in text_of(ann, "/minutes")


def test_a_vote_is_gone_from_the_list_once_the_clinician_changed_the_answers(enter: Enter) -> None:
    doctor, ann, bea = enter("demo1-clinician"), enter(FIRST), enter(SECOND)
    request, _ = sent(doctor, REFERRED)
    at = f"/requests/{request}"
    take(ann, request, "panel-decline", reason="Not screened.")
    take(bea, request, "panel-return", reason="Was it done elsewhere?")
    answered = doctor.send(f"{at}/answers", f"{at}/answers", **{"a.das28_at_start": "6.5"})
    assert answered.status_code == 303, answered.text
    assert "second member" not in text_of(bea, "/")
    assert "It was on earlier answers, and counts no more." in text_of(bea, at)
    assert buttons(bea, request)[0] == "Approve"


def test_a_member_who_stood_aside_leaves_the_waivers_to_the_others(enter: Enter) -> None:
    doctor, ann, bea = enter("demo1-clinician"), enter(FIRST), enter(SECOND)
    request, _ = sent(doctor, REFERRED)
    take(ann, request, "declare-interest", reason="My own ward.")
    assert waive_boxes(bea, request), "what stood last on record was no decision on the criteria"


def test_the_policys_page_and_its_text_say_that_two_must_agree(enter: Enter) -> None:
    library = asking_for_two(packaged_library())
    version = library.versions("adalimumab-ra-severe")[-1].version
    shown = text_of(enter(FIRST), f"/library/adalimumab-ra-severe/{version}")
    assert "Two members must agree on what is referred, before it is decided." in shown


def test_a_refusal_that_may_be_waived_says_who_can_send_it_and_offers_it_to_them(
    enter: Enter, application: FastAPI
) -> None:
    office = application.state.office
    application.state.office = replace(office, library=waivable(office.library, "das28_at_start"))
    doctor = enter("demo1-clinician")
    at = f"/requests/{sent(doctor, ANSWERS | {'das28_at_start': '4.0'})[0]}"
    for who, offered in ((doctor, True), (enter("demo1-pharmacist"), False)):
        shown = who.get(at).text
        assert "Its clinician can send it to the panel, which may waive what is not met" in shown
        assert (f'action="{at}/escalate"' in shown) is offered
