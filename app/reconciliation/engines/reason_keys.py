"""What the reason and the remedy of a line rest on, in SQL (`word_keys` names the tables).

A reason is a part of what the tests say, where tests decided: then it rests on their keys. It is
words of its own where no approval was found or looked for.
"""

from typing import Final

#: What a line states of its own in its words, with the words before and after by which it is known:
#: the row of another line, or the approval that covers nothing.
STATES: Final = """
    CASE
        WHEN told.step IN ('reversal', 'duplicate') AND other_line.row IS NOT NULL
            THEN 'row ' || other_line.row
        WHEN told.step = 'diagnosed' AND told.outcome = 'no approval' AND told.cov IS NOT NULL
            THEN 'approval ' || nullif(coverage.approval_reference, '') || ' is '
    END
"""
#: Of the tests those that had a say in the outcome.
_FOUND: Final = """
    coverage.late, coverage.under_query,
    CASE WHEN told.test_start IS NOT TRUE THEN key_start END,
    CASE WHEN NOT told.test_provider THEN key_provider END,
    CASE WHEN NOT (
        coalesce(told.test_product, TRUE) AND coalesce(told.test_route, TRUE)
        AND coalesce(told.test_indication, TRUE) AND coalesce(told.test_birth_date, TRUE)
        AND coalesce(told.test_funding, TRUE) AND coalesce(told.test_continuation, TRUE)
        AND coalesce(told.last_day <= coverage.died_on, TRUE)
    ) THEN key_patient END,
    CASE WHEN NOT told.test_price OR NOT told.test_agreed THEN key_price END,
    CASE WHEN NOT told.test_quantity THEN key_quantity END,
    CASE WHEN NOT told.test_dose THEN key_dose END,
    CASE WHEN NOT told.test_delivery THEN key_delivery END
"""
#: No pass found an approval: why is told of the patient's approvals, requests and policies.
_DIAGNOSED: Final = """
    told.cov IS NULL, told.first_day IS NULL, told.has_identity,
    CASE WHEN told.outcome = 'no approval' THEN said.status END,
    CASE WHEN told.outcome = 'drug or indication differs' THEN ROW(told.drug, coverage.drug) END,
    CASE WHEN told.outcome = 'continuation overdue' THEN said.continuation_due END,
    CASE WHEN told.outcome = 'outside approval period' THEN ROW(
        coverage.from_day, said.to_day, fits
    ) END,
    CASE WHEN told.reference IS NOT NULL THEN key_standing END
"""
#: Nothing was looked for: what was charged says why.
_SETTLED: Final = """
    told.kind, told.shifted, told.total IS NULL, told.total < 0, told.total = 0,
    CASE WHEN told.kind = 'unknown' THEN ROW(read.drug_code, read.drug_name, era.era) END,
    CASE WHEN told.by_contract THEN key_apart END
"""
#: Why cells could not be read that a reason speaks of.
_UNREAD: Final = """
    [ROW(fault.field, fault.why) FOR fault IN read.faults
        IF fault.field IN ('row', 'total_cost', 'supply_date', 'nhs_number')]
"""
REASON: Final = f"""
    told.step, told.outcome, states IS NULL,
    CASE WHEN told.step = 'found' THEN ROW({_FOUND}) END,
    CASE WHEN told.step = 'diagnosed' THEN ROW({_DIAGNOSED}) END,
    CASE WHEN told.step = 'settled' THEN ROW({_SETTLED}) END,
    CASE WHEN told.outcome = 'cannot be read' THEN {_UNREAD} END,
    CASE WHEN told.outcome = 'awaiting decision' THEN ROW(waits.kind, waits.submitted_on) END,
    CASE WHEN told.moved_to IS NOT NULL THEN key_apart END
"""
