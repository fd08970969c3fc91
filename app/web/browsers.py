"""Which browser it is, in a few plain words: what a person needs to know their own sessions by.

Pure. The words are ours, from two short lists, whatever a browser calls itself: no release, no
device and nothing that the sender chose is kept.
"""

import re
from typing import Final

LONGEST: Final = 40  # characters, as the column that keeps it
#: The first that fits: most browsers call themselves by the names of others too.
_NAMES: Final = (
    (re.compile(r"\bEdg(e|A|iOS)?/"), "Edge"),
    (re.compile(r"\b(OPR|Opera)/"), "Opera"),
    (re.compile(r"\bSamsungBrowser/"), "Samsung Internet"),
    (re.compile(r"\b(Firefox|FxiOS)/"), "Firefox"),
    (re.compile(r"\b(Chrome|Chromium|HeadlessChrome|CriOS)/"), "Chrome"),
    (re.compile(r"\bVersion/\S+ .*\bSafari/"), "Safari"),
)
_SYSTEMS: Final = (
    (re.compile(r"\bWindows\b"), "Windows"),
    (re.compile(r"\biPhone\b"), "an iPhone"),
    (re.compile(r"\biPad\b"), "an iPad"),
    (re.compile(r"\bAndroid\b"), "Android"),
    (re.compile(r"\bCrOS\b"), "a Chromebook"),
    (re.compile(r"\bMacintosh\b"), "a Mac"),
    (re.compile(r"\bLinux\b"), "Linux"),
)
_READ: Final = 500  # characters of what a browser calls itself


def browser_words(user_agent: str) -> str | None:
    """Such as "Edge on Windows"; None where neither is known."""
    said = user_agent[:_READ]
    name = next((words for pattern, words in _NAMES if pattern.search(said)), None)
    system = next((words for pattern, words in _SYSTEMS if pattern.search(said)), None)
    if name is None and system is None:
        return None
    return f"{name or 'A browser'} on {system}" if system else name
