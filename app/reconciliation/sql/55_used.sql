-- What earlier submissions and the lines before this one have used of the same approval, in order of
-- supply and, of one day, of content, which is looked up for these lines alone. Lines that do not
-- stand, or that a credit takes back, use nothing. `most` is the quantity approved and the tolerance
-- agreed; none where the line's own coverage caps no quantity.
WITH tolerated AS (
    SELECT at_most.pos, at_most.most
    FROM line
    INNER JOIN (
        SELECT chosen.pos, cap_tolerated.percent, cap_tolerated.most
        FROM chosen
        INNER JOIN cap_tolerated ON cap_tolerated.cov = chosen.cov
    ) AS at_most ON at_most.pos = line.pos AND at_most.percent = line.tolerance
),

capped AS (
    SELECT coverage.cov, coverage.allowance, coverage.used_before, coverage.quantity_cap
    FROM coverage
    INNER JOIN capped_allowance ON capped_allowance.allowance = coverage.allowance
),

counted AS (
    SELECT
        priced.pos,
        capped.allowance,
        priced.first_day,
        capped.used_before,
        coalesce(tolerated.most, capped.quantity_cap) AS most,
        CASE
            WHEN priced.first_verdict <> 'standing' THEN 0
            WHEN reversal.charge_pos IS NOT NULL OR taken.pos IS NOT NULL THEN 0
            ELSE coalesce(priced.countable, 0)
        END AS uses
    FROM priced
    INNER JOIN capped ON capped.cov = priced.cov
    LEFT JOIN reversal ON reversal.charge_pos = priced.pos
    LEFT JOIN taken ON taken.pos = priced.pos
    LEFT JOIN tolerated ON tolerated.pos = priced.pos
)

SELECT
    counted.pos,
    counted.most,
    counted.used_before + coalesce(
        sum(counted.uses) OVER (
            PARTITION BY counted.allowance
            ORDER BY counted.first_day, line.content_key, counted.pos
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ),
        0
    ) AS used
FROM line
INNER JOIN counted ON counted.pos = line.pos
