"""How pages say an amount."""

import pytest

from app.web import words
from app.web.words import amount_words


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        ("6", "10*9/L", "6 × 10⁹/L"),
        ("31", "umol/L", "31 micromol/L"),
        ("0.4", "ug/L", "0.4 micrograms/L"),
        ("300", "cells/uL", "300 cells/microlitre"),
        ("55", "%", "55%"),
        ("40", "mg", "40 mg"),
        ("6.1", None, "6.1"),
        ("6.1", "1", "6.1"),
    ],
)
def test_an_amount_is_said_with_its_unit_as_people_write_it(
    value: str, unit: str | None, said: str
) -> None:
    assert amount_words(value, unit) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "supplied after 05/09/2026, by which it was to begin (from 13/10/2026 to 01/11/2026)",
            "supplied after 5 September 2026, by which it was to begin (from 13 October 2026 to "
            "1 November 2026)",
        ),
        ("'13/09/2026' is no day of the month", "'13/09/2026' is no day of the month"),
        ("31/02/2026 is none", "31/02/2026 is none"),
        ("batch 1/13/09/2026/2", "batch 1/13/09/2026/2"),
    ],
)
def test_days_in_a_sentence_are_said_in_english_and_what_is_quoted_stays(
    text: str, said: str
) -> None:
    assert words.with_days_in_words(text) == said


def test_minutes_are_said_as_hours_where_they_are_whole_ones() -> None:
    assert words.duration_words(60) == "1 hour"
    assert words.duration_words(240) == "4 hours"
    assert words.duration_words(90) == "90 minutes"
    assert words.duration_words(1) == "1 minute"


def test_a_file_is_of_one_kilobyte_at_least() -> None:
    assert words.kilobytes(3) == "1 KB"
    assert words.kilobytes(2_600) == "3 KB"
    assert words.kilobytes(2_000_000) == "1,953 KB"
