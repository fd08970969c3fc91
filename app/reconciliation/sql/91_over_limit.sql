-- The lines over price or quantity, of which a part is accepted: what that part depends on. A value
-- that has no say in a case is NULL, so that cases repeat.
SELECT
    line.pos,
    line.total,
    line.home_delivery AS delivery,
    CASE
        WHEN NOT decision.test_price AND NOT decision.test_agreed
            THEN least(coverage.price_cap, decision.agreed_price)
        WHEN NOT decision.test_price THEN coverage.price_cap
        WHEN NOT decision.test_agreed THEN decision.agreed_price
    END AS price_cap,
    CASE WHEN NOT decision.test_price OR NOT decision.test_agreed THEN line.unit_price END
        AS price,
    CASE WHEN NOT decision.test_quantity THEN coverage.quantity_cap - decision.used END
        AS quantity_left,
    CASE WHEN NOT decision.test_quantity THEN decision.countable END AS counted,
    CASE WHEN NOT decision.test_dose THEN decision.most END AS most,
    CASE WHEN NOT decision.test_dose THEN line.quantity END AS quantity,
    CASE WHEN NOT decision.test_delivery THEN decision.delivery_most END AS delivery_agreed
FROM decision
INNER JOIN line ON line.pos = decision.pos
INNER JOIN coverage ON coverage.cov = decision.within_cov
WHERE decision.outcome IN ('over price', 'over quantity')
