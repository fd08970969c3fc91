-- What is accepted and queried of each line. `fee_case` holds what plain functions made of the fees on
-- lines of their own: a fee has the approval of the supply that it belongs to. A person's override of
-- such a line counts where the outcome is the one that they saw.
WITH paid AS (
    SELECT fee_case.pos, fee_case.outcome, supplied.cov, CASE
        WHEN override.accepts THEN decision.total
        WHEN NOT override.accepts THEN 0
        ELSE fee_case.accepted
    END AS accepted
    FROM decision
    INNER JOIN fee_case ON fee_case.pos = decision.pos
    LEFT JOIN (
        SELECT fee_case.pos, decision.cov
        FROM decision
        INNER JOIN fee_case ON fee_case.supply_pos = decision.pos
    ) AS supplied ON supplied.pos = fee_case.pos
    LEFT JOIN override
        ON override.pos = fee_case.pos AND override.outcome = fee_case.outcome
)

SELECT
    part.pos, part.step, coalesce(paid.outcome, part.outcome) AS outcome, part.other_pos, part.is_duplicate,
    part.pass, coalesce(part.cov, paid.cov) AS cov, part.within_cov,
    part.has_reference, part.test_reference, part.test_provider, part.test_product,
    part.test_route, part.test_start,
    part.test_indication, part.test_birth_date, part.test_funding, part.test_continuation,
    part.test_price, part.has_agreed, part.test_agreed, part.test_quantity, part.has_dose,
    part.test_dose, part.has_length, part.has_delivery, part.test_delivery,
    coalesce(paid.accepted, part.accepted) AS accepted,
    coalesce(part.total, 0) - coalesce(paid.accepted, part.accepted) AS queried
FROM part
LEFT JOIN paid ON paid.pos = part.pos
