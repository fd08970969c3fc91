"""Pages on paper: what is printed, and that nothing of it is cut off at the sheet's edge."""

from collections.abc import Callable

import pytest

from app.policy import Kind
from app.reference_data.nhs_number import test_number as invented_number
from tests.browser.cases import approved_case, plain
from tests.browser.conftest import Visit
from tests.browser.journeys.asking import CLINICIAN, answer_all, begin
from tests.browser.journeys.desk import PAYER, a_line_without_approval
from tests.browser.journeys.office import PANEL, YEAR
from tests.browser.visitor import Visitor

#: A4 between the margins that Chromium leaves, in CSS pixels.
PAPER = {"width": 718, "height": 1000}
#: What is for a screen only, where it would be printed.
_FOR_SCREENS = """() => [...document.querySelectorAll(
  'nav, footer, button, form, input:not([type=hidden]), select, textarea, [role=button],'
  + ' .nhsuk-back-link, .nhsuk-skip-link, .nhsuk-button, .nhsuk-summary-list__actions')]
  .filter(e => e.checkVisibility() && e.getClientRects().length)
  .map(e => `${e.tagName.toLowerCase()}.${e.className} ${e.textContent.trim().slice(0, 40)}`)"""
#: What reaches past the sheet, or is cut off or scrolls within it.
_CUT = """() => [...document.querySelectorAll('main, main *')].filter(e => {
  if (!e.checkVisibility() || e.closest('.nhsuk-u-visually-hidden, svg')) return false;
  const how = getComputedStyle(e);
  const clips = how.overflowX !== 'visible' && e.scrollWidth > e.clientWidth + 1;
  return clips || e.getBoundingClientRect().right > innerWidth + 1;
}).map(e => `${e.tagName.toLowerCase()}.${e.className} ${e.textContent.trim().slice(0, 40)}`)"""
#: What is folded away, so that paper would not show it.
_FOLDED = """() => [...document.querySelectorAll('main details:not([open])')]
  .filter(e => e.checkVisibility())
  .filter(e => !e.querySelector('.nhsuk-details__text').checkVisibility(
    {contentVisibilityAuto: true}) || e.querySelector('.nhsuk-details__text').offsetHeight < 2)
  .map(e => e.textContent.trim().slice(0, 60))"""


def _checked(visitor: Visitor, number: int) -> None:
    case = approved_case("biologics", Kind.INITIATION)
    visitor.go("/start")
    begin(visitor, "adalimumab-ra-severe", case, invented_number(number), "DEMQ1")
    answer_all(visitor, plain(case.answers))


def _check_answers(visit: Visit, number: int) -> Visitor:
    visitor = visit(CLINICIAN)
    _checked(visitor, number)
    return visitor


def _decision(visit: Visit, number: int) -> Visitor:
    visitor = _check_answers(visit, number)
    return visitor.click("Send the request")


def _timeline(visit: Visit, number: int) -> Visitor:
    visitor = _decision(visit, number).click("The treatment", role="link")
    return visitor.click("The patient's timeline", role="link")


def _evidence(visit: Visit, _: int) -> Visitor:
    visitor = visit(PAYER)
    _, line = a_line_without_approval(visitor)
    return visitor.go(line)


def _minutes(visit: Visit, _: int) -> Visitor:
    visitor = visit(PANEL).go(f"/minutes?{YEAR}")
    assert visitor.page.locator(".app-minute").count(), "the year that is made has decisions"
    return visitor


@pytest.mark.parametrize(
    ("to", "number", "says"),
    [
        (_check_answers, 55_041, ("DAS28 before adalimumab", "Check your answers")),
        (
            _decision,
            55_042,
            ("Approval reference", "Looked at: DAS28 before adalimumab"),
        ),
        (_timeline, 55_043, ("DAS28", "As the form asks", "What happened, the newest first")),
        (_evidence, 0, ("Where its approval was looked for", "What the line states")),
        (_minutes, 0, ("Members who took part", "Conflicts of interest", "Chair, and date:")),
    ],
    ids=["check", "decision", "timeline", "evidence", "minutes"],
)
def test_a_page_prints_what_is_read_and_nothing_to_press(
    visit: Visit, to: Callable[[Visit, int], Visitor], number: int, says: tuple[str, ...]
) -> None:
    visitor = to(visit, number)
    assert visitor.page.evaluate(_FOR_SCREENS) != [], "a screen has something to press"
    visitor.page.set_viewport_size(PAPER)  # type: ignore[arg-type]
    visitor.page.emulate_media(media="print")
    shown = visitor.page.locator("main").inner_text()
    for words in says:
        assert words in shown, words
    assert visitor.page.evaluate(_FOR_SCREENS) == []
    assert visitor.page.evaluate(_CUT) == []
    assert visitor.page.evaluate(_FOLDED) == []
