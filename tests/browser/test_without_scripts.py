"""The main pages without the service's scripts, looked at by axe: what folds and follows is plain.

axe is a script itself, so scripts are on in the browser, and only ours come back empty.
"""

import itertools
import os
import time
from pathlib import Path

import pytest

from tests.browser.conftest import Visit
from tests.browser.journeys.asking import CLINICIAN, a_form, a_request
from tests.browser.journeys.desk import PAYER, a_run, amount_of
from tests.browser.journeys.model import Ground

_NUMBERS = itertools.count(
    59_000 + int(time.time()) % 900 if "ASSENT_BROWSER_ADDRESS" in os.environ else 59_000
)
POLICY = "/library/adalimumab-ra-severe/2016-01-26.1"
READ = {
    CLINICIAN: ("/", "/start?q=adali", "/patients", "/library", POLICY, f"{POLICY}/form", "/help"),
    PAYER: ("/", "/submissions", "/challenges", "/drug-names", "/slices", "/overview", "/reports"),
    "demq1-policy-author": ("/policy-drafts", "/replays"),
    "demp1-panel-member": ("/minutes",),
    "demo1-auditor": ("/audit",),
    "demo1-administrator": ("/administration/people", "/administration/systems"),
}
PHONE = pytest.mark.parametrize("phone", [False, True], ids=["wide", "phone"])


@PHONE
@pytest.mark.parametrize("who", READ)
def test_axe_finds_nothing_on_pages_to_read(visit: Visit, who: str, phone: bool) -> None:
    reader = visit(who, phone=phone, own_scripts=False)
    for at in READ[who]:
        reader.go(at)
        assert "js-enabled" not in str(reader.page.locator("body").get_attribute("class"))
        if at != "/":  # which was looked at on signing in
            assert reader.page.evaluate("typeof axe") == "object", f"axe looked at {at}"


@PHONE
def test_axe_finds_nothing_on_a_form_its_request_and_its_treatment(
    visit: Visit, phone: bool
) -> None:
    clinician = visit(CLINICIAN, phone=phone, own_scripts=False)
    a_form(clinician, "biologics", next(_NUMBERS))
    for step in ("patient", "treatment", "part-1", "check"):
        clinician.go(f"/drafts/{clinician.draft_id()}/{step}")
    at, _ = a_request(clinician, next(_NUMBERS))
    clinician.go(f"{at}/attachments").go(at)
    clinician.click("The treatment", role="link")
    clinician.go(f"{clinician.at}/timeline")


@PHONE
def test_axe_finds_nothing_on_a_run_and_its_lines(
    visit: Visit, phone: bool, tmp_path: Path
) -> None:
    ground = Ground(lambda who: visit(who, scripts=False), lambda: next(_NUMBERS), tmp_path)
    run = a_run(ground, ground.enter(PAYER), amount_of(ground))
    payer = visit(PAYER, phone=phone, own_scripts=False)
    for each in (run, f"{run}/lines", f"{run}/lines/1", f"{run}/links"):
        payer.go(each)
