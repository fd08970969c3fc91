"""Somebody at a browser, who counts what they do and notes what a page does wrong."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import ConsoleMessage, Error, Locator, Page, Request

from tests.browser.hands import Hand, Keys, Mouse
from tests.browser.looked import How, note

#: Rules of WCAG 2.2 A and AA, and axe's own best practices.
_AXE = (
    "async () => (await axe.run(document, {resultTypes: ['violations'],"
    " rules: {'target-size': {enabled: true}}})).violations"
    ".map(v => `${v.id}: ${v.nodes.map(n => n.target.join(' ')).slice(0, 3).join('; ')}`)"
)
#: What scrolls sideways and cannot be moved by the arrows, or has no name.
_REGIONS = """() => [...document.querySelectorAll('body *')].filter(e => {
  const how = getComputedStyle(e).overflowX;
  return (how === 'auto' || how === 'scroll') && e.scrollWidth > e.clientWidth + 1
    && !e.matches('input, textarea, select')
    && !(e.tabIndex >= 0 && (e.getAttribute('aria-label') || e.getAttribute('aria-labelledby')));
}).map(e => `${e.tagName.toLowerCase()}.${e.className}`)"""
#: How a page is built: what axe judges, but for its words.
_BONES = """() => document.title + [...document.querySelectorAll('*')].map(e =>
  [e.tagName, e.className, e.getAttribute('role'), e.getAttribute('aria-label'), e.hidden, e.open]
  .join('.')).join()"""
#: After the words "On record" or "Filled in" comes the field; a choice has what it may confirm.
#: "Last time" tells what is asked as of now: that is answered anew.
_ON_RECORD = """() => {
  const bare = name => name.replace(/-(day|month|year)$/, '');
  const filled = f => /radio|checkbox/.test(f.type) ? f.checked : f.value;
  const named = (e, part) => [...e.querySelectorAll('[name]')].filter(f => !part || filled(f))
    .map(f => bare(f.name));
  const lasting = [...document.querySelectorAll('.app-known')]
    .filter(p => !p.textContent.startsWith('Last time'));
  const told = lasting.flatMap(p => p.nextElementSibling
    ? named(p.nextElementSibling, p.matches('.app-part')) : []);
  const choice = document.querySelector('.app-still');
  const held = (choice ? named(choice) : []).filter(name => name !== 'still');
  return [...new Set([...told, ...held])];
}"""
_CLEARED: Final = "Clear-Site-Data header on"
#: How often a page that follows a job may lead on while it is looked at, and what is said then.
_LED_ON: Final = 5
_LEFT: Final = "Execution context was destroyed"
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")


class Visitor:
    """A page with its complaints: console messages, calls to another host, what axe finds."""

    def __init__(
        self,
        page: Page,
        address: str,
        axe: str,
        hand: Hand | None = None,
        swept: set[str] | None = None,
        notes: Path | None = None,
    ) -> None:
        self.page = page
        self.address = address
        self.complaints: list[str] = []
        self.interactions = 0
        self.on_record: frozenset[str] = frozenset()  # names of fields that nobody may fill in
        self.expected: set[int] = set()  # statuses of refusals that the test provokes
        self._axe = axe
        self.hand: Hand = hand or Mouse()
        self._swept = swept if swept is not None else set()
        self._notes = notes
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(f"script: {error}"))
        page.on("request", self._request)

    def _console(self, message: ConsoleMessage) -> None:
        if any(f"status of {status}" in message.text for status in self.expected):
            return
        if message.text.startswith(f"{_CLEARED} '{self.address}/sign-out'"):
            return  # the browser's own word of what our header asked for
        self.complaints.append(f"console on {self.page.url}: {message.text}")

    def _request(self, request: Request) -> None:
        if not request.url.startswith((self.address, "data:", "blob:")):
            self.complaints.append(f"a call to {request.url}")

    # --- going and looking ---

    def go(self, path: str) -> "Visitor":
        """Open an address."""
        self.page.goto(f"{self.address}{path}")
        return self.look()

    def look(self) -> "Visitor":
        """Let axe look at the page where scripts run; by keyboard, go round each page by Tab."""
        for _ in range(_LED_ON):
            try:
                return self._look()
            except Error as error:
                if _LEFT not in str(error):
                    raise
            self.page.wait_for_load_state("load")
        return self._look()

    def _look(self) -> "Visitor":
        self.page.wait_for_load_state("load")  # what is measured before its styles are is too wide
        if self._axe and self._is_new(self.page.evaluate(_BONES)):
            self.page.evaluate(self._axe)
            found = self.page.evaluate(_AXE)
            self.complaints += [f"axe on {self.at}: {each}" for each in found]
        size = self.page.viewport_size
        wide = self.page.evaluate("document.documentElement.scrollWidth")
        if size is not None and wide > size["width"] + 1:
            self.complaints.append(f"{self.at} scrolls sideways: {wide} for {size['width']}")
        for each in self.page.evaluate(_REGIONS):
            self.complaints.append(f"{self.at}: {each} scrolls, and the keyboard cannot move it")
        if isinstance(self.hand, Keys):
            self._go_round(self.hand)
        if self._notes is not None and self._how is not None:
            note(self._notes, self.at, self.heading, self._how)
        return self

    @property
    def _how(self) -> How | None:
        if isinstance(self.hand, Keys):
            return How.KEYS
        if not self._axe:
            return None
        return How.WIDE if self.looks_wide else How.PHONE

    def _is_new(self, bones: str) -> bool:
        """Whether a page of this build has not been looked at yet in a window of this size."""
        kind = f"{self.page.viewport_size} {hash(bones)}"
        new = kind not in self._swept
        self._swept.add(kind)
        return new

    def _go_round(self, keys: Keys) -> None:
        kind = f"{_ID.sub('{}', self.at)} {self.heading}"
        if kind in self._swept:
            return
        self._swept.add(kind)
        keys.sweep()
        if self.at == "/":
            keys.skip()
            self.page.goto(f"{self.address}/")

    @property
    def at(self) -> str:
        """The page's address, without the host and without the place on the page."""
        return self.page.url.removeprefix(self.address).partition("#")[0]

    def sign_in(self, who: str) -> "Visitor":
        """Be one of the invented people: `demo1-clinician`."""
        self.go("/sign-in")
        self.hand.select(self.page.locator("#who"), f"demo-{who}")
        return self.click("Sign in to the demonstration")

    @property
    def looks_wide(self) -> bool:
        """Whether this is a mouse at a wide screen with scripts: the page as pictures show it."""
        size = self.page.viewport_size
        return bool(self._axe) and size is not None and size["width"] > 1000

    @property
    def heading(self) -> str:
        return self.page.locator("h1").inner_text()

    @property
    def text(self) -> str:
        return self.page.locator("main").inner_text()

    # --- doing, each counted ---

    def click(self, name: str, *, role: Any = "button", last: bool = False) -> "Visitor":
        """Press a button, or follow a link, by its name."""
        found = self.page.get_by_role(role, name=name)
        more = self.page.locator("#toggle-menu")
        if role == "link" and not found.count() and more.is_visible():
            self.interactions += 1  # the menu, where the screen is too narrow for all of it
            self.hand.press(more)
        return self.press(found.last if last else found.first)

    def press(self, what: Locator) -> "Visitor":
        """Press it, and look at the page that comes of it."""
        self.interactions += 1
        with self.page.expect_navigation(wait_until="load"):
            self.hand.press(what)
        return self.look()

    def unfold(self, selector: str) -> "Visitor":
        """Show what stands under a summary."""
        self.interactions += 1
        self.hand.press(self.page.locator(f"{selector} summary").first)
        return self

    def press_in(self, summary: str) -> "Visitor":
        """Unfold what stands under a summary, and press its button of the same name."""
        folded = self.page.locator("details").filter(has_text=summary).first
        self.interactions += 1
        self.hand.press(folded.locator("summary"))
        return self.press(folded.get_by_role("button", name=summary))

    def fill(self, id: str, value: str) -> None:
        """Type into a field by its id. Fails where its answer is on record."""
        assert id.removesuffix("-day") not in self.on_record, f"{id} is on record, and was typed"
        self.interactions += 1
        self.hand.type(self._by_id(id), value)

    def fill_day(self, name: str, iso: str) -> None:
        """Type a day into its three boxes."""
        year, month, day = iso.split("-")
        for part, value in (("day", day), ("month", month), ("year", year)):
            self.fill(f"{name}-{part}", str(int(value)))

    def choose(self, name: str, value: str) -> None:
        """Choose an option, of radio buttons or of a drop-down."""
        self.interactions += 1
        drop_down = self.page.locator(f'select[name="{name}"]')
        if drop_down.count():
            self.hand.select(drop_down, value)
        else:
            self.hand.pick(self.page.locator(f'input[name="{name}"][value="{value}"]'))

    def tick(self, id: str) -> None:
        """Tick a box by its id."""
        self.interactions += 1
        self.hand.tick(self._by_id(id))

    def attach(self, file: Path, id: str = "file") -> None:
        """Choose a file for the field with this id."""
        self.interactions += 1
        self.hand.attach(self._by_id(id), file)

    def take(self, name: str) -> bytes:
        """What a link downloads."""
        self.interactions += 1
        with self.page.expect_download() as taken:
            self.hand.press(self.page.get_by_role("link", name=name, exact=True))
        return taken.value.path().read_bytes()

    def wait_for(self, path: str) -> "Visitor":
        """Wait for a page that a job leads to."""
        self.page.wait_for_url(f"**{path}", timeout=120_000)
        return self.look()

    def _by_id(self, id: str) -> Locator:
        return self.page.locator(f'[id="{id}"]')

    def unanswered(self) -> list[str]:
        """The names of the questions with radio buttons of which none is chosen."""
        found: list[str] = self.page.evaluate(
            "[...new Set([...document.querySelectorAll('main [type=radio]')]"
            ".filter(r => !r.closest('details')).map(r => r.name))]"
            ".filter(n => !document.querySelector(`input[name='${n}']:checked`))"
        )
        return found

    def boxes(self) -> list[str]:
        """The questions of the page that one choice may say no to."""
        held = self.page.locator('[name^="box."]').all()
        return [(each.get_attribute("name") or "").removeprefix("box.") for each in held]

    def none_of_these(self) -> None:
        """Say no to all of the page's boxes, where it has any and nobody has yet."""
        if self.boxes() and not self._by_id("none").is_checked():
            self.tick("none")

    def fields_on_record(self) -> frozenset[str]:
        """The names of the page's fields whose answer it tells, or offers to confirm."""
        found: list[str] = self.page.evaluate(_ON_RECORD)
        return frozenset(found)

    # --- filling in a form from a worked case ---

    def answer_page(self, answers: Mapping[str, Any]) -> None:
        """Give each answer whose question stands on the page and is not filled in already."""
        boxes = self.boxes()
        applies = [name for name in boxes if answers.get(name)]
        for name in applies:
            self.tick(f"a.{name}")
        if not applies:
            self.none_of_these()
        answers = {name: each for name, each in answers.items() if name not in boxes}
        for name, answer in answers.items():
            if answer is None or not self.page.locator(f'[name="shown.{name}"]').count():
                continue
            self._answer(f"a.{name}", answer)

    def _answer(self, name: str, answer: Any) -> None:
        value = answer.get("value") if isinstance(answer, Mapping) else answer
        if isinstance(value, list):
            self._rows(name, value)
        elif isinstance(value, bool):
            self._unless_chosen(name, "yes" if value else "no")
        elif self.page.locator(f'[name="{name}-day"]').count():
            self._unless_typed(name, str(value))
        elif self.page.locator(
            f'input[name="{name}"][type="radio"], select[name="{name}"]'
        ).count():
            self._unless_chosen(name, str(value))
        elif self._by_id(name).input_value() != str(value):
            self.fill(name, str(value))
        day = answer.get("measured_on") if isinstance(answer, Mapping) else None
        if day is not None:
            self._unless_typed(f"{name}.on", str(day))

    def _unless_typed(self, name: str, iso: str) -> None:
        boxes = [self._by_id(f"{name}-{part}").input_value() for part in ("year", "month", "day")]
        if boxes != [str(int(part)) for part in iso.split("-")]:
            self.fill_day(name, iso)

    def _unless_chosen(self, name: str, value: str) -> None:
        radio = self.page.locator(f'input[name="{name}"][value="{value}"]')
        if not (radio.count() and radio.is_checked()):
            self.choose(name, value)

    def _rows(self, name: str, rows: list[Any]) -> None:
        if not rows:
            self.tick(f"{name}.none")
            return
        for number, row in enumerate(rows):
            fields = [each for each, value in row.items() if value is not None]
            if not self.page.locator(f'[name^="{name}.{number}."]').count():
                self.press(self.page.locator(f'button[name="add"][value="{name[2:]}"]'))
            for each in fields:
                self._answer(f"{name}.{number}.{each}", row[each])

    def draft_id(self) -> str:
        """The id in the address of a draft's page."""
        found = re.search(r"/drafts/([0-9a-f-]{36})", self.page.url)
        assert found is not None, self.page.url
        return found.group(1)
