"""Layouts of a submission as dated data files: reads and checks them, and recognises headers."""

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import yaml

from app.reconciliation.errors import LayoutFault

LAYOUT_FILES = ("drplcm-v3.yaml", "drplcm-v1.yaml")
VARIANTS_FILE = "header-variants.yaml"
PSEUDONYMS_FILE = "pseudonym-columns.yaml"
OWN_COLUMN = "ASSENT "
BEYOND = "(beyond the header)"  # written by `returned` above cells that had no header

# Without these a row can neither be recognised nor counted.
NEEDED = ("total_cost",)
FEWEST_RECOGNISED = 3


@dataclass(frozen=True, slots=True)
class Layout:
    """One version of the layout: official header names by field, and names known but not read.

    `from_` and `to` are the first and last day of the activity that it was made for.
    """

    name: str
    from_: dt.date
    to: dt.date | None
    fields: Mapping[str, tuple[str, ...]]
    not_read: frozenset[str]


@dataclass(frozen=True, slots=True)
class Header:
    """A recognised header: for each field its columns, the most official name first."""

    layout: str
    columns: Mapping[str, tuple[int, ...]]
    recognised: int

    @property
    def usable(self) -> bool:
        """Whether lines can be read under it."""
        has_drug = "drug_code" in self.columns or "drug_name" in self.columns
        return (
            has_drug
            and all(n in self.columns for n in NEEDED)
            and (self.recognised >= FEWEST_RECOGNISED)
        )

    def missing(self) -> tuple[str, ...]:
        """What keeps the header from being usable, in the data dictionary's words."""
        lacks = [] if "total_cost" in self.columns else ["TOTAL COST"]
        if "drug_code" not in self.columns and "drug_name" not in self.columns:
            lacks.append("DRUG NAME or HIGH COST TARIFF EXCLUDED DRUG CODE")
        return tuple(lacks)


def normal(name: str) -> str:
    """A header name as compared: letters and digits only, case folded."""
    return re.sub(r"[^a-z0-9]", "", name.casefold())


def packaged(file: str) -> Any:
    """The parsed YAML of a packaged data file."""
    text = (resources.files("app.reconciliation") / "layouts" / file).read_text(encoding="utf-8")
    return yaml.safe_load(text)


@cache
def layouts() -> tuple[Layout, ...]:
    """Every layout, newest first."""
    return tuple(_layout(file) for file in LAYOUT_FILES)


def _layout(file: str) -> Layout:
    data = packaged(file)
    fields = {name: tuple(normal(h) for h in heads) for name, heads in data["fields"].items()}
    _check_one_meaning(file, fields)
    dates = data["in_force"]
    not_read = frozenset(normal(n) for n in data["not_read"])
    return Layout(data["layout"], dates["from"], dates["to"], fields, not_read)


def layout_named(name: str) -> Layout:
    """The layout of that name."""
    return next(layout for layout in layouts() if layout.name == name)


@cache
def variants() -> Mapping[str, tuple[str, ...]]:
    """Header names in use beside the official ones, by field."""
    data = packaged(VARIANTS_FILE)["fields"]
    fields = {name: tuple(normal(h) for h in heads) for name, heads in data.items()}
    _check_one_meaning(VARIANTS_FILE, fields)
    return fields


@cache
def pseudonym_columns() -> Mapping[str, tuple[str, ...]]:
    """Header names of pseudonyms, which are this service's own, by field."""
    data = packaged(PSEUDONYMS_FILE)["fields"]
    return {name: tuple(normal(h) for h in heads) for name, heads in data.items()}


def _check_one_meaning(file: str, fields: Mapping[str, Sequence[str]]) -> None:
    meaning: dict[str, str] = {}
    for field, names in fields.items():
        for name in names:
            if meaning.setdefault(name, field) != field:
                raise LayoutFault(
                    file,
                    f"the header {name} stands under {meaning[name]} and {field}",
                    "Keep it under the one field that it means",
                )


def recognise_header(cells: Sequence[str], reference_headers: Sequence[str] = ()) -> Header:
    """The layout whose names fit these cells best, the newest of equals.

    `reference_headers` names the columns that carry the approval reference where a commissioner
    has agreed another carrier than PROVIDER REFERENCE NUMBER; they are looked at first.
    """
    names = [normal(cell) for cell in cells]
    carriers = tuple(normal(header) for header in reference_headers)
    return max((_fit(names, layout, carriers) for layout in layouts()), key=_official_first)


def _official_first(header: Header) -> int:
    return header.recognised


def _fit(names: list[str], layout: Layout, carriers: tuple[str, ...]) -> Header:
    columns: dict[str, tuple[int, ...]] = {}
    sources = (layout.fields, variants(), pseudonym_columns())
    for field in dict.fromkeys(name for source in sources for name in source):
        wanted = tuple(head for source in sources for head in source.get(field, ()))
        if field == "reference":
            wanted = (*carriers, *wanted)
        found = [i for name in dict.fromkeys(wanted) for i, n in enumerate(names) if n == name]
        if found:
            columns[field] = tuple(found)
    used = {i for found in columns.values() for i in found}
    known = sum(1 for i, n in enumerate(names) if i not in used and n in layout.not_read)
    return Header(layout.name, columns, len(used) + known)
