"""The approval reference: 15 characters that fit the invoice's 17-character field.

`PA`, twelve random characters of Crockford's base 32 (no I, L, O or U), and one check character
after ISO/IEC 7064 MOD 37-2, which catches every single wrong character and every swap of two
neighbours. (MOD 37,36 of the same standard, whose check character is never `*`, lets some swaps
through.) It says nothing about the patient, the drug or the day.
"""

from collections.abc import Callable

PREFIX = "PA"
RANDOM_LENGTH = 12
LENGTH = len(PREFIX) + RANDOM_LENGTH + 1
_RANDOM_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
NO_LETTER = "*"
_CHECK_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ" + NO_LETTER


def mint(random_bytes: Callable[[int], bytes]) -> str:
    """A fresh reference with 60 bits of the randomness that is passed in.

    A draw whose check character would be `*` (one in 37) gives way to its neighbour.
    """
    bits = int.from_bytes(random_bytes(8), "big")
    while (check := check_character(body := _body(bits))) == NO_LETTER:
        bits += 1
    return body + check


def _body(bits: int) -> str:
    drawn = "".join(_RANDOM_ALPHABET[(bits >> (5 * i)) & 31] for i in range(RANDOM_LENGTH))
    return PREFIX + drawn


def check_character(body: str) -> str:
    """The ISO/IEC 7064 MOD 37-2 check character of an upper-case alphanumeric text; may be `*`."""
    product = 0
    for character in body:
        product = (product + _CHECK_ALPHABET.index(character)) * 2 % 37
    return _CHECK_ALPHABET[(38 - product) % 37]


def is_reference(text: str) -> bool:
    """Whether a text is a well-formed reference with the right check character."""
    if len(text) != LENGTH or not text.startswith(PREFIX):
        return False
    if any(character not in _RANDOM_ALPHABET for character in text[len(PREFIX) : -1]):
        return False
    return text[-1] != NO_LETTER and check_character(text[:-1]) == text[-1]
