-- What is accepted of each line, before fees on lines of their own are looked at. `split` holds what
-- is accepted of the lines that are over price or over quantity. A person's override counts where the outcome is the one that they
-- saw; a reversal takes its charge's part, negated.
WITH part AS (
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
),

-- Few lines are reversed, so few are looked up.
taken_back AS (
    SELECT reversal.pos, -part.own_part AS accepted
    FROM reversal
    INNER JOIN part ON part.pos = reversal.charge_pos
)

SELECT
    part.pos, part.total, part.step, part.outcome, part.other_pos, part.is_duplicate, part.pass, part.cov, part.within_cov,
    part.has_reference, part.test_reference, part.test_provider, part.test_product,
    part.test_indication, part.test_birth_date, part.test_funding, part.test_continuation,
    part.test_price, part.has_agreed, part.test_agreed, part.test_quantity, part.has_dose,
    part.test_dose, part.has_length, part.has_delivery, part.test_delivery,
    coalesce(taken_back.accepted, part.own_part) AS accepted
FROM part
LEFT JOIN taken_back ON taken_back.pos = part.pos
