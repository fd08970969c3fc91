-- view
-- One decision a line. `step` says where it was made; a test that was not made is not testable, and
-- `has_reference`, `has_dose` and the step tell which were made. A line within a coverage is not read
-- again: what is told of it was kept with its tests.
SELECT
    limited.pos,
    limited.total,
    'found' AS step,
    coalesce(reconsidered.outcome, limited.verdict) AS outcome,
    CAST(NULL AS BIGINT) AS other_pos,
    FALSE AS is_duplicate,
    limited.pass,
    CASE
        WHEN reconsidered.outcome = 'approval not required' THEN NULL
        ELSE limited.cov
    END AS cov,
    limited.cov AS within_cov,
    limited.has_reference,
    CASE WHEN limited.pass = 1 THEN TRUE WHEN misquoted.pos IS NOT NULL THEN FALSE END
        AS test_reference,
    limited.test_provider,
    limited.test_product,
    limited.test_route,
    limited.test_start,
    limited.test_indication,
    limited.test_birth_date,
    limited.test_funding,
    limited.test_continuation,
    limited.test_price,
    limited.has_agreed,
    limited.test_agreed,
    limited.test_quantity,
    limited.has_dose,
    limited.test_dose,
    limited.has_length,
    limited.has_delivery,
    limited.test_delivery
FROM limited
LEFT JOIN reconsidered ON reconsidered.pos = limited.pos
LEFT JOIN misquoted ON misquoted.pos = limited.pos
UNION ALL
SELECT
    line.pos,
    line.total,
    CASE
        WHEN reversal.pos IS NOT NULL THEN 'reversal'
        WHEN line.shifted OR line.total IS NULL OR line.kind <> 'drug' THEN 'settled'
        WHEN duplicate.pos IS NOT NULL THEN 'duplicate'
        WHEN line.no_pass_through THEN 'settled'
        ELSE 'diagnosed'
    END AS step,
    CASE
        WHEN reversal.pos IS NOT NULL THEN 'not a drug line'
        WHEN line.shifted THEN 'cannot be read'
        WHEN line.kind = 'free of charge' THEN 'not recoverable'
        WHEN line.total IS NULL OR line.kind = 'unknown' THEN 'cannot be read'
        WHEN undebited.pos IS NOT NULL THEN 'credit without its debit'
        WHEN line.kind <> 'drug' THEN 'not a drug line'
        WHEN duplicate.pos IS NOT NULL THEN 'duplicate line'
        WHEN line.no_pass_through THEN 'not recoverable'
        ELSE diagnosed.outcome
    END AS outcome,
    coalesce(reversal.charge_pos, duplicate.first_pos) AS other_pos,
    duplicate.pos IS NOT NULL AS is_duplicate,
    CAST(NULL AS INTEGER) AS pass,
    diagnosed.cov,
    CAST(NULL AS BIGINT) AS within_cov,
    line.reference IS NOT NULL AND diagnosed.pos IS NOT NULL AS has_reference,
    CASE WHEN misquoted.pos IS NOT NULL THEN FALSE END AS test_reference,
    CAST(NULL AS BOOLEAN) AS test_provider,
    CAST(NULL AS BOOLEAN) AS test_product,
    CAST(NULL AS BOOLEAN) AS test_route,
    CAST(NULL AS BOOLEAN) AS test_start,
    CAST(NULL AS BOOLEAN) AS test_indication,
    CAST(NULL AS BOOLEAN) AS test_birth_date,
    CAST(NULL AS BOOLEAN) AS test_funding,
    CAST(NULL AS BOOLEAN) AS test_continuation,
    CAST(NULL AS BOOLEAN) AS test_price,
    CAST(NULL AS BOOLEAN) AS has_agreed,
    CAST(NULL AS BOOLEAN) AS test_agreed,
    CAST(NULL AS BOOLEAN) AS test_quantity,
    CAST(NULL AS BOOLEAN) AS has_dose,
    CAST(NULL AS BOOLEAN) AS test_dose,
    CAST(NULL AS BOOLEAN) AS has_length,
    CAST(NULL AS BOOLEAN) AS has_delivery,
    CAST(NULL AS BOOLEAN) AS test_delivery
FROM line
INNER JOIN unfound ON unfound.pos = line.pos
LEFT JOIN reversal ON reversal.pos = line.pos
LEFT JOIN duplicate ON duplicate.pos = line.pos
LEFT JOIN diagnosed ON diagnosed.pos = line.pos
LEFT JOIN misquoted ON misquoted.pos = line.pos
LEFT JOIN undebited ON undebited.pos = line.pos
