"""A unit that is drawn beside a box is told to a screen reader too: by the box's description."""

import html
import re

import pytest

from app.web.rendering import _templates
from tests.functional.web.conftest import Enter
from tests.functional.web.forms import begun

_DRAWN = re.compile(
    r'nhsuk-input-wrapper">\s*(?:<div class="nhsuk-input-wrapper__prefix"[^>]*>([^<]*)</div>\s*)?'
    r'<input([^>]*)>\s*(?:<div class="nhsuk-input-wrapper__suffix"[^>]*>([^<]*)</div>)?'
)


def undescribed(text: str) -> tuple[list[str], list[str]]:
    """The units that are drawn on a page, and those of them that no description tells."""
    drawn, untold = [], []
    for prefix, box, suffix in _DRAWN.findall(text):
        unit = html.unescape((prefix or suffix).strip())
        ids = re.search(r'aria-describedby="([^"]*)"', box)
        said = " ".join(
            told.group(1)
            for each in (ids.group(1).split() if ids else ())
            if (told := re.search(rf'id="{re.escape(each)}"[^>]*>([^<]*)<', text))
        )
        drawn.append(unit)
        if {"£": "pounds"}.get(unit, unit) not in html.unescape(said):
            untold.append(unit)
    return drawn, untold


def test_each_unit_of_a_form_is_described(enter: Enter) -> None:
    doctor = enter("demo1-clinician")
    draft, found = begun(doctor, "H009501", 60_951), []
    for number in range(1, 9):
        reply = doctor.get(f"/drafts/{draft}/part-{number}")
        if reply.status_code == 200:
            drawn, untold = undescribed(reply.text)
            assert untold == []
            found += drawn
    assert {"mg", "days"} <= set(found), found


@pytest.mark.parametrize("unit", ["In pounds.", ""])
def test_pounds_are_told_where_a_sum_is_asked_for(unit: str) -> None:
    shown = _templates.from_string(
        '{% from "desk/parts.html" import text_box %}'
        '{{ text_box("a", "a", "How much", "", none, "", "", "£", unit) }}'
    )
    drawn, untold = undescribed(shown.render(unit=unit))
    assert drawn == ["£"]
    assert untold == ([] if unit else ["£"]), "this test would see a unit that is not told"
