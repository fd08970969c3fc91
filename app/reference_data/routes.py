"""Routes of administration by their SNOMED CT codes, which dm+d uses too.

The packaged table holds routes of which no two are one: only they can be told to differ.
"""

from functools import lru_cache
from typing import Final

from app.reference_data.clinical_code import read_code
from app.reference_data.data_files import read_rows

_COLUMNS = ("code", "name", "source")
_ROUTE: Final = " route"  # as SNOMED CT ends its names
_REMEMBERED: Final = 4_096  # a national feed had 1,213 distinct texts


@lru_cache(maxsize=_REMEMBERED)
def code_stated(text: str | None) -> str | None:
    """The code on a line; None where it is absent, damaged, or words of any kind."""
    return read_code(text)


@lru_cache(maxsize=_REMEMBERED)
def code_approved(text: str | None) -> str | None:
    """The code that an approval states, or that of the very name that it states.

    Approvals are written by people who choose no codes: "subcutaneous" or "Subcutaneous route" is
    read, and nothing else is guessed.
    """
    if (code := read_code(text)) is not None or text is None:
        return code
    words = " ".join(text.casefold().split()).removesuffix(_ROUTE)
    return next((code for code, name in load_routes().items() if name == words), None)


def name_of(code: str) -> str | None:
    """The name of a route of the table; None of any other code."""
    return load_routes().get(code)


@lru_cache(maxsize=1)
def load_routes() -> dict[str, str]:
    """Code → name. Raises ReferenceDataFault where a row is at fault or repeated."""
    found: dict[str, str] = {}
    for row in read_rows("routes.csv", _COLUMNS):
        code, name = row.required("code"), row.required("name")
        if read_code(code) is None:
            raise row.fault(f"{code} is no code", "Write the SNOMED CT code of the route")
        if code in found or name in found.values():
            raise row.fault(f"{code} or {name} stands twice", "Leave one of them out")
        found[code] = name
    return found
