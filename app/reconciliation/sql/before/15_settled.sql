-- view
-- The credits and charges that settle each other.
SELECT pos
FROM paired
WHERE settled
UNION ALL
SELECT charge_pos AS pos
FROM paired
WHERE settled
