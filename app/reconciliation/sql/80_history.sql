-- Every coverage of the patients whose lines no pass found one for, whatever its drug, time or
-- status, and how it lies to the supply.
WITH asked AS (
    SELECT *
    FROM questioned
    WHERE request_wanted = 'any'
),

own AS (
    SELECT asked.pos, coverage.cov
    FROM coverage
    INNER JOIN asked ON asked.nhs_number = coverage.nhs_number
    UNION ALL
    SELECT asked.pos, coverage_local.cov
    FROM coverage_local
    INNER JOIN asked
        ON coverage_local.org = asked.provider AND coverage_local.local_id = asked.local_id
    WHERE (asked.nhs_number IS NULL OR coverage_local.nhs_number IS NULL)
        AND (coverage_local.birth_date = asked.birth_date
            OR coverage_local.birth_date IS NULL
            OR asked.birth_date IS NULL)
),

paused AS (
    SELECT DISTINCT own.pos, own.cov
    FROM own
    INNER JOIN coverage_pause ON coverage_pause.cov = own.cov
    INNER JOIN asked ON asked.pos = own.pos
    WHERE coverage_pause.from_day <= asked.last_day AND coverage_pause.to_day >= asked.first_day
)

SELECT
    own.pos,
    own.cov,
    coverage.drug = asked.drug AS same_drug,
    coverage.usable,
    asked.first_day >= coverage.from_day
        AND asked.last_day <= greatest(coverage.last_day, coverage.stop_day + asked.after_stop)
        AND paused.cov IS NULL AS within,
    asked.last_day >= coverage.from_day
        AND asked.first_day
        > greatest(coverage.last_day, coverage.stop_day + asked.after_stop) AS after,
    greatest(
        date_diff('day', asked.last_day, coverage.from_day),
        date_diff(
            'day',
            greatest(coverage.last_day, coverage.stop_day + asked.after_stop),
            asked.first_day
        ),
        0
    ) AS distance
FROM coverage
INNER JOIN own ON own.cov = coverage.cov
INNER JOIN asked ON asked.pos = own.pos
LEFT JOIN paused ON paused.pos = own.pos AND paused.cov = own.cov
