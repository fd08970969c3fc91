"""Cells to values: money, numbers, yes/no, identifiers and codes. Dates are in `parse_dates`.

Every parser returns `(value, why)`. An absent cell gives (None, None). A cell that is present but
cannot be read gives (None, why): invalid becomes null, never a guess, and `why` never repeats the
cell, which may be patient data. The dirty forms are those profiled in London's feed (2026).
"""

import re
from decimal import Decimal
from typing import TypeAlias, TypeVar

from app.reference_data.clinical_code import read_code
from app.reference_data.errors import InvalidNhsNumber
from app.reference_data.nhs_number import parse_nhs_number
from app.reference_data.pseudonyms import PSEUDONYM

T = TypeVar("T")
Reading: TypeAlias = tuple[T | None, str | None]

# Written by databases and spreadsheets where there is no value: the same as an empty cell.
_ABSENT = frozenset({"", "null", "(null)", "none", "n/a", "na", "#n/a", "nan"})
# Bytes of "£", non-breaking and narrow spaces that were decoded with the wrong character set.
_MOJIBAKE_POUND = re.compile(
    "(?:\u00c3\u201a|\u00c3\u0082)?\u00c2?\u00a3|\u00ef\u00bf\u00bd|\ufffd"
)
_INVISIBLE = re.compile("[\u200b\ufeff]")
_MOJIBAKE_SPACE = re.compile("\u00c2[\u00a0 ]")
_MINUS = str.maketrans({"\u2212": "-", "\u2013": "-", "\u2012": "-"})
_PLAIN = r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"
_GROUPED = r"[0-9]{1,3}(?:(?:,[0-9]{3})+|(?: [0-9]{3})+)(?:\.[0-9]*)?"
_AMOUNT = re.compile(rf"{_PLAIN}|{_GROUPED}")
_SCIENTIFIC = re.compile(r"[-+]?[0-9]+(?:[.,][0-9]*)?[eE][-+]?[0-9]+")
_MAX_WHOLE_DIGITS = 18  # max n18.max n8 in the data dictionary
_MAX_DECIMALS = 8  # an amount with more is a binary fraction written out, and is not rounded
_MAX_OF_QUANTITY = 20

WHY_SCIENTIFIC = "it is in a spreadsheet's scientific notation, which has lost digits"


def clean(text: str) -> str:
    """The cell trimmed of every kind of space, byte-order marks and a text-marking apostrophe."""
    if not text.isascii():
        text = _INVISIBLE.sub(" ", text)
    return " ".join(text.split()).removeprefix("'").strip()


def is_absent(text: str) -> bool:
    """Whether a cell states nothing: empty, or a database's word for empty."""
    return clean(text).casefold() in _ABSENT


def parse_text(text: str) -> Reading[str]:
    """Text, trimmed and with runs of spaces made one."""
    return (None, None) if is_absent(text) else (clean(text), None)


def parse_money(text: str) -> Reading[Decimal]:
    """Pounds, exact. Takes £ (mojibake too), thousands commas or spaces, and three negatives."""
    if is_absent(text):
        return None, None
    body = _MOJIBAKE_POUND.sub("£", _MOJIBAKE_SPACE.sub(" ", text.translate(_MINUS)))
    return _signed(clean(body.replace("GBP", " ")), currency=True)


def parse_quantity(text: str) -> Reading[Decimal]:
    """A number without a unit. Text such as `2 vials` is not read: which unit is not known."""
    if is_absent(text):
        return None, None
    return _signed(clean(text.translate(_MINUS)), currency=False)


def _signed(body: str, *, currency: bool) -> Reading[Decimal]:
    """Take off one sign (minus before, after, or parentheses) and the pound sign; read the rest."""
    if _SCIENTIFIC.fullmatch(body):
        return None, WHY_SCIENTIFIC
    signs = 0
    if body.startswith("(") and body.endswith(")"):
        signs, body = signs + 1, body[1:-1].strip()
    if currency:
        signs, body = _take_minus(body, signs)
        body = body.removeprefix("£").removesuffix("£").strip()
    signs, body = _take_minus(body, signs)
    if signs > 1:
        return None, "it carries more than one minus sign"
    most = _MAX_DECIMALS if currency else _MAX_OF_QUANTITY
    return _magnitude(body, most, negative=signs == 1)


def _take_minus(body: str, signs: int) -> tuple[int, str]:
    if body.startswith("-"):
        signs, body = signs + 1, body[1:].strip()
    if body.endswith("-"):
        signs, body = signs + 1, body[:-1].strip()
    return signs, body.removeprefix("+").strip() if signs == 0 else body


def _magnitude(body: str, most: int, *, negative: bool) -> Reading[Decimal]:
    if not _AMOUNT.fullmatch(body):
        return None, "it is not an amount in figures"
    figures = body.replace(",", "").replace(" ", "")
    whole, _, decimals = figures.partition(".")
    if len(whole.lstrip("0")) > _MAX_WHOLE_DIGITS or len(decimals.rstrip("0")) > most:
        return None, "it has more digits than the data dictionary allows"
    value = Decimal(figures)
    return (-value if negative and value else value), None


_YES = frozenset({"y", "yes", "true", "t", "1"})
_NO = frozenset({"n", "no", "false", "f", "0"})


def parse_boolean(text: str) -> Reading[bool]:
    """Y or N in any of their usual spellings; an absent cell is neither."""
    word = clean(text).casefold()
    if word in _YES:
        return True, None
    if word in _NO:
        return False, None
    return (None, None) if is_absent(text) else (None, "it is neither Y nor N")


def parse_nhs(text: str) -> Reading[str]:
    """Ten digits with a right check digit; never a number mended from a spreadsheet's."""
    if is_absent(text):
        return None, None
    body = clean(text)
    if _SCIENTIFIC.fullmatch(body):
        return None, WHY_SCIENTIFIC
    # 9990000018.0: a spreadsheet took it for a number, but all ten digits are there.
    body = re.sub(r"(?<=[0-9]{10})\.0+$", "", body)
    try:
        number = parse_nhs_number(body)
    except InvalidNhsNumber as error:
        return None, f"it is not an NHS number ({_first_sentence(error.reason)})"
    if len(set(number)) == 1:
        # One digit ten times always passes the modulus 11 check, and is typed to mean "unknown".
        return None, "it is a placeholder, one digit repeated"
    return number, None


def _first_sentence(reason: str) -> str:
    sentence = reason.split(". ")[0].rstrip(".")
    return sentence[:1].lower() + sentence[1:]


def parse_pseudonym(text: str) -> Reading[str]:
    """A keyed pseudonym: 32 letters and digits, in upper case."""
    if is_absent(text):
        return None, None
    body = clean(text)
    return (body, None) if PSEUDONYM.fullmatch(body) else (None, "it is not a pseudonym")


def parse_identifier(text: str) -> Reading[str]:
    """A local identifier: upper case, no spaces; leading zeros stay, as they may matter."""
    if is_absent(text):
        return None, None
    body = clean(text).upper().replace(" ", "")
    if _SCIENTIFIC.fullmatch(body):
        return None, WHY_SCIENTIFIC
    return body, None


_ORGANISATION = re.compile(r"[A-Z0-9]{3,9}")


def parse_organisation(text: str) -> Reading[str]:
    """An organisation code in the data dictionary's form: 3 to 9 letters and digits."""
    code, why = parse_identifier(text)
    if code is not None and not _ORGANISATION.fullmatch(code):
        return None, "it is not an organisation code of 3 to 9 letters and digits"
    return code, why


def parse_clinical_code(text: str) -> Reading[str]:
    """A SNOMED CT or dm+d code with a right check digit."""
    if is_absent(text):
        return None, None
    body = clean(text)
    if _SCIENTIFIC.fullmatch(body):
        return None, WHY_SCIENTIFIC
    code = read_code(re.sub(r"\.0+$", "", body))
    return (code, None) if code else (None, "it is not a SNOMED CT code, or has lost digits")


_WITHHELD = frozenset({"01", "02", "03", "97"})


def parse_withheld_reason(text: str) -> Reading[str]:
    """WITHHELD IDENTITY REASON: 01 legal, 02 Caldicott Guardian, 03 patient's request, 97 other.

    A spreadsheet's 1 is 01. Any other text gives no reason: an identity is withheld only where
    the line says so in the data dictionary's own codes.
    """
    if is_absent(text):
        return None, None
    code = clean(text).zfill(2)
    return (code, None) if code in _WITHHELD else (None, "it is not one of 01, 02, 03 and 97")


def parse_reference(text: str) -> Reading[str]:
    """An approval reference: upper case, letters and digits only. None where nothing is left."""
    if is_absent(text):
        return None, None
    body = clean(text).upper()
    if _SCIENTIFIC.fullmatch(body):
        return None, WHY_SCIENTIFIC
    return normalise_reference(body) or None, None


def normalise_reference(text: str) -> str:
    """The form in which references are compared, ours and legacy ones alike."""
    return re.sub(r"[^A-Z0-9]", "", text.upper())
