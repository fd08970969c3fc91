-- Charges whose content stands in the file already, or in a current slice of an earlier submission
-- (`first_pos` is NULL then). The cheap key comes first, so that only the few lines that share one are
-- compared by their content, and no other line's is kept.
WITH shared AS (
    SELECT content_key
    FROM charge
    WHERE NOT stated_before
    GROUP BY content_key
    HAVING count(*) > 1
),

placed AS (
    SELECT charge.pos, min(charge.pos) OVER (PARTITION BY charge.content_hash) AS first_pos
    FROM charge
    INNER JOIN shared ON shared.content_key = charge.content_key
    WHERE NOT charge.stated_before
)

SELECT pos, first_pos
FROM placed
WHERE pos <> first_pos
UNION ALL
SELECT pos, CAST(NULL AS BIGINT) AS first_pos
FROM charge
WHERE stated_before
