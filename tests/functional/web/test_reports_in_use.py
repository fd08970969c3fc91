"""The reports of requests with rows in them: what they say, their pages, policies and periods."""

import datetime as dt
import html
import re

import pytest

from app.clock import london_day, now
from app.db.transaction import Database
from tests.functional.web.conftest import Enter, Person
from tests.functional.web.report_scene import CROHNS, ETANERCEPT, Scene
from tests.functional.web.test_report_pages import days
from tests.functional.web.test_request_reports import BEST, CHANGED, OVERRIDES, text_of

PAYER, LEAD = "demq1-commissioner", "demo1-pharmacist"
ELSEWHERE = 60  # more than a page at one row for each hospital


def walked(person: Person, at: str) -> list[list[str]]:
    """The rows of every page of a report, each as the texts of its cells."""
    found: list[list[str]] = []
    while at:
        reply = person.get(at)
        assert reply.status_code == 200, reply.text
        table = reply.text.partition("<tbody")[2].partition("</tbody>")[0]
        rows = re.findall(r"<tr.*?</tr>", table, re.DOTALL)
        assert len(rows) <= 50
        found += [
            [" ".join(html.unescape(re.sub(r"<[^>]*>", " ", cell)).split()) for cell in cells]
            for cells in (re.findall(r"<t[hd].*?</t[hd]>", row, re.DOTALL) for row in rows)
        ]
        onward = re.search(r'href="([^"]+)">Next page', reply.text)
        at = html.unescape(onward.group(1)) if onward else ""
    return found


def test_overrides_of_all_hospitals_stand_on_pages_under_one_total(
    enter: Enter, database: Database
) -> None:
    scene = Scene(database)
    scene.elsewhere(scene.overridden(), ELSEWHERE)
    scene.overridden("distorted_score")
    payer, lead = enter(PAYER), enter(LEAD)

    rows = walked(payer, OVERRIDES)

    names = [tuple(row[:3]) for row in rows]
    assert len(set(names)) == len(names), "a row stands on one page"
    assert sum(row[2] == "All reasons" for row in rows) == ELSEWHERE + 1
    relied_on = [int(row[5]) for row in rows]
    assert relied_on == sorted(relied_on, reverse=True), "those most relied on first"
    assert rows[0][1].endswith("(DEMO1)")
    assert rows[0][3:6] == ["2", "2", "2"]
    assert "The disease is severe although the score is below the usual figure" in {
        row[2] for row in rows
    }, "a reason is told in the policy's words"
    whole = f"may be overridden {ELSEWHERE + 2} Overrides given {ELSEWHERE + 2} Relied on"
    onward = re.search(r'href="([^"]+)">Next page', payer.get(OVERRIDES).text)
    assert onward is not None
    for at in (OVERRIDES, html.unescape(onward.group(1))):
        assert whole in text_of(payer, at), "the totals are the period's on each page"
    assert f"Rows 51 to 100 of {len(rows)}" in text_of(payer, html.unescape(onward.group(1)))

    assert text_of(payer, OVERRIDES).count("Normally, but not exclusively") == 1
    own = walked(lead, OVERRIDES)
    assert {row[1][-7:] for row in own} == {"(DEMO1)"}
    assert "may be overridden 2 Overrides given 2 Relied on 2" in text_of(lead, OVERRIDES)
    assert "Invented words" not in payer.get(OVERRIDES).text


def test_products_of_all_hospitals_stand_on_pages_under_one_total(
    enter: Enter, database: Database
) -> None:
    scene = Scene(database)
    scene.elsewhere(scene.chosen("enbrel", "device"), ELSEWHERE)
    for _ in range(3):
        scene.chosen("benepali")
    scene.chosen(None)
    payer = enter(PAYER)

    rows = walked(payer, BEST)

    assert len(rows) == ELSEWHERE + 3
    assert rows[-1][1] == "This one"
    assert rows[-1][4:] == ["3", "3"], "the best-value product comes last, three times approved"
    other = [row for row in rows if row[0].startswith("Enbrel")]
    assert len(other) == ELSEWHERE + 1
    assert {(row[1], row[3]) for row in other} == {
        ("Benepali, Erelzi", "The device of another product cannot be used by this patient")
    }
    totals = (
        f"Requests {ELSEWHERE + 5} Of these, for a product that was asked for first 3 "
        f"For another product {ELSEWHERE + 1} With no product named 1 Approved {ELSEWHERE + 5}"
    )
    assert totals in text_of(payer, BEST)
    assert "Requests 5 Of these, for a product that was asked for first 3" in text_of(
        enter(LEAD), BEST
    )


def test_changed_answers_go_on_behind_the_newest_and_none_is_shown_twice(
    enter: Enter, database: Database
) -> None:
    scene = Scene(database)
    request = scene.corrected()
    scene.changed_again(request, 2 * ELSEWHERE)
    payer = enter(PAYER)
    found: list[str] = []
    at = CHANGED
    while at:
        shown = payer.get(at).text
        assert f"{2 * ELSEWHERE + 1} decisions in these days" in " ".join(shown.split())
        found += re.findall(r"the request of ([^<]+)</span></a>", shown)
        onward = re.search(r'href="([^"]+)">Next page', shown)
        at = html.unescape(onward.group(1)) if onward else ""
    assert len(found) == 2 * ELSEWHERE + 1
    assert enter("demq2-commissioner").get(CHANGED).text.count("the request of") == 0


@pytest.mark.parametrize(
    ("path", "own", "other"),
    [
        (OVERRIDES, CROHNS, "infliximab-crohns-severe"),
        (BEST, ETANERCEPT, None),
        (CHANGED, "adalimumab-ra-severe", CROHNS),
    ],
)
def test_a_report_of_one_policy_leaves_out_the_others(
    enter: Enter, database: Database, path: str, own: str, other: str | None
) -> None:
    scene = Scene(database)
    scene.overridden()
    scene.chosen("enbrel", "device")
    scene.corrected()
    payer = enter(PAYER)
    whole = payer.get(path).text
    assert f'<option value="{own}">' in whole
    assert len(walked(payer, f"{path}?policy={own}")) == len(walked(payer, path)) > 0
    chosen = payer.get(f"{path}?policy={own}").text
    assert f'<option value="{own}" selected>' in chosen
    assert chosen.count(f"policy={own}") >= 4, "the periods keep the policy"
    if other is not None:
        assert walked(payer, f"{path}?policy={other}") == []
    for wrong in ("none-such", "A b"):
        reply = payer.get(f"{path}?policy={wrong}")
        assert reply.status_code == 422
        assert "Choose a policy of the list" in reply.text
        assert 'href="#policy"' in reply.text


@pytest.mark.parametrize("path", [OVERRIDES, BEST, CHANGED])
def test_the_usual_periods_are_links_and_more_than_a_year_is_refused(
    enter: Enter, database: Database, path: str
) -> None:
    scene = Scene(database)
    scene.overridden()
    scene.chosen("benepali")
    scene.corrected()
    payer, today = enter(PAYER), london_day(now())
    shown = payer.get(path).text
    assert '<strong aria-current="true">Last 31 days</strong>' in shown
    assert len(walked(payer, path)) > 0
    before = today.replace(day=1) - dt.timedelta(days=1)
    link = re.search(rf'<a href="([^"]+)">{before:%B %Y}</a>', shown)
    assert link is not None
    assert walked(payer, html.unescape(link.group(1))) == []
    assert f"1 {before:%B %Y} to {before.day} {before:%B %Y}" in text_of(
        payer, html.unescape(link.group(1))
    )
    reply = payer.get(path + days(today - dt.timedelta(days=366), today))
    assert reply.status_code == 422
    assert "Ask for a year at most" in reply.text


@pytest.mark.parametrize("place", ["x", "1~2", "a~b~c~d~e~f", "1~2~3~4~5~6~7~8"])
def test_what_is_no_place_of_a_report_is_refused(
    enter: Enter, database: Database, place: str
) -> None:
    scene = Scene(database)
    scene.overridden()
    scene.chosen("benepali")
    payer = enter(PAYER)
    for path in (OVERRIDES, BEST):
        assert payer.get(f"{path}?after={place}").status_code == 400, path
    for wrong in ("x", "1_2_3", "20261301T000000000000_1", "20260101T000000000000_a"):
        assert payer.get(f"{CHANGED}?after={wrong}").status_code == 400
