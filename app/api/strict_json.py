"""JSON as RFC 8259 and common sense have it: UTF-8, no duplicate keys, exact numbers, no NaN.

Python's own parser lets duplicate keys, NaN and half surrogates through, and each can make two
readers of one message see two different patients.
"""

import json
from decimal import Decimal
from typing import Any

from app.problems import MALFORMED_JSON, DoorProblem

DEPTH_LIMIT = 32
NUMBER_LENGTH = 40
LARGEST_WHOLE = 10**18
EXPONENT_LIMIT = 400  # beyond what any double can hold


def parse(body: bytes) -> Any:
    """The value of a JSON text, with every number that is not whole as Decimal.

    Raises DoorProblem(MALFORMED_JSON) that says where, but never repeats the text.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _malformed(f"byte {error.start} is not UTF-8", "Encode the body as UTF-8") from None
    try:
        value = json.loads(
            text,
            parse_float=_decimal,
            parse_int=_integer,
            parse_constant=_no_constant,
            object_pairs_hook=_object,
        )
    except json.JSONDecodeError as error:
        raise _malformed(
            f"it cannot be read at line {error.lineno}, column {error.colno}", "Correct it there"
        ) from None
    except RecursionError:
        raise _too_deep() from None
    # Without an escape no text can hold what is refused: UTF-8 has no half surrogates, and JSON no
    # bare NUL.
    _check(value, texts="\\u" in text)
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _malformed("an object has the same key twice", "Give each key once")
    return found


def _integer(text: str) -> int:
    if len(text) > NUMBER_LENGTH:
        raise _malformed(f"a number has over {NUMBER_LENGTH} characters", "Shorten it")
    return int(text)


def _decimal(text: str) -> Decimal | int:
    if len(text) > NUMBER_LENGTH:
        raise _malformed(f"a number has over {NUMBER_LENGTH} characters", "Shorten it")
    value = Decimal(text)
    if abs(value.adjusted()) > EXPONENT_LIMIT:
        raise _malformed("a number's exponent is out of range", "Write it without an exponent")
    # To JSON Schema 1.0 is an integer; so it is here.
    if value == value.to_integral_value() and abs(value) < LARGEST_WHOLE:
        return int(value)
    return value


def _no_constant(_text: str) -> Any:
    raise _malformed("NaN and Infinity are not JSON", "Leave the value out, or send null")


def _check(value: Any, *, texts: bool) -> None:
    """Refuse nesting beyond the limit, and `texts` that cannot be stored; without recursion."""
    level, depth = [value], 0
    while level:
        depth += 1
        inner: list[Any] = []
        for item in level:
            if type(item) is dict or type(item) is list:
                if depth > DEPTH_LIMIT:
                    raise _too_deep()
                inner.extend(item.values() if type(item) is dict else item)
                if texts and type(item) is dict:
                    for key in item:
                        _check_text(key)
            elif texts and type(item) is str:
                _check_text(item)
        level = inner


def _check_text(text: str) -> None:
    if "\x00" in text:
        raise _malformed("a text holds the NUL character", "Leave it out")
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise _malformed("a text holds half a surrogate pair", "Escape the whole character")


def _too_deep() -> DoorProblem:
    return _malformed(f"it nests deeper than {DEPTH_LIMIT} levels", "Flatten it")


def _malformed(why: str, mend: str) -> DoorProblem:
    return DoorProblem(
        MALFORMED_JSON, f"The body is not accepted as JSON: {why}. {mend} and send it again."
    )
