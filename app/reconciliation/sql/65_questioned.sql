-- The lines that policies and waiting requests have a say on: those that no pass found a coverage
-- for, and those whose failure may mean nothing.
SELECT
    supply.*,
    limited.verdict,
    CASE
        WHEN limited.pos IS NULL THEN 'any'
        WHEN limited.verdict = 'not the approved provider' THEN 'transfer'
        ELSE 'none'
    END AS request_wanted
FROM supply
LEFT JOIN limited ON limited.pos = supply.pos
WHERE limited.pos IS NULL
    OR limited.verdict IN (
        'not the approved provider', 'drug or indication differs', 'awaiting decision',
        'continuation overdue'
    )
