"""Routes of administration are read by code, and of approvals by their very names."""

import pytest

from app.reference_data.routes import code_approved, code_stated, load_routes, name_of

INTRAVENOUS, SUBCUTANEOUS = "47625008", "34206005"


@pytest.mark.parametrize(
    ("text", "on_a_line", "on_an_approval"),
    [
        (INTRAVENOUS, INTRAVENOUS, INTRAVENOUS),
        ("'34206005", SUBCUTANEOUS, SUBCUTANEOUS),
        ("Subcutaneous", None, SUBCUTANEOUS),
        ("  INTRAVENOUS   route", None, INTRAVENOUS),
        ("intravenous or subcutaneous", None, None),
        ("IV", None, None),
        ("47625009", None, None),  # its check digit is wrong
        ("38239002", "38239002", "38239002"),
        ("", None, None),
        (None, None, None),
    ],
)
def test_a_route_is_read_and_never_guessed(
    text: str | None, on_a_line: str | None, on_an_approval: str | None
) -> None:
    assert (code_stated(text), code_approved(text)) == (on_a_line, on_an_approval)


def test_only_routes_of_the_table_have_a_name() -> None:
    assert name_of(INTRAVENOUS) == "intravenous"
    assert name_of("38239002") is None
    assert len(load_routes()) == 6
