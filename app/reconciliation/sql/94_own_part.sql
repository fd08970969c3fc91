-- view
-- What is accepted of each line for itself. `split` holds what is accepted of the lines that are over
-- price or over quantity. A person's override counts where the outcome is the one that they saw.
SELECT
    decision.*,
    CASE
        WHEN decision.total IS NULL THEN 0
        WHEN override.accepts THEN decision.total
        WHEN NOT override.accepts THEN 0
        WHEN decision.outcome IN ('matched', 'approved late', 'approval not required') THEN decision.total
        WHEN split.pos IS NOT NULL THEN split.accepted
        WHEN decision.outcome IN ('not a drug line', 'credit without its debit')
            AND decision.total < 0 THEN decision.total
        ELSE 0
    END AS own_part
FROM decision
LEFT JOIN split ON split.pos = decision.pos
LEFT JOIN override
    ON override.pos = decision.pos AND override.outcome = decision.outcome
