"""A payer works off a file and settles a challenge with a trust, with scripts and without."""

import csv
import io
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import Visit
from tests.functional.approvals.scene import SUBMISSION_ROW, UNKNOWN_PATIENT

PAGES = ("/overview", "/submissions", "/challenges", "/slices", "/supply-lists", "/drug-names")


def a_file(folder: Path, *totals: str) -> Path:
    """Lines of somebody who has no approval."""
    text = io.StringIO()
    rows = [SUBMISSION_ROW | UNKNOWN_PATIENT | {"TOTAL COST": total} for total in totals]
    writer = csv.DictWriter(text, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    file = folder / "june.csv"
    file.write_text(text.getvalue(), encoding="utf-8")
    return file


@pytest.mark.parametrize(
    "who", ["demq2-commissioner", "demq2-invoice-validation", "demo1-pharmacist"]
)
def test_every_page_of_the_desk_is_accessible(visit: Visit, who: str) -> None:
    visitor = visit(who)
    offered = visitor.page.locator("nav a").evaluate_all("links => links.map(a => a.pathname)")
    for path in [page for page in PAGES if page in offered]:
        visitor.go(path)
    if who == "demq2-commissioner":
        visitor.go("/submissions").click("Reconciled", role="link")
        visitor.click("See the lines", role="link").click("Row 1", role="link")
        visitor.go("/slices").click("Changes to closed months", role="link")
        visitor.go("/submissions").click("Reconciled", role="link")
        visitor.click("Approvals proposed for lines whose patient is not known", role="link")
        visitor.click("Compare the lines")
        visitor.page.wait_for_url("**/links", timeout=120_000)
        visitor.look()
    assert visitor.complaints == []


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_a_file_becomes_a_challenge_that_the_trust_answers(
    visit: Visit, tmp_path: Path, scripts: bool
) -> None:
    amount = "777.10" if scripts else "777.20"
    more: dict[str, Any] = {} if scripts else {"scripts": False}
    payer = visit("demq1-commissioner", **more).go("/submissions")
    payer.page.set_input_files("#file", a_file(tmp_path, amount))
    payer.click("See what it would change")
    assert f"£{amount}" in payer.text
    payer.click("Accept the file and reconcile it")
    payer.page.wait_for_url("**/submissions/runs/*", timeout=120_000)
    assert f"£{amount}" in payer.look().text
    payer.click("Draft challenges of what is queried")
    payer.page.locator("tbody th a").first.click()
    payer.fill_day("respond_by", "2099-12-31")
    payer.click("Raise")
    at = payer.page.url.removeprefix(payer.address)
    trust = visit("demo1-pharmacist", **more).go(at)
    trust.fill("answer-evidence", "The approval was asked for elsewhere.")
    trust.click("Send the answer")
    payer.go(at).fill("uphold-amount", "7.10")
    payer.fill("uphold-reason", "Part of it stands.")
    payer.click("Uphold")
    assert "£7.10" in payer.text
    payer.page.go_back()  # the back button and a second send change nothing
    payer.go(at)
    assert payer.page.get_by_role("button", name="Uphold").count() == 0
    assert payer.complaints == trust.complaints == []
