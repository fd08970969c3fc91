"""The strict reader agrees with Python's own wherever both accept, and accepts less."""

import contextlib
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.api.strict_json import DEPTH_LIMIT, parse
from app.problems import DoorProblem

TEXT = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]))
SCALARS = st.none() | st.booleans() | st.integers(-(10**18), 10**18) | TEXT
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner), max_leaves=20
)


@given(VALUES)
def test_what_python_writes_is_read_back(value: Any) -> None:
    assert parse(json.dumps(value).encode()) == value
    assert parse(json.dumps(value, ensure_ascii=False).encode()) == value


@given(
    st.decimals(allow_nan=False, allow_infinity=False, places=8, min_value=-1e15, max_value=1e15)
)
def test_decimals_keep_every_digit(number: Decimal) -> None:
    read = parse(f"[{number:f}]".encode())[0]

    assert not isinstance(read, float)
    assert Decimal(read) == number


@pytest.mark.parametrize("text", ["1.0", "1e2", "-3.00", "0.0"])
def test_a_whole_number_is_whole_however_it_is_written(text: str) -> None:
    read = parse(text.encode())

    assert isinstance(read, int)
    assert read == Decimal(text)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_double_can_be_sent(number: float) -> None:
    assert float(parse(json.dumps(number).encode())) == number


@given(st.binary(max_size=60))
def test_any_bytes_give_a_value_or_a_named_refusal(body: bytes) -> None:
    with contextlib.suppress(DoorProblem):
        parse(body)


def test_nesting_is_taken_up_to_the_limit() -> None:
    deepest = b"[" * DEPTH_LIMIT + b"]" * DEPTH_LIMIT

    parse(deepest)
    with pytest.raises(DoorProblem, match="deeper"):
        parse(b"[" + deepest + b"]")


@pytest.mark.parametrize("body", [b'{"a":1,"a":1}', b'[{"x":{"a":1,"\\u0061":2}}]'])
def test_a_key_that_comes_twice_is_refused_however_it_is_spelt(body: bytes) -> None:
    with pytest.raises(DoorProblem, match="same key twice"):
        parse(body)
