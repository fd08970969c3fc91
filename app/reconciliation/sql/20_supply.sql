-- view
-- The lines that the passes look at: drug supplies that nothing has settled.
SELECT
    line.pos, line.nhs_number, line.local_id, line.has_identity, line.withheld, line.birth_date,
    line.drug, line.product, line.route, line.indication, line.provider, line.commissioner, line.reference,
    line.first_day, line.last_day, line.month_only, line.after_stop, line.after_death,
    line.quantity, line.unit, line.unit_price, line.vat_charged, line.has_agreed, line.agreed_least,
    line.agreed_most, line.home_delivery, line.homecare, line.delivery_least, line.delivery_most, line.total
FROM line
LEFT JOIN duplicate ON duplicate.pos = line.pos
WHERE line.kind = 'drug'
    AND NOT line.shifted
    AND line.total IS NOT NULL
    AND duplicate.pos IS NULL
    AND NOT line.no_pass_through
