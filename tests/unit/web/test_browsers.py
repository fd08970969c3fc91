"""Which browser it is, in words of ours and nothing else."""

import pytest

from app.web.browsers import LONGEST, browser_words

WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (f"Mozilla/5.0 (Windows NT 10.0) {WEBKIT} Chrome/140.0 Safari/537.36", "Chrome on Windows"),
        (
            f"Mozilla/5.0 (Windows NT 10.0) {WEBKIT} Chrome/140.0 Safari/537.36 Edg/140.0",
            "Edge on Windows",
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0; rv:140.0) Gecko/20100101 Firefox/140.0",
            "Firefox on Windows",
        ),
        (
            f"Mozilla/5.0 (Macintosh; Intel Mac OS X) {WEBKIT} Version/18.0 Safari/605.1",
            "Safari on a Mac",
        ),
        (
            f"Mozilla/5.0 (iPad; CPU OS 18_0) {WEBKIT} CriOS/140.0 Mobile Safari/604.1",
            "Chrome on an iPad",
        ),
        (
            f"Mozilla/5.0 (Linux; Android 15) {WEBKIT} SamsungBrowser/27.0 Chrome/130.0",
            "Samsung Internet on Android",
        ),
        (
            f"Mozilla/5.0 (X11; CrOS x86_64) {WEBKIT} Chrome/140.0 Safari/537.36",
            "Chrome on a Chromebook",
        ),
        ("curl/8.0", None),
        ("", None),
        ("something on Windows", "A browser on Windows"),
        ("x" * 600 + " Firefox/1", None),
    ],
)
def test_a_browser_is_told_in_plain_words(said: str, words: str | None) -> None:
    assert browser_words(said) == words
    assert len(words or "") <= LONGEST
