"""The approval reference: short, random, and any slip of the keyboard shows."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.approvals.reference import (
    _CHECK_ALPHABET,
    LENGTH,
    PREFIX,
    check_character,
    is_reference,
    mint,
)

references = st.binary(min_size=8, max_size=8).map(lambda drawn: mint(lambda _size: drawn))


@given(references)
def test_a_reference_fits_the_invoice_field_and_is_well_formed(reference: str) -> None:
    assert len(reference) == LENGTH == 15
    assert reference.startswith(PREFIX)
    assert reference.isascii()
    assert reference.isalnum()
    assert reference == reference.upper()
    assert is_reference(reference)


@given(references)
def test_every_single_wrong_character_is_caught(reference: str) -> None:
    for place, wrong in itertools.product(range(LENGTH), _CHECK_ALPHABET):
        if wrong != reference[place]:
            assert not is_reference(reference[:place] + wrong + reference[place + 1 :])


@given(references)
def test_every_swap_of_neighbours_is_caught(reference: str) -> None:
    for place in range(LENGTH - 1):
        one, two = reference[place], reference[place + 1]
        if one != two:
            swapped = reference[:place] + two + one + reference[place + 2 :]
            assert not is_reference(swapped)


@given(st.text())
def test_no_text_is_a_reference_by_accident_of_its_form(text: str) -> None:
    """Whatever is accepted is a prefix, twelve characters of the alphabet, and their check."""
    if is_reference(text):
        assert check_character(text[:-1]) == text[-1]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "PA",
        "PA000000000000",
        "pa0000000000000",
        "PAIIIIIIIIIIII0",
        "PA00000000000é0",
        "PA٠٠٠٠٠٠٠٠٠٠٠٠0",
        "PA0000000000000\n",
        " PA000000000000",
        "XX0000000000000",
        "PA------------0",
        "PA00000000000**",
    ],
)
def test_garbage_is_no_reference(text: str) -> None:
    assert not is_reference(text)


@pytest.mark.parametrize(("body", "check"), [("G123489654321", "Y"), ("A999914123456", "N")])
def test_the_check_character_is_that_of_the_standard(body: str, check: str) -> None:
    """Donation numbers of ISBT 128, whose check character is also MOD 37-2."""
    assert check_character(body) == check


@given(st.integers(0, 2**64 - 1))
def test_any_draw_gives_a_reference_and_another_draw_mostly_another(drawn: int) -> None:
    def reference(bits: int) -> str:
        return mint(lambda _size: (bits % 2**64).to_bytes(8, "big"))

    assert is_reference(reference(drawn))
    assert reference(drawn) != reference(drawn + 2)
