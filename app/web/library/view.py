"""A version's page in words: its head, criteria, terms, history and notices. Pure."""

import datetime as dt
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from app.authoring.blocks import Block, blocks_of
from app.authoring.diff import Change, diff_versions
from app.policy import (
    NATIONAL,
    Criterion,
    Kind,
    Notice,
    Overlay,
    PolicyVersion,
    Section,
    Source,
    members_words,
    questions_for,
    status_words,
)
from app.web.library.catalogue import MECHANISMS
from app.web.words import day_words

_DAY: Final = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")
KINDS: Final = {
    Kind.INITIATION: "The form to start",
    Kind.CONTINUATION: "The form to continue",
    Kind.STOP: "The form to stop",
}
_SECTIONS: Final = {
    Section.START: "Criteria to start",
    Section.CONTINUE: "Criteria to continue",
    Section.STOP: "When to stop",
}


@dataclass(frozen=True, slots=True)
class Cited:
    """Where a statement comes from. A link only where the address is one of the web."""

    title: str
    url: str | None
    read_on: dt.date | None
    verified: bool


@dataclass(frozen=True, slots=True)
class CriterionView:
    """One criterion as a reader judges it."""

    id: str
    text: str
    test: str
    arms: tuple[tuple[str, str, str], ...]
    source: Cited
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SectionView:
    """The criteria of a section."""

    title: str
    criteria: tuple[CriterionView, ...]


@dataclass(frozen=True, slots=True)
class Past:
    """One version in the history; `since` is the version that its changes are told against."""

    version: str
    from_day: dt.date
    what_changed: str
    since: str | None
    current: bool


def head_rows(version: PolicyVersion, area: str, drug: str) -> list[tuple[str, str]]:
    """What is to be known before the criteria, as pairs."""
    found = version.in_force
    rows = [
        ("Drug", drug),
        ("Indication", version.indication.term),
        ("Area", area),
        ("Commissioner", version.commissioner),
        ("How it decides", MECHANISMS[version.mechanism]),
        ("In force from", day_words(found.from_)),
    ]
    if found.published:
        rows.append(("Published", day_words(found.published)))
    if found.funding_from:
        rows.append(("Funded from", day_words(found.funding_from)))
    if found.last_new_start:
        rows.append(("Last new start", day_words(found.last_new_start)))
    if found.last_continuation:
        rows.append(("Last continuation", day_words(found.last_continuation)))
    if found.afterwards:
        rows.append(("Afterwards", found.afterwards))
    if version.succeeds:
        rows.append(("Takes over treatments of", ", ".join(version.succeeds)))
    if version.new_starts is not None:
        verb = "referred" if version.new_starts.decide == "refer" else "not funded"
        rows.append(("New starts", f"Are {verb}: {version.new_starts.reason}"))
    members = members_words(version)
    rows.append(("Panel", " ".join(filter(None, (status_words(version), members)))))
    rows.append(("What changed", version.what_changed))
    if version.overlay is not None:
        rows.append((f"Overlay of {version.overlay.layer}", version.overlay.what_changed))
    return rows


def sections(version: PolicyVersion) -> tuple[SectionView, ...]:
    """The criteria by section, as the file orders them."""
    return tuple(
        SectionView(title, tuple(_criterion(each) for each in version.criteria(section)))
        for section, title in _SECTIONS.items()
        if version.criteria(section)
    )


def _criterion(found: Criterion) -> CriterionView:
    notes = []
    if found.layer != NATIONAL:
        notes.append(f"Added by the overlay of {found.layer}")
    if found.on_failure == "refer":
        notes.append("If it fails, the request is referred to people")
    if found.waivable:
        notes.append("A panel may waive it")
    if found.override is not None:
        reasons = "; ".join(found.override.reasons.values())
        notes.append(f"The clinician may override it, in their own words, because: {reasons}")
    return CriterionView(
        found.id,
        found.text,
        found.met_when,
        tuple((arm.id, arm.text, arm.met_when) for arm in found.arms),
        cited(found.source, verified=found.evidence == "verified"),
        tuple(notes),
    )


def cited(source: Source, *, verified: bool) -> Cited:
    """A source as it is shown."""
    url = source.url if (source.url or "").startswith(("https://", "http://")) else None
    return Cited(source.title, url, source.read_on, verified)


def sources(version: PolicyVersion) -> tuple[Cited, ...]:
    """Every source of a version."""
    return tuple(cited(each, verified=True) for each in version.sources.values())


def text_of(
    version: PolicyVersion, heading: str, drug_in_text: Callable[[str], str]
) -> tuple[Block, ...]:
    """The blocks of the readable text below a heading, such as "Approval".

    `drug_in_text` says a drug's name for its key: no reader is shown the key.
    """
    found: list[Block] = []
    inside = False
    for block in blocks_of(version, named=drug_in_text):
        if block.kind == "heading" and block.level == 2:
            inside = "".join(span.text for span in block.spans) == heading
        elif inside:
            found.append(block)
    return tuple(found)


def history(versions: Sequence[PolicyVersion], shown: PolicyVersion) -> tuple[Past, ...]:
    """Every version of a policy, the newest first."""
    found = [
        Past(
            each.version,
            each.in_force.from_,
            each.what_changed,
            versions[place - 1].version if place else None,
            each.version == shown.version,
        )
        for place, each in enumerate(versions)
    ]
    return tuple(reversed(found))


def forms(version: PolicyVersion) -> tuple[tuple[str, str], ...]:
    """The kinds of request that ask something under a version, with the words of their link."""
    return tuple((k.value, words) for k, words in KINDS.items() if questions_for(version, k))


@dataclass(frozen=True, slots=True)
class NoticeView:
    """A safety notice as the page tells of it."""

    title: str
    does: str
    reason: str
    source: Cited


def notice_rows(notices: Iterable[Notice]) -> tuple[NoticeView, ...]:
    """The notices in force, in words."""
    return tuple(
        NoticeView(
            each.title,
            f"From {day_words(each.from_)}, new starts are "
            f"{'refused' if each.refuses else 'referred to people'}. "
            "Running treatments and continuations go on.",
            each.reason,
            cited(
                Source("notice", each.source_title, each.source_url, None),
                verified=each.evidence == "verified",
            ),
        )
        for each in notices
    )


@dataclass(frozen=True, slots=True)
class ChangeGroup:
    """The changes of one part of a policy."""

    title: str
    changes: tuple[Change, ...]


def change_groups(before: PolicyVersion, after: PolicyVersion) -> tuple[ChangeGroup, ...]:
    """What changed between two versions, part by part."""
    titles = {s.id: s.title for v in (after, before) for s in v.sources.values()}
    found: dict[str, list[Change]] = {}
    for each in diff_versions(before, after):
        keys = tuple(
            (key, _told(key, was, titles), _told(key, now, titles)) for key, was, now in each.keys
        )
        found.setdefault(each.group, []).append(replace(each, keys=keys))
    return tuple(ChangeGroup(title, tuple(changes)) for title, changes in found.items())


def _told(key: str, value: str, titles: Mapping[str, str]) -> str:
    """A value of a change as a reader knows it: a source by its title, a day in English."""
    if key == "source":
        return titles.get(value, value)
    return day_words(value) if _DAY.fullmatch(value) else value


def overlay_rows(overlays: Iterable[Overlay]) -> tuple[tuple[str, str, str], ...]:
    """The commissioners' overlays on a policy: code, first day, what changed."""
    return tuple((o.commissioner, day_words(o.from_), o.what_changed) for o in overlays)
