"""SNOMED CT and dm+d codes as they arrive in submissions: read exactly or not at all.

Both share one form: 6 to 18 digits, no leading zero, the last digit a Verhoeff check digit, the
two before it naming the partition (00 for a core concept, 10 for an extension's concept).
Spreadsheets keep 15 digits, so long codes come back as `3.60303E+16` or with zeros for their last
digits. Such a code is not mended: which one it was cannot be known.
"""

import re

_FORM = re.compile(r"[1-9][0-9]{5,17}")
_CONCEPT_PARTITIONS = frozenset({"00", "10"})

_MULTIPLY = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9),
    (1, 2, 3, 4, 0, 6, 7, 8, 9, 5),
    (2, 3, 4, 0, 1, 7, 8, 9, 5, 6),
    (3, 4, 0, 1, 2, 8, 9, 5, 6, 7),
    (4, 0, 1, 2, 3, 9, 5, 6, 7, 8),
    (5, 9, 8, 7, 6, 0, 4, 3, 2, 1),
    (6, 5, 9, 8, 7, 1, 0, 4, 3, 2),
    (7, 6, 5, 9, 8, 2, 1, 0, 4, 3),
    (8, 7, 6, 5, 9, 3, 2, 1, 0, 4),
    (9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
)
_PERMUTE = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9),
    (1, 5, 7, 6, 2, 8, 3, 0, 9, 4),
    (5, 8, 0, 3, 7, 9, 6, 1, 4, 2),
    (8, 9, 1, 6, 0, 4, 3, 5, 2, 7),
    (9, 4, 5, 3, 1, 2, 6, 8, 7, 0),
    (4, 2, 8, 6, 5, 7, 3, 9, 0, 1),
    (2, 7, 9, 3, 8, 0, 6, 4, 1, 5),
    (7, 0, 4, 6, 9, 1, 3, 2, 5, 8),
)


def verhoeff_ok(digits: str) -> bool:
    """True when the last of these ASCII digits is their Verhoeff check digit."""
    check = 0
    for place, digit in enumerate(reversed(digits)):
        check = _MULTIPLY[check][_PERMUTE[place % 8][int(digit)]]
    return check == 0


def read_code(text: str | None) -> str | None:
    """The code as digits, or None where it is absent, malformed or damaged.

    A leading apostrophe (a spreadsheet's mark for text) and outer spaces are dropped.
    """
    if text is None:
        return None
    code = text.strip().removeprefix("'").strip()
    if _FORM.fullmatch(code) is None or code[-3:-1] not in _CONCEPT_PARTITIONS:
        return None
    return code if verhoeff_ok(code) else None
