"""Looking for a patient: by either number, and with text that means harm."""

import re

import pytest

from tests.functional.web.conftest import Enter
from tests.functional.web.forms import ANSWERS, sent

HOSTILE = (
    '<script>alert("x")</script>',
    '"><img src=x onerror=alert(1)>',
    "' OR '1'='1",
    "'; DROP TABLE patient; --",
    "%",
    "_______",
    "\u202e9990000018",
    "٩٩٩٠٠٠٠٠١٨",
    "H0\x00777",
    "{{ 7 * 7 }}",
    "../../etc/passwd",
    "9" * 2000,
    "999 000 0012",
)


@pytest.mark.parametrize("typed", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_finds_nobody_and_is_shown_as_text(enter: Enter, typed: str) -> None:
    person = enter("demo1-clinician")
    _, treatment = sent(person, ANSWERS)
    reply = person.send("/patients", "/patients", number=typed)
    assert reply.status_code in (200, 400, 422), reply.status_code
    main = reply.text[reply.text.index("<main") :]
    assert treatment not in main
    for tag in re.findall(r"<(script|img)", main):
        assert tag == "script", tag
    assert "<script>alert" not in main
    assert "onerror=alert(1)>" not in main.replace("&gt;", "")
    assert ">49<" not in main
    assert person.get("/patients").status_code == 200


def test_a_number_finds_the_own_treatments_and_never_anothers(enter: Enter) -> None:
    person = enter("demo1-clinician")
    request, treatment = sent(person, ANSWERS)
    found = re.search(
        r"NHS number\s+(?:<[^>]*>)?(\d{3} \d{3} \d{4})", person.get(f"/requests/{request}").text
    )
    assert found is not None
    number = found.group(1)
    for written in (number, number.replace(" ", ""), number.replace(" ", "-"), f"  {number} "):
        own = person.send("/patients", "/patients", number=written)
        assert own.headers["location"] == f"/treatments/{treatment}", written
    other = enter("demo2-clinician").send("/patients", "/patients", number=number)
    assert other.status_code == 200
    assert "Nothing is on record here" in other.text
    assert treatment not in other.text
    nothing = person.send("/patients", "/patients", number="   ")
    assert nothing.status_code == 422
    assert person.http.post("/patients", data={"number": number}).status_code == 403


def test_what_nobody_can_type_is_no_form_of_ours(enter: Enter) -> None:
    person = enter("demo1-clinician")
    request, _ = sent(person, ANSWERS)
    at = f"/requests/{request}"
    for typed in ("a\x00b", "\x1b[2J", "\x7f"):
        assert person.send("/patients", "/patients", number=typed).status_code == 400
        marked = person.send(at, f"{at}/enter-in-error", reason=typed)
        assert marked.status_code == 400
    lines = person.send(at, f"{at}/enter-in-error", reason="One line.\r\n\tAnother.")
    assert lines.status_code == 303
