-- The few lines that the plain functions match: credits that stand and took back no charge to the day,
-- the charges of their amounts that they may take back, and lines that are `flagged`. All that state
-- the same as one of these charges go with it, and a credit goes with its charge: so nothing that is
-- told apart depends on a line that is not.
WITH credit AS (
    SELECT
        earlier_row.pos, earlier_row.nhs_number, earlier_row.local_id, earlier_row.reference,
        -earlier_row.total AS amount
    FROM earlier_row
    ANTI JOIN settled ON settled.pos = earlier_row.pos
    WHERE earlier_row.stands
        AND earlier_row.kind = 'credit or rebate'
        AND NOT earlier_row.shifted
        AND earlier_row.total < 0
),

given AS (
    SELECT DISTINCT amount
    FROM credit
),

charge AS (
    SELECT
        earlier_row.nhs_number, earlier_row.local_id, earlier_row.reference, earlier_row.content_hash,
        given.amount
    FROM earlier_row
    INNER JOIN given ON given.amount = earlier_row.total
    WHERE earlier_row.stands
        AND earlier_row.kind IN ('drug', 'fee or delivery')
        AND NOT earlier_row.shifted
),

alike AS (
    SELECT charge.content_hash
    FROM charge
    INNER JOIN credit
        ON credit.nhs_number = charge.nhs_number AND credit.amount = charge.amount
    UNION
    SELECT charge.content_hash
    FROM charge
    INNER JOIN credit
        ON credit.local_id = charge.local_id AND credit.amount = charge.amount
    UNION
    SELECT charge.content_hash
    FROM charge
    INNER JOIN credit
        ON credit.reference = charge.reference AND credit.amount = charge.amount
    UNION
    SELECT earlier_row.content_hash
    FROM earlier_row
    INNER JOIN flagged ON flagged.pos = earlier_row.pos
    UNION
    SELECT earlier_row.content_hash
    FROM earlier_row
    INNER JOIN (SELECT charge_pos FROM paired WHERE NOT settled) AS half
        ON half.charge_pos = earlier_row.pos
),

told AS (
    SELECT earlier_row.pos
    FROM earlier_row
    INNER JOIN alike ON alike.content_hash = earlier_row.content_hash
    WHERE earlier_row.kind <> 'credit or rebate'
)

SELECT pos
FROM told
UNION
SELECT pos
FROM credit
UNION
SELECT paired.pos
FROM paired
INNER JOIN told ON told.pos = paired.charge_pos
