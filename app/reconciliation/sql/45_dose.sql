-- The largest dose that a chosen coverage allows at the time of supply. Where a line's unit is not
-- every such dose's, it cannot be compared. What is tested is the dose and the tolerance agreed.
WITH limited_supply AS (
    SELECT chosen.pos, coverage.dose_set
    FROM chosen
    INNER JOIN coverage ON coverage.cov = chosen.cov
    WHERE coverage.dose_set IS NOT NULL
),

applicable AS (
    SELECT
        limited_supply.pos,
        dose_set.most,
        line.quantity,
        coalesce(dose_tolerated.most, dose_set.most) AS tolerated,
        row_number() OVER (PARTITION BY limited_supply.pos ORDER BY dose_set.largest_first)
            AS place,
        min(CASE WHEN dose_set.unit = line.unit THEN 1 ELSE 0 END)
            OVER (PARTITION BY limited_supply.pos) AS same_unit
    FROM line
    INNER JOIN limited_supply ON limited_supply.pos = line.pos
    INNER JOIN dose_set ON dose_set.set_id = limited_supply.dose_set
    LEFT JOIN dose_tolerated
        ON dose_tolerated.set_id = dose_set.set_id
        AND dose_tolerated.largest_first = dose_set.largest_first
        AND dose_tolerated.percent = line.tolerance
    WHERE dose_set.from_day <= line.last_day AND dose_set.to_day >= line.first_day
)

SELECT pos, most, CASE WHEN quantity > 0 AND same_unit = 1 THEN quantity <= tolerated END AS test_dose
FROM applicable
WHERE place = 1
