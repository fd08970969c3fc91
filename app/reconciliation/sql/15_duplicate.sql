-- Charges whose content stands in the file already. A charge that was reversed does not stand. The
-- cheap key comes first, so that only the few lines that share one are compared by their content.
WITH charge AS (
    SELECT pos, content_key, content_hash
    FROM line
    WHERE kind IN ('drug', 'fee or delivery', 'device or consumable')
        AND has_identity
        AND first_day IS NOT NULL
        AND NOT shifted
        AND NOT EXISTS (SELECT 1 FROM reversal WHERE reversal.charge_pos = line.pos)
),

shared AS (
    SELECT content_key
    FROM charge
    GROUP BY content_key
    HAVING count(*) > 1
),

placed AS (
    SELECT charge.pos, min(charge.pos) OVER (PARTITION BY charge.content_hash) AS first_pos
    FROM charge
    INNER JOIN shared ON shared.content_key = charge.content_key
)

SELECT pos, first_pos
FROM placed
WHERE pos <> first_pos
