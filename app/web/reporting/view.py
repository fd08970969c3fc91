"""The reports in words. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from app.api.break_glass import BreakGlassLine, BreakGlassReport
from app.api.reports import IdentifierAccessReport
from app.approvals.break_glass_model import GrantState
from app.approvals.identifiers import BY_RUN, BY_SEARCH, BY_TREATMENT
from app.web.decision import Colour
from app.web.desk.common import organisation_words
from app.web.words import counted, day_words, first_upper, instant_words

_WAYS: Final[Mapping[str, str]] = {
    BY_TREATMENT: "Saw who the patient of a treatment is",
    BY_RUN: "Took a run's file with identities",
    BY_SEARCH: "Searched by a patient's number",
}
_COLOURS: Final[Mapping[GrantState, Colour]] = {
    GrantState.OPEN: "orange",
    GrantState.ENDED: "grey",
    GrantState.EXPIRED: "grey",
}


@dataclass(frozen=True, slots=True)
class GlassRow:
    """One declaration. `may_end`: it is open, and of the reader's own organisation."""

    id: str
    at: str
    who: str
    own: bool
    why: str
    words: str
    state: str
    colour: Colour
    until: str
    read: str
    may_end: bool


@dataclass(frozen=True, slots=True)
class AccessRow:
    """How often one person learnt identities in one way."""

    way: str
    who: str
    times: int


def glass_rows(report: BreakGlassReport, names: Mapping[str, str]) -> tuple[GlassRow, ...]:
    """The declarations, newest first. `names`: those of who opened, by id."""
    return tuple(_glass(each, names) for each in reversed(report.rows))


def _glass(line: BreakGlassLine, names: Mapping[str, str]) -> GlassRow:
    name = names.get(line.opened_by, line.opened_by)
    ends = line.ended_at or line.expires_at
    return GlassRow(
        id=line.id,
        at=instant_words(line.opened_at),
        who=f"{name} ({line.role}), {organisation_words(line.organisation)}",
        own=line.opened_by_us,
        why=first_upper(line.reason.value),
        words=line.words,
        state=first_upper(line.state.value),
        colour=_COLOURS[line.state],
        until=f"until {instant_words(ends)}",
        read="not read" if not line.times_read else f"read {counted(line.times_read, 'time')}",
        may_end=line.opened_by_us and line.state is GrantState.OPEN,
    )


def access_rows(report: IdentifierAccessReport, names: Mapping[str, str]) -> tuple[AccessRow, ...]:
    """By way and person, those who did most first."""
    rows = [
        AccessRow(
            _WAYS.get(each.way, first_upper(each.way)),
            f"{names.get(each.by, each.by)} ({each.role})",
            each.times,
        )
        for each in report.rows
    ]
    return tuple(sorted(rows, key=lambda each: (-each.times, each.way, each.who)))


def period_words(first: str, last: str) -> str:
    """The days of a report, as its heading says them."""
    return f"{day_words(first)} to {day_words(last)}"
