"""How somebody acts on a page: with a mouse, with a finger, or with the keyboard alone.

A `Visitor` acts through one of these, so that one walk can be made in each way. The keyboard's uses
Tab, Shift+Tab, Enter, Space and the arrows, beside what is typed; it complains of whatever Tab does
not reach, of focus that is not seen, and of focus that something covers.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from playwright.sync_api import ElementHandle, Locator, Page, TimeoutError

MOST_TABS = 600


class Hand(Protocol):
    """What a walk needs of whoever walks."""

    def press(self, what: Locator) -> None:
        """Press a button, follow a link, or open and close what a summary hides."""

    def type(self, field: Locator, value: str) -> None:
        """Put a text into a field in place of what stands there."""

    def pick(self, radio: Locator) -> None:
        """Choose one of some radio buttons."""

    def tick(self, box: Locator) -> None:
        """Tick a box that is not ticked."""

    def select(self, field: Locator, value: str) -> None:
        """Choose the option of a drop-down that has this value."""

    def attach(self, field: Locator, file: Path) -> None:
        """Choose a file."""


class Mouse:
    """Clicks, and types where it clicked."""

    def press(self, what: Locator) -> None:
        what.click()

    def type(self, field: Locator, value: str) -> None:
        field.fill(value)

    def pick(self, radio: Locator) -> None:
        radio.check()

    def tick(self, box: Locator) -> None:
        box.check()

    def select(self, field: Locator, value: str) -> None:
        field.select_option(value)

    def attach(self, field: Locator, file: Path) -> None:
        field.set_input_files(file)


class Finger(Mouse):
    """Taps on a screen that is touched."""

    def press(self, what: Locator) -> None:
        what.tap()

    def pick(self, radio: Locator) -> None:
        if not radio.is_checked():
            radio.tap()

    def tick(self, box: Locator) -> None:
        if not box.is_checked():
            box.tap()


#: What is looked at after each Tab. Called with the element that is wanted, or null.
_LOOK = """wanted => {
  const at = document.activeElement;
  const clear = c => /^rgba\\(.*, 0\\)$/.test(c) || c === 'transparent';
  const paint = e => { if (!e) return '';
    const parts = [[e, null], [e.firstElementChild, null]];
    const label = e.labels && e.labels[0];
    if (label) parts.push([label, '::before'], [label, '::after']);
    return parts.map(([x, pseudo]) => { if (!x) return ''; const s = getComputedStyle(x, pseudo);
      const line = s.outlineStyle === 'none' || clear(s.outlineColor) ? '' :
        s.outlineStyle + s.outlineWidth + s.outlineColor;
      return [line, s.boxShadow, s.backgroundColor, s.borderColor, s.borderWidth, s.color].join();
    }).join('|'); };
  const name = e => `${e.tagName.toLowerCase()} ${e.id ? '#' + e.id : ''} `
    + `“${(e.getAttribute('aria-label') || e.textContent || e.name || '').trim().slice(0, 50)}”`;
  const wrong = [];
  const was = window.__focused;
  if (was && was.e.isConnected && was.e !== at && paint(was.e) === was.paint)
    wrong.push(`focus is not seen on ${name(was.e)}`);
  window.__focused = null;
  const nowhere = !at || at === document.body || at === document.documentElement;
  if (!nowhere) {
    window.__focused = {e: at, paint: paint(at)};
    let box = at.getBoundingClientRect();
    const off = box.bottom <= 0 || box.top >= innerHeight || box.right <= 0
      || box.left >= innerWidth;
    if (box.width < 1 || box.height < 1) wrong.push(`${name(at)} has focus, and is not to be seen`);
    else if (off)
      wrong.push(`focus is off the screen on ${name(at)}`);
    else {
      const x = (Math.max(box.left, 0) + Math.min(box.right, innerWidth)) / 2;
      const y = (Math.max(box.top, 0) + Math.min(box.bottom, innerHeight)) / 2;
      const top = document.elementFromPoint(x, y);
      const label = at.labels && at.labels[0];
      const broken = at.getClientRects().length > 1;  // over two lines of a text
      const own = at.contains(top) || (top && top.contains(at)) || (label && label.contains(top));
      if (top && !broken && !own)
        wrong.push(`${name(at)} has focus, and ${name(top)} covers it`);
    }
  }
  let there = at === wanted;
  if (!there && wanted && wanted.type === 'radio' && at.type === 'radio')
    there = at.name === wanted.name && at.form === wanted.form;
  const back = !nowhere && wanted &&
    !!(at.compareDocumentPosition(wanted) & Node.DOCUMENT_POSITION_PRECEDING);
  return {there, nowhere, back, wrong, name: nowhere ? '' : name(at)};
}"""
#: Names a group of radio buttons, which is one stop.
_GROUP = """const group = e =>
  e.name + (e.form ? [...document.forms].indexOf(e.form) : '');
"""
#: How many stops Tab should make on the page: what can take focus, one for a group of radios.
_STOPS = (
    """() => {"""
    + _GROUP
    + """
  const found = [...document.querySelectorAll(
    'a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex="0"]')]
    .filter(e => !e.disabled && e.checkVisibility({visibilityProperty: true})
      && e.tabIndex >= 0 && !e.closest('fieldset[disabled]'));
  const groups = new Set(found.filter(e => e.type === 'radio').map(group));
  return found.filter(e => e.type !== 'radio').length + groups.size;
}"""
)
#: Marks where focus is, and says whether it was there before.
_MARK = (
    """() => {"""
    + _GROUP
    + """
  const at = document.activeElement;
  window.__stops ??= new Set();
  const key = at.type === 'radio' ? group(at) : at;
  const before = window.__stops.has(key);
  window.__stops.add(key);
  return {before, count: window.__stops.size};
}"""
)


class Keys:
    """A keyboard, and no mouse: the page complains of any click of one."""

    def __init__(self, page: Page, complain: Callable[[str], None]) -> None:
        self.page = page
        self._complain = complain
        page.context.add_init_script(
            "addEventListener('mousedown',"
            " e => e.isTrusted && console.error('a mouse was used'), true)"
        )

    def press(self, what: Locator) -> None:
        self._reach(what)
        self.page.keyboard.press("Enter")

    def type(self, field: Locator, value: str) -> None:
        self._reach(field)
        self.page.keyboard.press("Control+A")
        if value:
            self.page.keyboard.insert_text(value)
        else:
            self.page.keyboard.press("Delete")

    def pick(self, radio: Locator) -> None:
        wanted = self._reach(radio)
        if wanted.evaluate("e => document.activeElement === e"):
            self.page.keyboard.press("Space")
        for _ in range(60):
            if wanted.evaluate("e => document.activeElement === e && e.checked"):
                return
            self.page.keyboard.press("ArrowDown")
        raise AssertionError("the arrows do not reach that choice")

    def tick(self, box: Locator) -> None:
        if not self._reach(box).evaluate("e => e.checked"):
            self.page.keyboard.press("Space")

    def select(self, field: Locator, value: str) -> None:
        wanted = self._reach(field)
        move = wanted.evaluate(
            "(e, v) => { const o = [...e.options].filter(o => !o.disabled);"
            " return o.findIndex(x => x.value === v) - o.indexOf(e.selectedOptions[0]); }",
            value,
        )
        for _ in range(abs(move)):
            self.page.keyboard.press("ArrowDown" if move > 0 else "ArrowUp")
        assert wanted.evaluate("e => e.value") == value

    def attach(self, field: Locator, file: Path) -> None:
        for last in (False, False, True):  # a browser on a busy machine may let the key fall
            self._reach(field)
            try:
                with self.page.expect_file_chooser(timeout=10_000) as asked:
                    self.page.keyboard.press("Space")
            except TimeoutError:
                if last:
                    raise
            else:
                asked.value.set_files(file)
                return

    def sweep(self) -> None:
        """Go once round the page by Tab: every stop is reached and seen, and none holds focus."""
        wanted = self.page.evaluate(_STOPS)
        self.page.evaluate("() => { window.__stops = new Set(); }")
        reached = repeated = 0
        for _ in range(2 * wanted + 10):
            self.page.keyboard.press("Tab")
            if self._look(None)["nowhere"]:
                continue
            marked = self.page.evaluate(_MARK)
            reached, repeated = marked["count"], repeated + marked["before"]
            if repeated and reached >= wanted:
                return
        self._complain(f"Tab stops at {reached} of {wanted} places of the page")

    def skip(self) -> None:
        """The skip link is the first stop, and leads past the header."""
        self.page.evaluate("document.activeElement.blur()")
        self._reach(self.page.locator(".nhsuk-skip-link"))
        self.page.keyboard.press("Enter")
        self.page.keyboard.press("Tab")
        past = self.page.evaluate("!document.activeElement.closest('header, .nhsuk-skip-link')")
        if not past:
            self._complain("the skip link leads nowhere")

    def _reach(self, what: Locator) -> ElementHandle:
        what.wait_for(state="visible" if what.get_attribute("type") != "radio" else "attached")
        wanted = what.element_handle()
        assert wanted is not None
        seen = self._look(wanted)
        key = "Shift+Tab" if seen["back"] else "Tab"
        for _ in range(MOST_TABS):
            if seen["there"]:
                return wanted
            self.page.keyboard.press(key)
            seen = self._look(wanted)
        raise AssertionError(f"{key} does not reach {what}: it ended at {seen['name']}")

    def _look(self, wanted: ElementHandle | None) -> dict[str, object]:
        seen: dict[str, object] = self.page.evaluate(_LOOK, wanted)
        for each in seen["wrong"]:  # type: ignore[attr-defined]
            self._complain(str(each))
        return seen
