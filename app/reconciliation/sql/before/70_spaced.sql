-- Those that stand on an approval which says for how long one supply may last, and at which dose.
SELECT
    line.pos, dosed_supply.treatment_id, line.supply_date AS day, dosed_supply.dose_set,
    line.quantity, line.unit
FROM line
INNER JOIN (
    SELECT priced.pos, coverage.treatment_id, coverage.dose_set
    FROM priced
    INNER JOIN coverage ON coverage.cov = priced.cov
    WHERE priced.first_verdict = 'standing' AND coverage.dose_set IS NOT NULL
) AS dosed_supply ON dosed_supply.pos = line.pos
WHERE line.supply_date IS NOT NULL
