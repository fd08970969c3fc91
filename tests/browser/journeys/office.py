"""Panels, administrators, auditors, and what anybody may look at."""

import datetime as dt
import uuid

import httpx

from tests.browser.journeys.asking import a_referral
from tests.browser.journeys.model import Ground, Journey
from tests.browser.screens import keep
from tests.browser.visitor import Visitor
from tests.urgent import urgent_form

PANEL, OTHER_MEMBER = "demp1-panel-member", "demp1-panel-member-2"
DELEGATE = "demo2-delegate"
YEAR = "from-day=1&from-month=1&from-year=2026&to-day=31&to-month=12&to-year=2026"


def _panel(ground: Ground) -> None:
    at = a_referral(ground.enter("demo1-clinician"), ground.number())
    member = ground.enter(PANEL)
    member.press(member.page.locator(f'main a[href="{at}"]'))
    if not member.page.locator("#panel-approve-reason").is_visible():
        member.unfold("#panel-approve")
    for box in member.page.locator('#panel-approve input[name^="waive."]').all():
        member.tick(box.get_attribute("id") or "")
    member.fill("panel-approve-reason", "The panel weighed the platelet counts.")
    member.tick("panel-approve-interest")
    member.click("Approve")
    assert member.heading == "Approved", member.text


def _urgent(visitor: Visitor, number: int) -> str:
    """An urgent start, as the hospital's own system sends it: the path of its request."""
    reply = httpx.post(
        f"{visitor.address}/v1/requests",
        json=urgent_form(number, dt.datetime.now(dt.UTC).date(), "DEMQ2"),
        headers={
            "Authorization": "Bearer demo-demo1-clinician",
            "X-Request-ID": str(uuid.uuid4()),
        },
        timeout=60,
    )
    assert reply.status_code == 201, reply.text
    body = reply.json()
    assert (body["state"], body["panel"]) == ("referred", "DEMP1"), body["next"]
    return f"/requests/{body['id']}"


def _overturned(ground: Ground) -> None:
    doctor, member = ground.enter("demo1-clinician"), ground.enter(PANEL)
    at = _urgent(doctor, ground.number())
    member.go("/")
    member.press(member.page.locator(f'main a[href="{at}"]'))
    assert "Authorised before the form" in member.text
    assert member.page.locator("#panel-decline").count() == 0
    member.unfold("#panel-overturn")
    member.fill("panel-overturn-reason", "Not of a kind that is funded.")
    member.expected = {422}
    member.click("Overturn the urgent start")  # without having said what is paid
    assert "choose one of the two" in member.text
    assert member.page.locator("#panel-overturn-reason").input_value().startswith("Not of a kind")
    keep(member, "overturning")
    member.choose("doses_given", "paid")
    member.tick("panel-overturn-interest")
    member.click("Overturn the urgent start")
    assert member.heading.endswith("Declined: urgent start overturned"), member.text
    doctor.go(at)
    assert "are paid for: quote the reference" in doctor.text
    assert "Later doses" in doctor.text
    doctor.unfold("#individual-funding")
    doctor.look()
    keep(doctor, "overturned")
    doctor.click("The treatment", role="link")
    assert "Doses given only" in doctor.text
    assert doctor.page.get_by_role("button", name="Continue this treatment").count() == 0


def _not_paid(ground: Ground) -> None:
    doctor, member = ground.enter("demo1-clinician"), ground.enter(PANEL)
    at = _urgent(doctor, ground.number())
    member.go(at)
    member.unfold("#panel-overturn")
    member.fill("panel-overturn-reason", "Nothing was agreed beforehand.")
    member.choose("doses_given", "not paid")
    member.tick("panel-overturn-interest")
    member.click("Overturn the urgent start")
    assert "Not paid" in member.text
    doctor.go(at)
    assert "are not paid for under this request" in doctor.text
    doctor.click("Correct several answers", role="link")
    assert "/correct" in doctor.at


def _stands_aside(ground: Ground) -> None:
    doctor, member = ground.enter("demo1-clinician"), ground.enter(PANEL)
    at = a_referral(doctor, ground.number())
    member.go(at)
    member.unfold("#declare-interest")
    member.fill("declare-interest-reason", "I treat this patient myself.")
    member.click("Declare an interest")
    assert "With people who decide" in member.heading, member.text
    other = ground.enter(OTHER_MEMBER)
    other.press(other.page.locator(f'main a[href="{at}"]'))
    assert "I treat this patient myself." in other.text
    other.unfold("#panel-return")
    other.fill("panel-return-reason", "Which treatments were tried before?")
    other.tick("panel-return-interest")
    other.click("Return it with a question")
    assert "Returned with a question" in other.heading, other.text
    doctor.go(at)
    assert "Which treatments were tried before?" in doctor.text
    doctor.click("Answer now", role="link")
    doctor.click("Send the answers")
    assert "With people who decide" in doctor.heading, doctor.text
    # Whoever declared an interest does not decide it afterwards either.
    member.go(at)
    member.unfold("#panel-decline")
    member.fill("panel-decline-reason", "Not enough was tried.")
    member.tick("panel-decline-interest")
    member.expected = {403}
    member.click("Decline")
    assert "you declared an interest" in member.text
    other.go(at)
    other.unfold("#panel-decline")
    other.fill("panel-decline-reason", "Not enough was tried.")
    other.tick("panel-decline-interest")
    other.click("Decline")
    assert other.heading.endswith("Declined"), other.text


def _minutes(ground: Ground) -> None:
    member = ground.enter(PANEL)
    member.click("Minutes", role="link")
    member.go(f"/minutes?{YEAR}")
    keep(member, "minutes")
    assert "Members who took part" in member.text
    member.page.emulate_media(media="print")
    assert member.page.locator(".app-signature").is_visible()
    assert not member.page.locator("form").first.is_visible()
    payer = ground.enter("demq2-commissioner").go(f"/minutes?{YEAR}&panel=DEMP1")
    assert "Pseudonym" in payer.text


def _administration(ground: Ground) -> None:
    number = ground.number()
    name = f"Dr Ada Invented {number}"
    first = ground.enter("demo1-administrator")
    first.click("People", role="link")
    first.expected = {422}
    first.click("Propose the role")
    assert first.page.locator("#grant-subject-error").is_visible()
    first.fill("grant-subject", f"5550123{number}")
    first.fill("grant-name", name)
    first.choose("role", "pharmacist")
    first.click("Propose the role")
    assert "You proposed it" in first.text
    for page in ("people", "systems", "settings"):
        first.go(f"/administration/{page}")
    second = ground.enter("demo1-administrator-2")
    second.click("Proposals", role="link")
    keep(second, "administration")
    second.click(f"Confirm Give {name} the role pharmacist")
    assert second.page.get_by_role("button", name=f"Confirm Give {name}").count() == 0
    second.page.go_back()  # what was confirmed is not confirmed again
    second.go("/administration/people")
    assert name in second.text


def _another_role(ground: Ground) -> None:
    """Somebody is given a second role, and chooses at sign-in in which they act."""
    first, second = ground.enter("demo2-administrator"), ground.enter("demo2-administrator-2")
    first.go("/administration/people")
    first.fill("grant-subject", f"demo-{DELEGATE}")
    first.fill("grant-name", "Delegate of DEMO2")
    first.choose("role", "pharmacist")
    first.click("Propose the role")
    second.go("/administration")
    second.press(second.page.get_by_role("button", name="Confirm Give").first)
    person = ground.enter(DELEGATE)
    assert person.at == "/role"
    assert person.page.locator('input[name="seat"]').count() == 2, person.text
    person.choose("seat", "DEMO2 pharmacist")
    person.click("Continue")
    assert person.at == "/"
    assert "Waiting for your authorisation" in person.text
    person.go("/role")  # and may change it
    second.go("/administration/people")
    row = second.page.get_by_role("row").filter(has_text=f"demo-{DELEGATE}")
    taken = row.locator("details").filter(has_text="Take back pharmacist")
    second.hand.press(taken.locator("summary"))
    second.press(taken.get_by_role("button", name="Take the role back"))
    person.go("/")
    assert person.at == "/sign-in", "every session of theirs ended"


def _audit(ground: Ground) -> None:
    doctor = ground.enter("demo1-clinician")
    href = doctor.page.locator('main a[href^="/treatments/"]').first.get_attribute("href")
    auditor = ground.enter("demo1-auditor")
    auditor.click("Audit", role="link")
    keep(auditor, "audit")
    auditor.fill("named", str(href).rsplit("/", 1)[-1])
    auditor.click("Show the trail")
    auditor.unfold("tbody")
    auditor.look()
    auditor.unfold("main")
    auditor.choose("action", "approval issued")
    auditor.click("Show these")
    keep(auditor, "trail")
    assert "Approval issued" in auditor.text
    requests = doctor.go(str(href)).page.locator('main a[href^="/requests/"]')
    auditor.go(f"/audit{requests.first.get_attribute('href')}")
    auditor.click("Overview", role="link")


def _ends_a_session(ground: Ground) -> None:
    left, here = ground.enter("demo1-auditor"), ground.enter("demo1-auditor")
    here.click("Your sessions", role="link")
    assert here.heading == "Where you are signed in"
    here.press(here.page.locator('main form[action$="/end"] button').first)
    assert "1 session was ended" in here.text
    left.go("/")
    assert left.at == "/sign-in", "what was left open is signed out at its next step"
    here.click("Home", role="link")
    assert here.at == "/"


def _for_everybody(ground: Ground) -> None:
    visitor = ground.enter("")
    for path in ("/sign-in", "/about", "/help", "/accessibility", "/cookies", "/signed-out"):
        visitor.go(path)
    visitor.page.goto(f"{visitor.address}/requests/7f0c2c59-3c0c-4a57-9d55-1f7d7bb6a0e1")
    assert visitor.at == "/sign-in"
    visitor.sign_in("demo1-clinician")
    visitor.expected = {404}
    visitor.go("/requests/7f0c2c59-3c0c-4a57-9d55-1f7d7bb6a0e1")
    assert visitor.heading
    visitor.go("/reminders")
    assert "This service sends no e-mail" in visitor.text
    visitor.click("Sign out")
    assert visitor.at == "/signed-out"


JOURNEYS = (
    Journey((PANEL, "demo1-clinician"), "decides a request of its queue", "/", _panel),
    Journey((PANEL, "demo1-clinician"), "overturns an urgent start, paying", "/", _overturned),
    Journey((PANEL, "demo1-clinician"), "overturns an urgent start unpaid", "/", _not_paid),
    Journey((PANEL, OTHER_MEMBER, "demo1-clinician"), "stands aside", "/", _stands_aside),
    Journey((PANEL, "demq2-commissioner"), "reads the minutes", "/minutes", _minutes),
    Journey(("demo1-administrator", "demo1-administrator-2"), "gives a role", "/", _administration),
    Journey(
        (DELEGATE, "demo2-administrator", "demo2-administrator-2"),
        "is given a second role, and chooses one",
        "/role",
        _another_role,
    ),
    Journey(("demo1-auditor", "demo1-clinician"), "reads a trail", "/audit", _audit),
    Journey(("demo1-auditor",), "ends a session that was left open", "/sessions", _ends_a_session),
    Journey(("",), "looks at what is for everybody", "/sign-in", _for_everybody),
)
