"""What the reason and the remedy of a line rest on, in SQL (`word_keys` names the tables).

A reason is a part of what the tests say, where tests decided: then it rests on the numbers of what
they say. It is words of its own where no approval was found or looked for.
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
#: The groups whose words a reason may repeat, and of which lines it rests on them. `word_keys` puts
#: the number of what the group says into the reason's key.
COUNTS: Final = {
    "start": "told.step = 'found' AND told.test_start IS NOT TRUE",
    "provider": "told.step = 'found' AND NOT told.test_provider",
    "patient": """told.step = 'found' AND NOT (
        coalesce(told.test_product, TRUE) AND coalesce(told.test_route, TRUE)
        AND coalesce(told.test_indication, TRUE) AND coalesce(told.test_birth_date, TRUE)
        AND coalesce(told.test_funding, TRUE) AND coalesce(told.test_continuation, TRUE)
        AND coalesce(told.last_day <= coverage.died_on, TRUE)
    )""",
    "price": "told.step = 'found' AND (NOT told.test_price OR NOT told.test_agreed)",
    "quantity": "told.step = 'found' AND NOT told.test_quantity",
    "dose": "told.step = 'found' AND NOT told.test_dose",
    "delivery": "told.step = 'found' AND NOT told.test_delivery",
    "standing": "told.step = 'diagnosed' AND told.reference IS NOT NULL",
    "apart": "(told.step = 'settled' AND told.by_contract) OR told.moved_to IS NOT NULL",
}
#: No pass found an approval: why is told of the patient's approvals, requests and policies.
_DIAGNOSED: Final = """
    told.cov IS NULL, told.first_day IS NULL, told.has_identity,
    CASE WHEN told.outcome = 'no approval' THEN coverage.status END,
    CASE WHEN told.outcome = 'drug or indication differs' THEN ROW(told.drug, coverage.drug) END,
    CASE WHEN told.outcome = 'continuation overdue' THEN coverage.continuation_due END,
    CASE WHEN told.outcome = 'outside approval period' THEN ROW(
        coverage.from_day, coverage.to_day, fits
    ) END
"""
#: Nothing was looked for: what was charged says why.
_SETTLED: Final = """
    told.kind, told.shifted, told.total IS NULL, told.total < 0, told.total = 0,
    CASE WHEN told.kind = 'unknown' THEN ROW(read.drug_code, read.drug_name, era.era) END
"""
#: Why cells could not be read that a reason speaks of.
_UNREAD: Final = """
    [ROW(fault.field, fault.why) FOR fault IN read.faults
        IF fault.field IN ('row', 'total_cost', 'supply_date', 'nhs_number')]
"""
#: All that a reason rests on beside what the groups that count for it say.
REASON: Final = f"""
    told.step, told.outcome, states IS NULL,
    CASE WHEN told.step = 'found' THEN ROW(coverage.late, coverage.under_query) END,
    CASE WHEN told.step = 'diagnosed' THEN ROW({_DIAGNOSED}) END,
    CASE WHEN told.step = 'settled' THEN ROW({_SETTLED}) END,
    CASE WHEN told.outcome = 'cannot be read' THEN {_UNREAD} END,
    CASE WHEN told.outcome = 'awaiting decision' THEN ROW(waits.kind, waits.submitted_on) END
"""
