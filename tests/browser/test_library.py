"""The library, drafts, replays and adoptions in a browser, with scripts (and axe) and without."""

from pathlib import Path

from tests.browser.conftest import ROOT, Visit
from tests.browser.test_screens import keep
from tests.browser.visitor import Visitor

FOLDER: Path = ROOT / "policies" / "rheumatology" / "adalimumab-ra-severe"
AT = "/library/adalimumab-ra-severe/2016-01-26.1"
BEFORE = (FOLDER / "2016-01-26.1.yaml").read_text(encoding="utf-8")
NEXT = BEFORE.replace("correction: 1", "correction: 2").replace("> 5.1", "> 5.8", 1)


def until(visitor: Visitor, path: str, words: str) -> None:
    """Load a page again, as a reader would, until it has these words."""
    for _ in range(60):
        visitor.go(path)
        if words in visitor.text:
            return
        visitor.page.wait_for_timeout(1000)
    raise AssertionError(f"{path} never said {words}: {visitor.text[:2000]}")


def test_a_clinician_finds_and_reads_a_policy(visit: Visit) -> None:
    visitor = visit("demo1-clinician")
    visitor.click("Policies", role="link")
    assert visitor.heading == "Policies"
    visitor.fill("q", "humira rheumatoid")
    visitor.click("Show")
    keep(visitor, "library")
    visitor.click("Adalimumab for severe rheumatoid arthritis", role="link")
    assert "Criteria to start" in visitor.text
    for name in ("The form to start", "Worked cases", "What changed"):
        visitor.go(AT).click(name, role="link")
    visitor.go(f"{AT}/form?kind=continuation")
    assert visitor.page.locator("fieldset[disabled] input").first.is_disabled()


def test_the_library_on_a_phone(visit: Visit) -> None:
    visitor = visit("demo1-clinician", phone=True)
    for path in ("/library", AT, f"{AT}/changes", f"{AT}/cases", f"{AT}/form"):
        visitor.go(path)


def test_two_authors_publish_and_two_commissioners_adopt_without_scripts(visit: Visit) -> None:
    _the_whole_way(visit, NEXT, "2016-01-26.2", scripts=False)


def test_two_authors_publish_and_two_commissioners_adopt(visit: Visit) -> None:
    text = NEXT.replace("correction: 2", "correction: 3")
    _the_whole_way(visit, text, "2016-01-26.3", scripts=True)


def _the_whole_way(visit: Visit, text: str, number: str, *, scripts: bool) -> None:
    author = visit("demq1-policy-author", scripts=scripts)
    author.go("/policy-drafts")
    author.page.locator("#paste summary").click()
    author.fill("text", text.replace("mechanism: prior_approval", "mechanism: by_magic"))
    author.click("Save as draft and check")
    assert "1 fault to mend" in author.text
    keep(author, "policy-draft-faults")
    author.fill("text", text)
    author.click("Save and check")
    assert "Checked: no fault" in author.text
    draft = author.page.url.removeprefix(author.address).partition("#")[0]
    author.click("Read it as text and as forms", role="link")
    author.go(draft).click("Replay your last year under it", role="link")
    author.click("Replay")
    replay = author.page.url.removeprefix(author.address)
    until(author, replay, "Requests that would change")
    author.go("/replays")
    author.go(draft).click("Ask for publication")
    second = visit("demq1-policy-author-2", scripts=scripts)
    until(second, draft, "You publish this text as the second person")
    second.click(f"Publish adalimumab-ra-severe {number}")
    assert "Its text never changes" in second.text
    payer = visit("demq1-commissioner", scripts=scripts)
    payer.go(replay)
    assert "Requests that would change" in payer.text
    keep(payer, "policy-replay")
    payer.go(f"/library/adalimumab-ra-severe/{number}")
    payer.page.locator("#adopt summary").click()
    payer.click("Propose adoption")
    assert payer.heading == "Adoptions"
    other = visit("demq1-commissioner-2", scripts=scripts)
    other.go("/")
    assert "wait for a second commissioner" in other.text
    other.go("/adoptions").click("Confirm")
    assert "Confirmed" in other.text
    assert "You" in other.go("/library?q=adalimumab+severe+rheumatoid").text
