"""The approval reference: 15 characters that fit the invoice's 17-character field.

`PA`, twelve random characters of Crockford's base 32 (no I, L, O or U), and one check character
after ISO/IEC 7064 MOD 37,36, which catches every single wrong character and every swap of two
neighbours. It says nothing about the patient, the drug or the day.
"""

from collections.abc import Callable

PREFIX = "PA"
RANDOM_LENGTH = 12
LENGTH = len(PREFIX) + RANDOM_LENGTH + 1
_RANDOM_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_CHECK_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def mint(random_bytes: Callable[[int], bytes]) -> str:
    """A fresh reference with 60 bits of the randomness that is passed in."""
    bits = int.from_bytes(random_bytes(8), "big")
    drawn = "".join(_RANDOM_ALPHABET[(bits >> (5 * i)) & 31] for i in range(RANDOM_LENGTH))
    body = PREFIX + drawn
    return body + check_character(body)


def check_character(body: str) -> str:
    """The ISO/IEC 7064 MOD 37,36 check character of an upper-case alphanumeric text."""
    product = 36
    for character in body:
        product = (product + _CHECK_ALPHABET.index(character)) % 36 or 36
        product = product * 2 % 37
    return _CHECK_ALPHABET[(37 - product) % 36]


def is_reference(text: str) -> bool:
    """Whether a text is a well-formed reference with the right check character."""
    if len(text) != LENGTH or not text.startswith(PREFIX):
        return False
    if any(character not in _RANDOM_ALPHABET for character in text[len(PREFIX) : -1]):
        return False
    return check_character(text[:-1]) == text[-1]
