"""Knows the headings that part a form: to start, to continue, to stop."""

from __future__ import annotations

import re
from enum import StrEnum


class Phase(StrEnum):
    """When a statement is asked, as far as a heading or a column says so."""

    START = "start"
    CONTINUE = "continue"
    STOP = "stop"
    UNSAID = "unsaid"


_LONGEST = 90
_KEYS = {
    Phase.START: "start starting initiation initial initiating initiate commencing commencement "
    "eligibility inclusion",
    Phase.CONTINUE: "continuation continuing continue continued renewal renewing renew review "
    "reapproval reapplication reassessment followup",
    Phase.STOP: "stop stopping discontinuation discontinuing discontinue cessation ceasing "
    "withdrawal withdrawing",
    Phase.UNSAID: "exclusion exclusions excluded other general additional",
}
_KEY_OF = {word: phase for phase, words in _KEYS.items() for word in words.split()}
_NOUNS = (
    "criteria criterion rule rules section part form request requests application "
    "conditions requirements"
)
_FILL = frozenset(
    f"{_NOUNS} a b c d e i ii iii iv of for the to and or when at in on after with annual first "
    "new existing treatment therapy drug funding approval patient patients people week weeks month "
    "months monthly year years yearly only".split()
)
_TITLE = (
    (Phase.CONTINUE, re.compile(
        r"\b(continuation|renewal|re-?application|follow-up|review)\s+(form|request|application|"
        r"criteria)\b|[(\[–—-]\s*(continuation|renewal)\b", re.I)),
    (Phase.STOP, re.compile(r"\b(stopping|discontinuation)\s+(form|request|criteria)\b", re.I)),
    (Phase.START, re.compile(
        r"\b(initiation|initial)\s+(form|request|application|criteria)\b|"
        r"[(\[–—-]\s*(initiation|initial request)\b", re.I)),
)  # fmt: skip


def phase_of_heading(text: str, numbered: bool = False) -> Phase | None:
    """What a heading opens, or None where the text is no heading.

    A heading is made of its own few words only, so that no statement is taken for one. One that
    opens several phases, or exclusions, is UNSAID: what stands below it goes by its own words. A
    numbered line must also call itself criteria, rules, a section or the like.
    """
    if len(text) > _LONGEST or "\n" in text:
        return None
    words = re.findall(r"[a-z]+", re.sub(r"\b(follow|re)-", r"\1", text.lower()))
    if not words or any(word not in _FILL and word not in _KEY_OF for word in words):
        return None
    if numbered and not set(words).intersection(_NOUNS.split()):
        return None
    phases = {_KEY_OF[word] for word in words if word in _KEY_OF}
    if not phases:
        return None
    return phases.pop() if len(phases) == 1 else Phase.UNSAID


def phase_of_title(title: str) -> Phase | None:
    """What a whole form is for where its title says so: a continuation form, say."""
    found = [phase for phase, pattern in _TITLE if pattern.search(title)]
    return found[0] if len(found) == 1 else None
