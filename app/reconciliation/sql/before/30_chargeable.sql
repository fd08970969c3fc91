-- The charges that no credit took back and that nobody need look at, and whether each can be told to
-- repeat another, as `charge` says of a submission's own. One that does not stand counts nothing, and
-- yet another line of its file may repeat it.
SELECT
    earlier_row.pos, earlier_row.file, earlier_row.stands, earlier_row.kind,
    earlier_row.content_key, earlier_row.content_hash,
    earlier_row.has_identity AND earlier_row.first_day IS NOT NULL AND NOT earlier_row.shifted
        AS can_repeat
FROM earlier_row
ANTI JOIN apart ON apart.pos = earlier_row.pos
ANTI JOIN settled ON settled.pos = earlier_row.pos
WHERE earlier_row.kind IN ('drug', 'fee or delivery', 'device or consumable')
