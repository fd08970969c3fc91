-- The lines that policies and waiting requests have a say on: those that no pass found a coverage
-- for, and those whose failure may mean nothing.
WITH asked AS (
    SELECT pos, 'any' AS request_wanted
    FROM unfound
    UNION ALL
    SELECT
        pos,
        CASE WHEN verdict = 'not the approved provider' THEN 'transfer' ELSE 'none' END
            AS request_wanted
    FROM limited
    WHERE verdict IN (
        'not the approved provider', 'drug or indication differs', 'awaiting decision',
        'continuation overdue'
    )
        OR (verdict = 'outside approval period' AND NOT test_start AND NOT too_late)
)

SELECT
    supply.pos, supply.nhs_number, supply.local_id, supply.has_identity, supply.withheld,
    supply.birth_date, supply.drug, supply.provider, supply.commissioner, supply.first_day,
    supply.last_day, supply.month_only, supply.after_stop, asked.request_wanted
FROM supply
INNER JOIN asked ON asked.pos = supply.pos
