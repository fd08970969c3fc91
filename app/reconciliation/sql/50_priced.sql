-- view
-- The lines that lie within a coverage, their dose, and their verdict before price and quantity are
-- looked at (`standing` where none of the earlier tests failed).
SELECT
    chosen.*,
    dose.pos IS NOT NULL AS has_dose,
    dose.test_dose,
    CASE
        WHEN NOT chosen.test_funding THEN 'not recoverable'
        WHEN chosen.too_late THEN 'outside approval period'
        WHEN NOT chosen.test_start THEN 'outside approval period'
        WHEN NOT chosen.test_provider THEN 'not the approved provider'
        WHEN NOT chosen.test_product THEN 'drug or indication differs'
        WHEN NOT chosen.test_route THEN 'drug or indication differs'
        WHEN NOT chosen.test_indication THEN 'drug or indication differs'
        WHEN NOT chosen.test_continuation THEN 'continuation overdue'
        WHEN chosen.under_query THEN 'awaiting decision'
        ELSE 'standing'
    END AS first_verdict
FROM chosen
LEFT JOIN dose ON dose.pos = chosen.pos
