"""The policy's words, with their source, stand at each question wherever one is answered."""

import html
import re

from tests.functional.web.conftest import Enter
from tests.functional.web.forms import ANSWERS, begun, fill, sent
from tests.functional.web.test_origins import continued

SEVERE = "Severe disease, DAS28 above 5.1"
SCREENED = "Screened for tuberculosis, hepatitis B, hepatitis C and HIV"


def said_before(text: str, name: str) -> str:
    """The words of the policy that stand last before a question's field."""
    head = text[: text.index(f'name="shown.{name}"')]
    says = re.findall(
        r'<div class="nhsuk-inset-text"><span[^>]*>The policy says:.*?</div>', head, re.S
    )
    return html.unescape(says[-1]) if says else ""


def test_the_words_and_their_source_stand_at_a_forms_question(enter: Enter) -> None:
    doctor = enter("demo1-clinician")
    shown = doctor.get(f"/drafts/{begun(doctor, 'H000601', 60_601)}/part-1").text
    said = said_before(shown, "das28_at_start")
    assert SEVERE in said
    assert "ADA-3. <a href=" in said
    assert "https://www.nice.org.uk/guidance/ta375" in said
    assert "TA375" in re.sub(r"<[^>]+>", "", said)


def test_they_stand_where_an_answer_that_is_missing_is_given(enter: Enter) -> None:
    doctor = enter("demo1-clinician")
    request, _ = sent(doctor, {k: v for k, v in ANSWERS.items() if k != "screened"})
    said = said_before(doctor.get(f"/requests/{request}/answers").text, "screened")
    assert SCREENED in said
    assert "ADA-7." in said
    assert "(not verified)" in said


def test_they_stand_where_an_answer_is_corrected(enter: Enter) -> None:
    doctor = enter("demo1-clinician")
    request, _ = sent(doctor, ANSWERS | {"das28_at_start": "4.0"})
    at = f"/requests/{request}/correct?question=das28_at_start&question=screened"
    shown = doctor.get(at).text
    assert SEVERE in said_before(shown, "das28_at_start")
    assert "https://www.nice.org.uk/guidance/ta375" in said_before(shown, "das28_at_start")
    assert SCREENED in said_before(shown, "screened")


def test_a_continuations_page_says_which_section_is_which(enter: Enter) -> None:
    doctor = enter("demo1-clinician")
    _, treatment = sent(doctor, ANSWERS)
    at = f"/drafts/{continued(doctor, treatment)}/part-1"
    shown = doctor.get(at).text
    assert re.search(r"</span>Continuing the treatment</h1>", shown)
    assert headings(shown)[:2] == ["Criteria to continue", "What would rule it out"]
    obstacles = {"shown.intolerable_effects": "1", "a.intolerable_effects": "no"}
    doctor.send(at, at, **obstacles)  # with one answered, they are asked one by one
    assert headings(doctor.get(at).text)[:2] == ["Criteria to continue", "When the policy stops"]


def headings(shown: str) -> list[str]:
    return re.findall(r'<h2 class="nhsuk-heading-m">([^<]+)</h2>', shown)


def test_the_check_page_lists_what_is_missing_and_leads_to_each(enter: Enter) -> None:
    doctor = enter("demo1-clinician")
    draft = begun(doctor, "H000602", 60_602)
    fill(doctor, draft, {k: v for k, v in ANSWERS.items() if k not in ("screened", "dose_mg")})
    shown = doctor.get(f"/drafts/{draft}/check").text
    part = shown[shown.index("Still missing") : shown.index("You can send the form without")]
    links = re.findall(r'<a href="(/drafts/[^"]+)">([^<]+)</a>', part)
    assert len(links) == 2, part
    for href, label in links:
        page, _, place = href.partition("#")
        text = doctor.get(page.replace("&amp;", "&")).text
        assert f'id="{place}"' in text, label
        assert label in text
    fill(doctor, draft, ANSWERS)
    assert "Still missing" not in doctor.get(f"/drafts/{draft}/check").text


def test_a_question_that_cannot_matter_is_not_on_the_page_and_units_stand_beside_numbers(
    enter: Enter,
) -> None:
    doctor = enter("demo1-clinician")
    draft = begun(doctor, "H000603", 60_603)
    fill(doctor, draft, ANSWERS)
    pages = "".join(doctor.get(f"/drafts/{draft}/part-{number}").text for number in range(1, 5))
    assert 'name="shown.with_methotrexate"' in pages
    assert 'name="shown.methotrexate_unsuitable"' not in pages
    assert re.search(
        r'name="a.dose_mg"[^>]*>\s*<div class="nhsuk-input-wrapper__suffix"[^>]*>mg<', pages
    )
