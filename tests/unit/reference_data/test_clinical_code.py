import pytest

from app.reference_data.clinical_code import read_code, verhoeff_ok

NATALIZUMAB_VIAL = "36030311000001108"


@pytest.mark.parametrize(
    "text", [NATALIZUMAB_VIAL, f" {NATALIZUMAB_VIAL} ", f"'{NATALIZUMAB_VIAL}"]
)
def test_a_whole_code_is_read(text: str) -> None:
    assert read_code(text) == NATALIZUMAB_VIAL


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "3.60303E+16",
        "3.60303110000011E+16",
        "36030311000001100",  # a spreadsheet's fifteen digits, then zeros
        "36030311000001000",
        "36030311000001109",  # wrong check digit
        "36030311000011008",  # two digits changed places
        "36030311000001108.0",
        "036030311000001108",
        "36030311000001118",  # not a concept's partition
        "٣٦٠٣٠٣١١٠٠٠٠٠١١٠٨",
        "12345",
        "L04AA23",
    ],
)
def test_a_damaged_or_foreign_code_is_not_read(text: str | None) -> None:
    assert read_code(text) is None


def test_every_single_wrong_digit_is_caught_by_the_check_digit() -> None:
    for place, right in enumerate(NATALIZUMAB_VIAL):
        for wrong in set("0123456789") - {right}:
            code = NATALIZUMAB_VIAL[:place] + wrong + NATALIZUMAB_VIAL[place + 1 :]
            assert not verhoeff_ok(code)
