"""The demonstration served by a process of its own, and Chromium that looks at its pages.

Where Chromium or npm is absent these tests are skipped, unless CI or ASSENT_REQUIRE_BROWSER is set.
They are collected when they are named (`pytest tests/browser`), as `.ci/run` does.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Route, sync_playwright

from tests.browser import looked
from tests.browser.hands import Finger, Hand, Keys, Mouse
from tests.browser.journeys.all import EVERY
from tests.browser.journeys.model import Journey
from tests.browser.journeys.ways import EVERY_WALK
from tests.browser.variants import Variant
from tests.browser.visitor import Visitor
from tests.faults.cluster import free_port

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
ABSENT = "Chromium or npm is absent: the tests in a browser did NOT run"
#: Chromium as root in a container, and without calls home.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_NOTES = "ASSENT_BROWSER_NOTES"  # names the folder where a run notes what was looked at
_PATIENCE = 240  # seconds until the demonstration serves, on a busy machine
_PATIENT = 1000 * int(os.environ.get("ASSENT_BROWSER_SECONDS", "30"))  # for one step
Visit = Callable[..., Visitor]
Walked = Callable[[Journey, Variant], None]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip loudly, or fail where they are required."""
    if Path(CHROMIUM).exists() and shutil.which("npm"):
        return
    if os.environ.get("CI") or os.environ.get("ASSENT_REQUIRE_BROWSER"):
        pytest.fail(ABSENT)
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.skip(reason=ABSENT))


def pytest_configure(config: pytest.Config) -> None:
    """The process that begins the run makes its folder of notes; the others are told of it."""
    if not hasattr(config, "workerinput"):
        os.environ[_NOTES] = tempfile.mkdtemp(prefix="assent-looked-")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Fail a whole run in which a page was never looked at, or a journey was not walked."""
    config = session.config
    if hasattr(config, "workerinput"):
        return
    folder = Path(os.environ.pop(_NOTES))
    missing = looked.never(folder)
    missing += [
        f"{each.what}: never walked {way}"
        for each in EVERY
        for way in each.variants
        if (each.what, str(way)) not in looked.walked(folder)
    ]
    shutil.rmtree(folder)
    whole = [(ROOT / each).resolve() for each in config.args] == [HERE]
    everything = whole and EVERY_WALK in os.environ
    chosen = config.option.keyword or config.option.markexpr or config.option.collectonly
    if everything and not chosen and exitstatus == pytest.ExitCode.OK and missing:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        told = config.pluginmanager.get_plugin("terminalreporter")
        assert told is not None
        told.write_line(
            "Pages at which nobody looked, and journeys not walked, in some way:", red=True
        )
        for line in missing:
            told.write_line(f"  {line}", red=True)


@pytest.fixture(scope="session")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The text of axe-core, as npm brings it by its hash."""
    folder = tmp_path_factory.mktemp("axe")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, folder)
    quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    subprocess.run(["npm", "ci", *quiet], cwd=folder, check=True)
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The demonstration, as `make run` serves it; or one that runs at ASSENT_BROWSER_ADDRESS."""
    if running := os.environ.get("ASSENT_BROWSER_ADDRESS"):
        yield running
        return
    folder = tmp_path_factory.mktemp("demonstration")
    port = free_port()
    log = (folder / "log").open("w+")
    process = subprocess.Popen(
        [sys.executable, "-m", "app.cli", "demo", "--port", str(port)],
        cwd=folder,
        env=os.environ
        | {
            "PYTHONPATH": str(ROOT),
            "ASSENT_DEMONSTRATION": "true",
            "ASSENT_DATA_DIR": str(folder / "var"),
            "ASSENT_REQUESTS_PER_MINUTE": "100000",
            "ASSENT_REQUESTS_PER_MINUTE_OF_PEOPLE": "100000",
        },
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    found = f"http://127.0.0.1:{port}"
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            if httpx.get(f"{found}/readyz", timeout=5).status_code == 200:
                break
        except httpx.HTTPError:
            pass
        if process.poll() is not None or time.monotonic() > until:
            log.seek(0)
            pytest.fail(f"the demonstration did not start: {log.read()[-3000:]}")
        time.sleep(0.5)
    yield found
    process.terminate()
    process.wait(30)
    log.close()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One browser for the session."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def swept() -> set[str]:
    """The kinds of pages that Tab has gone round already."""
    return set()


def _nothing(route: Route) -> None:
    route.fulfill(status=200, content_type="text/javascript", body="")


@pytest.fixture
def visit(chromium: Browser, address: str, axe: str, swept: set[str]) -> Iterator[Visit]:
    """Opens a visitor, `visit("demo1-clinician", scripts=False)`; none may end with a complaint.

    Without `own_scripts` none of the service's runs, and axe, which is one itself, still can.
    """
    opened: list[Visitor] = []

    def open_(
        who: str = "",
        *,
        scripts: bool = True,
        phone: bool = False,
        variant: Variant | None = None,
        own_scripts: bool = True,
    ) -> Visitor:
        chosen = variant or Variant.of(scripts=scripts, phone=phone)
        context = chromium.new_context(**chosen.context(), locale="en-GB", reduced_motion="reduce")
        context.set_default_timeout(_PATIENT)
        page = context.new_page()
        shown = axe if chosen.looks else ""
        seen = swept if own_scripts else None
        visitor = Visitor(page, address, shown, swept=seen, notes=Path(os.environ[_NOTES]))
        if not own_scripts:
            page.route("**/assets/*.js", _nothing)
        visitor.hand = hand_of(chosen, visitor)
        opened.append(visitor)
        if who:
            visitor.sign_in(who)
        return visitor

    yield open_
    complaints = [said for each in opened for said in each.complaints]
    for each in opened:
        each.page.context.close()
    assert not complaints, "\n".join(dict.fromkeys(complaints))


@pytest.fixture
def walked() -> Walked:
    """Notes that a journey was walked to its end in a way."""
    folder = Path(os.environ[_NOTES])
    return lambda journey, variant: looked.note_walk(folder, journey.what, str(variant))


def hand_of(variant: Variant, visitor: Visitor) -> Hand:
    """The hand with which a variant acts."""
    if variant is Variant.KEYS:
        return Keys(visitor.page, lambda said: visitor.complaints.append(f"{visitor.at}: {said}"))
    return Finger() if variant is Variant.PHONE else Mouse()
