"""Break-glass on pages: declared for a reason, for a time, by few, and told to those concerned."""

import re

import pytest

from app.reference_data.nhs_number import test_number as invented_nhs_number
from tests.functional.web.conftest import Enter, Person
from tests.functional.web.forms import ANSWERS, sent

NOBODY = invented_nhs_number(777)
AT = "/break-glass"
ONCE = re.compile(r'name="once" value="([^"]+)"')
BORN = {"birth_date-day": "1", "birth_date-month": "2", "birth_date-year": "1970"}


def number_of(person: Person, request: str) -> str:
    found = re.search(r"NHS number (\d{3} \d{3} \d{4})", person.get(f"/requests/{request}").text)
    assert found is not None
    return found.group(1)


def declare(person: Person, number: str, **changes: str) -> tuple[int, str, str]:
    """Send the declaration: the status, where it leads, and the page."""
    typed = BORN | {
        "nhs_number": number,
        "reason": "emergency",
        "words": "Unconscious in the emergency department.",
        "once": ONCE.findall(person.get(AT).text)[-1],
    }
    reply = person.send(AT, AT, **(typed | changes))
    return reply.status_code, str(reply.headers.get("location", "")), reply.text


def test_a_record_is_opened_read_shown_on_every_page_and_ended(enter: Enter) -> None:
    owner, other = enter("demo1-clinician"), enter("demo2-clinician")
    request, treatment = sent(owner, ANSWERS)
    assert 'href="/break-glass"' in other.get("/patients").text
    status, record, text = declare(other, number_of(owner, request))
    assert (status, record[:13]) == (303, "/break-glass/"), text
    shown = other.get(record).text
    for words in ("Adalimumab, at DEMO1", "Approved", "End the access", "is reported"):
        assert words in shown, words
    banner = "Break-glass access is open until"
    assert banner in other.get("/").text
    assert banner in other.get("/start").text
    assert banner not in owner.get("/").text
    for path in (f"/requests/{request}", f"/treatments/{treatment}"):
        assert other.get(path).status_code == 404, "it opens nothing else"
    for who in ("demo2-pharmacist", "demo1-clinician"):
        assert enter(who).get(record).status_code == 404, "it is for who declared it"
    once = ONCE.findall(other.get(record).text)[-1]
    assert other.send(record, f"{record}/end", once=once).headers["location"] == "/"
    assert banner not in other.get("/").text
    over = other.get(record)
    assert over.status_code in (409, 410)
    assert "over" in over.text


@pytest.mark.parametrize(
    "changes", [{"birth_date-day": "2"}, {"nhs_number": NOBODY}], ids=["day", "number"]
)
def test_what_does_not_fit_learns_nothing(enter: Enter, changes: dict[str, str]) -> None:
    owner, other = enter("demo1-clinician"), enter("demo2-clinician")
    number = number_of(owner, sent(owner, ANSWERS)[0])
    status, location, text = declare(other, number, **changes)
    assert (status, location) == (303, "/break-glass?found=no"), text
    assert "No other provider's record fits" in other.get(location).text.replace("&#39;", "'")
    assert "Break-glass access is open" not in other.get("/").text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"nhs_number": "999 000 0011"}, "The last digit checks the others"),
        ({"nhs_number": "<b>1</b>"}, "Enter the 10 digits"),
        ({"birth_date-month": "13"}, "Enter the date of birth"),
        ({"reason": ""}, "Choose the reason"),
        ({"words": "   "}, "Say in your own words"),
    ],
)
def test_what_is_missing_is_told_and_opens_nothing(
    enter: Enter, changes: dict[str, str], said: str
) -> None:
    owner, other = enter("demo1-clinician"), enter("demo2-clinician")
    number = number_of(owner, sent(owner, ANSWERS)[0])
    status, _, text = declare(other, number, **changes)
    assert status == 422
    assert said in text
    assert "Break-glass access is open" not in other.get("/").text


def test_many_in_an_hour_are_a_search_and_refused(enter: Enter) -> None:
    owner, other = enter("demo1-clinician"), enter("demo2-pharmacist")
    number = number_of(owner, sent(owner, ANSWERS)[0])
    for _ in range(10):
        assert declare(other, number, **{"birth_date-day": "3"})[0] == 303
    status, _, text = declare(other, number)
    assert status == 429
    assert "Over 10 break-glass declarations" in text


@pytest.mark.parametrize(
    "who", ["demo2-delegate", "demq1-commissioner", "demp1-panel-member", "demo1-auditor"]
)
def test_others_are_offered_none(enter: Enter, who: str) -> None:
    person = enter(who)
    assert person.get(AT).status_code == 403
    assert person.send("/", AT, **BORN).status_code == 403
    assert 'href="/break-glass"' not in person.get("/").text
