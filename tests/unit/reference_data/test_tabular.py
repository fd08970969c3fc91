"""An uploaded CSV file becomes text cells, or is refused with a reason that repeats none of it."""

import pytest

from app.reference_data.tabular import NotATable, decode, rows_of

LIMIT = 1 << 20


@pytest.mark.parametrize(
    ("data", "text", "encoding"),
    [
        ("a–£".encode(), "a–£", "utf-8"),
        (b"\xef\xbb\xbfa", "a", "utf-8-sig"),
        ("a–£".encode("cp1252"), "a–£", "cp1252"),
        (b"a\x81\xa3", "a\x81£", "cp1252"),
        ("a–£".encode("utf-16"), "a–£", "utf-16"),
    ],
)
def test_every_usual_encoding_is_read(data: bytes, text: str, encoding: str) -> None:
    assert decode(data, LIMIT) == (text, encoding)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "no bytes"),
        (b"\xef\xbb\xbf \r\n", "no characters"),
        (b"PK\x03\x04...", "spreadsheet"),
        (b"\xd0\xcf\x11\xe0", "old spreadsheet"),
        (b"%PDF-1.7", "PDF"),
        (b"a\0b", "not plain text"),
        (b"\xff\xfea", "breaks its rules"),
        (b"a" * (LIMIT + 1), "over 1 MB"),
    ],
)
def test_what_is_no_text_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(NotATable, match=why):
        decode(data, LIMIT)


def test_cells_stay_text_and_blank_rows_keep_their_place() -> None:
    text = 'a,"=1+1"\r\n\r\n"x\r\ny","say ""hi"""\r\n'
    assert rows_of(text, ",") == (("a", "=1+1"), (), ("x\r\ny", 'say "hi"'))


@pytest.mark.parametrize(
    "text",
    [
        'a,b\r\n"secret,2\r\n3,4\r\n',
        "a\r\n" + "x" * 40_000,
        'a\r\n"' + "secret\r\n" * 60 + '"\r\n',
    ],
)
def test_a_quotation_mark_that_is_not_closed_is_told_by_its_row(text: str) -> None:
    with pytest.raises(NotATable, match="Row 2 of the file does not end") as refused:
        rows_of(text, ",")
    assert "secret" not in str(refused.value)


def test_a_row_of_too_many_cells_is_refused() -> None:
    with pytest.raises(NotATable, match="1001 cells"):
        rows_of("," * 1000, ",")
