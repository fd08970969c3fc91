"""Somebody at a browser, who counts what they do and notes what a page does wrong."""

import re
from collections.abc import Mapping
from typing import Any

from playwright.sync_api import ConsoleMessage, Locator, Page, Request

#: Rules of WCAG 2.2 A and AA, and axe's own best practices.
_AXE = (
    "async () => (await axe.run(document, {resultTypes: ['violations']})).violations"
    ".map(v => `${v.id}: ${v.nodes.map(n => n.target.join(' ')).slice(0, 3).join('; ')}`)"
)


class Visitor:
    """A page with its complaints: console messages, calls to another host, what axe finds."""

    def __init__(self, page: Page, address: str, axe: str) -> None:
        self.page = page
        self.address = address
        self.complaints: list[str] = []
        self.interactions = 0
        self.expected: set[int] = set()  # statuses of refusals that the test provokes
        self._axe = axe
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(f"script: {error}"))
        page.on("request", self._request)

    def _console(self, message: ConsoleMessage) -> None:
        if any(f"status of {status}" in message.text for status in self.expected):
            return
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
        """Let axe look at the page, where scripts run."""
        if self._axe:
            self.page.evaluate(self._axe)
            found = self.page.evaluate(_AXE)
            self.complaints += [f"axe on {self._path}: {each}" for each in found]
            wide = self.page.evaluate(
                "document.documentElement.scrollWidth > document.documentElement.clientWidth + 1"
            )
            if wide:
                self.complaints.append(f"{self._path} scrolls sideways")
        return self

    @property
    def _path(self) -> str:
        return self.page.url.removeprefix(self.address)

    def sign_in(self, who: str) -> "Visitor":
        """Be one of the invented people: `demo1-clinician`."""
        self.go("/sign-in")
        self.page.select_option("#who", f"demo-{who}")
        self.page.click("text=Sign in to the demonstration")
        self.look()
        return self

    @property
    def heading(self) -> str:
        return self.page.locator("h1").inner_text()

    @property
    def text(self) -> str:
        return self.page.locator("main").inner_text()

    # --- doing, each counted ---

    def click(self, name: str, *, role: Any = "button") -> "Visitor":
        """Press a button, or follow a link, by its name."""
        self.interactions += 1
        self.page.get_by_role(role, name=name).first.click()
        return self.look()

    def fill(self, id: str, value: str) -> None:
        """Type into a field by its id."""
        self.interactions += 1
        self._by_id(id).fill(value)

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
            drop_down.select_option(value)
        else:
            self.page.locator(f'input[name="{name}"][value="{value}"]').check()

    def _by_id(self, id: str) -> Locator:
        return self.page.locator(f'[id="{id}"]')

    def unanswered(self) -> list[str]:
        """The names of the questions with radio buttons of which none is chosen."""
        found: list[str] = self.page.evaluate(
            "[...new Set([...document.querySelectorAll('main [type=radio]')].map(r => r.name))]"
            ".filter(n => !document.querySelector(`input[name='${n}']:checked`))"
        )
        return found

    # --- filling in a form from a worked case ---

    def answer_page(self, answers: Mapping[str, Any]) -> None:
        """Give each answer whose question stands on the page and is not filled in already."""
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
            self.interactions += 1
            self.page.locator(f'[name="{name}.none"]').check()
            return
        for number, row in enumerate(rows):
            fields = [each for each, value in row.items() if value is not None]
            if not self.page.locator(f'[name^="{name}.{number}."]').count():
                self.interactions += 1
                self.page.locator(f'button[name="add"][value="{name[2:]}"]').click()
                self.look()
            for each in fields:
                self._answer(f"{name}.{number}.{each}", row[each])

    def draft_id(self) -> str:
        """The id in the address of a draft's page."""
        found = re.search(r"/drafts/([0-9a-f-]{36})", self.page.url)
        assert found is not None, self.page.url
        return found.group(1)
