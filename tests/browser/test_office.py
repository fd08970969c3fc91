"""Reminders, minutes, administration and audit in a browser, each page with axe."""

import pytest

from tests.browser.conftest import Visit
from tests.browser.test_screens import keep

YEAR = "from-day=1&from-month=1&from-year=2026&to-day=31&to-month=12&to-year=2026"


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_two_administrators_give_a_role_and_register_a_system(visit: Visit, scripts: bool) -> None:
    more = {} if scripts else {"scripts": False}
    name = "Dr Ada Invented" if scripts else "Dr Bo Invented"
    first = visit("demo1-administrator", **more).go("/administration/people")
    first.expected = {422}
    first.click("Propose the role")
    assert first.page.locator("#grant-subject-error").is_visible()
    first.fill("grant-subject", "555012345678" if scripts else "555012345679")
    first.fill("grant-name", name)
    first.choose("role", "pharmacist")
    first.click("Propose the role")
    assert "You proposed it" in first.text
    for page in ("people", "systems", "settings"):
        first.go(f"/administration/{page}")
    second = visit("demo1-administrator-2", **more).go("/administration")
    keep(second, "administration")
    second.click(f"Confirm Give {name} the role pharmacist")
    assert second.page.get_by_role("button", name=f"Confirm Give {name}").count() == 0
    second.page.go_back()  # what was confirmed is not confirmed again
    second.go("/administration/people")
    assert name in second.text
    assert first.complaints == second.complaints == []


def test_minutes_are_read_narrowed_and_printed(visit: Visit) -> None:
    member = visit("demp1-panel-member")
    member.click("Minutes", role="link")
    member.go(f"/minutes?{YEAR}")
    keep(member, "minutes")
    assert "Members who took part" in member.text
    member.page.emulate_media(media="print")
    assert member.page.locator(".app-signature").is_visible()
    assert not member.page.locator("form").first.is_visible()
    payer = visit("demq2-commissioner").go(f"/minutes?{YEAR}&panel=DEMP1")
    assert "Pseudonym" in payer.text
    assert member.complaints == payer.complaints == []


def test_an_auditor_reads_a_trail_and_how_the_log_stands(visit: Visit) -> None:
    doctor = visit("demo1-clinician")
    href = doctor.page.locator('main a[href^="/treatments/"]').first.get_attribute("href")
    auditor = visit("demo1-auditor")
    auditor.click("Audit", role="link")
    keep(auditor, "audit")
    auditor.fill("named", str(href).rsplit("/", 1)[-1])
    auditor.click("Show the trail")
    auditor.page.locator("tbody summary").first.click()
    auditor.look()
    auditor.page.locator("summary").first.click()
    auditor.choose("action", "approval issued")
    auditor.click("Show these")
    keep(auditor, "trail")
    assert "Approval issued" in auditor.text
    assert auditor.complaints == []


def test_without_a_mail_server_the_page_of_reminders_says_so(visit: Visit) -> None:
    doctor = visit("demo1-clinician").go("/reminders")
    assert "This service sends no e-mail" in doctor.text
    assert doctor.complaints == []
