-- The charges that count. Of those of one file that state the same only the first may, if it stands;
-- and of several files only the first one's.
WITH shared AS (
    SELECT content_key
    FROM chargeable
    WHERE can_repeat
    GROUP BY content_key
    HAVING count(*) > 1
),

placed AS (
    SELECT
        chargeable.pos, chargeable.content_hash, chargeable.stands,
        min(chargeable.pos) OVER (PARTITION BY chargeable.content_hash, chargeable.file) AS first_pos
    FROM chargeable
    INNER JOIN shared ON shared.content_key = chargeable.content_key
    WHERE chargeable.can_repeat
),

first_standing AS (
    SELECT content_hash, min(pos) AS pos
    FROM placed
    WHERE pos = first_pos AND stands
    GROUP BY content_hash
),

repeating AS (
    SELECT placed.pos
    FROM placed
    ANTI JOIN first_standing ON first_standing.pos = placed.pos
)

SELECT chargeable.pos, chargeable.kind, chargeable.content_hash, chargeable.can_repeat
FROM chargeable
ANTI JOIN repeating ON repeating.pos = chargeable.pos
WHERE chargeable.stands
