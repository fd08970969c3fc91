"""The library as one list: what each policy is called, how far it was checked, how it stands.

Pure. What does not change with the day is worked out once for each state of the library.
"""

import datetime as dt
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.approvals.library import Library
from app.policy import Notice, PolicyVersion, Section
from app.policy.notices import in_force
from app.reference_data.drugs import DrugDictionary
from app.web.decision import Colour
from app.web.words import day_words, first_upper

ELSEWHERE: Final = "published here"
"""The area of a policy that no folder of the packaged library holds."""

MECHANISMS: Final = {
    "prior_approval": "Prior approval",
    "panel": "Panel decides",
    "notification": "Notification only",
}
#: What the list can be narrowed to, by key.
STATUSES: Final = {
    "in-force": "In force",
    "suspended": "Suspended by a notice",
    "closed": "Closed to new starts",
    "later": "Not in force yet",
    "damaged": "Cannot be relied on",
}
_COLOURS: Final[dict[str, Colour]] = {
    "in-force": "green",
    "suspended": "orange",
    "closed": "grey",
    "later": "blue",
    "damaged": "orange",
}


@dataclass(frozen=True, slots=True)
class Checked:
    """How many criteria of a version were read in their source, and whether anything was not."""

    verified: int
    criteria: int
    unverified: bool

    @property
    def words(self) -> str:
        """Such as "12 of 14 criteria"."""
        if not self.criteria:
            return "no criteria"
        return f"{self.verified} of {self.criteria} criteria"


@dataclass(frozen=True, slots=True)
class Entry:
    """One policy: its versions oldest first (none where it cannot be relied on)."""

    policy: str
    title: str
    drug: str
    area: str
    versions: tuple[PolicyVersion, ...]
    haystack: str

    def on(self, day: dt.date) -> PolicyVersion | None:
        """The newest version in force on a day; else the first one to come."""
        held = [each for each in self.versions if each.in_force.from_ <= day]
        if held:
            return held[-1]
        return self.versions[0] if self.versions else None


@dataclass(frozen=True, slots=True)
class Standing:
    """How a version stands on a day: a key of STATUSES, words, a colour, and why."""

    key: str
    words: str
    colour: Colour
    why: str = ""


class Catalogue:
    """The entries of the library as it stands; made anew only when something was published."""

    def __init__(self, folder: Path, drugs: DrugDictionary) -> None:
        self._areas = {path.name: path.parent.name for path in folder.glob("*/*") if path.is_dir()}
        self._drugs = drugs
        self._lock = threading.Lock()
        self._held: tuple[Library, tuple[Entry, ...]] | None = None

    def entries(self, library: Library) -> tuple[Entry, ...]:
        """Every policy, by area and title."""
        held = self._held
        if held is None or held[0] is not library:
            with self._lock:
                found = sorted(
                    (self._entry(library, policy) for policy in library.policies()),
                    key=lambda each: (each.area == ELSEWHERE, each.area, each.title, each.policy),
                )
                held = (library, tuple(found))
                self._held = held
        return held[1]

    def area(self, policy: str) -> str:
        """The part of medicine that a policy belongs to."""
        return self._areas.get(policy, ELSEWHERE)

    def drug_name(self, key: str) -> str:
        """A drug's name for its key."""
        known = self._drugs.drugs.get(key)
        return first_upper(known.name if known else key)

    def drug_in_text(self, key: str) -> str:
        """The same within a sentence: "certolizumab pegol", but "C1-esterase inhibitor"."""
        name = self.drug_name(key)
        return name[:1].lower() + name[1:] if name[1:2].islower() else name

    def _entry(self, library: Library, policy: str) -> Entry:
        area = self.area(policy)
        versions = library.versions(policy) if policy in library.usable() else ()
        if not versions:
            return Entry(policy, policy, "", area, (), f"{policy} {area}")
        newest = versions[-1]
        known = self._drugs.drugs.get(newest.drug)
        brands = [product.name for product in known.products] if known else []
        said = [policy, area, newest.title, newest.drug, newest.indication.term, *brands]
        said += [newest.commissioner, MECHANISMS[newest.mechanism]]
        name = self.drug_name(newest.drug)
        words = " ".join([*said, name]).casefold().replace("-", " ")
        return Entry(policy, newest.title, name, area, versions, words)


def checked(version: PolicyVersion) -> Checked:
    """How far a version's criteria were verified."""
    criteria = [each for section in Section for each in version.criteria(section)]
    verified = sum(each.evidence == "verified" for each in criteria)
    return Checked(verified, len(criteria), version.unverified)


def standing(version: PolicyVersion | None, notices: Iterable[Notice], day: dt.date) -> Standing:
    """How a version stands on a day; a notice speaks of new starts only."""
    if version is None:
        return _standing("damaged", "Nothing is decided under it until its text is mended")
    held = in_force(notices, version.drug, version.policy, day)
    if held:
        verb = "refused" if any(each.refuses for each in held) else "referred to people"
        return _standing("suspended", f"New starts are {verb}: {held[0].title}")
    if version.in_force.from_ > day:
        return _standing("later", f"From {day_words(version.in_force.from_)}")
    if version.new_starts is not None:
        verb = "referred" if version.new_starts.decide == "refer" else "not funded"
        return _standing("closed", f"New starts are {verb}")
    last = version.in_force.last_new_start
    if last is not None and last < day:
        return _standing("closed", f"Last new start: {day_words(last)}")
    return _standing("in-force", f"From {day_words(version.in_force.from_)}")


def _standing(key: str, why: str) -> Standing:
    return Standing(key, STATUSES[key], _COLOURS[key], why)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the list is narrowed to."""

    words: str = ""
    area: str = ""
    status: str = ""


def narrowed(
    entries: Sequence[Entry], asked: Asked, notices: Sequence[Notice], day: dt.date
) -> list[Entry]:
    """The entries that hold every word, of an area, in a status; empty parts narrow nothing."""
    words = asked.words.casefold().replace("-", " ").split()
    return [
        each
        for each in entries
        if all(word in each.haystack for word in words)
        and asked.area in ("", each.area)
        and (not asked.status or standing(each.on(day), notices, day).key == asked.status)
    ]


def areas_of(entries: Iterable[Entry]) -> tuple[tuple[str, str], ...]:
    """The areas with their names, in order."""
    return tuple((area, area_words(area)) for area in dict.fromkeys(e.area for e in entries))


def area_words(area: str) -> str:
    """A folder's name as words: "Multiple sclerosis"."""
    return first_upper(area.replace("-", " "))


def adopted_words(
    adopters: Mapping[str, str], own: str, current: PolicyVersion | None, most: int = 3
) -> str:
    """Who adopted what: `adopters` is commissioner → number of the version adopted."""
    if not adopters:
        return "Nobody"
    order = sorted(adopters, key=lambda code: (code != own, code))
    said = []
    for code in order[:most]:
        name = "You" if code == own else code
        older = current is not None and adopters[code] != current.version
        said.append(f"{name} ({adopters[code]})" if older else name)
    left = len(order) - most
    return ", ".join(said) + (f" and {left} more" if left > 0 else "")
