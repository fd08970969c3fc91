"""Which lines of a run are challenged, and in which groups. Pure.

A line is challenged for what is queried of it, once: lines are known by their content, so that a
file that states them again, or a run against later approvals, challenges them no second time.
Nothing of a run is passed over in silence: what is not challenged is counted with its reason, and
all parts add up to what the run queried.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import Final

from app.reconciliation.challenge_model import ChallengedLine
from app.reconciliation.engines.by_hand import BY_HAND
from app.reconciliation.engines.index import Folder
from app.reconciliation.engines.limits import EXACT_DIGITS, ZERO
from app.reconciliation.engines.prepare import prepare
from app.reconciliation.engines.repeats import find_reversals
from app.reconciliation.errors import TotalsDoNotTie
from app.reconciliation.line_keys import keys_of
from app.reconciliation.model import ContractLine, LineKind, LineOutcome, MatchedLine, Snapshot
from app.reconciliation.summary import month_of
from app.reference_data.drugs import DrugDictionary
from app.reference_data.organisations import OrganisationDirectory

#: Why a line is not challenged.
NOTHING_QUERIED: Final = "nothing is queried of it"
NOT_DECIDED: Final = "a request or query on it is not decided"
REVERSED: Final = "the file itself takes the charge back"
NO_PROVIDER: Final = "it states no legible provider to ask"
HELD: Final = "it is challenged already"
GIVEN_UP: Final = "a challenge of it for the same reason was withdrawn"

_L = LineOutcome
#: Their reason comes of the line alone, and tells of no approval.
_OF_THE_LINE: Final = frozenset({_L.DUPLICATE_LINE, _L.NOT_A_DRUG_LINE, _L.NO_POLICY_HELD})
#: What a provider is told where the approval behind the outcome is not its own.
_ELSEWHERE: Final[Mapping[LineOutcome, str]] = {
    _L.NOT_THE_APPROVED_PROVIDER: "An approval exists, but not at your organisation.",
    _L.DRUG_OR_INDICATION_DIFFERS: "No approval of what was supplied is held at your organisation.",
    _L.OUTSIDE_APPROVAL_PERIOD: "No approval at your organisation covers the time of supply.",
    _L.CONTINUATION_OVERDUE: "No approval at your organisation covers the time of supply.",
    _L.NO_APPROVAL: "No approval of this drug for this patient is held at your organisation.",
    _L.CANNOT_BE_READ: "The line cannot be read.",
    _L.IDENTITY_WITHHELD: "The patient's identity is withheld.",
    _L.NOT_RECOVERABLE: "The commissioner does not pay for this supply.",
    _L.OVER_PRICE: "The unit price is over what was agreed.",
    _L.OVER_QUANTITY: "The quantity is over what was approved.",
}

GroupKey = tuple[str, LineOutcome, str | None, str | None]


@dataclass(frozen=True, slots=True)
class Group:
    """Lines of one provider, outcome and drug (and month), to be challenged together."""

    provider: str
    outcome: LineOutcome
    drug: str | None
    month: str | None
    lines: tuple[ChallengedLine, ...]

    @property
    def queried(self) -> Decimal:
        """The sum of what is queried of its lines, in pounds."""
        return _sum(line.queried for line in self.lines)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Lines that are not challenged, with the reason."""

    why: str
    lines: int
    queried: Decimal


@dataclass(frozen=True, slots=True)
class Plan:
    """What is challenged of a run, and what is not."""

    groups: tuple[Group, ...]
    left_out: tuple[LeftOut, ...]


def reversed_rows(
    lines: Sequence[ContractLine],
    snapshot: Snapshot,
    dictionary: DrugDictionary,
    organisations: OrganisationDirectory,
) -> frozenset[int]:
    """The rows of charges that a credit of the same file takes back, and of these credits."""
    fold, supplies = Folder(organisations), snapshot.terms.supplies
    prepared = prepare(lines, dictionary, fold, snapshot.as_at, snapshot.layout, supplies)
    reverses = find_reversals(prepared)
    return frozenset(lines[i].row for pair in reverses.items() for i in pair)


def plan(
    matched: Sequence[MatchedLine],
    taken_back: Collection[int],
    held: Mapping[str, frozenset[LineOutcome] | None],
    providers: Mapping[str, frozenset[str]],
    *,
    by_month: bool,
    keys: Sequence[str] | None = None,
    others: LeftOut | None = None,
) -> Plan:
    """Group a run's lines into challenges.

    `keys` are those of the lines where they are not every line of their file; `others` are lines
    beside them that are left out. `held` gives for the key of a line that was challenged before:
    None while that stands, else the outcomes of the challenges that were withdrawn. `providers`
    says, for each approval's reference, whose it is. Raises TotalsDoNotTie unless all parts add up
    to what is queried.
    """
    groups: dict[GroupKey, list[ChallengedLine]] = defaultdict(list)
    left: dict[str, list[Decimal]] = defaultdict(list)
    known = keys_of([m.line for m in matched]) if keys is None else keys
    for item, key in zip(matched, known, strict=True):
        why = _why_not(item, taken_back, held.get(key, frozenset()))
        if why is not None or item.provider is None:
            left[why or NO_PROVIDER].append(item.queried)
            continue
        month = month_of(item) if by_month else None
        group = (item.provider, item.outcome, item.recognition.drug, month)
        groups[group].append(_challenged(item, key, item.provider, providers))
    return _checked(groups, left, matched, others)


def _why_not(
    item: MatchedLine, taken_back: Collection[int], before: frozenset[LineOutcome] | None
) -> str | None:
    if item.line.row in taken_back:
        return REVERSED
    if item.queried <= 0:
        return NOTHING_QUERIED
    if item.outcome is _L.AWAITING_DECISION:
        return NOT_DECIDED
    if item.provider is None:
        return NO_PROVIDER
    if before is None:
        return HELD
    return GIVEN_UP if item.outcome in before else None


def _challenged(
    item: MatchedLine, key: str, provider: str, providers: Mapping[str, frozenset[str]]
) -> ChallengedLine:
    own = item.reference is not None and provider in providers.get(item.reference, frozenset())
    told = item.reason if own or _tells_of_line(item) else _ELSEWHERE[item.outcome]
    return ChallengedLine(
        row=item.line.row,
        line_key=key,
        queried=item.queried,
        reason=item.reason,
        told=told,
        remedy=item.remedy,
        reference=item.reference,
        reference_told=item.reference if own else None,
        month=month_of(item),
    )


def _tells_of_line(item: MatchedLine) -> bool:
    """Whether the reason speaks of the line alone, or of the provider's own supplies."""
    if item.kind is LineKind.FEE:
        return True
    unmatched = item.treatment_id is None
    tested = any(test.name != BY_HAND for test in item.tests)
    settled = item.outcome in (_L.CANNOT_BE_READ, _L.NOT_RECOVERABLE) and not tested
    return unmatched and (item.outcome in _OF_THE_LINE or settled)


def _checked(
    groups: Mapping[GroupKey, Sequence[ChallengedLine]],
    left: Mapping[str, Sequence[Decimal]],
    matched: Sequence[MatchedLine],
    others: LeftOut | None,
) -> Plan:
    made = tuple(Group(*key, tuple(groups[key])) for key in sorted(groups, key=_order))
    rest = tuple(LeftOut(why, len(found), _sum(found)) for why, found in sorted(left.items()))
    rest = rest if others is None else _with(rest, others)
    whole = _sum(item.queried for item in matched)
    if others is not None:
        whole = _sum((whole, others.queried))
    parts = _sum([*(group.queried for group in made), *(each.queried for each in rest)])
    if whole != parts:
        raise TotalsDoNotTie("The challenges and what is left out", whole, parts)
    return Plan(made, rest)


def _with(rest: Sequence[LeftOut], others: LeftOut) -> tuple[LeftOut, ...]:
    """The parts left out, with more lines of one of them."""
    same = next((each for each in rest if each.why == others.why), None)
    if same is not None:
        pounds = _sum((same.queried, others.queried))
        others = LeftOut(others.why, same.lines + others.lines, pounds)
    parts = (*(each for each in rest if each is not same), others)
    return tuple(sorted(parts, key=lambda part: part.why))


def _order(key: GroupKey) -> tuple[str, ...]:
    return tuple(part or "" for part in key)


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    with localcontext(prec=EXACT_DIGITS):
        return sum(amounts, ZERO)
