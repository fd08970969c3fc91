"""The plain engine: defines what reconciliation means, one line at a time, in readable order.

Every line gets exactly one outcome, and what is accepted and queried of it adds up to its total:
1. prepare each line: drug, kind, time, provider;
2. find duplicates and reversals within the submission, and what earlier submissions state already;
3. settle what is not a drug supply or no pass-through of the contract, apply a match by hand,
   then run the passes, then say why nothing was found;
4. test price and cumulative quantity of the lines that stand, in order of supply, on top of what
   current slices of earlier submissions use;
5. split each amount, then apply overrides by hand; a reversal takes the split of the charge it
   reverses, negated.

Pure and deterministic: neither the order of the snapshot nor an earlier run changes anything.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal, localcontext
from functools import partial

from app.reconciliation.contract import (
    COMMISSIONER,
    Payer,
    check_payer,
    check_payer_of_approval,
)
from app.reconciliation.engines.agreed import check_agreed
from app.reconciliation.engines.by_hand import (
    BY_HAND,
    decisions_on,
    matched_by_hand,
    overridden,
)
from app.reconciliation.engines.contract_data import (
    agreed_price_of,
    contract_of,
    days_early_of,
    delivery_of,
    tolerance_of,
)
from app.reconciliation.engines.decided import Decided, accepted_of
from app.reconciliation.engines.decided_fees import apply_fees, fees_among, supplies_among
from app.reconciliation.engines.diagnose import (
    Need,
    Verdict,
    awaiting,
    diagnose,
    need_of,
    not_required,
    pending_request,
)
from app.reconciliation.engines.fees import (
    FeeCase,
    SupplySide,
    earlier_sides,
    fee_side,
    pair_fees,
)
from app.reconciliation.engines.heirs import with_heirs
from app.reconciliation.engines.index import Folder, SnapshotIndex, index_snapshot
from app.reconciliation.engines.limits import (
    EXACT_DIGITS,
    ONE,
    ZERO,
    check_dose,
    check_length,
    check_price,
    check_quantity,
    countable,
    unit_key,
)
from app.reconciliation.engines.passes import Found, check_reference, find_coverage
from app.reconciliation.engines.prepare import Prepared, prepare
from app.reconciliation.engines.progress import LINES_BETWEEN, Progress, untold
from app.reconciliation.engines.repeats import Repeats
from app.reconciliation.engines.settled import not_pass_through, told_apart
from app.reconciliation.engines.spacing import Spaced, is_spaced, spaced, too_soon
from app.reconciliation.engines.supply_terms import (
    advise_on_vat,
    check_delivery,
)
from app.reconciliation.engines.told import Told, allowance_of, told_of, used_before
from app.reconciliation.engines.unmatched import unmatched_line, without_match
from app.reconciliation.line_keys import content_key
from app.reconciliation.model import (
    ContractLine,
    Coverage,
    DecisionKind,
    LineDecision,
    LineOutcome,
    MatchedLine,
    Snapshot,
    Test,
    TestResult,
    UsedQuantity,
)
from app.reconciliation.outcomes import (
    DEATH,
    FAILED,
    PASSED,
    START,
    explaining,
    outcome_of,
    unrecorded_start,
)
from app.reconciliation.wording import ACCEPTED_WHOLE, RECORD_START, REMEDIES, SPLIT
from app.reference_data.drugs import DrugDictionary
from app.reference_data.organisations import OrganisationDirectory

#: A line's position → what the passes find for it.
Find = Callable[[int], Found | None]


def match_submission(
    lines: Sequence[ContractLine],
    snapshot: Snapshot,
    dictionary: DrugDictionary,
    organisations: OrganisationDirectory,
    progress: Progress = untold,
) -> tuple[MatchedLine, ...]:
    """One MatchedLine for each line, in the same order."""
    snapshot = with_heirs(snapshot, organisations)
    fold, supplies = Folder(organisations), snapshot.terms.supplies
    prepared = prepare(lines, dictionary, fold, snapshot.as_at, snapshot.layout, supplies)
    by_hand = decisions_on(lines, snapshot.decisions)
    return match_prepared(prepared, index_snapshot(snapshot), by_hand, progress)


def match_prepared(
    prepared: Sequence[Prepared],
    index: SnapshotIndex,
    by_hand: Mapping[int, LineDecision],
    progress: Progress = untold,
) -> tuple[MatchedLine, ...]:
    """The same for lines whose drug, kind, time and provider are worked out."""

    def find(position: int) -> Found | None:
        return find_coverage(prepared[position], index)

    return account(prepared, index, by_hand, told_of(prepared, index), find, progress)


def account(
    prepared: Sequence[Prepared],
    index: SnapshotIndex,
    by_hand: Mapping[int, LineDecision],
    told: Told,
    find: Find,
    progress: Progress = untold,
) -> tuple[MatchedLine, ...]:
    """Every line's outcome and amounts, given which lines repeat and what the passes find."""
    decided = _decided(prepared, index, by_hand, told, find, progress)
    with localcontext(prec=EXACT_DIGITS):  # the default of 28 digits would round long amounts
        limited = _apply_limits(decided, told, index)
        limited = _with_spacing(limited, told, index)
        fees = fees_among(prepared, told, index)
        on_fees = {n: each for n, each in by_hand.items() if n in fees}
        others = {n: each for n, each in by_hand.items() if n not in fees}
        limited = _apply_overrides(limited, told.repeats, others)
        if fees:
            supplies = [
                *supplies_among(limited, told),
                *earlier_sides(index.earlier, told.debits),
            ]
            limited = apply_fees(limited, fees, supplies, index, told)
            limited = _apply_overrides(limited, told.repeats, on_fees)
        return _with_amounts(limited, told.repeats)


def fees_and_supplies(
    prepared: Sequence[Prepared],
    index: SnapshotIndex,
    by_hand: Mapping[int, LineDecision],
    told: Told,
    before: Sequence[SupplySide],
) -> tuple[list[SupplySide], list[FeeCase]]:
    """The supplies that are accepted, and what comes of the fees, given those `before` too."""

    def find(position: int) -> Found | None:
        return find_coverage(prepared[position], index)

    decided = _decided(prepared, index, by_hand, told, find)
    with localcontext(prec=EXACT_DIGITS):
        limited = _apply_overrides(_apply_limits(decided, told, index), told.repeats, by_hand)
        supplies = supplies_among(limited, told)
    back = told.debits.fees_taken
    sides = [
        fee_side(n, prepared[n], given_back=n in back)
        for n in sorted(fees_among(prepared, told, index))
    ]
    return supplies, pair_fees(sides, [*supplies, *before], index.supplies)


def uses_of(
    prepared: Sequence[Prepared],
    index: SnapshotIndex,
    by_hand: Mapping[int, LineDecision],
    told: Told,
) -> Mapping[int, UsedQuantity]:
    """What each line that stands uses of an approval whose quantity can be counted."""

    def find(position: int) -> Found | None:
        return find_coverage(prepared[position], index)

    decided = _decided(prepared, index, by_hand, told, find)
    found = {}
    with localcontext(prec=EXACT_DIGITS):
        for position, item in enumerate(_apply_limits(decided, told, index)):
            quantity, coverage = _uses(item, position, told), item.within
            reference = coverage.approval_reference if coverage else None
            if coverage and reference and quantity is not None:
                unit = unit_key(coverage.quantity_unit) or ""
                found[position] = UsedQuantity(reference, unit, quantity)
    return found


def _decided(
    prepared: Sequence[Prepared],
    index: SnapshotIndex,
    by_hand: Mapping[int, LineDecision],
    told: Told,
    find: Find,
    progress: Progress = untold,
) -> list[Decided]:
    def row_of(position: int) -> int:
        return prepared[position].line.row

    decided: list[Decided] = []
    for i, item in enumerate(prepared):
        decided.append(decide_line(i, item, told, row_of, index, by_hand, find))
        if len(decided) % LINES_BETWEEN == 0:
            progress(len(decided))
    return decided


def decide_line(
    position: int,
    item: Prepared,
    told: Told,
    row_of: Callable[[int], int],
    index: SnapshotIndex,
    by_hand: Mapping[int, LineDecision],
    find: Find,
) -> Decided:
    """The verdict on one line, before price and quantity; `row_of` gives another line's row."""
    decision = by_hand.get(position)
    unmatched = unmatched_line(position, item, told, row_of)
    if unmatched is not None:
        return without_match(unmatched, decision, is_reversal=position in told.repeats.reverses)
    decided = _by_contract(item, index, decision, partial(find, position))
    return replace(decided, tests=(told_apart(item), *decided.tests))


def _by_contract(
    item: Prepared,
    index: SnapshotIndex,
    decision: LineDecision | None,
    find: Callable[[], Found | None],
) -> Decided:
    """The verdict on a drug line, which is not recoverable where it is no pass-through."""
    contract = contract_of(item, index)
    payers = index.payers.get(item.recognition.drug or "", ())
    payer = check_payer(payers, item.commissioner, item.period)
    if contract.result is TestResult.FAILED:
        settled = Decided(item, not_pass_through(contract))
        decided = without_match(settled, decision, is_reversal=False)
    else:
        decided = _match(item, index, decision, find)
    if payer.silent and decided.within is not None:
        payer = _payer_of_approval(item, decided.within, index)
    tests = (contract, payer.test, *decided.tests)
    return replace(decided, tests=tests, proposed=payer.proposed)


def _payer_of_approval(item: Prepared, coverage: Coverage, index: SnapshotIndex) -> Payer:
    """The line's commissioner beside the approval's, where no table says who is responsible."""
    assert item.commissioner is not None
    assert item.period is not None
    days = (item.period.first, item.period.last)
    return check_payer_of_approval(
        item.commissioner, [index.payer_on(coverage, day) for day in days]
    )


def _match(
    item: Prepared,
    index: SnapshotIndex,
    decision: LineDecision | None,
    find: Callable[[], Found | None],
) -> Decided:
    """The verdict on a drug line from the passes, or from the diagnosis where none succeeds."""
    quoted = check_reference(item, index)
    tests = (quoted,) if quoted else ()
    found = None
    if decision is not None and decision.kind is DecisionKind.MATCH:
        named = matched_by_hand(item, index, decision)
        found = named.found
        tests = tests if found else (*tests, named.test)
    found = found or find()
    if found is None:
        verdict = diagnose(item, index)
        if quoted is not None and verdict.outcome in _NAMES_REFERENCE:
            verdict = replace(verdict, reason=f"{verdict.reason} Note: {quoted.detail}.")
        return Decided(item, verdict, tests=(*tests, *_why_not(item, verdict.coverage)))
    return Decided(
        item,
        Verdict(LineOutcome.MATCHED, "", found.coverage),
        found.found_by,
        (*tests, *found.tests),
        within=found.coverage,
    )


def _why_not(item: Prepared, coverage: Coverage | None) -> tuple[Test, ...]:
    """The tests by which the coverage that comes nearest is not the line's."""
    if coverage is None or item.period is None:
        return ()
    return explaining(coverage, item.recognition.drug, item.period)


# Where a quoted reference that failed helps the reader to understand the outcome.
_NAMES_REFERENCE = frozenset(
    {
        LineOutcome.NO_APPROVAL,
        LineOutcome.DRUG_OR_INDICATION_DIFFERS,
        LineOutcome.OUTSIDE_APPROVAL_PERIOD,
        LineOutcome.CONTINUATION_OVERDUE,
        LineOutcome.IDENTITY_WITHHELD,
    }
)
_USES_QUANTITY = frozenset({LineOutcome.MATCHED, LineOutcome.APPROVED_LATE, *SPLIT})


def _apply_limits(decided: Sequence[Decided], told: Told, index: SnapshotIndex) -> list[Decided]:
    """Price and quantity of every line within a coverage, in order of supply, then of content."""
    before = used_before(index, told.debits)
    used: dict[tuple[object, ...], Decimal] = defaultdict(lambda: ZERO, before)
    result = list(decided)
    for position in sorted(range(len(decided)), key=lambda i: _supplied(decided[i], i)):
        item = decided[position]
        if item.within is None:
            continue
        key = allowance_of(item.within)
        limited = limit_line(item, used[key], before.get(key, ZERO), index)
        result[position] = limited
        used[key] += _uses(limited, position, told) or ZERO
    return result


def _with_spacing(decided: Sequence[Decided], told: Told, index: SnapshotIndex) -> list[Decided]:
    """Advice on supplies that follow each other too soon, after all other tests."""
    released = told.debits.released
    before = [each for each in index.earlier.spaced if each.charge not in released]
    found = too_soon(_spaced(decided, told, index), before)
    result = list(decided)
    for position, test in found.items():
        result[position] = replace(result[position], tests=(*result[position].tests, test))
    return result


def _spaced(decided: Sequence[Decided], told: Told, index: SnapshotIndex) -> list[Spaced]:
    """The supplies that stand on an approval which says how long one may last."""
    return [
        supply
        for n, item in enumerate(decided)
        if item.within is not None
        and is_spaced(item.within)
        and item.verdict.outcome in _USES_QUANTITY
        and n not in told.taken_back
        and (supply := spaced(n, item.prepared, item.within, days_early_of(item.prepared, index)))
    ]


def spaced_of(
    prepared: Sequence[Prepared],
    index: SnapshotIndex,
    by_hand: Mapping[int, LineDecision],
    told: Told,
) -> list[Spaced]:
    """The same of lines, by their places."""

    def find(position: int) -> Found | None:
        return find_coverage(prepared[position], index)

    decided = _decided(prepared, index, by_hand, told, find)
    with localcontext(prec=EXACT_DIGITS):
        return _spaced(_apply_limits(decided, told, index), told, index)


def _uses(item: Decided, position: int, told: Told) -> Decimal | None:
    """What a line uses of its approval; None where it uses nothing that can be counted."""
    if item.within is None or position in told.taken_back:
        return None
    stands = item.verdict.outcome in _USES_QUANTITY
    return countable(item.prepared.line, item.within) if stands else None


def _supplied(item: Decided, position: int) -> tuple[dt.date, int, int]:
    """By day, and on one day by content, so that the order of rows changes no outcome."""
    period = item.prepared.period
    return (period.first if period else dt.date.max), content_key(item.prepared.line), position


def limit_line(item: Decided, used: Decimal, before: Decimal, index: SnapshotIndex) -> Decided:
    """The final verdict on a line within a coverage."""
    assert item.within is not None
    line = item.prepared.line
    price = check_price(line, item.within)
    percent, period = tolerance_of(item.prepared, index), item.prepared.period
    quantity = check_quantity(line, item.within, used, before, percent)
    dose = check_dose(line, item.within, period, percent) if period else None
    length = check_length(item.within, dose)
    agreed_delivery = delivery_of(item.prepared, index)
    delivery = check_delivery(line, agreed_delivery)
    held = agreed_price_of(item.prepared, index)
    agreed = check_agreed(line, held) if held else None
    made = [each.test for each in (price, agreed, quantity, dose) if each]
    also = (each for each in (length, delivery, advise_on_vat(line)) if each)
    tests = (*item.tests, *made, *also)
    outcome, reason = outcome_of(item.within, tests)
    allowed = min(quantity.allowed_share, dose.allowed_share if dose else ONE)
    share = min(price.allowed_share, agreed.allowed_share if agreed else ONE) * allowed
    remedy = RECORD_START if outcome in ACCEPTED_WHOLE and unrecorded_start(tests) else None
    verdict = Verdict(outcome, reason, item.within, remedy)
    verdict = _reconsidered(item.prepared, verdict, tests, index)
    over = delivery is not None and delivery.result is FAILED
    kept = agreed_delivery.most if over else None
    return replace(item, verdict=verdict, tests=tests, share=share, delivery=kept)


# Failures that mean nothing where the drug needs no approval.
_ONLY_OF_APPROVAL = frozenset(
    {
        LineOutcome.NOT_THE_APPROVED_PROVIDER,
        LineOutcome.DRUG_OR_INDICATION_DIFFERS,
        LineOutcome.AWAITING_DECISION,
        LineOutcome.CONTINUATION_OVERDUE,
    }
)


def _reconsidered(
    item: Prepared, verdict: Verdict, tests: Sequence[Test], index: SnapshotIndex
) -> Verdict:
    """The verdict, unless no approval is needed, or a transfer that would mend it is undecided."""
    only_of_approval = verdict.outcome in _ONLY_OF_APPROVAL or _began_late(verdict, tests)
    if only_of_approval and need_of(item, index) is Need.NOT_REQUIRED:
        return not_required()
    if verdict.outcome is LineOutcome.NOT_THE_APPROVED_PROVIDER:
        transfer = pending_request(item, index, frozenset({"transfer"}))
        if transfer is not None and transfer.provider == item.provider:
            return replace(awaiting(transfer), coverage=verdict.coverage)
    return verdict


def _began_late(verdict: Verdict, tests: Sequence[Test]) -> bool:
    """Whether the line is outside the approval only because treatment began too late for it."""
    failed = {test.name for test in tests if test.result is FAILED}
    outside = verdict.outcome is LineOutcome.OUTSIDE_APPROVAL_PERIOD
    return outside and START in failed and DEATH not in failed


def _apply_overrides(
    decided: Sequence[Decided], repeats: Repeats, by_hand: Mapping[int, LineDecision]
) -> list[Decided]:
    """Accept or query whole what people decided so, where the outcome is the one that they saw."""
    result = list(decided)
    for position, decision in by_hand.items():
        if decision.kind is not DecisionKind.MATCH and position not in repeats.reverses:
            result[position] = override_line(decided[position], decision)
    return result


def override_line(item: Decided, decision: LineDecision) -> Decided:
    test = overridden(decision, item.verdict.outcome)
    tests = (*item.tests, test)
    if test.result is not PASSED:
        return replace(item, tests=tests)
    accepts = decision.kind is DecisionKind.ACCEPT
    verb = "Accepted" if accepts else "Queried"
    verdict = replace(
        item.verdict,
        reason=f"{verb} by a decision by hand. Without it: {item.verdict.reason}",
        remedy="" if accepts else "Ask the commissioner, who queried it by hand, for the reason.",
    )
    return replace(item, verdict=verdict, tests=tests, found_by=BY_HAND, override=decision.kind)


def _with_amounts(decided: Sequence[Decided], repeats: Repeats) -> tuple[MatchedLine, ...]:
    accepted = [accepted_of(item) for item in decided]
    for position, charge in repeats.reverses.items():
        accepted[position] = -accepted[charge]
    return tuple(matched_line(item, amount) for item, amount in zip(decided, accepted, strict=True))


def _reason(item: Decided) -> str:
    """The verdict's words, and the commissioner that the line should be reassigned to."""
    moved = next((t.detail for t in item.tests if t.name == COMMISSIONER and item.proposed), None)
    proposal = f"Propose to reassign the line: {moved}." if moved else ""
    return " ".join(filter(None, (item.verdict.reason, proposal)))


def matched_line(item: Decided, accepted: Decimal) -> MatchedLine:
    """The line with its outcome, its words and what is accepted of it, in pounds."""
    total = item.prepared.line.total_cost
    coverage, remedy = item.verdict.coverage, item.verdict.remedy
    return MatchedLine(
        line=item.prepared.line,
        kind=item.prepared.kind,
        recognition=item.prepared.recognition,
        outcome=item.verdict.outcome,
        accepted=accepted,
        queried=total - accepted if total is not None else ZERO,
        provider=item.prepared.provider,
        reference=coverage.approval_reference if coverage else None,
        treatment_id=coverage.treatment_id if coverage else None,
        found_by=item.found_by,
        tests=item.tests,
        reason=_reason(item),
        remedy=REMEDIES[item.verdict.outcome] if remedy is None else remedy,
        proposed_commissioner=item.proposed,
    )
