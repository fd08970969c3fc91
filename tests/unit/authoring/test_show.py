"""A policy for people: Markdown, HTML and PDF say the same words, and obey none of them."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import date

import pytest

from app.authoring import prover
from app.authoring.blocks import as_html, as_typst, blocks_of, markdown
from app.authoring.errors import BenchRefused
from app.authoring.lint import lint_version
from app.authoring.overview import overview, page
from app.authoring.show import show
from app.authoring.skeleton import skeleton
from app.policy import Notice, PolicyVersion, load_policy
from app.policy.cases import read_cases
from app.reference_data.drugs import load_drugs
from tests.policies.library import ROOT, folders, packaged_library
from tests.unit.policy.makers import BASE, make_policy

HOSTILE = '<script>alert(1)</script> #eval("1") `code` **bold** $x$ \\ "end"'


def hostile() -> PolicyVersion:
    questions = {**BASE["questions"], "flag": {"type": "boolean", "label": HOSTILE}}  # type: ignore[dict-item]
    return make_policy(
        title=HOSTILE, questions=questions, start=[{"met_when": "flag", "text": HOSTILE}]
    )


def test_the_form_stands_as_the_clinician_will_see_it() -> None:
    text = show(
        make_policy(start=["flag", "score > 2", "recent >= 1", "route = 'iv'"]), "md"
    ).decode()

    form = text[text.index("## The form to start") :]
    assert "- **Flag** ( ) Yes  ( ) No" in form
    assert "(from 0 to 10)" in form
    assert "- **Relapses** one row each, with:\n  - **Date**" in form
    assert "( ) Vein  ( ) Skin" in form


def test_html_escapes_every_word_and_balances_its_lists() -> None:
    version = hostile()
    text = show(version, "html").decode()

    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert text.count("<ul>") == text.count("</ul>") > 0
    assert "http" not in text.split("<body>")[0]


def test_typst_takes_words_as_words() -> None:
    text = as_typst(HOSTILE, blocks_of(hostile()))

    assert '#text("' in text
    assert '\\"end\\"' in text
    made = show(hostile(), "pdf")
    assert made.startswith(b"%PDF-")


def test_the_three_forms_hold_the_same_blocks() -> None:
    blocks = blocks_of(make_policy(start=["flag"]))

    assert markdown(blocks).startswith("# A policy\n")
    assert as_html("t", blocks).count("<h2>") == sum(
        b.kind == "heading" and b.level == 2 for b in blocks
    )


def test_another_format_is_refused_with_the_ones_there_are() -> None:
    with pytest.raises(BenchRefused, match="md, html, pdf"):
        show(make_policy(), "docx")


def test_without_the_extra_a_pdf_is_refused_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "typst", None)
    with pytest.raises(BenchRefused, match=r"assent\[pdf\]"):
        show(make_policy(), "pdf")


def test_without_the_extra_a_proof_is_refused_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(prover.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(BenchRefused, match=r"assent\[prove\]"):
        prover.require()
    assert lint_version(make_policy(start=["flag", "NOT flag"])) is not None


# --- a new policy, and the page of the library --------------------------------------------------


def test_a_new_policy_loads_and_says_what_to_fill_in() -> None:
    keys = load_drugs().keys()
    text = skeleton("natalizumab", "An Invented (rare) condition", date(2026, 11, 22), keys)
    version = load_policy(text, "new.yaml", keys)

    assert version.policy == "natalizumab-an-invented-rare-condition"
    assert version.unverified
    assert {len(version.start), len(version.continue_), len(version.stop)} == {3, 1}
    assert text.count("#") >= 10


def test_a_new_policy_for_an_unknown_drug_is_refused_with_the_nearest() -> None:
    with pytest.raises(BenchRefused, match="Did you mean natalizumab"):
        skeleton("natalizumb", "x", date(2026, 1, 1), load_drugs().keys())


def test_the_page_of_the_library_is_fresh() -> None:
    cases = {
        folder.name: read_cases((folder / "cases.yaml").read_text("utf-8"), "cases.yaml")
        for folder in folders()
        if (folder / "cases.yaml").exists()
    }
    made = page(overview(packaged_library(), cases))

    path = ROOT / "docs" / "policies.md"
    assert path.read_text("utf-8") == made, "run `assent policies overview --write`"


NOTICE = Notice(
    "made-up", "A <made-up> warning", ("a-drug",), (), date(2026, 5, 1), None, "refuse",
    "It is looked into", "Made up for tests", "https://example.org/n", "verified",
)  # fmt: skip


@pytest.mark.parametrize("format_", ["md", "html"])
def test_a_safety_notice_stands_before_the_criteria_in_every_format(format_: str) -> None:
    text = show(make_policy(), format_, [NOTICE]).decode()
    for words in ("Safety notices in force", "New starts are refused.", "from 1 May 2026"):
        assert text.index(words) < text.index("Criteria to start")
    assert "<made-up>" not in text
    assert "Safety notices" not in show(make_policy(), format_).decode()


def test_a_notice_that_was_not_checked_says_that_it_only_refers() -> None:
    text = show(make_policy(), "md", [replace(NOTICE, evidence="unverified")]).decode()
    assert "New starts are referred to people." in text
    assert "not checked at the source" in text


def test_the_pdf_takes_a_notice_and_a_hostile_title_in_its_header() -> None:
    assert show(hostile(), "pdf", [NOTICE]).startswith(b"%PDF-")
