"""Who pays for a treatment, and from which day on, as its page says it."""

import datetime as dt
from types import SimpleNamespace
from typing import Any

import pytest

from app.web.treatments import payers_words


def document(*days: tuple[str, str]) -> Any:
    segments = [
        SimpleNamespace(kind=kind, commissioner=payer, from_day=dt.date(2026, number + 1, 1))
        for number, (kind, payer) in enumerate(days)
    ]
    return SimpleNamespace(commissioner="NOW", segments=segments)


@pytest.mark.parametrize(
    ("days", "words"),
    [
        ((), "NOW"),
        ((("coverage", "A"), ("coverage", "A")), "NOW"),
        ((("coverage", "A"), ("pause", "A"), ("coverage", "B")), "A, B from 1 March 2026"),
        (
            (("coverage", "A"), ("coverage", "B"), ("coverage", "A")),
            "A, B from 1 February 2026, A from 1 March 2026",
        ),
    ],
)
def test_the_page_says_who_pays_from_when(days: tuple[tuple[str, str], ...], words: str) -> None:
    assert payers_words(document(*days)) == words
