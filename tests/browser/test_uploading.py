"""A payer sends in a file: its bytes show how far they are, and a large one how far it is read."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from playwright.sync_api import Locator, Route, expect

from app.reconciliation import previewing
from tests.browser.conftest import Visit
from tests.browser.files import a_file
from tests.browser.journeys.desk import PAYER
from tests.browser.served import served
from tests.browser.variants import Variant
from tests.browser.visitor import Visitor
from tests.functional.approvals.scene import work_off
from tests.policies.library import packaged_library

SEND = "See what it would change"
WAITS = re.compile("/submissions/uploads/[0-9a-f]{64}$")
#: Bytes a second: a slow line, on which a large file takes some seconds.
SLOW = 400_000


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FastAPI, str]]:
    folder = tmp_path_factory.mktemp("uploading")
    with served(folder, packaged_library(), lambda _: None) as made:
        yield made


@pytest.fixture(scope="module")
def address(service: tuple[FastAPI, str]) -> str:
    return service[1]


def large(folder: Path) -> Path:
    file = a_file(folder, "41.10")
    file.write_bytes(file.read_bytes() + b"\r\n" * (previewing.AT_ONCE_TEXT // 2))
    return file


def at_the_form(visitor: Visitor, file: Path) -> Locator:
    """The button, once a file is chosen."""
    visitor.go("/submissions").attach(file)
    return visitor.page.get_by_role("button", name=SEND)


def chosen(visitor: Visitor) -> list[str]:
    files = "e => [...e.files].map(f => f.name)"
    return list(visitor.page.locator("#file").evaluate(files))


@pytest.mark.parametrize("variant", [Variant.SCRIPTS, Variant.PLAIN, Variant.KEYS, Variant.PHONE])
def test_a_large_file_leads_to_a_page_that_tells_how_far_it_is_and_goes_on_by_itself(
    visit: Visit, service: tuple[FastAPI, str], tmp_path: Path, variant: Variant
) -> None:
    payer = visit(PAYER, variant=variant)
    payer.go("/submissions").attach(large(tmp_path))
    payer.click(SEND)
    assert payer.at.startswith("/submissions/jobs/"), payer.at
    assert payer.heading.endswith("Reading the file")
    assert "It waits for its turn." in payer.text
    payer.click("Submissions", role="link")  # leave it, and find it again
    payer.click("Waits to be read", role="link")
    assert payer.at.startswith("/submissions/jobs/"), payer.at
    work_off(service[0])
    payer.page.wait_for_url(WAITS)
    payer.look()
    assert payer.heading.endswith("What the file would change")
    assert "£41.10" in payer.text
    payer.click("Discard it")
    assert "not accepted yet" not in payer.text


def test_with_scripts_the_bytes_show_how_far_they_are(visit: Visit, tmp_path: Path) -> None:
    payer = visit(PAYER, variant=Variant.KEYS)  # under the policy of content, as people have it
    heard: list[str] = []
    payer.page.expose_function("heard", lambda said: heard.append(said))
    button = at_the_form(payer, large(tmp_path))
    bar = payer.page.locator("#sending")
    expect(bar).to_be_hidden()
    assert payer.page.locator("#sending-told").get_attribute("aria-live") == "polite"
    payer.page.evaluate(
        "() => new MutationObserver(() => heard("
        "  document.getElementById('sending-told').textContent"
        "  + ' ' + document.getElementById('sending').value"
        "  + ' ' + document.getElementById('sending').hidden))"
        ".observe(document.getElementById('sending-told'), {childList: true})"
    )
    line = payer.page.context.new_cdp_session(payer.page)
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": SLOW}
    line.send("Network.emulateNetworkConditions", slow)
    posts: list[str] = []
    payer.page.on("request", lambda each: posts.append(each.method))
    with payer.page.expect_navigation(url=re.compile("/submissions/jobs/")):
        payer.hand.press(button)
        button.press("Enter")  # the second is left out: the first is under way
    assert posts.count("POST") == 1
    said = [each.rsplit(" ", 2) for each in heard]
    words = [each[0] for each in said]
    assert words[0] == "The file is being sent."
    assert sum(each.endswith("% of the file is sent.") for each in words) >= 3, words
    assert words[-1] == "The file is sent. It is being looked at."
    assert {each[2] for each in said} == {"false"}
    far = [float(each[1]) for each in said[:-1]]
    assert far == sorted(far)
    assert far[0] < far[-1]
    payer.go("/submissions")
    assert payer.page.locator('main a[href^="/submissions/uploads/"]').count() == 1


def test_a_file_that_cannot_be_taken_is_told_in_words_and_stays_chosen(
    visit: Visit, tmp_path: Path
) -> None:
    letter = tmp_path / "letter.csv"
    letter.write_text("Dear colleague,\nplease find enclosed.\n")
    payer = visit(PAYER)
    payer.expected = {422}
    at_the_form(payer, letter).click()
    error = payer.page.locator("#file-error")
    expect(error).to_be_visible()
    with_scripts = error.inner_text()
    assert chosen(payer) == ["letter.csv"]
    assert payer.at == "/submissions"
    payer.look()
    expect(payer.page.locator("#sending")).to_be_hidden()
    expect(payer.page.locator("#file")).to_be_focused()
    plain = visit(PAYER, scripts=False)
    plain.expected = {422}
    plain.go("/submissions").attach(letter)
    plain.click(SEND)
    said = plain.page.locator("#file-error").inner_text()
    assert said.replace("Error:", "").strip() == with_scripts


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (0, "The file was not sent: the connection was cut"),
        (413, "The file is over 64 MB. Choose a smaller one"),
        (401, "The file was not sent: you are signed out."),
        (429, "The file was not sent: too many steps in a minute."),
        (504, "The service could not take the file, and gave no reason."),
    ],
)
def test_a_sending_that_fails_is_told_in_words_and_another_try_is_one_press_away(
    visit: Visit, tmp_path: Path, status: int, words: str
) -> None:
    payer = visit(PAYER)
    payer.expected = {status} if status else set()

    def fail(route: Route) -> None:
        if route.request.method != "POST":
            route.fallback()
        elif status:  # as a proxy answers, that knows nothing of the page
            route.fulfill(status=status, content_type="text/html", body="<h1>No</h1>")
        else:
            route.abort("connectionreset")

    payer.page.route("**/submissions", fail)
    button = at_the_form(payer, a_file(tmp_path, "42.10"))
    button.click()
    error = payer.page.locator("#file-error")
    expect(error).to_contain_text(words)
    assert chosen(payer) == ["june.csv"]
    if not status:
        payer.complaints = [each for each in payer.complaints if "CONNECTION_RESET" not in each]
    payer.page.unroute("**/submissions")
    payer.click(SEND)
    assert WAITS.search(payer.at), payer.at
    payer.click("Discard it")
