-- One decision a line. `step` says where it was made; a test that was not made is not testable, and
-- `has_reference`, `has_dose` and the step tell which were made.
SELECT
    line.pos,
    line.total,
    CASE
        WHEN reversal.pos IS NOT NULL THEN 'reversal'
        WHEN line.shifted OR line.total IS NULL OR line.kind <> 'drug' THEN 'settled'
        WHEN duplicate.pos IS NOT NULL THEN 'duplicate'
        WHEN line.no_pass_through THEN 'settled'
        WHEN limited.pos IS NOT NULL THEN 'found'
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
        ELSE coalesce(reconsidered.outcome, limited.verdict, diagnosed.outcome)
    END AS outcome,
    coalesce(reversal.charge_pos, duplicate.first_pos) AS other_pos,
    duplicate.pos IS NOT NULL AS is_duplicate,
    limited.pass,
    CASE
        WHEN reconsidered.outcome = 'approval not required' THEN NULL
        ELSE coalesce(limited.cov, diagnosed.cov)
    END AS cov,
    limited.cov AS within_cov,
    line.reference IS NOT NULL
        AND (limited.pos IS NOT NULL OR diagnosed.pos IS NOT NULL) AS has_reference,
    CASE WHEN limited.pass = 1 THEN TRUE WHEN misquoted.pos IS NOT NULL THEN FALSE END
        AS test_reference,
    limited.test_provider,
    limited.test_product,
    limited.test_indication,
    limited.test_birth_date,
    limited.test_funding,
    limited.test_continuation,
    limited.test_price,
    limited.has_agreed,
    limited.test_agreed,
    limited.agreed_price,
    limited.test_quantity,
    limited.has_dose,
    limited.test_dose,
    limited.has_length,
    limited.has_delivery,
    limited.test_delivery,
    limited.delivery_most,
    limited.used,
    limited.countable,
    limited.most
FROM line
LEFT JOIN reversal ON reversal.pos = line.pos
LEFT JOIN duplicate ON duplicate.pos = line.pos
LEFT JOIN limited ON limited.pos = line.pos
LEFT JOIN reconsidered ON reconsidered.pos = line.pos
LEFT JOIN diagnosed ON diagnosed.pos = line.pos
LEFT JOIN misquoted ON misquoted.pos = line.pos
LEFT JOIN undebited ON undebited.pos = line.pos
