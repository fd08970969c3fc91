-- Lines that quote the reference of an approval that is held, and is not theirs.
WITH quoting AS (
    SELECT supply.pos, supply.reference
    FROM supply
    LEFT JOIN limited ON limited.pos = supply.pos AND limited.pass = 1
    WHERE supply.reference IS NOT NULL AND limited.pos IS NULL
)

SELECT quoting.pos
FROM quoting
INNER JOIN coverage ON coverage.reference_key = quoting.reference
UNION
SELECT quoting.pos
FROM quoting
INNER JOIN coverage_legacy ON coverage_legacy.reference = quoting.reference
