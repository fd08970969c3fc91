"""A provider's words as a commissioner may read them: without who the patients are. Pure."""

import re
from collections.abc import Iterable
from typing import Final

from app.reconciliation.hidden_columns import HIDDEN, without_nhs_numbers
from app.reconciliation.model import ContractLine

#: A shorter hospital number would take figures out of text that tell of nobody.
SHORTEST_LOCAL_ID: Final = 4


def bare_words(words: str, lines: Iterable[ContractLine]) -> str:
    """The words without NHS numbers, and without hospital numbers and birth dates of the lines."""
    told = without_nhs_numbers(words)
    for line in lines:
        local = line.local_patient_id
        if local is not None and len(local) >= SHORTEST_LOCAL_ID:
            told = _whole_word(re.escape(local)).sub(HIDDEN, told)
        if line.birth_date is not None:
            born = line.birth_date
            written = (
                f"{born:%Y-%m-%d}",
                f"0?{born.day}[/. -]0?{born.month}[/. -](?:{born:%Y}|{born:%y})",
                f"0?{born.day}[/. -]{born:%b}[a-z]*[/. -]{born:%Y}",
            )
            told = _whole_word("|".join(written)).sub(f"{born:%Y}", told)
    return told


def _whole_word(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![0-9A-Za-z])(?:{pattern})(?![0-9A-Za-z])", re.IGNORECASE)
