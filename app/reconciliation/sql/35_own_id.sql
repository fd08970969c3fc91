-- Of the candidates found by NHS number at another provider: those whose local identifier that
-- provider issued.
WITH elsewhere AS (
    SELECT candidate.pos, candidate.cov, coverage_local.org, coverage_local.local_id
    FROM coverage_local
    INNER JOIN candidate ON candidate.cov = coverage_local.cov
    WHERE candidate.by_nhs AND NOT candidate.test_provider
)

SELECT elsewhere.pos, elsewhere.cov
FROM supply
INNER JOIN elsewhere
    ON elsewhere.pos = supply.pos
    AND elsewhere.org = supply.provider
    AND elsewhere.local_id = supply.local_id
