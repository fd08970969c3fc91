"""Did-you-mean: one wording for every place where a name is not known."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches

#: Lower case, digits in short runs: no NHS number, no hospital number, no name as it is written.
_LIKE_OURS = re.compile("(?=[a-z])(?:[a-z_]|[0-9]{1,3}(?![0-9])){1,60}")
HIDDEN = "(a name that is not shown)"
#: How alike a name must be to a known one to be shown as a slip of the pen.
NEAR = 0.75


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A mend naming the nearest known names, or a few of them where none is near."""
    choices = sorted(known)
    near = get_close_matches(word[:80], choices, n=2, cutoff=0.6)
    if near:
        return f"Did you mean {' or '.join(near)}?"
    if not choices:
        return "None is known here."
    more = ", …" if len(choices) > 8 else ""
    return f"Known here: {', '.join(choices[:8])}{more}"


def printable(name: object, most: int = 60) -> str:
    """A name as it may be shown in a message: short, and free of control characters."""
    if not isinstance(name, str):
        return "a name that is not text"
    return "".join(character for character in name[:most] if character.isprintable())


def named(name: object, known: Iterable[str]) -> str:
    """A name that a caller sent, for a message to that caller.

    Anything can be sent as a name, a patient's own too. It is shown only where it is written as
    the names of questions and fields are and is one of those known or near one, so that a slip of
    the pen can be found.
    """
    if not isinstance(name, str):
        return printable(name)
    is_ours = _LIKE_OURS.fullmatch(name) is not None
    return name if is_ours and get_close_matches(name, known, n=1, cutoff=NEAR) else HIDDEN
