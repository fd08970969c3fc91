import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.reference_data.errors import InvalidNhsNumber
from app.reference_data.nhs_number import (
    format_nhs_number,
    is_test_range,
    parse_nhs_number,
)
from app.reference_data.nhs_number import test_number as number_for

# 943 476 5919 is the worked example of the NHS Data Dictionary.
GOOD = "9434765919"


def _check_by_hand(digits: str) -> bool:
    """The published rule, written out apart from the package that the code uses."""
    total = sum(int(d) * w for d, w in zip(digits[:9], range(10, 1, -1), strict=True))
    check = 11 - total % 11
    return check != 10 and check % 11 == int(digits[9])


@pytest.mark.parametrize(
    "text",
    [GOOD, "943 476 5919", "943-476-5919", " 9434765919 ", "943 476 5919\n"],
)
def test_a_number_is_read_plain_or_as_three_three_four(text: str) -> None:
    assert parse_nhs_number(text) == GOOD


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("943476591", "ten digits"),
        ("94347659190", "ten digits"),
        ("9434-765-919", "ten digits"),
        ("943 476-5919", "ten digits"),
        ("943  476  5919", "ten digits"),
        ("9.434765919E9", "ten digits"),
        ("943476591O", "ten digits"),
        ("NHS9434765919", "ten digits"),
        ("٩٤٣٤٧٦٥٩١٩", "ten digits"),
        ("９４３４７６５９１９", "ten digits"),
        ("943\u00a0476\u00a05919", "ten digits"),
        ("9434765918", "check digit"),
        ("9434765991", "check digit"),
        ("0000000000", "placeholder"),
        ("9999999999", "placeholder"),
        ("2222222222", "Scottish"),
    ],
)
def test_what_is_no_nhs_number_is_refused_with_its_reason(text: str, why: str) -> None:
    with pytest.raises(InvalidNhsNumber, match=why):
        parse_nhs_number(text)


@pytest.mark.parametrize("text", ["9434765918", "943476591", "٩٤٣٤٧٦٥٩١٩", "0000000000"])
def test_no_refusal_repeats_the_number(text: str) -> None:
    with pytest.raises(InvalidNhsNumber) as refused:
        parse_nhs_number(text)
    assert text not in str(refused.value)
    assert re.search(r"\d{3}", refused.value.reason) is None


@given(st.integers(min_value=4_000_000_000, max_value=9_999_999_998))
def test_a_number_is_accepted_exactly_when_its_check_digit_is_right(number: int) -> None:
    digits = str(number)
    if _check_by_hand(digits):
        assert parse_nhs_number(digits) == digits
    else:
        with pytest.raises(InvalidNhsNumber):
            parse_nhs_number(digits)


@given(st.integers(min_value=0, max_value=99_999))
def test_every_demonstration_number_is_valid_and_in_the_test_range(sequence: int) -> None:
    number = number_for(sequence)
    assert _check_by_hand(number)
    assert parse_nhs_number(number) == number
    assert is_test_range(number)


def test_demonstration_numbers_never_repeat() -> None:
    assert len({number_for(n) for n in range(100_000)}) == 100_000


@pytest.mark.parametrize("sequence", [-1, 100_000])
def test_a_sequence_out_of_range_is_refused(sequence: int) -> None:
    with pytest.raises(ValueError, match="sequence"):
        number_for(sequence)


def test_a_number_is_shown_as_three_three_four() -> None:
    assert format_nhs_number("9990000018") == "999 000 0018"


@pytest.mark.parametrize("number", ["999000001", "٩٩٩٠٠٠٠٠١٨", "999 000 0018"])
def test_only_ten_plain_digits_can_be_formatted(number: str) -> None:
    with pytest.raises(InvalidNhsNumber):
        format_nhs_number(number)


@pytest.mark.parametrize(
    ("number", "expected"), [("9990000018", True), (GOOD, False), ("999000001", False)]
)
def test_the_test_range_begins_with_999(number: str, expected: bool) -> None:
    assert is_test_range(number) is expected
