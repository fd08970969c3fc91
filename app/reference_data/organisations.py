"""Organisations of lines and requests: found by code on a day, sites folded to their trust."""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, cast

from app.reference_data.data_files import Row, in_force, read_rows

OrganisationKind = Literal["provider", "commissioner", "panel", "practice"]

_KINDS = frozenset({"provider", "commissioner", "panel", "practice"})
_COLUMNS = ("code", "name", "kind", "parent", "from", "to", "demonstration", "source")
# ODS site codes are the trust's three characters and two more (RAS00). Demonstration trusts have
# five characters, so their sites have seven.
_SITE_SUFFIX = 2
_TRUST_LENGTHS = frozenset({3, 5})


@dataclass(frozen=True, slots=True)
class Organisation:
    """One organisation over the days, both included, in which its code held.

    `demonstration` ones are invented and are not ODS codes.
    """

    code: str
    name: str
    kind: OrganisationKind
    parent: str | None
    from_: dt.date | None
    to: dt.date | None
    demonstration: bool
    source: str


@dataclass(frozen=True, slots=True)
class OrganisationDirectory:
    """Organisations by code; a code may be reused over time, so each holds dated entries."""

    entries: Mapping[str, tuple[Organisation, ...]]

    def find(self, code: str, on: dt.date | None) -> Organisation | None:
        """The organisation with this code on the day, or None; no day takes the latest entry."""
        held = [o for o in self.entries.get(_tidy(code), ()) if in_force(o.from_, o.to, on)]
        return max(held, key=lambda o: o.from_ or dt.date.min) if held else None

    def fold(self, code: str, on: dt.date | None) -> str:
        """A provider's site code to its trust's code; any other code unchanged but for case.

        A listed site folds to its parent. An unlisted code folds when dropping its last two
        characters leaves a provider known on the day.
        """
        tidy = _tidy(code)
        known = self.find(tidy, on)
        if known is not None:
            is_site = known.kind == "provider" and known.parent is not None
            return known.parent if is_site and known.parent else known.code
        trust = tidy[:-_SITE_SUFFIX]
        if len(trust) in _TRUST_LENGTHS:
            parent = self.find(trust, on)
            if parent is not None and parent.kind == "provider" and parent.parent is None:
                return parent.code
        return tidy

    def all(self) -> tuple[Organisation, ...]:
        """Every entry, in order of code."""
        return tuple(entry for code in sorted(self.entries) for entry in self.entries[code])


def build_directory(organisations: Iterable[Organisation]) -> OrganisationDirectory:
    """Index organisations by code."""
    entries: dict[str, tuple[Organisation, ...]] = {}
    for organisation in organisations:
        entries[organisation.code] = (*entries.get(organisation.code, ()), organisation)
    return OrganisationDirectory(entries)


@lru_cache(maxsize=1)
def load_organisations() -> OrganisationDirectory:
    """The directory of the packaged file. Raises ReferenceDataFault where a row is at fault."""
    return build_directory(_organisation(row) for row in read_rows("organisations.csv", _COLUMNS))


def _organisation(row: Row) -> Organisation:
    kind = row.required("kind")
    if kind not in _KINDS:
        raise row.fault(f"kind {kind} is unknown", f"Use one of {', '.join(sorted(_KINDS))}")
    return Organisation(
        code=_tidy(row.required("code")),
        name=row.required("name"),
        kind=cast(OrganisationKind, kind),
        parent=row.text("parent") or None,
        from_=row.day("from"),
        to=row.day("to"),
        demonstration=row.flag("demonstration"),
        source=row.required("source"),
    )


def _tidy(code: str) -> str:
    return code.strip().upper()
