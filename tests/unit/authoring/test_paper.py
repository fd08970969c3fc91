"""Blank forms on paper: everything that the policy asks, with its citations, and room to sign."""

from html import escape

import pytest

from app.authoring.errors import BenchRefused
from app.authoring.paper import blank_form
from app.authoring.paper.page import as_page
from app.authoring.paper.sheet import FOOT, sheets_of
from app.authoring.paper.typeset import as_typst
from app.policy import Kind, PolicyVersion, QuestionType, questions_for
from tests.policies.library import all_versions
from tests.unit.policy.makers import make_policy


@pytest.fixture(scope="module")
def newest() -> list[PolicyVersion]:
    """The newest version of every policy of the library."""
    return list({version.policy: version for version in all_versions()}.values())


def test_every_policy_of_the_library_prints_all_that_it_asks_and_cites(
    newest: list[PolicyVersion],
) -> None:
    assert newest
    for version in newest:
        text = blank_form(version, "html").decode()
        for question in questions_for(version, Kind.INITIATION):
            assert escape(question.label) in text, (version.policy, question.name)
            for option in question.options.values():
                assert escape(option) in text
            if question.unit and question.type in (QuestionType.NUMBER, QuestionType.INTEGER):
                assert f"{escape(question.unit)}" in text
        for criterion in (*version.start, *version.continue_, *version.stop):
            if criterion in version.start or len(sheets_of(version)) > 1:
                assert escape(" ".join(criterion.text.split())) in text, criterion.id
                assert escape(criterion.source.title) in text


def test_a_form_has_room_for_signatures_and_times_and_says_that_it_approves_nothing() -> None:
    text = blank_form(make_policy(), "html").decode()

    for words in (
        "Clinician responsible: name, role, signature",
        "HH : MM",
        "Decision to treat",
        "approves nothing by itself",
        "size: A4",
        "A blank is neither yes nor no",
    ):
        assert words in text
    assert "<script" not in text
    assert "http" not in text.replace("http-equiv", "")


def test_words_of_a_policy_are_never_obeyed() -> None:
    version = make_policy(title='A <b>policy</b> "#panic()" \\ [x]')

    assert "<b>" not in blank_form(version, "html").decode()
    assert blank_form(version, "pdf").startswith(b"%PDF")


def test_a_draft_says_so_and_an_unknown_format_is_refused() -> None:
    version = make_policy(start=[{"met_when": "flag", "evidence": "unverified"}])

    assert "Check before clinical use" in blank_form(version, "html").decode()
    with pytest.raises(BenchRefused, match="html, pdf"):
        blank_form(version, "docx")


def test_a_signature_has_room_on_one_page_and_a_loose_page_says_of_which_form_it_is() -> None:
    version = make_policy()
    sheets = sheets_of(version)
    page, typeset = as_page(sheets), as_typst(sheets)

    signatures = next(part for part in sheets[0].parts if part.title == "Signatures")
    assert signatures.together
    assert '<div class="together"><h2>Signatures' in page
    assert '#block(breakable: false)[#heading(level: 2, text("Signatures"))' in typeset
    for field in signatures.fields:
        assert f'[#strong("{field.label}")], [#v(10mm)' in typeset
    named = f"{version.policy}, version {version.version}"
    assert f"{escape(FOOT)}    {named}</footer>" in page
    assert f'{FOOT}    {named}"' in typeset.split("#counter")[0]
