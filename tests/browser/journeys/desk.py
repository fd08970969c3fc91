"""A payer's journeys over a file: upload to credit, one line, people, drug names, months."""

import datetime as dt
from dataclasses import replace
from zoneinfo import ZoneInfo

from app.policy import Kind
from app.reference_data.nhs_number import test_number as invented_number
from tests.browser.cases import approved_case
from tests.browser.files import a_file, supplied_today
from tests.browser.journeys.asking import CLINICIAN, a_request
from tests.browser.journeys.care import days_on
from tests.browser.journeys.model import Ground, Journey
from tests.browser.screens import keep
from tests.browser.variants import EACH, Variant
from tests.browser.visitor import Visitor

PAYER = "demq1-commissioner"
PAGES = ("/overview", "/submissions", "/challenges", "/slices", "/supply-lists", "/drug-names")


def amount_of(ground: Ground) -> str:
    """An amount that no other line has: a line is known by its content."""
    return f"{ground.number()}.10"


def a_run(ground: Ground, payer: Visitor, amount: str, **more: str) -> str:
    """Send in a file of one line, accept it, and wait for its run: the run's path."""
    payer.go("/submissions")
    payer.attach(a_file(ground.folder, amount, **more))
    payer.click("See what it would change")
    assert f"£{float(amount):,.2f}" in payer.text
    payer.click("Accept the file and reconcile it")
    payer.wait_for("/submissions/runs/*")
    assert f"£{float(amount):,.2f}" in payer.text
    return payer.at


def a_line_without_approval(payer: Visitor) -> tuple[str, str]:
    """The newest run that has such a line, and the line: every line of a walk's may be approved."""
    payer.go("/submissions")
    runs = payer.page.locator('main a[href*="/runs/"]').evaluate_all(
        "all => all.map(a => a.pathname)"
    )
    for run in runs:
        payer.go(f"{run}/lines?outcome=no+approval")
        line = payer.page.locator('main a[href*="/lines/"]')
        if line.count():
            return run, str(line.first.get_attribute("href"))
    raise AssertionError(f"no run of {runs} has a line without an approval")


def _upload_to_credit(ground: Ground) -> None:
    payer = ground.enter(PAYER)
    payer.click("Submissions", role="link")
    run = a_run(ground, payer, amount_of(ground))
    payer.press(payer.page.locator('main table a[href*="/lines?"]').first)
    payer.choose("outcome", "no approval")
    payer.click("Show these")
    assert payer.page.locator("tbody tr").count() == 1, payer.text
    payer.go(run).click("Draft challenges of what is queried")
    payer.press(payer.page.locator("tbody th a").first)
    payer.fill_day("respond_by", days_on(30))
    payer.click("Raise")
    at = payer.at
    trust = ground.enter("demo1-pharmacist")
    trust.click("Challenges", role="link")
    trust.press(trust.page.locator(f'main a[href="{at}"]'))
    trust.fill("answer-evidence", "The approval was asked for elsewhere.")
    trust.click("Send the answer")
    payer.go(at)
    keep(payer, "challenge")
    payer.fill("uphold-amount", "7.10")
    payer.fill("uphold-reason", "Part of it stands.")
    payer.click("Uphold")
    assert "£7.10" in payer.text
    payer.page.go_back()  # the back button and a second send change nothing
    payer.go(at)
    assert payer.page.get_by_role("button", name="Uphold").count() == 0
    payer.fill("credit-credit_reference", "CN-1")
    payer.click("Record and close")
    assert "Credited" in payer.text, payer.text
    payer.go(run)
    assert payer.take("Excel workbook").startswith(b"PK")
    assert payer.take("CSV")
    payer.press(payer.page.locator(".nhsuk-back-link"))
    assert "june.csv" in payer.heading, payer.heading


def _line_by_hand(ground: Ground) -> None:
    payer = ground.enter(PAYER)
    run = a_run(ground, payer, amount_of(ground))
    payer.click("See the lines", role="link").click("Row 1", role="link")
    assert "Where its approval was looked for" in payer.text
    payer.unfold("#override")
    payer.choose("kind", "accept")
    payer.fill("override-reason", "The trust showed the approval on paper.")
    payer.click("Decide and reconcile again")
    payer.wait_for("/submissions/runs/*")
    assert payer.at != run
    payer.click("See the lines", role="link").click("Row 1", role="link")
    assert "Accepted by hand" in payer.text, payer.text
    payer.click("Decided by hand", role="link")
    payer.hand.press(payer.page.locator("main summary").first)
    payer.hand.type(payer.page.locator('main textarea[name="reason"]').first, "The wrong line.")
    payer.click("Undo and reconcile again")
    payer.wait_for("/submissions/runs/*")


def _linkage(ground: Ground) -> None:
    """A line with a mistyped NHS number: whose approval it may be is proposed, and refused."""
    number = ground.number()
    doctor = ground.enter(CLINICIAN)
    today = dt.datetime.now(ZoneInfo("Europe/London")).date()
    case = approved_case("biologics", Kind.INITIATION)
    # Decided today, so that the approval covers the supply; few others were born on that day.
    born = dt.date(1940, 1, 1) + dt.timedelta(days=number % 20_000)
    own = replace(case.context, birth_date=born, decision_to_treat=today)
    a_request(doctor, number, replace(case, context=own))
    assert doctor.heading == "Approved", doctor.text
    payer = ground.enter(PAYER)
    known = invented_number(number)
    wrong = str((int(known[-2]) + 1) % 10)
    line = supplied_today(number, born.isoformat())
    line["NHS NUMBER"] = f"{known[:-2]}{wrong}{known[-1]}"
    run = a_run(ground, payer, amount_of(ground), **line)
    payer.click("Approvals proposed for lines whose patient is not known", role="link")
    payer.click("Compare the lines")
    payer.wait_for(f"{run}/links")
    payer.press(payer.page.locator('main a[href^="/linkage-proposals/"]').first)
    assert "How it agrees" in payer.text, payer.text
    assert known not in payer.page.content(), "values of patients are not shown"
    payer.fill("refuse-reason", "Another person, the trust says.")
    payer.click("Refuse")
    assert "Refused" in payer.text


def _names(ground: Ground) -> None:
    payer = ground.enter(PAYER)
    number = ground.number()
    letters = "".join(chr(65 + int(each)) for each in str(number))
    a_run(ground, payer, f"{number}.20", **{"DRUG NAME": f"HUMIRRAA {letters}"})
    payer.click("Drug names", role="link")
    row = payer.page.get_by_role("row").filter(has_text=letters)
    payer.hand.select(row.locator("select"), "adalimumab")
    payer.press(row.get_by_role("button"))
    other = ground.enter("demq1-commissioner-2")
    other.click("Drug names", role="link")
    keep(other, "drug-names")
    row = other.page.get_by_role("row").filter(has_text=letters)
    other.press(row.get_by_role("button", name="Accept"))
    row = other.page.get_by_role("row").filter(has_text=letters)
    assert "Accepted" in row.inner_text()


def _every_page(who: str, *variants: Variant) -> Journey:
    def walk(ground: Ground) -> None:
        visitor = ground.enter(who)
        offered = visitor.page.locator("nav a").evaluate_all("links => links.map(a => a.pathname)")
        for path in [page for page in PAGES if page in offered]:
            visitor.go(path)
        visitor.go("/slices").click("Changes to closed months", role="link")
        visitor.go("/supply-lists")
        visitor.press(visitor.page.locator('main a[href^="/supply-lists/"]').first)

    return Journey((who,), "looks through the desk", "/", walk, variants or EACH)


def _identities(ground: Ground) -> None:
    validator = ground.enter("demq2-invoice-validation").go("/submissions")
    validator.click("Reconciled", role="link")
    validator.click("See who the patients are", role="link")
    validator.fill("reason", "Two lines of one patient.")
    with validator.page.expect_download() as taken:
        validator.hand.press(
            validator.page.get_by_role("button", name="Get the file with identities")
        )
    assert taken.value.path().read_bytes()


JOURNEYS = (
    Journey(
        (PAYER, "demo1-pharmacist"), "takes a file from upload to credit", "/", _upload_to_credit
    ),
    Journey((PAYER,), "reads the evidence of a line and decides it by hand", "/", _line_by_hand),
    Journey((PAYER, CLINICIAN), "looks for the patients of a run", "/submissions", _linkage),
    Journey((PAYER, "demq1-commissioner-2"), "settles what a drug's name means", "/", _names),
    Journey(
        ("demq2-invoice-validation",), "asks who the patients are", "/submissions", _identities
    ),
    _every_page("demq2-commissioner"),
    _every_page("demq2-invoice-validation", Variant.PHONE),
    _every_page("demo1-pharmacist", Variant.KEYS),
)
