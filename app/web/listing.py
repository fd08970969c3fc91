"""What a list of the home page is, and the words that all of them share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from app.approvals.library import Library
from app.auth.model import Caller
from app.db.work import Work
from app.reference_data.drugs import load_drugs
from app.web.home_patients import HEAD, Told
from app.web.words import first_upper

#: A heading counts no further.
MOST: Final = 200


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that waits. `continues` is the treatment that a button there continues, `starts`
    the one whose first dose is still to be recorded."""

    text: str
    href: str
    cells: tuple[str, ...]
    continues: str | None = None
    starts: str | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks for lists, and what is read for them."""

    work: Work
    library: Library
    caller: Caller
    told: Told


@dataclass(frozen=True, slots=True)
class Part:
    """Some rows of a list, and the place behind which its next page goes on; None at its end."""

    heads: tuple[str, ...]
    rows: tuple[Row, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class Listing:
    """A list: its name in addresses, its title, what stands where it is empty, and its readers.

    `read` takes a place or None and a number of rows; `count` counts up to MOST.
    """

    name: str
    title: str
    empty: str
    read: Callable[[Asked, str | None, int], Part]
    count: Callable[[Asked], int]


def drug_words(key: str) -> str:
    """A drug as lists name it, by its key."""
    known = load_drugs().drugs.get(key)
    return first_upper(known.name if known else key)


def treatment_words(library: Library, drug: str, policy: str, indication: str) -> str:
    """A treatment as lists name it: "Adalimumab, rheumatoid arthritis"."""
    if policy in library.usable():
        indication = library.versions(policy)[-1].indication.term
    return f"{drug_words(drug)}, {indication}"


def with_patients(
    heads: tuple[str, ...], rows: tuple[Row, ...], patients: Sequence[str], unnamed: str
) -> tuple[tuple[str, ...], tuple[Row, ...]]:
    """The list with a column of whom each row concerns; as it is where none is named.

    `unnamed` stands where one row alone names nobody.
    """
    if not any(patients):
        return heads, rows
    named = zip(rows, patients, strict=True)
    return (
        (heads[0], HEAD, *heads[1:]),
        tuple(replace(row, cells=(who or unnamed, *row.cells)) for row, who in named),
    )
