-- The verdict with price and quantity, before it is reconsidered.
WITH counted AS (
    SELECT
        priced.*,
        CASE WHEN used.most IS NULL THEN TRUE ELSE used.used + priced.countable <= used.most END
            AS test_quantity
    FROM priced
    LEFT JOIN used ON used.pos = priced.pos
)

SELECT
    pos, cov, pass, too_late, test_start, test_provider, test_product, test_route, test_indication, test_birth_date, test_funding,
    test_continuation, test_price, has_agreed, test_agreed, test_quantity, has_dose, test_dose,
    has_length, has_delivery, test_delivery, total, has_reference,
    CASE
        WHEN first_verdict <> 'standing' THEN first_verdict
        WHEN NOT test_price OR NOT test_agreed THEN 'over price'
        WHEN NOT test_quantity OR NOT test_dose THEN 'over quantity'
        WHEN NOT test_delivery THEN 'over price'
        WHEN late THEN 'approved late'
        ELSE 'matched'
    END AS verdict
FROM counted
