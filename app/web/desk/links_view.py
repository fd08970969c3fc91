"""Proposed approvals in words: what speaks for each, and against. Pure."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final
from urllib.parse import urlencode

from app.api.linkage import CandidateDocument, FieldDocument, ProposalDocument, ProposalList
from app.reconciliation.linkage.model import Why
from app.reconciliation.linkage.most_costly import MOST_KEPT
from app.web.decision import Colour
from app.web.words import counted, first_upper, instant_words, pounds

_COLOURS: Final[dict[str, Colour]] = {"open": "yellow", "accepted": "green", "refused": "grey"}
#: Chosen on the page: proposals that wait only.
WAITING: Final = "waiting"
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
    charged: Decimal | None
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
    charged: Decimal | None
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


@dataclass(frozen=True, slots=True)
class ListedWords:
    """What the list says of itself, and where it goes on."""

    said: str
    other: str
    other_href: str
    first_href: str
    next_href: str


def link_rows(found: ProposalList) -> tuple[LinkRow, ...]:
    """Those of the page, in their order."""
    return tuple(_row(each) for each in found.proposals)


def listed_words(found: ProposalList, *, only_waiting: bool, after: int) -> ListedWords:
    """How many there are, how many wait, and the links beside the list."""
    at = f"/submissions/runs/{found.run}/links"
    chosen = {"show": WAITING} if only_waiting else {}
    more = {**chosen, "after": found.next}
    decided = found.count - found.waiting
    waits = f"{counted(found.waiting, 'proposal')} {'waits' if found.waiting == 1 else 'wait'}"
    charged = ""
    if found.waiting and found.waiting_charged is not None:
        whose = "a line that charges" if found.waiting == 1 else "lines that charge together"
        charged = f", for {whose} {pounds(found.waiting_charged)}"
    return ListedWords(
        said=f"{waits} for a decision{charged}; {decided:,} decided. Most pounds first.",
        other="" if not decided else "Show all" if only_waiting else "Show those that wait only",
        other_href=at if only_waiting else f"{at}?{urlencode({'show': WAITING})}",
        first_href=f"{at}?{urlencode(chosen)}" if after and chosen else at if after else "",
        next_href="" if found.next is None else f"{at}?{urlencode(more)}",
    )


def left_words(found: ProposalList) -> tuple[str, ...]:
    """What is not listed, how many lines of it, and why; nothing where all of it is."""
    return tuple(
        f"{counted(found.lines[why], 'more line')} {words}"
        for why, words in _LEFT.items()
        if found.lines.get(why)
    )


#: Lines that are not in the list although an approval may be theirs.
_LEFT: Final = {
    Why.NOT_KEPT.value: f"with a likely approval, not listed: one search keeps {MOST_KEPT:,} "
    "proposals, of the lines with most pounds. Accept or refuse some of these, then compare again.",
    Why.NOT_REACHED.value: "not compared: so many share their details with so many approvals that "
    "one search ends before them. It takes the lines with most pounds first.",
    Why.TOO_COMMON.value: "not compared, as what each states fits too many approvals, such as a "
    "birth date that stands for none. Match such a line by hand.",
}


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
        charged=each.charged,
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
        charged=each.charged,
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
