"""NHS numbers: parse, format, and make ones for demonstrations.

Rule (NHS Data Dictionary, NHS NUMBER): ten digits; the first nine are weighted 10 to 2, the sum is
taken modulo 11, and the check digit is 11 minus the remainder, where 11 counts as 0 and 10 means
that no such number exists.

Patient data passes through this module: no error here repeats what it was given.
"""

import re

from nhs_number.validate import calculate_checksum, is_valid

from app.reference_data.errors import InvalidNhsNumber

# `[0-9]`, never `\d`: the latter also takes Arabic-Indic and other digits, which would then be
# stored in a form that equals nothing.
_SHAPE = re.compile(r"[0-9]{10}|[0-9]{3} [0-9]{3} [0-9]{4}|[0-9]{3}-[0-9]{3}-[0-9]{4}")

# Both pass the modulus 11 check, and both are typed to mean "not known".
_PLACEHOLDERS = frozenset({"0000000000", "9999999999"})

_LAST_TEST_SEQUENCE = 99_999


def parse_nhs_number(text: str) -> str:
    """The ten digits of an NHS number written plainly or as 3-3-4 with spaces or hyphens.

    Raises InvalidNhsNumber, whose reason never repeats the text.
    """
    stripped = text.strip(" \t\r\n")
    if not stripped:
        raise InvalidNhsNumber("The NHS number is empty. Enter its ten digits.")
    if _SHAPE.fullmatch(stripped) is None:
        raise InvalidNhsNumber(
            "An NHS number is ten digits, 0 to 9, together or as 3-3-4 with spaces or hyphens. "
            "Check it against the patient's record."
        )
    digits = stripped.replace(" ", "").replace("-", "")
    if digits in _PLACEHOLDERS:
        raise InvalidNhsNumber(
            "This is a placeholder, not an NHS number. Enter the patient's own number."
        )
    if calculate_checksum(digits[:9]) != int(digits[9]):
        raise InvalidNhsNumber(
            "The check digit does not agree with the other nine digits, so at least one digit is "
            "wrong. Check it against the patient's record."
        )
    if not is_valid(digits):
        raise InvalidNhsNumber(
            "The number lies in the range of Scottish CHI numbers but does not begin with a date. "
            "Check it against the patient's record."
        )
    return digits


def format_nhs_number(number: str) -> str:
    """The number in the way the NHS prints it, 3-3-4: `999 000 0000`.

    Raises InvalidNhsNumber when it is not ten ASCII digits.
    """
    if re.fullmatch(r"[0-9]{10}", number) is None:
        raise InvalidNhsNumber(
            "Only a parsed NHS number of ten digits can be formatted. Parse the text first."
        )
    return f"{number[:3]} {number[3:6]} {number[6:]}"


def is_test_range(number: str) -> bool:
    """True for numbers that begin 999, which are never issued to a patient."""
    return re.fullmatch(r"999[0-9]{7}", number) is not None


def test_number(sequence: int) -> str:
    """A valid number of the 999 range for demonstration data; each sequence has its own.

    `sequence` runs from 0 to 99,999; ValueError outside it. The ninth digit is 0, or 1 where 0
    would need the check digit 10: it weighs 2, so the two can never both need it.
    """
    if not 0 <= sequence <= _LAST_TEST_SEQUENCE:
        raise ValueError(f"sequence must lie between 0 and {_LAST_TEST_SEQUENCE}")
    for ninth in "01":
        nine = f"999{sequence:05d}{ninth}"
        check = calculate_checksum(nine)
        if check is not None and check < 10:
            return f"{nine}{check}"
    raise AssertionError("one of two ninth digits always gives a check digit")


# The name is fixed by its users; this keeps pytest from collecting it as a test.
test_number.__test__ = False  # type: ignore[attr-defined]
