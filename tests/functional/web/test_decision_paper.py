"""A decision as a PDF: for who may read the request, with the words of its page."""

import html
import re

import pytest

from app.authoring.show import as_pdf
from app.web import requests as request_pages
from app.web.decision import Outcome
from app.web.decision_paper import as_typst
from tests.functional.web.conftest import Enter
from tests.functional.web.forms import ANSWERS, sent

LOW = ANSWERS | {"das28_at_start": "4.0"}


@pytest.fixture
def sheets(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was set as PDFs, as text."""
    kept: list[str] = []

    def keep(text: str) -> bytes:
        kept.append(text)
        return as_pdf(text)

    monkeypatch.setattr(request_pages, "as_pdf", keep)
    return kept


@pytest.mark.parametrize("answers", [ANSWERS, LOW], ids=["approved", "not met"])
def test_a_decision_is_taken_as_a_pdf_with_the_words_of_its_page(
    enter: Enter, sheets: list[str], answers: dict[str, str]
) -> None:
    person = enter("demo1-clinician")
    request, _ = sent(person, answers)
    at = f"/requests/{request}"
    page = person.get(at).text
    assert f'href="{at}/decision.pdf"' in page
    taken = person.get(f"{at}/decision.pdf")
    assert taken.status_code == 200
    assert taken.headers["content-type"] == "application/pdf"
    assert taken.headers["content-disposition"] == (
        f'attachment; filename="decision-{request}.pdf"'
    )
    assert taken.content.startswith(b"%PDF-")
    (sheet,) = sheets
    shown = html.unescape(re.sub(r"<[^>]*>", "", page))
    for words in re.findall(r'text\("((?:[^"\\]|\\.)*)"\)', sheet.split("#par", 1)[1]):
        plain = words.replace('\\"', '"').replace("\\\\", "\\")
        assert plain in shown, plain
    assert "Demonstration: everything here is invented." in sheet
    assert "stop treatment" not in sheet.lower()
    assert "stop the treatment" not in sheet.lower()
    reference = re.search(r"PA[0-9A-Z]{13}", page)
    assert (reference is not None) is (answers is ANSWERS)
    assert reference is None or reference.group() in sheet


def test_a_payers_sheet_has_a_pseudonym_and_a_strangers_is_not_found(
    enter: Enter, sheets: list[str]
) -> None:
    request, _ = sent(enter("demo1-clinician"), ANSWERS)
    at = f"/requests/{request}/decision.pdf"
    assert enter("demq1-commissioner").get(at).status_code == 200
    assert "Pseudonym" in sheets[0]
    assert "999 060 " not in sheets[0]
    assert "February 1970" not in sheets[0]
    for who in ("demo2-clinician", "demq2-commissioner"):
        assert enter(who).get(at).status_code == 404
    assert len(sheets) == 1


def test_no_word_is_obeyed() -> None:
    hostile = 'x") #read("/etc/passwd") #("\\ #let text = none'
    sheet = as_typst(
        hostile,
        Outcome("Declined", "orange", False, (hostile,), (), ()),
        [hostile],
        hostile,
        [hostile],
        ((hostile, hostile),),
        ((hostile, hostile),),
        ((hostile, hostile),),
        ((hostile, hostile),),
        ((hostile, hostile),),
        hostile,
    )
    assert as_pdf(sheet).startswith(b"%PDF-")


def test_where_pdfs_are_not_set_up_the_page_says_so(
    enter: Enter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_pages, "sets_pdfs", lambda: False)
    person = enter("demo1-clinician")
    request, _ = sent(person, ANSWERS)
    assert "decision.pdf" not in person.get(f"/requests/{request}").text
    refused = person.get(f"/requests/{request}/decision.pdf")
    assert refused.status_code == 503
    assert "Print the request" in refused.text
