"""The first wall of the criteria language: characters, words and caps, before any parsing.

Only what this file lets through reaches the SQL parser, and every name reaches it quoted, so a
question may be called `on` or `end` without being read as SQL.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import NoReturn

from app.policy.errors import ExpressionRefused
from app.policy.functions import FUNCTIONS as FUNCTIONS_BY_NAME

MAX_LENGTH = 2000
MAX_TOKENS = 500
MAX_DEPTH = 24
MAX_DIGITS = 18

KEYWORDS = frozenset({"AND", "OR", "NOT", "BETWEEN", "IN", "TRUE", "FALSE", "DATE"})
FUNCTIONS = frozenset({"DAYS_BETWEEN", "ADD_MONTHS", "AT_LEAST"})
FUNCTIONS_2 = frozenset(FUNCTIONS_BY_NAME)
"""Functions of language version 2. A bracket makes them so: `round` alone is still a name."""
FUNCTION_MARK = "ASSENT_"
"""Stands before them for the SQL parser, which must not read its own functions into ours."""

_NO_PATTERNS = "ask a choice question and compare with its options"
_NO_NULLS = (
    "leave it out: a missing answer already makes the criterion “not answered”, "
    "never met and never failed"
)
_NO_SUBQUERIES = "count over a list in `derive:` and compare the count"
_NO_CASTS = "state the right type in the question instead"
_NO_CLOCK = "compare with decision_to_treat: a rule never reads the clock"
_DAYS_INSTEAD = "write DAYS_BETWEEN(earlier, later) or ADD_MONTHS(day, months)"
_PLAIN = "use AND, OR, NOT, comparisons, BETWEEN, IN, AT_LEAST, DAYS_BETWEEN, ADD_MONTHS"

REFUSED_WORDS: dict[str, tuple[str, str, str]] = {
    **{
        word: ("subquery", f"{word} is not in the language", _NO_SUBQUERIES)
        for word in ("SELECT", "FROM", "WHERE", "EXISTS", "ANY", "ALL", "SOME", "UNNEST", "WITH")
    },
    **{
        word: ("null-test", f"{word} is not in the language", _NO_NULLS)
        for word in ("IS", "NULL", "ISNULL", "NOTNULL", "UNKNOWN")
    },
    **{
        word: ("pattern", f"{word} is not in the language", _NO_PATTERNS)
        for word in ("LIKE", "ILIKE", "RLIKE", "REGEXP", "SIMILAR", "GLOB", "ESCAPE")
    },
    **{
        word: ("case", f"{word} is not in the language", "use AND and OR between plain tests")
        for word in ("CASE", "WHEN", "THEN", "ELSE")
    },
    **{
        word: ("cast", f"{word} is not in the language", _NO_CASTS)
        for word in ("CAST", "TRY_CAST", "CONVERT", "COLLATE")
    },
    **{
        word: ("clock", f"{word} is not in the language", _NO_CLOCK)
        for word in (
            "CURRENT_DATE",
            "CURRENT_TIME",
            "CURRENT_TIMESTAMP",
            "LOCALTIME",
            "LOCALTIMESTAMP",
        )
    },
    "INTERVAL": ("interval", "INTERVAL is not in the language", _DAYS_INSTEAD),
    "TIMESTAMP": ("interval", "TIMESTAMP is not in the language", _DAYS_INSTEAD),
    "SYMMETRIC": (
        "between-symmetric",
        "BETWEEN SYMMETRIC is not in the language",
        "write BETWEEN with the lower bound first",
    ),
    **{
        word: ("infinity", f"{word} is not a number a person can be", "write the number itself")
        for word in ("INFINITY", "INF", "NAN")
    },
    **{
        word: ("operator", f"{word} is not in the language", _PLAIN)
        for word in ("XOR", "DIV", "MOD", "AS", "DISTINCT", "OVER")
    },
}

_BEFORE_BRACKETS = KEYWORDS - {"TRUE", "FALSE", "DATE"}
_DATE_PARTS = frozenset({"YEAR", "MONTH", "DATEDIFF", "DATE_DIFF", "MONTHS_BETWEEN", "AGE"})

RESERVED = frozenset(word.lower() for word in (*KEYWORDS, *FUNCTIONS, *REFUSED_WORDS))
RESERVED_2 = RESERVED | {word.lower() for word in FUNCTIONS_2}
"""The words that a file of language version 2 may not take as names."""

_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n]+)
      | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<number>[0-9]+(?:\.[0-9]+)?)
      | (?P<string>'[^']*')
      | (?P<comment>--|/\*|\#|//)
      | (?P<operator><=>|<=|>=|<>|!=|==|[=<>+\-*/(),])""",
    re.VERBOSE | re.ASCII,
)
_OPTION = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _./+-]{0,59}", re.ASCII)

_REFUSED_CHARACTERS = {
    ";": ("semicolon", "one expression only: “;” is not in the language", "join tests with AND"),
    '"': ("quoted-name", "names stand without quotation marks", "write the question's name as is"),
    "`": ("quoted-name", "names stand without quotation marks", "write the question's name as is"),
    "[": ("quoted-name", "square brackets are not in the language", "write the name as is"),
    "?": ("placeholder", "placeholders are not in the language", "name the question"),
    "$": ("placeholder", "placeholders are not in the language", "name the question"),
    "@": ("placeholder", "placeholders are not in the language", "name the question"),
    ":": ("cast", "“:” is not in the language (no casts, no placeholders)", _NO_CASTS),
    "|": ("operator", "“|” is not in the language", "use OR between tests"),
    "&": ("operator", "“&” is not in the language", "use AND between tests"),
    "'": ("text", "a quotation mark is not closed", "close it: 'option'"),
    ".": ("dotted-name", "names have no dots", "name the question alone"),
}


def refuse(code: str, message: str, mend: str) -> NoReturn:
    """Raise the refusal of an expression."""
    raise ExpressionRefused(code, message, mend)


def scan(text: str) -> str:
    """Check an expression's characters, words and caps; return it with every name quoted.

    Raises ExpressionRefused at the first thing that is outside the language.
    """
    if len(text) > MAX_LENGTH:
        refuse(
            "too-long",
            f"the expression is over {MAX_LENGTH} characters",
            "split it into several criteria or derived values",
        )
    tokens = _tokens(text)
    if not tokens:
        refuse("empty", "the expression is empty", "write a test, for example `edss <= 6.5`")
    if len(tokens) > MAX_TOKENS:
        refuse(
            "too-long",
            f"the expression has over {MAX_TOKENS} words and signs",
            "split it into several criteria or derived values",
        )
    followed = [token for _, token in tokens[1:]] + [""]
    checked = " ".join(
        _checked(kind, token, after) for (kind, token), after in zip(tokens, followed, strict=True)
    )
    _check_depth(tokens)
    _check_neighbours(tokens)
    return checked


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens: list[tuple[str, str]] = []
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            _refuse_character(text[at])
        at = found.end()
        kind = str(found.lastgroup)
        if kind == "comment":
            refuse("comment", "comments are not in the language", "use the criterion's `text:`")
        if kind != "space":
            tokens.append((kind, found.group()))
    return tokens


def _refuse_character(character: str) -> NoReturn:
    if character in _REFUSED_CHARACTERS:
        refuse(*_REFUSED_CHARACTERS[character])
    shown = character if character.isascii() and character.isprintable() else ascii(character)
    refuse("character", f"the character {shown} is not in the language", _PLAIN)


def _checked(kind: str, token: str, following: str) -> str:
    """One token as the parser may see it."""
    if kind == "word":
        return _checked_word(token, following)
    if kind == "number" and len(token) > MAX_DIGITS:
        refuse("number", f"a number has over {MAX_DIGITS} digits", "write a number a form can hold")
    if kind == "string" and _OPTION.fullmatch(token[1:-1]) is None:
        refuse(
            "text",
            "a quoted word holds something other than an option's key",
            "quote an option's key: letters, digits, “_”, “-”, at most 60 characters",
        )
    if token in ("==", "!=", "<=>"):
        mend = "write <>" if token == "!=" else "write ="
        refuse("operator", f"“{token}” is not in the language", mend)
    return token


def _checked_word(token: str, following: str) -> str:
    upper = token.upper()
    if upper in REFUSED_WORDS:
        refuse(*REFUSED_WORDS[upper])
    if upper in FUNCTIONS_2 and following == "(":
        return FUNCTION_MARK + upper
    return upper if upper in KEYWORDS or upper in FUNCTIONS else f'"{token}"'


def _check_depth(tokens: list[tuple[str, str]]) -> None:
    """Refuse deep nesting before the parser recurses: brackets, and chains of NOT and minus."""
    levels = [0]
    for _, token in tokens:
        if token == "(":
            levels.append(0)
        elif token == ")":
            if len(levels) == 1:
                refuse("brackets", "a bracket closes that was never opened", "balance the brackets")
            levels.pop()
        elif token.upper() == "NOT" or token == "-":
            levels[-1] += 1
        elif token.upper() in ("AND", "OR") or token == ",":
            levels[-1] = 0
        if len(levels) - 1 + sum(levels) > MAX_DEPTH:
            refuse(
                "too-deep",
                f"the expression is nested over {MAX_DEPTH} levels deep",
                "split it into derived values",
            )
    if len(levels) > 1:
        refuse("brackets", "a bracket is never closed", "balance the brackets")


def _check_neighbours(tokens: list[tuple[str, str]]) -> None:
    """Refuse what two tokens side by side give away: odd calls, and values with nothing between."""
    for (kind, token), (next_kind, following) in pairwise([*tokens, ("", "")]):
        if kind == "word" and following == "(":
            _check_call(token.upper())
        elif token.upper() in FUNCTIONS:
            refuse("function", f"{token} needs its arguments in brackets", f"write {token}(…)")
        if _is_value(kind, token) and _is_value(next_kind, following):
            if kind == "number":
                refuse("number", "a number runs into a word", "write it in plain digits, like 0.5")
            refuse("unreadable", "two names or values stand side by side", "put AND or OR between")


def _is_value(kind: str, token: str) -> bool:
    return kind in ("number", "string") or (kind == "word" and token.upper() not in KEYWORDS)


def _check_call(word: str) -> None:
    if word in _DATE_PARTS:
        refuse(
            "date-parts",
            "differences in months or years are not in the language",
            "compare with ADD_MONTHS(day, months), which says where the boundary lies",
        )
    if word not in FUNCTIONS | FUNCTIONS_2 and word not in _BEFORE_BRACKETS:
        refuse("function", f"there is no function {word[:60]}", _PLAIN)
