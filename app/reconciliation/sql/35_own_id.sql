-- Of the candidates found by NHS number at another provider: those whose local identifier that
-- provider issued.
SELECT candidate.pos, candidate.cov
FROM candidate
INNER JOIN supply ON supply.pos = candidate.pos
INNER JOIN coverage_local
    ON coverage_local.cov = candidate.cov
    AND coverage_local.org = supply.provider
    AND coverage_local.local_id = supply.local_id
WHERE candidate.by_nhs AND NOT candidate.test_provider
