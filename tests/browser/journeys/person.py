"""What is of a patient as a person: an objection, a death, care that moves; and who looked."""

import re

from app.reference_data.nhs_number import format_nhs_number
from app.reference_data.nhs_number import test_number as invented_number
from tests.browser.journeys.asking import CLINICIAN, a_request
from tests.browser.journeys.care import a_treatment, days_on
from tests.browser.journeys.model import Ground, Journey
from tests.browser.screens import keep

OTHER = "demo2-clinician"


def _objection_and_death(ground: Ground) -> None:
    visitor = ground.enter(CLINICIAN)
    treatment = a_treatment(visitor, ground.number())
    visitor.expected = {422}
    visitor.click("Record an objection or a death", role="link")
    assert visitor.heading.endswith("Objection or death")
    visitor.click("Record the objection")
    assert visitor.page.locator("#objection-error").is_visible()
    visitor.fill("objection", "No other hospital is to see it.")
    visitor.click("Record the objection")
    assert "The patient objects to being shown" in visitor.text
    visitor.fill("withdraw", "Said so in the clinic today.")
    visitor.click("Lift the objection")
    assert "None is on record. An objection" in visitor.text
    visitor.fill_day("died_on", days_on(3))
    visitor.click("Record the death")
    assert "lies in the future" in visitor.text
    visitor.fill_day("died_on", days_on(0))
    visitor.click("Record the death")
    assert "Nothing of this patient is due or reminded of any more" in visitor.text
    keep(visitor, "objection-and-death")
    visitor.click("The treatment", role="link")
    assert visitor.at == treatment
    assert "Died" in visitor.text
    visitor.click("Record an objection or a death", role="link")
    visitor.fill("take-back", "It was another patient of that name.")
    visitor.click("Take the record of the death back")
    assert visitor.page.locator("#died_on-day").count() == 1, visitor.text


def _claim(ground: Ground) -> None:
    owner, number = ground.enter(CLINICIAN), ground.number()
    _, born = a_request(owner, number)
    assert owner.heading == "Approved", owner.text
    owner.click("The treatment", role="link")
    treatment = owner.at
    visitor = ground.enter(OTHER)
    visitor.expected = {422}
    visitor.click("Find a patient", role="link")
    visitor.click("Another hospital treated the patient", role="link")
    visitor.fill("q", "adalimumab rheumatoid")
    visitor.click("Find the treatment")
    visitor.press(visitor.page.locator('main a[href^="/claims/"]'))
    visitor.fill("nhs_number", invented_number(number))
    visitor.fill_day("birth_date", born)
    visitor.click("Claim the treatment")
    assert visitor.page.locator("#care_reason-error").is_visible()
    visitor.fill("care_reason", "Moved here; seen in our clinic today.")
    visitor.click("Claim the treatment")
    assert visitor.heading.endswith("Another hospital holds a live approval"), visitor.text
    assert re.search(r"PA[0-9A-Z]{13}", visitor.text)
    assert "DEMO1" not in visitor.text
    assert format_nhs_number(invented_number(number)) not in visitor.text
    keep(visitor, "claimed")
    visitor.click("Claim another treatment", role="link")
    visitor.go("/claims/adalimumab-ra-severe")
    visitor.fill("nhs_number", invented_number(number))
    visitor.fill_day("birth_date", "1931-02-17")
    visitor.fill("care_reason", "Moved here; seen in our clinic today.")
    visitor.click("Claim the treatment")
    assert "No other hospital's live approval is known" in visitor.text
    owner.go(treatment)
    assert "says that it now cares for this patient" in owner.text
    keep(owner, "claim-told")


def _reports(ground: Ground) -> None:
    number = ground.number()
    _, born = a_request(ground.enter(CLINICIAN), number)
    opener = ground.enter(OTHER).go("/break-glass")
    opener.fill("nhs_number", invented_number(number))
    opener.fill_day("birth_date", born)
    opener.choose("reason", "emergency")
    opener.fill("words", "Unconscious in the emergency department.")
    opener.click("Open the record")
    auditor = ground.enter("demo1-auditor")
    auditor.expected = {422}
    auditor.click("Break-glass", role="link")
    assert auditor.heading.endswith("Records opened by break-glass")
    assert "Unconscious in the emergency department." in auditor.text
    assert "Of another organisation" in auditor.text
    keep(auditor, "break-glass-report")
    auditor.unfold("details")
    auditor.fill_day("from", days_on(0))
    auditor.fill_day("to", days_on(-7))
    auditor.click("Show")
    assert "The last day lies before the first" in auditor.text
    auditor.fill_day("to", days_on(0))
    auditor.click("Show")
    assert "Unconscious in the emergency department." in auditor.text
    own = ground.enter("demo2-auditor").go("/reports/break-glass")
    own.press(own.page.locator('main form[method="post"] button').first)
    assert "Ended early" in own.text
    payer = ground.enter("demq1-commissioner")
    payer.click("Identities shown", role="link")
    assert payer.heading.endswith("Identities shown")


JOURNEYS = (
    Journey((CLINICIAN,), "records an objection and a death", "/", _objection_and_death),
    Journey((OTHER, CLINICIAN), "claims another hospital's treatment", "/patients", _claim),
    Journey(
        ("demo1-auditor", "demo2-auditor", "demq1-commissioner", OTHER, CLINICIAN),
        "reads who opened records, and how often identities were shown",
        "/reports/break-glass",
        _reports,
    ),
)
