"""Cells to values: the dirty forms seen in real feeds are read, or become null with a reason."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.reconciliation.parse import (
    WHY_SCIENTIFIC,
    parse_boolean,
    parse_clinical_code,
    parse_identifier,
    parse_money,
    parse_nhs,
    parse_organisation,
    parse_quantity,
    parse_reference,
    parse_withheld_reason,
)
from app.reference_data.nhs_number import test_number as nhs_number

NUMBER = nhs_number(1)


@pytest.mark.parametrize(
    ("text", "pounds"),
    [
        ("1234.56", "1234.56"),
        ("£1,234.56", "1234.56"),
        ("£ 1,234.56 ", "1234.56"),
        ("1 234.56", "1234.56"),
        ("\u00a01\u00a0234.56\u00a0", "1234.56"),
        ("\u00c2£1,234.56", "1234.56"),  # £ in UTF-8 read as Windows-1252
        ("\u00c3\u201a\u00c2£12.50", "12.50"),  # and once more
        ("\ufffd12.50", "12.50"),  # £ replaced on the way
        ("£12.50\u00c2\u00a0", "12.50"),
        ("GBP 12.50", "12.50"),
        ("(1,234.56)", "-1234.56"),
        ("(£1,234.56)", "-1234.56"),
        ("£(1,234.56)", None),
        ("1,234.56-", "-1234.56"),
        ("-£5.00", "-5.00"),
        ("£-5.00", "-5.00"),
        ("\u22125.00", "-5.00"),
        ("+5.00", "5.00"),
        ("'12.50", "12.50"),
        (".5", "0.5"),
        ("5.", "5"),
        ("0", "0"),
        ("-0.00", "0.00"),
        ("0.12345678", "0.12345678"),
        ("1234567.89", "1234567.89"),
        ("0.30000000000000004", None),  # no database column holds it, and it is not rounded
        ("0.123456780000", "0.123456780000"),
        ("TBC", None),
        ("-", None),
        ("£-", None),
        ("POA", None),
        ("12.50 CR", None),
        ("1,23", None),  # a decimal comma, or a lost figure: not known
        ("12,34,567", None),
        ("1.234,56", None),
        ("12.5.0", None),
        ("-(5.00)", None),
        ("--5", None),
        ("-5-", None),
        ("1.2E+03", None),
        ("£", None),
        ("NaN1", None),
        ("Infinity", None),
        ("١٢٣", None),  # digits of another script
        ("9" * 19, None),
    ],
)
def test_money_is_read_exactly_or_not_at_all(text: str, pounds: str | None) -> None:
    value, why = parse_money(text)
    assert value == (None if pounds is None else Decimal(pounds))
    assert (why is None) == (pounds is not None)
    if pounds is not None:
        assert str(value) == pounds


@pytest.mark.parametrize("text", ["", "  ", "NULL", "n/a", "#N/A", "None", "\u00a0", "NaN"])
def test_an_absent_cell_is_neither_a_value_nor_a_fault(text: str) -> None:
    for parser in (parse_money, parse_quantity, parse_nhs, parse_boolean, parse_clinical_code):
        assert parser(text) == (None, None)


@given(st.decimals(min_value=0, max_value=10**17, places=8, allow_nan=False))
def test_money_with_eight_decimals_comes_back_digit_for_digit(amount: Decimal) -> None:
    for text, sign in ((f"£{amount:,.8f}", 1), (f"({amount:.8f})", -1), (f"{amount:.8f}-", -1)):
        assert parse_money(text) == (sign * amount, None)


@given(st.text(max_size=30))
def test_no_text_crashes_a_parser_and_no_reason_repeats_it(text: str) -> None:
    for parser in (
        parse_money,
        parse_quantity,
        parse_nhs,
        parse_boolean,
        parse_clinical_code,
        parse_identifier,
        parse_organisation,
        parse_reference,
    ):
        value, why = parser(text)
        assert value is None or why is None
        assert why is None or len(text.strip()) < 8 or text.strip() not in why


@pytest.mark.parametrize(
    ("text", "value"),
    [("1", "1"), ("0.5", "0.5"), ("1,000", "1000"), ("-2", "-2"), ("2 vials", None), ("£2", None)],
)
def test_a_quantity_is_a_bare_number(text: str, value: str | None) -> None:
    assert parse_quantity(text)[0] == (None if value is None else Decimal(value))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Y", True),
        ("yes", True),
        ("TRUE", True),
        ("1", True),
        ("N", False),
        ("No ", False),
        ("0", False),
        ("X", None),
        ("20%", None),
    ],
)
def test_a_yes_or_no_is_never_assumed(text: str, expected: bool | None) -> None:
    assert parse_boolean(text)[0] is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (NUMBER, NUMBER),
        (f"{NUMBER[:3]} {NUMBER[3:6]} {NUMBER[6:]}", NUMBER),
        (f"{NUMBER[:3]}-{NUMBER[3:6]}-{NUMBER[6:]}", NUMBER),
        (f"\u00a0{NUMBER} ", NUMBER),
        (f"'{NUMBER}", NUMBER),
        (f"{NUMBER}.0", NUMBER),
        ("9.99E+09", None),
        (NUMBER[:-1] + str((int(NUMBER[-1]) + 1) % 10), None),
        (NUMBER[:-1], None),
        ("0000000000", None),
        ("1111111111", None),
        ("9999999999", None),
        ("UNKNOWN", None),
    ],
)
def test_an_nhs_number_is_ten_digits_that_check(text: str, expected: str | None) -> None:
    value, why = parse_nhs(text)
    assert value == expected
    assert (why is None) == (expected is not None)
    assert why is None or text not in why


def test_a_number_in_scientific_notation_says_that_digits_are_lost() -> None:
    for parser in (parse_nhs, parse_identifier, parse_clinical_code, parse_money, parse_reference):
        assert parser("9.99E+09") == (None, WHY_SCIENTIFIC)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("426373005", "426373005"),
        ("'426373005", "426373005"),
        ("426373005.0", "426373005"),
        ("426373006", None),
        ("39819411000001106", "39819411000001106"),
        ("39819411000001100", None),  # a spreadsheet kept fifteen digits
        ("MS", None),
    ],
)
def test_a_code_that_lost_digits_is_not_read(text: str, code: str | None) -> None:
    assert parse_clinical_code(text)[0] == code


@pytest.mark.parametrize(
    ("text", "expected"),
    [("02", "02"), ("1", "01"), ("97", "97"), ("00", None), ("not withheld", None), ("", None)],
)
def test_an_identity_is_withheld_only_by_a_code_that_says_so(
    text: str, expected: str | None
) -> None:
    assert parse_withheld_reason(text)[0] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("pa-0000 0000/01x", "PA0000000001X"), ("BLUETEQ: 12", "BLUETEQ12"), ("--", None)],
)
def test_references_are_compared_by_letters_and_digits(text: str, expected: str | None) -> None:
    assert parse_reference(text)[0] == expected


def test_local_identifiers_keep_their_leading_zeros() -> None:
    assert parse_identifier(" 00 12ab ") == ("0012AB", None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("demo1", "DEMO1"), ("RAS 00", "RAS00"), ("R1", None), ("St Elsewhere's Hospital", None)],
)
def test_an_organisation_is_a_code_and_not_a_name(text: str, expected: str | None) -> None:
    assert parse_organisation(text)[0] == expected
