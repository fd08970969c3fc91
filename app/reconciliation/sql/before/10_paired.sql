-- Credits of earlier files that take back a charge of their own file to the day, as `reversal` found
-- them. `settled` where both stand or neither does: then neither counts any more.
SELECT half.pos, half.charge_pos, half.stands = charge.stands AS settled
FROM earlier_row AS charge
INNER JOIN (
    SELECT reversal.pos, reversal.charge_pos, credit.stands
    FROM earlier_row AS credit
    INNER JOIN reversal ON reversal.pos = credit.pos
) AS half ON half.charge_pos = charge.pos
