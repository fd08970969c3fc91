"""Panels, administrators, auditors, and what anybody may look at."""

from tests.browser.journeys.asking import a_referral
from tests.browser.journeys.model import Ground, Journey
from tests.browser.screens import keep

PANEL = "demp1-panel-member"
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
    auditor.click("Overview", role="link")


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
    Journey((PANEL, "demq2-commissioner"), "reads the minutes", "/minutes", _minutes),
    Journey(("demo1-administrator", "demo1-administrator-2"), "gives a role", "/", _administration),
    Journey(("demo1-auditor", "demo1-clinician"), "reads a trail", "/audit", _audit),
    Journey(("",), "looks at what is for everybody", "/sign-in", _for_everybody),
)
