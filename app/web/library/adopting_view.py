"""Adoptions and their proposals in words. Pure."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from app.approvals.adopting import ADOPT, Adoption, AdoptionProposal
from app.web.decision import Colour
from app.web.desk.common import organisation_words
from app.web.words import day_words, instant_words


@dataclass(frozen=True, slots=True)
class AdoptionRow:
    """That a commissioner adopted a version; by whom is told to its own people only."""

    who: str
    own: bool
    what: str
    days: str
    people: str


def adoption_rows(found: Sequence[Adoption], own: str, today: dt.date) -> tuple[AdoptionRow, ...]:
    """The adoptions of a policy, the reader's own first."""
    ordered = sorted(found, key=lambda each: each.commissioner != own)
    return tuple(_row(each, own, today) for each in ordered)


def _row(found: Adoption, own: str, today: dt.date) -> AdoptionRow:
    what = (
        f"its overlay of {day_words(found.version[1:])}"
        if found.version.startswith("+")
        else f"version {found.version}"
    )
    until = "" if found.to_day is None else f" to {day_words(found.to_day)}"
    later = " (to come)" if found.from_day > today else ""
    if found.to_day is not None and found.to_day < found.from_day:
        until, later = "", " (taken back before it began)"
    mine = found.commissioner == own
    return AdoptionRow(
        organisation_words(found.commissioner),
        mine,
        what,
        f"from {day_words(found.from_day)}{until}{later}",
        f"{found.adopted_by} and {found.seconded_by}" if mine else "",
    )


def may_end(found: Sequence[Adoption], own: str, number: str, today: dt.date) -> bool:
    """Whether the reader's organisation has an adoption of that number that could be ended."""
    return any(
        each.commissioner == own
        and each.version == number
        and (each.to_day is None or each.to_day >= max(today, each.from_day))
        for each in found
    )


@dataclass(frozen=True, slots=True)
class ProposalRow:
    """A proposal of the reader's organisation, and what the reader may do with it."""

    id: str
    policy: str
    version: str
    href: str
    act: str
    from_day: str
    state: str
    colour: Colour
    said: str
    may_confirm: bool
    may_decline: bool


_COLOURS: dict[str, Colour] = {"waiting": "yellow", "confirmed": "green", "declined": "grey"}


def proposal_rows(
    found: Sequence[AdoptionProposal], titles: dict[str, str], reader: str
) -> tuple[ProposalRow, ...]:
    """The proposals, as `adoption_proposals` orders them; `titles` by policy."""
    return tuple(_proposal(each, titles, reader) for each in found)


def _proposal(found: AdoptionProposal, titles: dict[str, str], reader: str) -> ProposalRow:
    said = f"Proposed by {found.proposed_by_name} on {instant_words(found.proposed_at)}"
    if found.decided_at is not None:
        said += f"; {found.state} by {found.decided_by_name} on {instant_words(found.decided_at)}"
    waits = found.state == "waiting"
    is_overlay = found.version.startswith("overlay-")
    return ProposalRow(
        id=found.id,
        policy=titles.get(found.policy, found.policy),
        version=found.version,
        href=f"/library/{found.policy}" + ("" if is_overlay else f"/{found.version}"),
        act="To decide by it" if found.act == ADOPT else "No longer to decide by it",
        from_day=day_words(found.from_day),
        state=found.state.capitalize(),
        colour=_COLOURS[found.state],
        said=said,
        may_confirm=waits and found.proposed_by != reader,
        may_decline=waits,
    )
