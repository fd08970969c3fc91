-- Lines that quote the reference of an approval that is held, and is not theirs.
WITH missed AS (
    SELECT pos
    FROM unfound
    UNION ALL
    SELECT pos
    FROM limited
    WHERE has_reference AND pass <> 1
),

quoting AS (
    SELECT supply.pos, supply.reference
    FROM supply
    INNER JOIN missed ON missed.pos = supply.pos
    WHERE supply.reference IS NOT NULL
)

SELECT quoting.pos
FROM coverage
INNER JOIN quoting ON quoting.reference = coverage.reference_key
UNION
SELECT quoting.pos
FROM coverage_legacy
INNER JOIN quoting ON quoting.reference = coverage_legacy.reference
