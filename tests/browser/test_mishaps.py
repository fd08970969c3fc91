"""What people do beside walking straight: click twice, go back, open two tabs, stay away too long.

Each act is carried out once, nothing is stored half, and whoever did it sees a page that says how
things stand. `ACTS` lists the acts; each is tried with each mishap.
"""

import itertools
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Route

from tests.browser.conftest import Visit
from tests.browser.files import a_file
from tests.browser.journeys.asking import CLINICIAN, a_form, a_referral, a_request
from tests.browser.journeys.desk import PAYER, a_run, amount_of
from tests.browser.journeys.library import a_text, published
from tests.browser.journeys.model import Ground
from tests.browser.visitor import Visitor

#: A demonstration that runs already has patients of earlier walks.
_NUMBERS = itertools.count(
    60_000 + int(time.time() + 500) % 39_000 if "ASSENT_BROWSER_ADDRESS" in os.environ else 58_000
)
WORDS = "Seen twice by the same person."


@dataclass(frozen=True)
class Act:
    """One act: what leads to it, how its form is filled, its button, and how one sees it done.

    `ready` gives the page that holds the form. `times` counts, on the page at that path or one that
    it leads to, how often the act was done.
    """

    name: str
    who: str
    ready: Callable[[Ground], str]
    fill: Callable[[Visitor], None]
    button: str
    times: Callable[[Visitor, str], int]
    words: str = WORDS  # what was typed, and must not be lost


def _drafted(ground: Ground) -> str:
    payer = ground.enter(PAYER)
    a_run(ground, payer, amount_of(ground))
    payer.click("Draft challenges of what is queried")
    payer.press(payer.page.locator("tbody th a").first)
    return payer.at


def _raised(ground: Ground) -> str:
    at = _drafted(ground)
    payer = ground.enter(PAYER).go(at)
    payer.fill_day("respond_by", "2099-12-31")
    payer.click("Raise")
    return at


def _answered(ground: Ground) -> str:
    at = _raised(ground)
    trust = ground.enter("demo1-pharmacist").go(at)
    trust.fill("answer-evidence", "The approval was asked for elsewhere.")
    trust.click("Send the answer")
    return at


def _said(label: str) -> Callable[[Visitor, str], int]:
    """How often an object's own page tells of the step among what happened."""

    def times(visitor: Visitor, at: str) -> int:
        visitor.go(at)
        return visitor.page.locator("dl").last.locator("dt", has_text=label).count()

    return times


def _line(ground: Ground) -> str:
    run = a_run(ground, ground.enter(PAYER), amount_of(ground))
    return f"{run}/lines/1"


def _override(visitor: Visitor) -> None:
    visitor.unfold("#override")
    visitor.choose("kind", "accept")
    visitor.fill("override-reason", WORDS)


def _decisions(visitor: Visitor, at: str) -> int:
    href = visitor.go("/line-decisions").page.locator(f'main h2 a[href*="{at.split("/")[3]}"]')
    return href.count()


_AMOUNTS: dict[str, str] = {}  # of each file that waits, by its path


def _preview(ground: Ground) -> str:
    payer = ground.enter(PAYER).go("/submissions")
    amount = amount_of(ground)
    payer.attach(a_file(ground.folder, amount))
    payer.click("See what it would change")
    _AMOUNTS[payer.at] = f"£{float(amount):,.2f}"
    return payer.at


def _received(visitor: Visitor, at: str) -> int:
    """How often the file was received."""
    rows = visitor.go("/submissions").page.locator("tbody tr")
    return rows.filter(has_text=_AMOUNTS[at]).count()


def _funding_asked(ground: Ground) -> str:
    clinician = ground.enter(CLINICIAN)
    a_request(clinician, ground.number(), das28_at_start="4.0")
    clinician.unfold("#individual-funding")
    clinician.fill("case", "Ultrasound shows disease that the score misses.")
    clinician.click("Prepare the request")
    clinician.click("Send the request")
    return clinician.at


def _decline_funding(visitor: Visitor) -> None:
    visitor.unfold("#refuse-funding")
    visitor.fill("refuse-funding-reason", WORDS)


def _decline(visitor: Visitor) -> None:
    visitor.unfold("#panel-decline")
    visitor.fill("panel-decline-reason", WORDS)
    visitor.tick("panel-decline-interest")


def _declined(visitor: Visitor, at: str) -> int:
    """How often the log tells of it: the hospital's auditor reads the request's trail."""
    browser = visitor.page.context.browser
    assert browser is not None
    context = browser.new_context(java_script_enabled=False)
    auditor = Visitor(context.new_page(), visitor.address, "")
    trail = auditor.sign_in("demo1-auditor").go(f"/audit{at}").page
    count = trail.locator("tbody strong", has_text="Decision: declined").count()
    context.close()
    return count


def _proposable(ground: Ground) -> str:
    text, number = a_text()
    author, second = ground.enter("demq1-policy-author"), ground.enter("demq1-policy-author-2")
    published(author, second, text, number)
    return f"/library/adalimumab-ra-severe/{number}"


def _adoptions(visitor: Visitor, at: str) -> int:
    rows = visitor.go("/adoptions").page.locator("tbody tr")
    return rows.filter(has_text=at.rsplit("/", 1)[-1]).count()


def _propose(visitor: Visitor) -> None:
    visitor.unfold("#adopt")


def _form(ground: Ground) -> str:
    clinician = ground.enter(CLINICIAN)
    a_form(clinician, "biologics", ground.number())
    return clinician.at


def _sent(visitor: Visitor, at: str) -> int:
    """A draft that was sent leads to its one request."""
    visitor.go(f"/drafts/{at.split('/')[2]}")
    return int(visitor.at.startswith("/requests/"))


def _nothing(visitor: Visitor) -> None:
    """Nothing is to be filled in."""


ACTS = (
    Act("send a request", CLINICIAN, _form, _nothing, "Send the request", _sent, ""),
    Act(
        "raise a challenge",
        PAYER,
        _drafted,
        lambda visitor: visitor.fill_day("respond_by", "2099-12-31"),
        "Raise",
        _said("Raised"),
        "2099",
    ),
    Act(
        "answer a challenge",
        "demo1-pharmacist",
        _raised,
        lambda visitor: visitor.fill("answer-evidence", WORDS),
        "Send the answer",
        _said("Answered"),
    ),
    Act(
        "uphold a challenge",
        PAYER,
        _answered,
        lambda visitor: visitor.fill("uphold-reason", WORDS),
        "Uphold",
        _said("Upheld"),
    ),
    Act(
        "decide a line by hand",
        PAYER,
        _line,
        _override,
        "Decide and reconcile again",
        _decisions,
    ),
    Act(
        "accept a file",
        PAYER,
        _preview,
        _nothing,
        "Accept the file and reconcile it",
        _received,
        "",
    ),
    Act(
        "decline to fund",
        PAYER,
        _funding_asked,
        _decline_funding,
        "Decline to fund it",
        _declined,
    ),
    Act(
        "decline as a panel",
        "demp1-panel-member",
        lambda ground: a_referral(ground.enter(CLINICIAN), ground.number()),
        _decline,
        "Decline",
        _declined,
    ),
    Act(
        "propose an adoption",
        PAYER,
        _proposable,
        _propose,
        "Propose adoption",
        _adoptions,
        "",
    ),
)
EACH_ACT = pytest.mark.parametrize("act", ACTS, ids=lambda each: each.name)


@pytest.fixture
def ground(visit: Visit, tmp_path: Path) -> Ground:
    """Whatever leads to an act is done without scripts, for speed."""
    return Ground(lambda who: visit(who, scripts=False), lambda: next(_NUMBERS), tmp_path)


def _button(visitor: Visitor, act: Act) -> None:
    visitor.page.get_by_role("button", name=act.button, exact=True).first.click()
    visitor.page.wait_for_load_state()


def _is_clear(visitor: Visitor) -> None:
    """A page with a heading that says more than that something went wrong."""
    assert visitor.heading
    assert "Internal" not in visitor.page.content()
    assert len(visitor.text) > 40, visitor.text


@pytest.mark.parametrize(
    ("act", "scripts"),
    list(itertools.product(ACTS, (False, True))),
    ids=lambda each: each.name if isinstance(each, Act) else ("without", "with")[each],
)
def test_a_double_click_does_it_once_and_shows_what_was_done(
    visit: Visit, ground: Ground, act: Act, scripts: bool
) -> None:
    at = act.ready(ground)
    visitor = visit(act.who, scripts=scripts).go(at)
    act.fill(visitor)
    visitor.page.get_by_role("button", name=act.button, exact=True).first.dblclick()
    visitor.page.wait_for_load_state()
    visitor.page.wait_for_timeout(300)
    _is_clear(visitor)
    assert act.times(visitor, at) == 1


@EACH_ACT
def test_back_after_it_and_sent_again_does_nothing_twice(
    visit: Visit, ground: Ground, act: Act
) -> None:
    at = act.ready(ground)
    visitor = visit(act.who)
    visitor.expected = {404, 409, 412}
    visitor.go(at)
    act.fill(visitor)
    _button(visitor, act)
    visitor.page.go_back()
    again = visitor.page.get_by_role("button", name=act.button, exact=True)
    if again.count() and visitor.at == at:  # the browser kept the page as it was
        act.fill(visitor)
        _button(visitor, act)
    _is_clear(visitor)
    assert act.times(visitor, at) == 1


@EACH_ACT
def test_of_two_tabs_the_second_is_told_how_things_stand(
    visit: Visit, ground: Ground, act: Act
) -> None:
    at = act.ready(ground)
    first = visit(act.who, scripts=False).go(at)
    second = visit("", scripts=False)
    second.page.context.add_cookies(first.page.context.cookies())  # type: ignore[arg-type]
    second.expected = {404, 409, 412, 422}
    second.go(at)
    for each in (first, second):
        act.fill(each)
        _button(each, act)
    _is_clear(second)
    assert act.times(second, at) == 1


@EACH_ACT
def test_a_session_lost_in_the_middle_loses_no_words(
    visit: Visit, ground: Ground, act: Act
) -> None:
    at = act.ready(ground)
    visitor = visit(act.who)
    visitor.expected = {401}
    visitor.go(at)
    act.fill(visitor)
    visitor.page.context.clear_cookies()
    _button(visitor, act)
    assert visitor.heading == "You were signed out before this was sent"
    kept = visitor.page.locator("textarea").evaluate_all("all => all.map(e => e.value)")
    assert not act.words or act.words in kept, kept
    visitor.look()
    visitor.expected = set()
    visitor.sign_in(act.who)
    assert act.times(visitor, at) == 0
    visitor.go(at)
    act.fill(visitor)
    _button(visitor, act)
    assert act.times(visitor, at) == 1


def test_two_people_on_one_challenge_do_not_decide_it_twice(visit: Visit, ground: Ground) -> None:
    """The second upholds another amount from a page that was drawn before the first did."""
    at = _answered(ground)
    first, second = (visit(who, scripts=False).go(at) for who in (PAYER, f"{PAYER}-2"))
    second.expected = {412}
    for each, amount in ((first, "7.10"), (second, "9.20")):
        each.fill("uphold-amount", amount)
        each.fill("uphold-reason", WORDS)
        each.click("Uphold")
    assert "9.20" not in second.text
    _is_clear(second)
    assert "£7.10" in second.go(at).text
    assert second.page.get_by_role("button", name="Uphold").count() == 0


def test_what_is_typed_is_kept_without_a_click_and_found_on_another_computer(
    visit: Visit, ground: Ground
) -> None:
    clinician = visit(CLINICIAN)
    a_form(clinician, "biologics", ground.number())
    at = f"/drafts/{clinician.draft_id()}/part-1"
    clinician.go(at).fill("a.das28_at_start", "5.9")
    clinician.page.get_by_text("Saved as a draft.").wait_for()
    elsewhere = visit(CLINICIAN, scripts=False).go(at)
    field = elsewhere.page.locator('[id="a.das28_at_start"]')
    assert field.input_value() == "5.9"
    # It is changed there: the page that is still open says so, and writes over nothing.
    elsewhere.fill("a.das28_at_start", "5.7")
    elsewhere.click("Continue")
    clinician.expected = {409}
    clinician.fill("a.das28_at_start", "6.4")
    clinician.page.get_by_text("Not saved: the draft was changed elsewhere").wait_for()
    assert elsewhere.go(at).page.locator('[id="a.das28_at_start"]').input_value() == "5.7"


def test_continue_waits_for_a_saving_that_is_under_way(visit: Visit, ground: Ground) -> None:
    """Their own saving raises the version: it is no change "in another tab"."""
    clinician = visit(CLINICIAN)
    a_form(clinician, "biologics", ground.number())
    at = f"/drafts/{clinician.draft_id()}/part-1"
    page = clinician.go(at).page
    held: list[Route] = []

    def hold(route: Route) -> None:
        if "autosave=yes" in (route.request.post_data or "") and not held:
            held.append(route)
        else:
            route.continue_()

    page.route(f"**{at}", hold)
    clinician.fill("a.das28_at_start", "5.8")
    for _ in range(100):
        if held:
            break
        page.wait_for_timeout(100)
    page.get_by_role("button", name="Continue", exact=True).first.click(no_wait_after=True)
    page.wait_for_timeout(500)
    assert clinician.at == at, "what was typed last is not sent before the saving is over"
    held[0].continue_()
    page.wait_for_url(lambda url: not url.endswith(at))
    assert "changed in another tab" not in clinician.text
    elsewhere = visit(CLINICIAN, scripts=False).go(at)
    assert elsewhere.page.locator('[id="a.das28_at_start"]').input_value() == "5.8"


def test_too_long_a_text_is_said_while_it_is_typed_and_comes_back_with_every_word(
    visit: Visit, ground: Ground
) -> None:
    clinician = visit(CLINICIAN)
    a_form(clinician, "biologics", ground.number())
    at = f"/drafts/{clinician.draft_id()}/treatment"
    clinician.expected = {400, 422}
    clinician.go(at).page.locator("summary").first.click()
    clinician.fill("details.registry_id", "r" * 2_050)
    clinician.page.get_by_text("It has 2,050 characters. Shorten it to 2,000 at most.").wait_for()
    clinician.click("Continue")
    assert "There is a problem" in clinician.text
    field = clinician.page.locator('[id="details.registry_id"]')
    assert field.input_value() == "r" * 2_050
    field.fill("R1")
    clinician.click("Continue")
    assert "There is a problem" not in clinician.text


def test_a_file_over_the_limit_is_told_before_it_is_sent_and_no_word_is_lost(
    visit: Visit, tmp_path: Path
) -> None:
    visitor = visit(CLINICIAN)
    at, _ = a_request(visitor, next(_NUMBERS))
    visitor.go(f"{at}/attachments")
    visitor.fill("title", "Clinic letter")
    for megabytes, over in ((6, True), (1, False)):
        file = tmp_path / f"{megabytes}.pdf"
        file.write_bytes(b"%PDF-1.7\n" + bytes(megabytes << 20))
        visitor.attach(file)
        assert ("The file is over 5 MB" in visitor.text) is over
        visitor.look()
        if over:
            visitor.page.get_by_role("button", name="Attach it").click()
            assert visitor.at == f"{at}/attachments", "it is not sent"
            assert visitor.page.locator("#title").input_value() == "Clinic letter"
