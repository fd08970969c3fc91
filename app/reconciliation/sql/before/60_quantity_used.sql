-- What they use of each approval, in each unit by itself. A line over price or quantity uses what it
-- states, so that no line's use depends on another's.
SELECT
    coverage.approval_reference, coalesce(coverage.quantity_unit, '') AS unit,
    sum(priced.countable) AS quantity
FROM priced
INNER JOIN coverage ON coverage.cov = priced.cov
WHERE priced.first_verdict = 'standing'
    AND priced.countable IS NOT NULL
    AND coverage.approval_reference <> ''
GROUP BY coverage.approval_reference, coalesce(coverage.quantity_unit, '')
