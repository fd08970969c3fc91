-- What earlier submissions and the lines before this one have used of the same approval, in order of
-- supply. Lines that do not stand, or that a credit takes back, use nothing.
WITH counted AS (
    SELECT
        priced.pos,
        priced.allowance,
        priced.first_day,
        priced.used_before,
        CASE
            WHEN priced.first_verdict <> 'standing' THEN 0
            WHEN reversal.charge_pos IS NOT NULL OR taken.pos IS NOT NULL THEN 0
            ELSE coalesce(priced.countable, 0)
        END AS uses
    FROM priced
    INNER JOIN capped_allowance ON capped_allowance.allowance = priced.allowance
    LEFT JOIN reversal ON reversal.charge_pos = priced.pos
    LEFT JOIN taken ON taken.pos = priced.pos
)

SELECT
    pos,
    used_before + coalesce(
        sum(uses) OVER (
            PARTITION BY allowance
            ORDER BY first_day, pos
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ),
        0
    ) AS used
FROM counted
