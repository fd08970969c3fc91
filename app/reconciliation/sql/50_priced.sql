-- Price, dose and delivery of the lines that lie within a coverage, and their verdict before price and
-- quantity are looked at (`standing` where none of the earlier tests failed).
SELECT
    chosen.*,
    coverage.allowance,
    coverage.quantity_cap,
    coalesce(cap_tolerated.most, coverage.quantity_cap) AS quantity_most,
    coverage.used_before,
    line.first_day,
    CASE WHEN line.quantity > 0 AND line.unit = coverage.quantity_unit THEN line.quantity END
        AS countable,
    CASE
        WHEN coverage.price_cap IS NULL THEN TRUE
        WHEN line.unit IS NULL OR coverage.price_unit IS NULL THEN NULL
        WHEN line.unit <> coverage.price_unit THEN NULL
        WHEN line.unit_price > coverage.price_cap AND line.vat_charged THEN NULL
        ELSE line.unit_price <= coverage.price_cap
    END AS test_price,
    line.has_agreed,
    line.agreed_price,
    CASE
        WHEN line.unit_price <= line.agreed_least THEN TRUE
        WHEN line.unit_price > line.agreed_most AND line.vat_charged THEN NULL
        WHEN line.unit_price > line.agreed_most THEN FALSE
    END AS test_agreed,
    dose.pos IS NOT NULL AS has_dose,
    CASE WHEN line.quantity > 0 AND dose.same_unit THEN line.quantity <= dose.tolerated END AS test_dose,
    dose.most,
    coverage.has_length,
    coalesce(line.home_delivery > 0, FALSE) AS has_delivery,
    CASE
        WHEN line.home_delivery <= 0 THEN NULL
        WHEN NOT line.homecare THEN NULL
        WHEN line.home_delivery <= line.delivery_least THEN TRUE
        WHEN line.home_delivery > line.delivery_most AND line.vat_charged THEN NULL
        WHEN line.home_delivery > line.delivery_most THEN FALSE
    END AS test_delivery,
    line.delivery_most,
    CASE
        WHEN NOT chosen.test_funding THEN 'not recoverable'
        WHEN line.first_day > coverage.died_on + line.after_death THEN 'outside approval period'
        WHEN NOT chosen.test_provider THEN 'not the approved provider'
        WHEN NOT chosen.test_product THEN 'drug or indication differs'
        WHEN NOT chosen.test_indication THEN 'drug or indication differs'
        WHEN NOT chosen.test_continuation THEN 'continuation overdue'
        WHEN chosen.under_query THEN 'awaiting decision'
        ELSE 'standing'
    END AS first_verdict
FROM chosen
INNER JOIN coverage ON coverage.cov = chosen.cov
INNER JOIN line ON line.pos = chosen.pos
LEFT JOIN dose ON dose.pos = chosen.pos
LEFT JOIN cap_tolerated
    ON cap_tolerated.cov = chosen.cov AND cap_tolerated.percent = line.tolerance
