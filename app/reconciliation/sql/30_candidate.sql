-- Every coverage of a line's own patient and drug that covers the whole time of its supply, with
-- its tests. NHS numbers decide where both are known; otherwise the local identifier does, at the
-- organisation that issued it, unless the birth dates contradict it. An equality join first, the
-- range beside it: never an as-of join, which loses a short approval inside a long one.
-- Last deliveries after a stop count as far as their dates may follow it.
-- A test is TRUE where it passed, FALSE where it failed, NULL where it is not testable. What the tests
-- say is kept and not what they look at, so that no later step reads every line again for it.
WITH by_other AS (
    SELECT supply.pos, coverage_local.cov, FALSE AS by_hand
    FROM coverage_local
    INNER JOIN supply
        ON coverage_local.org = supply.provider
        AND coverage_local.local_id = supply.local_id
        AND coverage_local.drug = supply.drug
        AND coverage_local.from_day <= supply.first_day
        AND greatest(coverage_local.last_day, coverage_local.stop_day + supply.after_stop) >= supply.last_day
    WHERE coverage_local.usable
        AND supply.nhs_number IS NULL
        AND coalesce(coverage_local.birth_date = supply.birth_date, TRUE)
    UNION ALL
    SELECT supply.pos, unnumbered.cov, FALSE AS by_hand
    FROM supply
    INNER JOIN (SELECT * FROM coverage_local WHERE nhs_number IS NULL AND usable) AS unnumbered
        ON unnumbered.org = supply.provider
        AND unnumbered.local_id = supply.local_id
        AND unnumbered.drug = supply.drug
        AND unnumbered.from_day <= supply.first_day
        AND greatest(unnumbered.last_day, unnumbered.stop_day + supply.after_stop) >= supply.last_day
    WHERE supply.nhs_number IS NOT NULL
        AND coalesce(unnumbered.birth_date = supply.birth_date, TRUE)
    UNION ALL
    SELECT pos, cov, TRUE AS by_hand
    FROM named_by_hand
),

other_line AS (
    SELECT supply.*, by_other.cov, by_other.by_hand
    FROM supply
    INNER JOIN by_other ON by_other.pos = supply.pos
),

paired AS (
    SELECT
        supply.pos, supply.first_day, supply.last_day, supply.provider,
        supply.product, supply.route, supply.reference, supply.indication, supply.birth_date, supply.total,
        supply.quantity, supply.unit, supply.unit_price, supply.vat_charged, supply.has_agreed,
        supply.agreed_least, supply.agreed_most, supply.home_delivery, supply.homecare,
        supply.delivery_least, supply.delivery_most, supply.after_death,
        coverage.cov, TRUE AS by_nhs, FALSE AS by_hand, coverage.provider AS approved_provider,
        coverage.product AS approved_product, coverage.indication AS approved_indication,
        coverage.birth_date AS patient_born, coverage.reference_key, coverage.provider_set,
        coverage.product_set, coverage.interchangeable, coverage.route AS approved_route,
        coverage.start_by, coverage.began_late, coverage.funded, coverage.overdue_after,
        coverage.under_query, coverage.late, coverage.width, coverage.from_day,
        coverage.died_on, coverage.price_cap, coverage.price_unit, coverage.quantity_unit,
        coverage.has_length
    FROM supply
    INNER JOIN coverage
        ON coverage.nhs_number = supply.nhs_number
        AND coverage.drug = supply.drug
        AND coverage.from_day <= supply.first_day
        AND greatest(coverage.last_day, coverage.stop_day + supply.after_stop) >= supply.last_day
    WHERE coverage.usable
    UNION ALL
    SELECT
        other_line.pos, other_line.first_day, other_line.last_day, other_line.provider,
        other_line.product, other_line.route, other_line.reference, other_line.indication,
        other_line.birth_date, other_line.total, other_line.quantity, other_line.unit, other_line.unit_price,
        other_line.vat_charged, other_line.has_agreed, other_line.agreed_least,
        other_line.agreed_most, other_line.home_delivery, other_line.homecare,
        other_line.delivery_least, other_line.delivery_most, other_line.after_death,
        coverage.cov, FALSE AS by_nhs, other_line.by_hand, coverage.provider AS approved_provider,
        coverage.product AS approved_product, coverage.indication AS approved_indication,
        coverage.birth_date AS patient_born, coverage.reference_key, coverage.provider_set,
        coverage.product_set, coverage.interchangeable, coverage.route AS approved_route,
        coverage.start_by, coverage.began_late, coverage.funded, coverage.overdue_after,
        coverage.under_query, coverage.late, coverage.width, coverage.from_day,
        coverage.died_on, coverage.price_cap, coverage.price_unit, coverage.quantity_unit,
        coverage.has_length
    FROM coverage
    INNER JOIN other_line ON other_line.cov = coverage.cov
)

SELECT
    paired.pos,
    paired.cov,
    paired.by_nhs,
    paired.by_hand,
    coalesce(paired.reference_key = paired.reference OR legacy.cov IS NOT NULL, FALSE) AS quoted,
    coalesce(paired.provider = paired.approved_provider, TRUE) AS here,
    paired.provider = paired.approved_provider OR spoke.provider IS NOT NULL AS test_provider,
    CASE
        WHEN paired.product IS NOT NULL THEN
            coalesce(paired.product = paired.approved_product, FALSE)
            OR (
                (paired.product_set IS NULL OR allowed.product IS NOT NULL)
                AND (paired.approved_product IS NULL OR paired.interchangeable)
            )
    END AS test_product,
    CASE
        WHEN paired.route = paired.approved_route THEN TRUE
        WHEN paired.route > 0 AND paired.approved_route > 0 THEN
            coalesce(
                paired.product <> paired.approved_product
                AND paired.interchangeable
                AND (paired.product_set IS NULL OR allowed.product IS NOT NULL),
                FALSE
            )
    END AS test_route,
    CASE
        WHEN paired.start_by IS NULL OR paired.last_day <= paired.start_by THEN TRUE
        WHEN paired.began_late AND paired.first_day > paired.start_by THEN FALSE
    END AS test_start,
    paired.indication = paired.approved_indication AS test_indication,
    paired.birth_date = paired.patient_born AS test_birth_date,
    paired.funded AS test_funding,
    coalesce(paired.first_day <= paired.overdue_after, TRUE) AS test_continuation,
    paired.under_query,
    paired.late,
    paired.width,
    paired.from_day,
    paired.first_day,
    coalesce(paired.first_day > paired.died_on + paired.after_death, FALSE) AS too_late,
    CASE WHEN paired.quantity > 0 AND paired.unit = paired.quantity_unit THEN paired.quantity END
        AS countable,
    CASE
        WHEN paired.price_cap IS NULL THEN TRUE
        WHEN paired.unit IS NULL OR paired.price_unit IS NULL THEN NULL
        WHEN paired.unit <> paired.price_unit THEN NULL
        WHEN paired.unit_price > paired.price_cap AND paired.vat_charged THEN NULL
        ELSE paired.unit_price <= paired.price_cap
    END AS test_price,
    paired.has_agreed,
    CASE
        WHEN paired.unit_price <= paired.agreed_least THEN TRUE
        WHEN paired.unit_price > paired.agreed_most AND paired.vat_charged THEN NULL
        WHEN paired.unit_price > paired.agreed_most THEN FALSE
    END AS test_agreed,
    coalesce(paired.home_delivery > 0, FALSE) AS has_delivery,
    CASE
        WHEN paired.home_delivery <= 0 THEN NULL
        WHEN NOT paired.homecare THEN NULL
        WHEN paired.home_delivery <= paired.delivery_least THEN TRUE
        WHEN paired.home_delivery > paired.delivery_most AND paired.vat_charged THEN NULL
        WHEN paired.home_delivery > paired.delivery_most THEN FALSE
    END AS test_delivery,
    paired.has_length,
    paired.total,
    paired.reference IS NOT NULL AS has_reference
FROM paired
LEFT JOIN coverage_legacy AS legacy
    ON legacy.cov = paired.cov AND legacy.reference = paired.reference
LEFT JOIN provider_set AS spoke
    ON spoke.set_id = paired.provider_set AND spoke.provider = paired.provider
LEFT JOIN product_set AS allowed
    ON allowed.set_id = paired.product_set AND allowed.product = paired.product
ANTI JOIN coverage_pause
    ON coverage_pause.cov = paired.cov
    AND coverage_pause.from_day <= paired.last_day
    AND coverage_pause.to_day >= paired.first_day
