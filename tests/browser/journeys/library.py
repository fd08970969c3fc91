"""The library, drafts of policies, replays and adoptions."""

import itertools
import os
import time
from pathlib import Path

from tests.browser.journeys.model import Ground, Journey
from tests.browser.screens import keep
from tests.browser.visitor import Visitor

FOLDER = Path(__file__).parents[3] / "policies" / "rheumatology" / "adalimumab-ra-severe"
AT = "/library/adalimumab-ra-severe/2016-01-26.1"
BEFORE = (FOLDER / "2016-01-26.1.yaml").read_text(encoding="utf-8")
#: A demonstration that runs already has corrections of earlier walks.
_CORRECTIONS = itertools.count(
    10 + int(time.time()) % 80 if "ASSENT_BROWSER_ADDRESS" in os.environ else 2
)


def until(visitor: Visitor, path: str, words: str) -> None:
    """Load a page again, as a reader would, until it has these words."""
    for _ in range(60):
        visitor.page.goto(f"{visitor.address}{path}")
        if words in visitor.text:
            visitor.look()
            return
        visitor.page.wait_for_timeout(1000)
    raise AssertionError(f"{path} never said {words}: {visitor.text[:2000]}")


def a_text() -> tuple[str, str]:
    """The text of a correction that was not published yet, and its number."""
    number = next(_CORRECTIONS)
    text = BEFORE.replace("correction: 1", f"correction: {number}").replace("> 5.1", "> 5.8", 1)
    return text, f"2016-01-26.{number}"


def a_draft(author: Visitor, text: str) -> str:
    """Begin a draft with a text: its path."""
    author.go("/policy-drafts")
    author.unfold("#paste")
    author.fill("text", text)
    author.click("Save as draft and check")
    return author.at


def published(author: Visitor, second: Visitor, text: str, number: str) -> None:
    """Write, ask, and publish as the second person."""
    draft = a_draft(author, text)
    author.click("Ask for publication")
    until(second, draft, "You publish this text as the second person")
    second.click(f"Publish adalimumab-ra-severe {number}")
    assert "Its text never changes" in second.text


def proposed(payer: Visitor, number: str) -> None:
    """Propose to adopt a version."""
    payer.go(f"/library/adalimumab-ra-severe/{number}")
    payer.unfold("#adopt")
    payer.click("Propose adoption")
    assert payer.heading == "Adoptions"


def _reads(ground: Ground) -> None:
    visitor = ground.enter("demo1-clinician")
    visitor.click("Policies", role="link")
    assert visitor.heading == "Policies"
    visitor.fill("q", "humira rheumatoid")
    visitor.click("Show")
    keep(visitor, "library")
    visitor.click("Adalimumab for severe rheumatoid arthritis", role="link")
    assert "Criteria to start" in visitor.text
    keep(visitor, "policy")
    for name in ("The form to start", "Worked cases", "What changed"):
        visitor.go(AT).click(name, role="link")
    visitor.go(f"{AT}/form?kind=continuation")
    assert visitor.page.locator("fieldset[disabled] input").first.is_disabled()


def _write_to_adoption(ground: Ground) -> None:
    text, number = a_text()
    author = ground.enter("demq1-policy-author")
    author.click("Drafts", role="link")
    a_draft(author, text.replace("mechanism: prior_approval", "mechanism: by_magic"))
    assert "1 fault to mend" in author.text
    keep(author, "policy-draft-faults")
    author.fill("text", text)
    author.click("Save and check")
    assert "Checked: no fault" in author.text
    draft = author.at
    author.click("Read it as text and as forms", role="link")
    author.go(draft).click("Replay your last year under it", role="link")
    author.click("Replay")
    replay = author.at
    until(author, replay, "Requests that would change")
    author.go("/replays")
    author.go(f"{AT}/replay")
    author.go(draft).click("Ask for publication")
    second = ground.enter("demq1-policy-author-2")
    until(second, draft, "You publish this text as the second person")
    second.click(f"Publish adalimumab-ra-severe {number}")
    assert "Its text never changes" in second.text
    payer = ground.enter("demq1-commissioner")
    payer.go(replay)
    assert "Requests that would change" in payer.text
    keep(payer, "policy-replay")
    proposed(payer, number)
    other = ground.enter("demq1-commissioner-2")
    assert "wait for a second commissioner" in other.text
    other.click("Adoptions", role="link")
    row = other.page.get_by_role("row").filter(has_text=number)
    other.press(row.get_by_role("button", name="Confirm"))
    assert "Confirmed" in other.text
    assert "You" in other.go("/library?q=adalimumab+severe+rheumatoid").text


JOURNEYS = (
    Journey(("demo1-clinician",), "finds and reads a policy", "/library", _reads),
    Journey(
        (
            "demq1-policy-author",
            "demq1-policy-author-2",
            "demq1-commissioner",
            "demq1-commissioner-2",
        ),
        "takes a policy from draft to adoption",
        "/policy-drafts",
        _write_to_adoption,
    ),
)
