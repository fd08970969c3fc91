"""The desk's pages: who may see them, that they act once, and that their money is the API's."""

import csv
import html
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from fastapi import FastAPI

from app.api.matrix import ROUTES
from app.approvals.permissions import ROLES, Action
from app.auth.model import Role
from app.handlers import make_handlers
from app.reconciliation import MatchedLine, Summary, accepting, pseudonym_reach, service
from app.reconciliation.report import summary_figures
from app.reconciliation.slice_store import SliceOutcome
from app.reconciliation.slice_untested import slice_outcome
from app.reconciliation.slices import SliceKey
from app.reference_data.nhs_number import test_number as invented_nhs_number
from app.work import run_next
from tests.functional.approvals.api import Api, good, initiation
from tests.functional.approvals.scene import SUBMISSION_ROW, UNKNOWN_PATIENT, Scene, run_of
from tests.functional.desk.conftest import Browser, Sit
from tests.world import COMMISSIONER

PAYER, VALIDATION, PHARMACIST = Role.COMMISSIONER, Role.INVOICE_VALIDATION, Role.PHARMACIST
HOSTILE = '<script>alert("x")</script>\u202e=1+1'
#: Page → the address of the scene's own object on it.
PAGES = {
    "GET /submissions": "/submissions",
    "GET /submissions/{submission}": "/submissions/{submission}",
    "GET /submissions/runs/{run}": "/submissions/runs/{run}",
    "GET /submissions/runs/{run}/lines": "/submissions/runs/{run}/lines",
    "GET /submissions/runs/{run}/lines/{row}": "/submissions/runs/{run}/lines/1",
    "GET /submissions/runs/{run}/export": "/submissions/runs/{run}/export?format=csv",
    "GET /submissions/runs/{run}/identities": "/submissions/runs/{run}/identities",
    "GET /challenges": "/challenges",
    "GET /challenges/{id}": "/challenges/{challenge}",
    "GET /submissions/runs/{run}/links": "/submissions/runs/{run}/links",
    "GET /linkage-proposals/{id}": "/linkage-proposals/{proposal}",
    "GET /drug-names": "/drug-names",
    "GET /line-decisions": "/line-decisions",
    "GET /slices": "/slices",
    "GET /slices/deltas": "/slices/deltas",
    "GET /slices/deltas/export": "/slices/deltas/export",
    "GET /supply-lists": "/supply-lists",
    "GET /supply-lists/{name}": "/supply-lists/supplied-after-stop",
}
#: Lists, which another organisation sees empty.
OF_ONES_OWN = {
    "GET /submissions",
    "GET /challenges",
    "GET /drug-names",
    "GET /line-decisions",
    "GET /slices",
    "GET /slices/deltas",
    "GET /slices/deltas/export",
    "GET /supply-lists",
    "GET /supply-lists/{name}",
}
AT = {
    Role.COMMISSIONER: "DEMQ1",
    Role.INVOICE_VALIDATION: "DEMQ1",
    Role.POLICY_AUTHOR: "DEMQ1",
    Role.PANEL_MEMBER: "DEMP1",
}


def at(scene: Scene, page: str) -> str:
    return PAGES[page].format(
        submission=scene.submission,
        run=scene.run,
        challenge=scene.challenge,
        proposal=scene.proposal,
    )


def as_csv(*rows: Mapping[str, str]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def work_off(application: FastAPI) -> None:
    handlers = make_handlers(application.state.desk)
    while run_next(application.state.door, handlers):
        pass


def bare(text: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", text).split())


def upload(browser: Browser, content: bytes, name: str = "june.csv") -> Any:
    form = browser.form("/submissions", "/submissions")
    return browser.post("/submissions", form, files={"file": (name, content, "text/csv")})


def test_each_page_opens_for_the_roles_that_may_and_for_no_other(scene: Scene, sit: Sit) -> None:
    wrong = {}
    for role in Role:
        browser = sit(AT.get(role, "DEMO1"), role)
        for page in PAGES:
            action = ROUTES[page]
            assert isinstance(action, Action)
            status = browser.get(at(scene, page)).status_code
            if role not in ROLES[action]:
                expected = 403
            elif role is PHARMACIST and page not in OF_ONES_OWN | {"GET /challenges/{id}"}:
                expected = 404  # the run is the commissioner's
            else:
                expected = 200
            if status != expected:
                wrong[page, role.value] = (status, expected)
    assert wrong == {}


def test_no_page_tells_another_organisation_anything(scene: Scene, sit: Sit) -> None:
    secrets = (scene.submission, scene.run, scene.challenge, scene.reference, "file.csv")
    for role, organisation in ((PAYER, "DEMQ2"), (VALIDATION, "DEMQ2"), (PHARMACIST, "DEMO2")):
        browser = sit(organisation, role)
        for page in PAGES:
            action = ROUTES[page]
            assert isinstance(action, Action)
            if role not in ROLES[action]:
                continue
            reply = browser.get(at(scene, page))
            assert reply.status_code == (200 if page in OF_ONES_OWN else 404), (page, role)
            shown = reply.text.replace(str(reply.url.path), "")
            assert not [each for each in secrets if each in shown], (page, role)


def test_a_stranger_changes_nothing(scene: Scene, sit: Sit) -> None:
    browser = sit("DEMQ2", PAYER)
    form = browser.form("/submissions") | {"once": "7f0c2c59-3c0c-4a57-9d55-1f7d7bb6a0e1"}
    why = {"reason": "because", "version": "2", "kind": "accept", "credit_reference": "CN-1"}
    for path in (
        f"/submissions/{scene.submission}/runs",
        f"/submissions/runs/{scene.run}/challenges",
        f"/submissions/runs/{scene.run}/lines/1/override",
        f"/challenges/{scene.challenge}/withdraw",
        f"/challenges/{scene.challenge}/uphold",
        f"/line-decisions/{scene.line_decision}/undo",
        f"/drug-names/{scene.drug_name}/accept",
        f"/drug-names/{scene.drug_name}/withdraw",
    ):
        assert browser.post(path, form | why).status_code == 404, path
    assert browser.get("/challenges").text.count("/challenges/") == 0


def test_a_form_without_the_sessions_token_is_refused(scene: Scene, sit: Sit) -> None:
    browser, other = sit("DEMQ1", PAYER), sit("DEMQ1", PAYER, "another")
    foreign = other.form("/submissions", "/submissions")
    sent = {"file": ("june.csv", as_csv(SUBMISSION_ROW), "text/csv")}
    assert browser.post("/submissions", foreign, files=sent).status_code == 403
    path = f"/submissions/{scene.submission}/runs"
    assert browser.post(path, foreign).status_code == 403
    elsewhere = {"Origin": "https://elsewhere.example", **browser._headers()}
    own = browser.form("/submissions", "/submissions")
    reply = browser.client.post("/submissions", data=own, files=sent, headers=elsewhere)
    assert reply.status_code == 403


def test_a_file_is_previewed_then_accepted_once_and_followed_to_its_run(
    people: Mapping[str, Api], application: FastAPI, sit: Sit
) -> None:
    good(people["clinician"].post("/v1/requests", initiation(1)), 201)
    browser = sit("DEMQ1", PAYER)
    seen = upload(browser, as_csv(SUBMISSION_ROW))
    assert seen.status_code == 303
    preview = seen.headers["location"]
    text = bare(browser.get(preview).text)
    assert "First statement" in text
    assert "June 2026" in text
    assert "£300.00" in text
    assert people["commissioner"].get("/v1/submissions").json()["submissions"] == []

    form = browser.form(preview, f"{preview}/accept")
    first = browser.post(f"{preview}/accept", form)
    assert first.status_code == 303
    again = browser.post(f"{preview}/accept", form)  # a double click
    assert again.headers["location"] == first.headers["location"]
    job = first.headers["location"]
    assert "waits for its turn" in browser.get(job).text
    assert browser.get(f"{job}/state").json()["over"] is False
    assert browser.get(preview).status_code == 404  # it is accepted: nothing waits
    work_off(application)
    run = browser.get(job).headers["location"]
    assert "£300.00" in browser.get(run).text
    (stored,) = people["commissioner"].get("/v1/submissions").json()["submissions"]
    assert stored["file_name"] == "june.csv"

    second = upload(browser, as_csv(SUBMISSION_ROW | {"TOTAL COST": "310.00"}))
    told = bare(browser.get(second.headers["location"]).text)
    assert "Replaces what stands" in told
    assert "total cost" in told.lower()
    assert "£300.00 £310.00" in told
    dropped = second.headers["location"]
    assert browser.send(dropped, f"{dropped}/discard").status_code == 303
    assert browser.get(dropped).status_code == 404
    assert len(people["commissioner"].get("/v1/submissions").json()["submissions"]) == 1


def test_an_upload_of_another_organisation_is_not_found(sit: Sit) -> None:
    waits = upload(sit("DEMQ1", PAYER), as_csv(SUBMISSION_ROW)).headers["location"]
    stranger = sit("DEMQ2", PAYER)
    assert stranger.get(waits).status_code == 404
    form = stranger.form("/submissions") | {"once": "7f0c2c59-3c0c-4a57-9d55-1f7d7bb6a0e1"}
    assert stranger.post(f"{waits}/accept", form).status_code == 404


@pytest.mark.parametrize(
    ("content", "status"),
    [(b"", 422), (b"\x00\x01\x02", 422), (b"not a table at all", 422)],
)
def test_a_file_that_cannot_be_read_is_told_on_the_page(
    content: bytes, status: int, sit: Sit
) -> None:
    reply = upload(sit("DEMQ1", PAYER), content)
    assert reply.status_code == status
    assert "There is a problem" in reply.text


def test_a_trust_is_told_that_the_file_names_another(sit: Sit) -> None:
    reply = upload(sit("DEMO2", PHARMACIST), as_csv(SUBMISSION_ROW))
    assert reply.status_code == 422
    assert "name another provider" in reply.text


@pytest.mark.parametrize("size", ["in memory", "in files"])
def test_the_money_on_the_run_is_the_apis_and_adds_up_and_each_row_leads_to_its_lines(
    people: Mapping[str, Api],
    application: FastAPI,
    sit: Sit,
    monkeypatch: pytest.MonkeyPatch,
    size: str,
) -> None:
    if size == "in files":
        desk = application.state.desk
        large = replace(desk, matching=replace(desk.matching, most_lines=0))
        monkeypatch.setattr(application.state, "desk", large)
    good(people["clinician"].post("/v1/requests", initiation(1)), 201)
    rows = (
        SUBMISSION_ROW,
        SUBMISSION_ROW | UNKNOWN_PATIENT | {"TOTAL COST": "1234.56"},
        SUBMISSION_ROW | UNKNOWN_PATIENT | {"TOTAL COST": "20.005", "DRUG NAME": "Nonsuch"},
    )
    run = run_of(people["commissioner"], application, as_csv(*rows))
    told = good(people["commissioner"].get(f"/v1/runs/{run}"))
    browser = sit("DEMQ1", PAYER)
    page = browser.get(f"/submissions/runs/{run}").text
    text = bare(page)
    for name, words in (("total", "Invoiced"), ("accepted", "Accepted"), ("queried", "Queried")):
        assert f"{words} £{Decimal(told[name]):,.2f}" in text
    outcomes = sorted(told["summary"]["by_outcome"], key=lambda each: -Decimal(each["queried"]))
    shown = [text.lower().index(f"{each['outcome']} {each['lines']} £") for each in outcomes]
    assert shown == sorted(shown)  # those with most at stake first
    for each in outcomes:
        lines = browser.get(f"/submissions/runs/{run}/lines?outcome={each['outcome']}").text
        assert f"Queried £{Decimal(each['queried']):,.2f}" in bare(lines)
        assert f"{each['lines']} line" in bare(lines)
    untested = told["summary"]["untested"]
    assert Decimal(told["not_testable"]) == Decimal(untested["accepted"]) > 0
    assert f"£{Decimal(told['not_testable']):,.2f} of what is accepted is of lines with a" in text
    for each in untested["by_test"]:
        assert f"{each['test']} £{Decimal(each['accepted']):,.2f}" in text.lower()
    (payer,) = told["summary"]["by_commissioner"]
    assert payer["commissioner"] == "DEMQ1"
    assert f"(DEMQ1) {payer['lines']} £{Decimal(payer['total']):,.2f}" in text
    hrefs = re.findall(rf'href="(/submissions/runs/{run}/lines[^"]*)">([^<]+)<', page)
    figures = {
        (name, row[name]): row
        for name in ("outcome", "drug", "provider", "commissioner", "month")
        for row in told["summary"][f"by_{name}"]
    }
    totals = [text for href, text in hrefs if text == "Total"]
    assert len(totals) == 5
    led = {each for each in (_row_of(href) for href, _ in hrefs) if each is not None}
    tests = {each["test"]: each for each in untested["by_test"]} | {"any test": untested}
    assert led == set(figures) | {("untested", name) for name in tests}
    for name, key in sorted(led):
        lines = bare(browser.get(f"/submissions/runs/{run}/lines?{urlencode({name: key})}").text)
        if name == "untested":
            assert f"Accepted £{Decimal(tests[key]['accepted']):,.2f}" in lines, key
            continue
        row = figures[name, key]
        assert f"{row['lines']} line" in lines, (name, key)
        for amount, words in (("total", "Invoiced"), ("accepted", "Accepted")):
            assert f"{words} £{Decimal(row[amount]):,.2f}" in lines, (name, key)
    of_drug = bare(browser.get(f"/submissions/runs/{run}/lines?drug=adalimumab").text)
    assert "2 lines" in of_drug
    assert "£1,534.56" in of_drug
    assert "legible" not in text, "every line states its total"
    nothing = browser.get(f"/submissions/runs/{run}/lines?drug=adalimumab&outcome=over+price")
    assert "No line of the run fits" in nothing.text


def test_lines_without_a_legible_total_are_one_step_away(
    people: Mapping[str, Api], application: FastAPI, sit: Sit
) -> None:
    rows = [SUBMISSION_ROW, SUBMISSION_ROW | {"TOTAL COST": "TBC"}]
    run = run_of(people["commissioner"], application, as_csv(*rows))
    browser = sit("DEMQ1", PAYER)
    page = browser.get(f"/submissions/runs/{run}").text
    at = f"/submissions/runs/{run}/lines?total=not+legible"
    assert f'<a href="{at}">1 line without a legible total</a>, which counts as nothing' in page
    lines = browser.get(at).text
    assert "1 line" in bare(lines)
    assert "Total: Not legible" in bare(lines)
    other = good(people["commissioner"].get(f"/v1/runs/{run}/lines", total="not legible"))
    assert [(each["row"], each["total"]) for each in other["lines"]] == [(2, None)]
    wrong = people["commissioner"].get(f"/v1/runs/{run}/lines", total="not stated")
    assert wrong.status_code == 422


def _row_of(href: str) -> tuple[str, str] | None:
    """The row of a breakdown whose lines are there; None: every line."""
    asked = parse_qsl(urlsplit(html.unescape(href)).query)
    return asked[0] if asked else None


def test_a_run_of_before_says_that_it_does_not_know_what_was_not_tested(
    people: Mapping[str, Api],
    application: FastAPI,
    sit: Sit,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def figures(summary: Summary) -> dict[str, Any]:
        return summary_figures(replace(summary, untested=None, by_commissioner=None))

    def outcome(key: SliceKey, items: Sequence[MatchedLine]) -> SliceOutcome:
        return replace(slice_outcome(key, items), not_testable=None, untested=None)

    monkeypatch.setattr(service, "summary_figures", figures)
    monkeypatch.setattr(accepting, "slice_outcome", outcome)
    good(people["clinician"].post("/v1/requests", initiation(1)), 201)
    run = run_of(people["commissioner"], application, as_csv(SUBMISSION_ROW))
    assert good(people["commissioner"].get(f"/v1/runs/{run}"))["not_testable"] is None
    text = bare(sit("DEMQ1", PAYER).get(f"/submissions/runs/{run}").text)
    assert "It is not known how much was accepted" in text
    assert "By commissioner" not in text
    slices = good(people["commissioner"].get("/v1/slices"))
    assert [each["not_testable"] for each in slices["slices"]] == [None]
    assert [each["not_testable"] for each in slices["months"]] == [None]
    assert [each["not_testable"] for each in slices["commissioners"]] == [None]
    assert bare(sit("DEMQ1", PAYER).get("/slices").text).count("Not tested: Not known") == 2


def test_the_heading_of_a_line_says_what_of_it_is_not_known(
    people: Mapping[str, Api], application: FastAPI, sit: Sit
) -> None:
    torn = "\n".join([as_csv(SUBMISSION_ROW).decode().strip(), "a row,of other,columns", ""])
    run = run_of(people["commissioner"], application, torn.encode())
    browser, at = sit("DEMQ1", PAYER), f"/submissions/runs/{run}/lines"
    assert "Row 1 Adalimumab, 15 June 2026" in bare(browser.get(f"{at}/1").text)
    unread = bare(browser.get(f"{at}/2").text)
    assert "Row 2 Drug not recognised, day of supply not known" in unread


def test_lines_are_paged_without_losing_one(
    people: Mapping[str, Api], application: FastAPI, sit: Sit
) -> None:
    rows = [
        SUBMISSION_ROW | {"NHS NUMBER": invented_nhs_number(800 + n % 90), "TOTAL COST": f"{n}.00"}
        for n in range(1, 231)
    ]
    run = run_of(people["commissioner"], application, as_csv(*rows))
    browser, path, seen = sit("DEMQ1", PAYER), f"/submissions/runs/{run}/lines", []
    while path:
        text = browser.get(path).text
        seen += [int(row) for row in re.findall(rf"/runs/{run}/lines/(\d+)\"", text)]
        found = re.search(r'<a href="([^"]*)">Next lines', text)
        path = found.group(1).replace("&amp;", "&") if found else ""
    assert seen == list(range(1, 231))


def test_evidence_shows_a_pseudonym_to_the_payer_and_the_number_to_the_trust(
    people: Mapping[str, Api], application: FastAPI, sit: Sit
) -> None:
    good(people["clinician"].post("/v1/requests", initiation(1)), 201)
    number = SUBMISSION_ROW["NHS NUMBER"]
    spaced = f"{number[:3]} {number[3:6]} {number[6:]}"
    of_payer = run_of(people["commissioner"], application, as_csv(SUBMISSION_ROW))
    for role in (PAYER, VALIDATION):
        text = sit("DEMQ1", role).get(f"/submissions/runs/{of_payer}/lines/1").text
        assert "Pseudonym" in text.title()
        assert number not in text
        assert spaced not in text
        assert "Matched" in text
        assert "Where its approval was looked for" in text
    of_trust = run_of(people["pharmacist"], application, as_csv(SUBMISSION_ROW))
    assert spaced in sit("DEMO1", PHARMACIST).get(f"/submissions/runs/{of_trust}/lines/1").text


def test_identities_are_given_to_the_validator_for_a_reason_that_is_reported(
    scene: Scene, people: Mapping[str, Api], sit: Sit
) -> None:
    number = SUBMISSION_ROW["NHS NUMBER"]
    path = f"/submissions/runs/{scene.run}/identities"
    validator = sit("DEMQ1", VALIDATION)
    assert number not in validator.get(path).text
    assert validator.send(path, path, reason=" ").status_code == 422
    period = {"from": "2026-06-01", "to": "2026-12-31"}
    report = people["commissioner"].get("/v1/reports/identifier-access", **period).json()
    assert "run" not in str(report.get("counts", report))
    given = validator.send(path, path, reason="Two lines of one patient.")
    assert given.status_code == 200
    assert number in given.text
    report = people["commissioner"].get("/v1/reports/identifier-access", **period).json()
    assert "identifiers shown: run" in str(report) or "run" in str(report)
    assert sit("DEMQ1", PAYER).post(path, {"reason": "x"}).status_code == 403


def test_a_line_is_decided_by_hand_once_and_undone(
    people: Mapping[str, Api], application: FastAPI, sit: Sit
) -> None:
    good(people["clinician"].post("/v1/requests", initiation(1)), 201)
    rows = (SUBMISSION_ROW, SUBMISSION_ROW | UNKNOWN_PATIENT | {"TOTAL COST": "20.00"})
    run = run_of(people["commissioner"], application, as_csv(*rows))
    browser, path = sit("DEMQ1", PAYER), f"/submissions/runs/{run}/lines/2"
    assert browser.send(path, f"{path}/override", reason="").status_code == 422
    form = browser.form(path, f"{path}/override") | {"kind": "accept", "reason": HOSTILE}
    first, again = (browser.post(f"{path}/override", form) for _ in range(2))
    assert first.status_code == 303
    assert first.headers["location"] == again.headers["location"]
    work_off(application)
    new_run = browser.get(first.headers["location"]).headers["location"]
    assert "Accepted £320.00" in bare(browser.get(new_run).text)
    line = browser.get(f"{new_run}/lines/2").text
    assert "Accepted by hand" in line
    assert "<script>alert" not in line
    assert "&lt;script&gt;" in line

    held = re.search(r"/line-decisions/([0-9a-f-]{36})/undo", line)
    assert held is not None
    undo = f"/line-decisions/{held.group(1)}/undo"
    assert "undone by a commissioner" in sit("DEMQ1", VALIDATION).get(f"{new_run}/lines/2").text
    assert browser.send("/line-decisions", undo, reason="").status_code == 422
    done = browser.send("/line-decisions", undo, reason="The wrong row.")
    work_off(application)
    last = browser.get(done.headers["location"]).headers["location"]
    assert "Accepted £300.00" in bare(browser.get(last).text)


def test_matching_to_an_approval_that_is_not_there_is_told_on_the_page(
    scene: Scene, sit: Sit
) -> None:
    browser, path = sit("DEMQ1", VALIDATION), f"/submissions/runs/{scene.run}/lines/1"
    wrong = browser.send(path, f"{path}/match", approval_reference="PA1", reason="r")
    assert wrong.status_code == 422
    assert "13 letters or digits" in wrong.text
    typed = {"approval_reference": "pa7q2m9xk4t0wz3", "reason": "Digits changed round."}
    told = browser.send(path, f"{path}/match", **typed)
    assert told.status_code == 422
    assert "Digits changed round." in told.text


def test_a_challenge_goes_from_draft_to_credit_and_each_step_once(
    people: Mapping[str, Api], application: FastAPI, sit: Sit
) -> None:
    run = run_of(people["commissioner"], application, as_csv(SUBMISSION_ROW | UNKNOWN_PATIENT))
    payer, trust = sit("DEMQ1", PAYER), sit("DEMO1", PHARMACIST)
    page = f"/submissions/runs/{run}"
    form = payer.form(page, f"{page}/challenges")
    for _ in range(2):
        drafted = payer.post(f"{page}/challenges", form)
        assert drafted.headers["location"] == f"/challenges?run={run}"
    listed = payer.get(f"/challenges?run={run}").text
    (at_,) = set(re.findall(r"/challenges/[0-9a-f-]{36}", listed))
    assert "£300.00" in listed
    assert at_ not in trust.get("/challenges").text
    assert trust.get(at_).status_code == 404

    past = {"respond_by-day": "1", "respond_by-month": "1", "respond_by-year": "2020"}
    assert payer.send(at_, f"{at_}/raise", **past).status_code == 422
    day = {"respond_by-day": "31", "respond_by-month": "7", "respond_by-year": "2026"}
    form = payer.form(at_, f"{at_}/raise") | day
    assert [payer.post(f"{at_}/raise", form).status_code for _ in range(2)] == [303, 303]
    assert "Uphold</button>" not in payer.get(at_).text  # the provider may still answer

    number = invented_nhs_number(800)
    assert f"{number[:3]} {number[3:6]} {number[6:]}" in trust.get(at_).text
    stale = payer.form(at_, f"{at_}/withdraw")
    words = f"Seen {number} {HOSTILE}"
    assert trust.send(at_, f"{at_}/answer", evidence=words).status_code == 303
    told = payer.get(at_).text
    assert number not in told
    assert "<script>alert" not in told
    assert "&lt;script&gt;" in told
    late = payer.post(f"{at_}/withdraw", stale | {"reason": "two tabs"})
    assert late.status_code == 412

    for amount in ("300.01", "-1", "abc"):
        refused = payer.send(at_, f"{at_}/uphold", amount=amount, reason="r")
        assert refused.status_code == 422, amount
    assert payer.send(at_, f"{at_}/uphold", amount="£150.00", reason="Half.").status_code == 303
    assert "£150.00" in payer.get(at_).text
    assert payer.send(at_, f"{at_}/credit", credit_reference="=1+1").status_code == 422
    assert payer.send(at_, f"{at_}/credit", credit_reference="CN-1").status_code == 303
    final = good(people["commissioner"].get(f"/v1{at_}"))["challenge"]
    assert (final["state"], final["upheld"], final["version"]) == ("credited", "150.00", 5)


def test_a_form_gone_back_to_and_changed_is_not_sent_twice(
    people: Mapping[str, Api], application: FastAPI, sit: Sit
) -> None:
    run = run_of(people["commissioner"], application, as_csv(SUBMISSION_ROW | UNKNOWN_PATIENT))
    browser, path = sit("DEMQ1", PAYER), f"/submissions/runs/{run}/lines/1"
    form = browser.form(path, f"{path}/override") | {"kind": "accept", "reason": "Agreed."}
    assert browser.post(f"{path}/override", form).status_code == 303
    changed = browser.post(f"{path}/override", form | {"kind": "query"})
    assert changed.status_code == 412
    assert "was sent before" in changed.text
    (made,) = good(people["commissioner"].get("/v1/line-decisions"))["decisions"]
    assert made["kind"] == "accept"


def test_a_drug_name_is_proposed_by_one_and_accepted_by_another(
    people: Mapping[str, Api], application: FastAPI, sit: Sit
) -> None:
    rows = (
        SUBMISSION_ROW | {"DRUG NAME": HOSTILE, "TOTAL COST": "5.00"},
        SUBMISSION_ROW | {"DRUG NAME": "HUMIRRAA PENN", "TOTAL COST": "900.00"},
    )
    run_of(people["commissioner"], application, as_csv(*rows))
    one, two = sit("DEMQ1", PAYER, "one"), sit("DEMQ1", PAYER, "two")
    text = one.get("/drug-names").text
    assert "<script>alert" not in text
    assert text.index("£900.00") < text.index("£5.00")
    proposed = one.send("/drug-names", "/drug-names", name="HUMIRRAA PENN", drug="adalimumab")
    assert proposed.status_code == 303
    assert "Accept<span" not in one.get("/drug-names").text  # not one's own
    for shown in (one.get("/drug-names").text, two.get("/drug-names").text):
        unknown = bare(shown.partition('id="unknown"')[2].partition('id="proposed"')[0])
        assert "Propose for HUMIRRAA PENN" not in unknown, "it was proposed"
        assert "Adalimumab, as proposed: it waits for another person" in unknown
        assert unknown.count("Propose for") == 1, "the other name was not"
    waiting = two.get("/drug-names").text
    assert f"Proposed by DEMQ1 {PAYER} one, " in waiting, "whose proposal it is that one accepts"
    found = re.search(r"/drug-names/([0-9a-f-]{36})/accept", waiting)
    assert found is not None
    form = two.form("/drug-names", found.group(0))
    for _ in range(2):
        assert two.post(found.group(0), form).status_code == 303
    assert f"Accepted by DEMQ1 {PAYER} two, used in runs" in one.get("/drug-names").text
    taken_back = found.group(0).replace("accept", "withdraw")
    assert one.send("/drug-names", taken_back, reason="Wrong drug.").status_code == 303
    text = one.get("/drug-names").text
    assert "Withdrawn" in text
    assert "Propose for HUMIRRAA PENN" in bare(text), "it may be proposed again"
    assert f"Taken back by DEMQ1 {PAYER} one, " in text


def test_pages_allow_no_inline_style_or_script(scene: Scene, sit: Sit) -> None:
    browser = sit("DEMQ1", VALIDATION)
    for page in PAGES:
        action = ROUTES[page]
        if isinstance(action, Action) and VALIDATION in ROLES[action] and "export" not in page:
            text = browser.get(at(scene, page)).text
            assert " style=" not in text
            assert "<style" not in text
            assert "onclick" not in text
            assert ">None<" not in text.replace(" ", ""), page


def test_a_page_says_that_whom_a_pseudonym_names_is_being_prepared(
    people: Mapping[str, Api], application: FastAPI, sit: Sit, monkeypatch: pytest.MonkeyPatch
) -> None:
    good(people["clinician"].post("/v1/requests", initiation(1)), 201)
    key = service.key_of(application.state.desk, COMMISSIONER)
    assert key is not None
    number = SUBMISSION_ROW["NHS NUMBER"]
    named = {"NHS NUMBER": "", "NHS NUMBER PSEUDONYM": key.of_nhs_number(number)}
    run = run_of(people["commissioner"], application, as_csv(SUBMISSION_ROW | named))
    path = f"/submissions/runs/{run}/lines/1"
    payer = sit("DEMQ1", PAYER)
    assert "Not shown yet" not in payer.get(path).text
    monkeypatch.setattr(pseudonym_reach, "MOST_COMPARED", 0)
    text = payer.get(path).text
    assert text.count("Not shown yet: the service is still working out whose pseudonym") == 2
    assert "are not shown yet: open this page again in a few minutes" in text
    assert "Tests of the line against the approval" in text, "the rest is shown"
    assert "Accept all of it" in text, "and may be decided"
    api = good(people["commissioner"].get(f"/v1/runs/{run}/lines/1"))
    assert api["passes"], "whoever asks over the API is answered whole"
