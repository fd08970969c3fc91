-- The largest dose of the day of each supply in `spaced`; none where it is of another unit.
SELECT pos, quantity, amount_text, days_text
FROM (
    SELECT
        spaced.pos, spaced.quantity, dose_set.amount_text, dose_set.days_text,
        row_number() OVER (PARTITION BY spaced.pos ORDER BY dose_set.largest_first) AS place,
        min(CASE WHEN dose_set.unit = spaced.unit THEN 1 ELSE 0 END)
            OVER (PARTITION BY spaced.pos) AS same_unit
    FROM spaced
    INNER JOIN dose_set ON dose_set.set_id = spaced.dose_set
    WHERE dose_set.from_day <= spaced.day AND dose_set.to_day >= spaced.day
) AS applicable
WHERE place = 1 AND same_unit = 1 AND quantity IS NOT NULL
