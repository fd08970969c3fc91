-- view
-- The charges that may repeat one another. A charge that a credit took back does not stand, whether
-- to the day (`reversal`) or otherwise (`taken`); nor does what stood before, where a credit of this
-- file gives it back (`freed`): it may be billed again.
SELECT
    line.pos, line.content_key, line.content_hash,
    line.stated_before AND freed.pos IS NULL AS stated_before
FROM line
LEFT JOIN reversal ON reversal.charge_pos = line.pos
LEFT JOIN taken ON taken.pos = line.pos
LEFT JOIN freed ON freed.pos = line.pos
WHERE line.kind IN ('drug', 'fee or delivery', 'device or consumable')
    AND line.has_identity
    AND line.first_day IS NOT NULL
    AND NOT line.shifted
    AND reversal.pos IS NULL
    AND taken.pos IS NULL
