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
_FOLDED = frozenset({"provider", "commissioner"})
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
        """A site's code to its trust's, a sub-ICB location's to its ICB's; others keep theirs.

        A listed provider or commissioner with a parent on that day folds to it: a site to its
        trust, and an organisation that was merged, from that day, to the one that took it over,
        whatever that one is by then. An unlisted code folds to a trust when dropping its last two
        characters leaves a provider known on the day.
        """
        tidy = _tidy(code)
        known = self.find(tidy, on)
        if known is not None:
            return self._topmost(known, on)
        trust = tidy[:-_SITE_SUFFIX]
        if len(trust) in _TRUST_LENGTHS:
            parent = self.find(trust, on)
            if parent is not None and parent.kind == "provider":
                return self._topmost(parent, on)
        return tidy

    def _topmost(self, found: Organisation, on: dt.date | None) -> str:
        """The organisation at the end of the parents of its own kind; a circle is left."""
        seen = {found.code}
        while found.kind in _FOLDED and found.parent is not None and found.parent not in seen:
            parent = self.find(found.parent, on)
            if parent is None or parent.kind != found.kind:
                return found.parent if parent is None else found.code
            seen.add(parent.code)
            found = parent
        return found.code

    def changes(self) -> list[dt.date]:
        """The days from which an entry holds or no longer holds, in order."""
        entries = self.all()
        begins = {entry.from_ for entry in entries if entry.from_ is not None}
        ends = {entry.to + dt.timedelta(days=1) for entry in entries if entry.to is not None}
        return sorted(begins | ends)

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


def commissioners(day: dt.date) -> list[tuple[str, str]]:
    """Those in force on a day, by name; in the demonstration the invented ones come first."""
    held = [
        each
        for each in load_organisations().all()
        if each.kind == "commissioner"
        and (each.from_ is None or each.from_ <= day)
        and (each.to is None or day <= each.to)
        and each.parent is None
    ]
    held.sort(key=lambda each: (not each.demonstration, each.name))
    return [(each.code, f"{each.name} ({each.code})") for each in held]
