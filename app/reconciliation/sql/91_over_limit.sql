-- The lines over price or quantity, of which a part is accepted: what that part depends on. A value
-- that has no say in a case is NULL, so that cases repeat.
WITH excess AS (
    SELECT
        limited.pos, limited.test_price, limited.test_agreed, limited.test_quantity,
        limited.test_dose, limited.test_delivery, coverage.price_cap, coverage.quantity_cap
    FROM coverage
    INNER JOIN limited ON limited.cov = coverage.cov
    WHERE limited.verdict IN ('over price', 'over quantity')
)

SELECT
    line.pos,
    line.total,
    line.home_delivery AS delivery,
    CASE
        WHEN NOT excess.test_price AND NOT excess.test_agreed
            THEN least(excess.price_cap, line.agreed_price)
        WHEN NOT excess.test_price THEN excess.price_cap
        WHEN NOT excess.test_agreed THEN line.agreed_price
    END AS price_cap,
    CASE WHEN NOT excess.test_price OR NOT excess.test_agreed THEN line.unit_price END AS price,
    CASE WHEN NOT excess.test_quantity THEN excess.quantity_cap - used.used END AS quantity_left,
    CASE WHEN NOT excess.test_quantity THEN line.quantity END AS counted,
    CASE WHEN NOT excess.test_dose THEN dose.most END AS most,
    CASE WHEN NOT excess.test_dose THEN line.quantity END AS quantity,
    CASE WHEN NOT excess.test_delivery THEN line.delivery_most END AS delivery_agreed
FROM line
INNER JOIN excess ON excess.pos = line.pos
LEFT JOIN used ON used.pos = line.pos
LEFT JOIN dose ON dose.pos = line.pos
