"""Proposed approvals in words: what speaks for each, and against. Pure."""

from dataclasses import dataclass
from typing import Final

from app.api.linkage import CandidateDocument, FieldDocument, ProposalDocument, ProposalList
from app.web.decision import Colour
from app.web.words import counted, first_upper, instant_words

_COLOURS: Final[dict[str, Colour]] = {"open": "yellow", "accepted": "green", "refused": "grey"}
#: In bits: from here on a field speaks strongly, for or against.
_STRONG: Final = 6.0
_NOT_STATED: Final = "not stated"
#: Fields whose agreement alone two people can share, so that a twin fits as well.
_TOO_LITTLE: Final = frozenset({"NHS number", "hospital number"})


@dataclass(frozen=True, slots=True)
class LinkRow:
    """A proposal in the list."""

    href: str
    row: int
    approvals: str
    chance: str
    rests_on: str
    state: str
    colour: Colour


@dataclass(frozen=True, slots=True)
class FieldRow:
    """How one field agrees, and how it speaks."""

    field: str
    words: str
    speaks: str
    bits: str
    colour: Colour


@dataclass(frozen=True, slots=True)
class CandidateView:
    """An approval that the line may belong to."""

    reference: str
    chance: str
    against: str
    fields: tuple[FieldRow, ...]


@dataclass(frozen=True, slots=True)
class ProposalView:
    """A proposal's page."""

    id: str
    run: str
    row: int
    state: str
    colour: Colour
    ambiguous: bool
    candidates: tuple[CandidateView, ...]
    next_best: str
    among: str
    decided: str
    accepted: str
    reason: str
    line_href: str


def link_rows(found: ProposalList) -> tuple[LinkRow, ...]:
    """Those that wait first, in order of row."""
    ordered = sorted(found.proposals, key=lambda each: (each.state != "open", each.row))
    return tuple(_row(each) for each in ordered)


def counted_lines(found: ProposalList) -> tuple[tuple[str, int], ...]:
    """How the lines ended that were sought for, the most first."""
    pairs = sorted(found.lines.items(), key=lambda each: (-each[1], each[0]))
    return tuple((first_upper(words), count) for words, count in pairs)


def proposal_view(each: ProposalDocument) -> ProposalView:
    """One proposal."""
    return ProposalView(
        id=each.id,
        run=each.run,
        row=each.row,
        state=first_upper(each.state),
        colour=_COLOURS[each.state],
        ambiguous=each.ambiguous,
        candidates=tuple(_candidate(one) for one in each.candidates),
        next_best="" if each.next_best is None else _chance(each.next_best),
        among=counted(each.among, "treatment"),
        decided="" if each.decided_at is None else instant_words(each.decided_at),
        accepted=each.accepted or "",
        reason=each.reason or "",
        line_href=f"/submissions/runs/{each.run}/lines/{each.row}",
    )


def _row(each: ProposalDocument) -> LinkRow:
    one = each.candidates[0]
    names = ", ".join(c.approval_reference for c in each.candidates)
    return LinkRow(
        href=f"/linkage-proposals/{each.id}",
        row=each.row,
        approvals=f"One of {len(each.candidates)} alike: {names}" if each.ambiguous else names,
        chance=_chance(one),
        rests_on="; ".join(f.words for f in one.fields if f.weight is not None and f.weight > 0),
        state=first_upper(each.state),
        colour=_COLOURS[each.state],
    )


def _candidate(each: CandidateDocument) -> CandidateView:
    return CandidateView(
        reference=each.approval_reference,
        chance=_chance(each),
        against=_against(each),
        fields=tuple(_field(one) for one in each.fields),
    )


def _against(each: CandidateDocument) -> str:
    """What to ask before it is accepted."""
    agrees = {f.field for f in each.fields if f.weight is not None and f.weight > 0}
    if agrees & _TOO_LITTLE:
        return ""
    return (
        "Neither the NHS number nor the hospital number speaks for it. A twin, or somebody of the "
        "same practice, fits as well: ask the trust first."
    )


def _field(each: FieldDocument) -> FieldRow:
    if each.weight is None:
        stated = _NOT_STATED not in each.words
        told = "Must agree in every proposal" if stated else "Says nothing"
        return FieldRow(each.field, each.words, told, "", "grey")
    if each.weight > 0:
        speaks = "Speaks strongly for it" if each.weight >= _STRONG else "Speaks for it"
        return FieldRow(each.field, each.words, speaks, f"+{each.weight:.1f}", "green")
    strong = each.weight <= -_STRONG
    speaks = "Speaks strongly against it" if strong else "Speaks against it"
    return FieldRow(each.field, each.words, speaks, f"−{abs(each.weight):.1f}", "orange")


def _chance(each: CandidateDocument) -> str:
    """In percent, never rounded up to certainty."""
    percent = min(each.probability * 100, 99.9)
    return f"{percent:.1f}%"
