-- Every coverage of a line's own patient and drug that covers the whole time of its supply, with
-- its tests. NHS numbers decide where both are known; otherwise the local identifier does, at the
-- organisation that issued it, unless the birth dates contradict it. An equality join first, the
-- range beside it: never an as-of join, which loses a short approval inside a long one.
-- Last deliveries after a stop count as far as their dates may follow it.
-- A test is TRUE where it passed, FALSE where it failed, NULL where it is not testable.
WITH by_other AS (
    SELECT supply.*, coverage_local.cov, FALSE AS by_hand
    FROM supply
    INNER JOIN coverage_local
        ON coverage_local.org = supply.provider
        AND coverage_local.local_id = supply.local_id
        AND coverage_local.drug = supply.drug
        AND coverage_local.from_day <= supply.first_day
        AND greatest(coverage_local.last_day, coverage_local.stop_day + supply.after_stop) >= supply.last_day
    WHERE coverage_local.usable
        AND supply.nhs_number IS NULL
        AND coalesce(coverage_local.birth_date = supply.birth_date, TRUE)
    UNION ALL
    SELECT supply.*, unnumbered.cov, FALSE AS by_hand
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
    SELECT supply.*, named_by_hand.cov, TRUE AS by_hand
    FROM supply
    INNER JOIN named_by_hand ON named_by_hand.pos = supply.pos
),

paired AS (
    SELECT
        supply.pos, supply.first_day, supply.last_day, supply.provider,
        supply.product, supply.reference, supply.indication, supply.birth_date,
        coverage.cov, TRUE AS by_nhs, FALSE AS by_hand, coverage.provider AS approved_provider,
        coverage.product AS approved_product, coverage.indication AS approved_indication,
        coverage.birth_date AS patient_born, coverage.reference_key, coverage.provider_set,
        coverage.product_set, coverage.interchangeable, coverage.funded, coverage.overdue_after,
        coverage.under_query, coverage.late, coverage.width, coverage.from_day
    FROM supply
    INNER JOIN coverage
        ON coverage.nhs_number = supply.nhs_number
        AND coverage.drug = supply.drug
        AND coverage.from_day <= supply.first_day
        AND greatest(coverage.last_day, coverage.stop_day + supply.after_stop) >= supply.last_day
    WHERE coverage.usable
    UNION ALL
    SELECT
        by_other.pos, by_other.first_day, by_other.last_day, by_other.provider,
        by_other.product, by_other.reference, by_other.indication, by_other.birth_date,
        coverage.cov, FALSE AS by_nhs, by_other.by_hand, coverage.provider AS approved_provider,
        coverage.product AS approved_product, coverage.indication AS approved_indication,
        coverage.birth_date AS patient_born, coverage.reference_key, coverage.provider_set,
        coverage.product_set, coverage.interchangeable, coverage.funded, coverage.overdue_after,
        coverage.under_query, coverage.late, coverage.width, coverage.from_day
    FROM by_other
    INNER JOIN coverage ON coverage.cov = by_other.cov
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
    paired.indication = paired.approved_indication AS test_indication,
    paired.birth_date = paired.patient_born AS test_birth_date,
    paired.funded AS test_funding,
    coalesce(paired.first_day <= paired.overdue_after, TRUE) AS test_continuation,
    paired.under_query,
    paired.late,
    paired.width,
    paired.from_day
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
