"""Plain forms brought over: each defect of real forms is met, in invented words, and marked."""

from __future__ import annotations

import io
import zipfile
from datetime import date
from functools import partial
from typing import Any
from xml.sax.saxutils import escape

import pytest

from app.authoring.errors import BenchRefused
from app.authoring.forms.classify import Class, Join, classify_form, join_of
from app.authoring.forms.draft import Draft, draft_of, open_marks
from app.authoring.forms.folder import bring_all, drug_in, summary_lines
from app.authoring.forms.reading import PlainForm, Statement, read_forms
from app.authoring.lint import lint_version
from app.policy import load_policy
from app.reference_data.drugs import load_drugs

TITLE = "Adalimumab for an invented joint disease"
DAY = date(2026, 11, 22)
KEYS = load_drugs().keys()


def csv_form(*statements: str, title: str = TITLE) -> bytes:
    rows = [f'"{title}",,', '"NICE TA999",,']
    rows += [f'{number},"{text}","Yes / No"' for number, text in enumerate(statements, start=1)]
    return "\n".join(rows).encode()


def form_of(*statements: str) -> PlainForm:
    return read_forms(csv_form(*statements), "form.csv")[0]


def draft(*statements: str) -> Draft:
    return draft_of(form_of(*statements), "adalimumab", "an invented joint disease", DAY)


def only(*statements: str) -> tuple[Class, str]:
    found = classify_form(form_of(*statements), "adalimumab", ("rituximab",))[0]
    return found.what, " ".join(found.decide)


# --- what a statement is ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "what", "asks"),
    [
        ("The diagnosis was made by a specialist", Class.START, ""),
        ("Stop treatment at 6 months if there is no benefit", Class.STOP, "yes must mean stop"),
        ("Treatment is continued only while the response lasts", Class.CONTINUE, "review"),
        ("Adalimumab is the least expensive option", Class.ATTESTATION, ""),
        ("Use is in line with the local commissioning position", Class.ATTESTATION, ""),
        ("The patient has consented to sharing the data", Class.ATTESTATION, ""),
        (
            "The company provides adalimumab with the discount of its commercial arrangement",
            Class.COMMERCIAL,
            "",
        ),
        ("The patient access scheme applies", Class.COMMERCIAL, ""),
        (
            "When using the score, clinicians should take into account any disability",
            Class.ADVICE,
            "",
        ),
        ("Healthcare professionals should consider skin colour", Class.ADVICE, ""),
        ("This guidance has been replaced by a newer one", Class.ADVICE, "notice"),
        (
            "People already receiving adalimumab may continue until they decide to stop",
            Class.ADVICE,
            "a route into it",
        ),
        ("Adalimumab is used only if:", Class.BROKEN, "the list is lost"),
        ("Adalimumab may be given when the person has either", Class.BROKEN, "the list is lost"),
        ("Adalimumab is not recommended for mild disease", Class.BROKEN, "what would a yes mean"),
        (
            "Adalimumab is recommended, and is stopped at week 16 without a response",
            Class.BROKEN,
            "Part them",
        ),
        ("The disease is normally severe", Class.START, "soft"),
        ("The criteria of section 1.1 are met", Class.START, "another numbered text"),
        ("See the answer to Q4", Class.START, "another numbered text"),
        ("Rituximab was tried", Class.START, "names rituximab"),
        ("Adalimumab follows rituximab", Class.START, ""),
        ("The DAS28 score is above 5.1", Class.START, "holds a number"),
        (
            "The disease is severe and two other medicines have failed or were not tolerated",
            Class.START,
            "several tests",
        ),
        (
            "The disease is severe and there is a simple discount agreed with the company",
            Class.START,
            "commercial clause",
        ),
    ],
)
def test_each_statement_is_classified_and_what_it_leaves_open_is_asked(
    text: str, what: Class, asks: str
) -> None:
    found, said = only(text)
    assert found is what
    assert asks in said


@pytest.mark.parametrize(
    ("intro", "bullets", "join"),
    [
        ("Only if", ("one and", "two"), Join.ALL),
        ("Only if", ("one, and", "two, and", "three"), Join.ALL),
        ("Only if", ("one or", "two"), Join.ANY),
        ("Only if", ("one", "or two"), Join.ANY),
        ("All of the following", ("one", "two"), Join.ALL),
        ("At least one of the following", ("one", "two"), Join.ANY),
        ("Only if", ("one", "two"), Join.UNSAID),
        ("Only if", ("one and", "two or", "three"), Join.MIXED),
        ("All of the following", ("one or", "two"), Join.MIXED),
        ("Any of these", ("one and", "two"), Join.MIXED),
        ("Only if", ("one alone",), Join.ALL),
    ],
)
def test_a_connector_is_read_and_never_invented(
    intro: str, bullets: tuple[str, ...], join: Join
) -> None:
    assert join_of(Statement(1, "1", intro, bullets)) is join


# --- when a statement is asked ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "what", "asks"),
    [
        ("The disease has responded at six months", Class.CONTINUE, "at the review"),
        ("There is evidence of clinical benefit at 12 months", Class.CONTINUE, "at the review"),
        ("The score has fallen by half since treatment began", Class.CONTINUE, "at the review"),
        ("Treatment should be stopped at week 28 without a response", Class.STOP, "must mean stop"),
        ("Discontinue where the person becomes pregnant", Class.STOP, "must mean stop"),
        ("There was no response after 16 weeks", Class.STOP, "must mean stop"),
        ("Intolerable side effects", Class.STOP, "must mean stop"),
        ("Two standard medicines have failed or were not tolerated", Class.START, ""),
        ("An invented joint disease", Class.START, ""),  # as the title names it
        ("The dose is no more than 40 mg every two weeks", Class.START, "limit of the dose"),
        ("The neurologist has written a letter", Class.START, "neither a heading"),
        ("Relapses are rare", Class.START, "neither a heading"),
        (
            "Continue with a moderate response; discontinue if it is lost",
            Class.BROKEN,
            "one to stop. Part them",
        ),
        (
            "Continued where the response is at least moderate; otherwise it is stopped",
            Class.CONTINUE,
            "at the review",
        ),
        ("Improved since the start, but not tolerated after week 12 or without benefit",
         Class.BROKEN, ""),
    ],
)  # fmt: skip
def test_the_phase_is_told_by_words_or_asked_for(text: str, what: Class, asks: str) -> None:
    found, said = only(text)
    assert found is what
    assert asks in said
    if not asks and what is Class.START:
        assert "neither a heading" not in said


@pytest.mark.parametrize(
    ("heading", "what"),
    [
        ("Continuation", Class.CONTINUE),
        ("Criteria for renewal", Class.CONTINUE),
        ("Section B: Annual review", Class.CONTINUE),
        ("Follow-up", Class.CONTINUE),
        ("Stopping criteria", Class.STOP),
        ("WHEN TO STOP:", Class.STOP),
        ("Discontinuation rules", Class.STOP),
        ("Initiation", Class.START),
        ("Eligibility criteria", Class.START),
    ],
)
def test_a_heading_says_what_stands_below_it_and_spoils_nothing_above_it(
    heading: str, what: Class
) -> None:
    data = csv_form("The disease is severe").decode()
    data += f'\n"{heading}",,\n1,"The neurologist has written a letter","Yes / No"'
    found = classify_form(read_forms(data.encode(), "form.csv")[0], "adalimumab")

    assert [each.statement.text for each in found] == [
        "The disease is severe",
        "The neurologist has written a letter",
    ]
    assert [each.what for each in found] == [Class.START, what]


@pytest.mark.parametrize(
    "line",
    [
        "Continuation and stopping criteria",  # two phases: the words below decide
        "Exclusion criteria",
    ],
)
def test_a_heading_of_two_phases_or_of_exclusions_decides_nothing(line: str) -> None:
    data = csv_form("The disease is severe").decode() + f'\n"{line}",,\n2,"A letter was sent",'
    found = classify_form(read_forms(data.encode(), "form.csv")[0], "adalimumab")

    assert found[1].what is Class.START
    assert "neither a heading" in " ".join(found[1].decide)


def test_a_line_that_says_more_than_a_heading_is_none() -> None:
    data = csv_form("The disease is severe").decode() + '\n"Review at 12 weeks by a nurse",,'
    found = read_forms(data.encode(), "form.csv")[0].statements

    assert [each.text for each in found] == ["The disease is severe Review at 12 weeks by a nurse"]


def test_words_against_their_heading_are_asked_about() -> None:
    data = csv_form("The disease is severe").decode()
    data += '\n"Initiation",,\n2,"Stop if there is no benefit",'
    found = classify_form(read_forms(data.encode(), "form.csv")[0], "adalimumab")[1]

    assert found.what is Class.START
    assert "its words say stop" in " ".join(found.decide)


@pytest.mark.parametrize(
    ("title", "what"),
    [
        ("Adalimumab continuation form", Class.CONTINUE),
        ("Adalimumab for a disease (renewal)", Class.CONTINUE),
        ("Adalimumab initial request", Class.START),
    ],
)
def test_a_whole_forms_title_says_its_phase(title: str, what: Class) -> None:
    form = read_forms(csv_form("The neurologist has written a letter", title=title), "form.csv")[0]

    assert classify_form(form, "adalimumab")[0].what is what


def test_a_column_of_phases_is_read() -> None:
    data = (
        b"Title,No,Statement,Phase\n"
        b"Adalimumab for one,1,A letter was sent,Initiation\n"
        b",2,A letter came,Renewal\n"
        b",3,A letter was lost,Stopping criteria\n"
    )
    found = classify_form(read_forms(data, "forms.csv")[0], "adalimumab")

    assert [each.what for each in found] == [Class.START, Class.CONTINUE, Class.STOP]


# --- what a draft makes of it -------------------------------------------------------------------


def loaded(made: Draft) -> Any:
    return load_policy(made.text, "draft.yaml", load_drugs().keys())


def test_bullets_joined_by_and_become_criteria_of_their_own() -> None:
    version = loaded(draft("Given if: • the joints are swollen and • a scan shows it"))

    assert [c.met_when for c in version.start] == ["statement_1_a", "statement_1_b"]
    assert [q.label for q in version.questions.values()] == [
        "the joints are swollen",
        "a scan shows it",
    ]


def test_bullets_joined_by_or_become_one_criterion() -> None:
    version = loaded(draft("Given if: • methotrexate failed or • it was not tolerated"))

    assert [c.met_when for c in version.start] == ["statement_1_a OR statement_1_b"]


@pytest.mark.parametrize(
    "text",
    [
        "Given if: • the joints are swollen • a scan shows it",
        "Given if: • the joints are swollen and • a scan shows it or • a biopsy does",
    ],
)
def test_bullets_without_a_clear_connector_stay_one_answer_that_can_only_refer(text: str) -> None:
    made = draft(text)
    version = loaded(made)

    assert [(c.met_when, c.on_failure) for c in version.start] == [("statement_1", "refer")]
    assert "# DECIDE: its bullets" in made.text
    assert any("bullets" in gap for gap in made.gaps)


def test_a_commercial_sentence_glued_to_the_last_bullet_is_parted_from_it() -> None:
    made = draft(
        "Given if: • two medicines failed and • the score is highThe company provides it with "
        "the discount of the patient access scheme"
    )

    assert [(each.name, each.what) for each in made.statements] == [
        ("1", Class.START),
        ("1x", Class.COMMERCIAL),
    ]
    assert "discount" not in "".join(c.text for c in loaded(made).start)
    assert "# Statement 1x (commercial)" in made.text


def test_alternatives_that_exclude_each_other_are_not_all_asked_for() -> None:
    made = draft(
        "Adalimumab is recommended for people who never had a biologic",
        "Adalimumab is recommended after another biologic",
        "It is the least expensive option",
    )
    version = loaded(made)

    assert [c.met_when for c in version.start] == ["statement_1 OR statement_2", "statement_3"]
    assert version.start[0].on_failure == "refer"
    assert "several “is recommended”" in " ".join(made.gaps)


def test_stop_and_continue_rules_leave_the_start_form() -> None:
    made = draft(
        "The disease is severe",
        "Continue only if the response is at least moderate",
        "Discontinue if the response is lost",
    )
    version = loaded(made)

    assert [c.id for c in version.start] == ["S-1"]
    assert [c.id for c in version.continue_] == ["S-2"]
    assert [c.id for c in version.stop] == ["S-3"]


def test_a_form_of_which_nothing_can_be_tested_still_loads_and_says_so() -> None:
    made = draft("Adalimumab is used only if:", "The patient access scheme applies")
    version = loaded(made)

    assert [c.id for c in version.start] == ["S-0"]
    assert any("no statement could be brought over" in gap for gap in made.gaps)


def test_a_statement_without_a_box_and_a_gap_in_the_numbers_are_taken() -> None:
    data = b'"A form for adalimumab",\n2,"The disease is severe","Yes/No"\n5,"A scan was made",\n'
    found = classify_form(read_forms(data, "form.csv")[0])

    assert [each.statement.printed for each in found] == ["2", "5"]
    assert [each.name for each in found] == ["1", "2"]
    assert any("no Yes/No box" in ask for ask in found[1].decide)


def test_every_draft_is_unverified_and_passes_check_without_a_fault() -> None:
    worst = draft(
        "Adalimumab is recommended only if: • a • b or • c and • dThe company makes a discount",
        "Adalimumab is recommended if:",
        "Stop at week 16, normally, unless 1.1 applies",
        "When using the PASI, take into account skin colour",
        'He said ""yes"": # not a comment',
        "x" * 900,
    )
    version = loaded(worst)

    assert version.unverified
    assert [str(each) for each in lint_version(version) if each.level == "fault"] == []
    assert "# DECIDE: which commissioner's policy is it?" in worst.text
    assert "# DECIDE: how long does an approval last" in worst.text


# --- files --------------------------------------------------------------------------------------


def docx(*paragraphs: tuple[str, bool] | list[str]) -> bytes:
    """A DOCX of paragraphs (text, whether a list item) and table rows (cells)."""
    body = ""
    for each in paragraphs:
        if isinstance(each, list):
            cells = "".join(f"<w:tc>{_p(cell)}</w:tc>" for cell in each)
            body += f"<w:tbl><w:tr>{cells}</w:tr></w:tbl>"
        else:
            body += _p(*each)
    names = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(
            "word/document.xml", f"<w:document {names}><w:body>{body}</w:body></w:document>"
        )
    return out.getvalue()


def _p(text: str, listed: bool = False) -> str:
    mark = "<w:pPr><w:numPr/></w:pPr>" if listed else ""
    return f"<w:p>{mark}<w:r><w:t>{escape(text)}</w:t></w:r></w:p>"


def test_a_docx_of_paragraphs_and_list_items_is_read() -> None:
    data = docx(
        (TITLE, False),
        ("NICE TA999", False),
        ("1. Given only if all of the following apply:", False),
        ("the disease is severe", True),
        ("two medicines failed", True),
        ("2. It is the least expensive option", False),
    )
    form = read_forms(data, "form.docx")[0]

    assert (form.title, form.appraisal) == (TITLE, "TA999")
    assert form.statements[0].bullets == ("the disease is severe", "two medicines failed")
    assert len(form.statements) == 2


def test_a_docx_of_table_rows_is_read() -> None:
    data = docx((TITLE, False), ["1", "The disease is severe", "Yes ☐ No ☐"], ["2", "Scan", "☐"])
    form = read_forms(data, "form.docx")[0]

    assert [each.text for each in form.statements] == ["The disease is severe", "Scan"]


def test_a_table_of_many_forms_gives_each_of_them() -> None:
    data = (
        b"Form title,TA,No,Statement\n"
        b"Adalimumab for one,TA1,1,It is severe\n"
        b",,2,It is confirmed\n"
        b"Adalimumab for two,TA2,1,It is mild\n"
    )
    forms = read_forms(data, "forms.csv")

    assert [(f.title, f.appraisal, len(f.statements)) for f in forms] == [
        ("Adalimumab for one", "TA1", 2),
        ("Adalimumab for two", "TA2", 1),
    ]


def test_a_csv_in_the_windows_encoding_is_read() -> None:
    data = f'"{TITLE}",\n1,"A score \u2013 above \u00a35 \u2013 was seen",\n'.encode("cp1252")
    assert "–" in read_forms(data, "form.csv")[0].statements[0].text


BOMB = b'<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><x>&b;</x>'


def _archive(name: str, content: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return out.getvalue()


EXTERNAL = b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>'
FAR = b'<worksheet><c r="A1"/><c r="XFD1048576"/></worksheet>'


def _lying(archive: bytes) -> bytes:
    """An archive that gives its one file as ten bytes long."""
    return archive.replace((5_000_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))


@pytest.mark.parametrize(
    ("file", "data", "says"),
    [
        ("form.pdf", b"", "comes as .csv, .xlsx or .docx"),
        ("form.xlsx", b"no workbook", "workbook cannot be read"),
        ("form.docx", b"no archive", "not readable as DOCX"),
        ("form.docx", _archive("other.xml", b"x"), "not readable as DOCX"),
        ("form.docx", _archive("word/document.xml", b"<open>"), "not readable as DOCX"),
        ("form.docx", _archive("word/document.xml", BOMB), "XML entities"),
        ("form.docx", _archive("word/document.xml", b" " * 21_000_000), "over 20 MB"),
        ("form.docx", _archive("word/document.xml", BOMB.decode().encode("utf-16")), "XML entit"),
        ("form.docx", _archive("word/document.xml", EXTERNAL), "XML entities"),
        ("form.docm", b"", "may hold macros"),
        ("form.xlsm", b"", "may hold macros"),
        ("form.xlsx", _archive("xl/bomb.xml", b" " * 105_000_000), "over 100 MB unpacked"),
        ("form.xlsx", _archive("xl/worksheets/sheet1.xml", FAR), "reaches over"),
        ("form.xlsx", _lying(_archive("xl/a.xml", b" " * 5_000_000)), "workbook cannot be read"),
        ("form.csv", b"a,\0b", "not readable as text"),
        ("form.csv", b"\xff\xfea", "not readable as text"),
        ("form.csv", b'"' + b"x" * 200_000, "not readable as CSV"),
        ("form.csv", b"", "no numbered statement"),
        ("form.csv", b"Only a title\nand words", "no numbered statement"),
        ("form.csv", b"a\n" * 20_001, "Split the file"),
    ],
)
def test_a_file_that_holds_no_form_is_refused_with_what_to_do(
    file: str, data: bytes, says: str
) -> None:
    with pytest.raises(BenchRefused, match=says):
        read_forms(data, file)


def test_a_csv_in_utf_16_is_read() -> None:
    data = f'"{TITLE}",\n1,"The disease is severe",\n'.encode("utf-16")
    assert read_forms(data, "form.csv")[0].title == TITLE


def test_a_title_narrower_than_the_text_is_asked_about() -> None:
    form = read_forms(csv_form("It is confirmed", title="Adalimumab for severe x"), "f.csv")[0]
    made = draft_of(form, "adalimumab", "x", DAY)

    assert "title says “severe”" in made.gaps[0]
    assert "# DECIDE: the form's title says “severe”" in made.text


def test_what_is_left_to_a_person_is_found_again_in_the_file() -> None:
    made = draft("Given if: • the joints are swollen • a scan shows it")
    asks = [ask for _, ask in open_marks(made.text)]

    assert len(asks) == made.text.count("DECIDE: ") == 4
    assert any("no “and” or “or”" in ask for ask in asks)


# --- a folder of forms --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("title", "drug"),
    [
        ("Adalimumab for one", "adalimumab"),
        ("Interferon beta-1a, adalimumabs", ""),
        ("Adalimumab or etanercept", ""),
        ("A form", ""),
    ],
)
def test_a_drug_is_taken_from_the_title_only_where_it_names_one(title: str, drug: str) -> None:
    assert drug_in(title, ("adalimumab", "etanercept")) == drug


def test_a_folder_gives_a_draft_or_a_reason_for_every_form() -> None:
    files = {
        "a.csv": csv_form("It is severe"),
        "b.csv": csv_form("It is grave"),
        "c.xlsx": b"broken",
        "d.csv": csv_form("It is severe", title="Adalimumib for another disease"),
    }
    found = list(bring_all(((n, partial(bytes, d)) for n, d in files.items()), KEYS, DAY))

    assert [each.draft is not None for each in found] == [True, False, False, False]
    assert "the same drug and indication as a.csv" in str(found[1].reason)
    assert "workbook cannot be read" in str(found[2].reason)
    assert "Is “adalimumib” adalimumab?" in str(found[3].reason)
    assert list(summary_lines(found))[-1] == "1 forms brought over as drafts, 3 not."


# --- lists inside lists, and numbers of another text --------------------------------------------


def test_a_flattened_nested_list_is_not_split_and_its_connector_not_invented() -> None:
    bullets = (
        "2 or more disabling relapses in one year, and",
        "activity on imaging, shown by any of:",
        "one or more gadolinium-enhancing lesions",
        "a rise in lesion load",
    )
    data = docx(
        (TITLE, False),
        ("1. Given only if all of the following apply:", False),
        *((bullet, True) for bullet in bullets),
    )
    made = draft_of(read_forms(data, "form.docx")[0], "adalimumab", "x", DAY)

    assert [each.join for each in made.statements] == [Join.NESTED]
    assert "which bullets belong to it" in " ".join(made.statements[0].decide)
    version = load_policy(made.text, "x.yaml", KEYS)
    assert [(c.met_when, c.on_failure) for c in version.start] == [("statement_1", "refer")]
    assert all(bullet in version.start[0].text for bullet in bullets)
    assert " OR " not in version.start[0].met_when


def test_a_number_of_the_guidance_is_never_taken_for_the_forms_own() -> None:
    made = draft(
        "The disease is severe",
        "Rituximab failed",
        "The treatment is in line with recommendation 1.4",
        "As for statement 1.2, methotrexate is given too",
    )
    asks = [" ".join(each.decide) for each in made.statements]
    pointing = ["not this form's" in each for each in asks]
    assert pointing == [False, False, True, True]
    version = load_policy(made.text, "x.yaml", KEYS)
    tests = [c.met_when for c in version.start]
    assert tests == ["statement_1", "statement_2", "statement_3", "statement_4"]


def test_a_list_longer_than_the_alphabet_loses_no_bullet() -> None:
    bullets = [f"item {number} holds" for number in range(40)]
    data = docx(
        (TITLE, False), ("1. All of the following:", False), *((each, True) for each in bullets)
    )
    made = draft_of(read_forms(data, "form.docx")[0], "adalimumab", "x", DAY)
    text = load_policy(made.text, "x.yaml", KEYS).start[0].text
    assert all(each in text for each in bullets)
