"""The fields' types and their JSON Schemas accept exactly the same."""

from decimal import Decimal
from typing import Any

import jsonschema
import pytest
from pydantic import TypeAdapter, ValidationError

from app.api.types import Day, ExactNumber, OrganisationCode, PlainText

CASES: list[tuple[Any, Any, bool]] = [
    (Day, "2024-02-29", True),
    (Day, "2023-02-29", False),
    (Day, "2024-2-29", False),
    (Day, "2024-W01-1", False),
    (Day, "２０２４-02-29", False),
    (ExactNumber, "6.4", True),
    (ExactNumber, "-0.00000001", True),
    (ExactNumber, 7, True),
    (ExactNumber, Decimal("6.40"), True),
    (ExactNumber, "6,4", False),
    (ExactNumber, "1e3", False),
    (ExactNumber, ".5", False),
    (ExactNumber, "٣", False),
    (ExactNumber, True, False),
    (ExactNumber, None, False),
    (ExactNumber, 10**15, False),
    (PlainText, "two\nlines, naïve", True),
    (PlainText, "", False),
    (PlainText, "a\x07", False),
    (PlainText, "x" * 2001, False),
    (OrganisationCode, "RX1", True),
    (OrganisationCode, "rx1", False),
    (OrganisationCode, "RX1 ", False),
]


@pytest.mark.parametrize(
    ("number", "written"),
    [("0.00000000", "0.00000000"), ("6.40", "6.40"), ("1E+3", "1000"), ("-1E-8", "-0.00000001")],
)
def test_exact_numbers_are_written_in_full_without_an_exponent(number: str, written: str) -> None:
    assert TypeAdapter(ExactNumber).dump_python(Decimal(number), mode="json") == written


@pytest.mark.parametrize(("type_", "value", "accepted"), CASES)
def test_the_type_and_its_schema_agree(type_: Any, value: Any, accepted: bool) -> None:
    adapter = TypeAdapter(type_)
    checker = jsonschema.FormatChecker()
    schema = jsonschema.Draft202012Validator(adapter.json_schema(), format_checker=checker)

    try:
        adapter.validate_python(value)
        read = True
    except ValidationError:
        read = False

    assert read is accepted
    assert schema.is_valid(value) is accepted
