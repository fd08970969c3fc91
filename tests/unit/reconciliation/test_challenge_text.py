"""A provider's words without its patients, of however many lines."""

import datetime as dt
import random
import re
import time
from collections.abc import Iterable

import pytest

from app.reconciliation.challenge_text import Named, bare_words
from app.reconciliation.hidden_columns import HIDDEN, without_nhs_numbers

BORN = dt.date(1962, 8, 5)


def one_by_one(words: str, named: Iterable[Named]) -> str:
    """What `bare_words` says, looking for each line by expressions of its own."""
    told = without_nhs_numbers(words)
    for local, born in named:
        if local is not None and len(local) >= 4:
            told = whole(re.escape(local)).sub(HIDDEN, told)
        if born is not None:
            written = (
                f"{born:%Y-%m-%d}",
                f"0?{born.day}[/. -]0?{born.month}[/. -](?:{born:%Y}|{born:%y})",
                f"0?{born.day}[/. -]{born:%b}[a-z]*[/. -]{born:%Y}",
            )
            told = whole("|".join(written)).sub(f"{born:%Y}", told)
    return told


def whole(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![0-9A-Za-z])(?:{pattern})(?![0-9A-Za-z])", re.IGNORECASE)


@pytest.mark.parametrize(
    ("words", "bare"),
    [
        ("Born 5/8/62.", "Born 1962."),
        ("Born 05.08.1962, and 1962-08-05.", "Born 1962, and 1962."),
        ("Born 5 August 1962", "Born 1962"),
        ("Born 5-AUGUſT-1962", "Born 1962"),
        ("Born 6 August 1962", "Born 6 August 1962"),
        ("h00k1 came late", f"{HIDDEN} came late"),
        ("H00K12 did not", "H00K12 did not"),
        ("H00\N{KELVIN SIGN}1: £12 – paid", f"{HIDDEN}: £12 – paid"),
    ],
)
def test_a_line_s_number_and_birth_date_are_taken_out(words: str, bare: str) -> None:
    assert bare_words(words, [("H00K1", BORN)]) == bare


def test_what_is_left_of_one_day_may_be_another_s() -> None:
    named = [(None, dt.date(1962, 2, 1)), (None, dt.date(1962, 6, 5))]

    assert bare_words("5/6/1/2/1962", named) == one_by_one("5/6/1/2/1962", named) == "1962"


def test_words_are_bared_as_by_looking_for_each_line_alone() -> None:
    chance = random.Random(6)
    parts = ["/", ".", "-", " ", "1", "2", "02", "12", "62", "1962", "2", "Feb", "DECEMBER"]
    parts += ["AB12", "ab", "é9é9", "İ123", "i123", "ſ", "£", ", "]
    changed = 0
    for _ in range(3_000):
        words = "".join(chance.choices(parts, k=14))
        named: list[Named] = [
            (
                chance.choice([None, "AB12", "ab 12", "é9é9", "i123", "1262", "12/2"]),
                chance.choice([None, dt.date(1962, 2, 1), dt.date(1962, 12, 2), BORN]),
            )
            for _ in range(3)
        ]
        told = bare_words(words, named)
        assert told == one_by_one(words, named), (words, named)
        changed += told != words
    assert changed > 300


def test_the_lines_of_a_large_challenge_are_not_looked_for_one_by_one() -> None:
    named = [(f"H{n:06}", dt.date(1940, 1, 1) + dt.timedelta(days=n)) for n in range(5_000)]
    words = "H004321 was born on 30/10/1951; invoice 20260105 of 5/1/2026 is paid. " * 20
    started = time.process_time()

    told = bare_words(words, named)

    assert "H004321" not in told
    assert "30/10/1951" not in told
    assert time.process_time() - started < 1, "an expression for each line takes some seconds"
