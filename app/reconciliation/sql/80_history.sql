-- Every coverage of the patients whose lines no pass found one for, whatever its drug, time or
-- status, and how it lies to the supply.
WITH unfound AS (
    SELECT *
    FROM questioned
    WHERE request_wanted = 'any'
),

own AS (
    SELECT unfound.pos, coverage.cov
    FROM unfound
    INNER JOIN coverage ON coverage.nhs_number = unfound.nhs_number
    UNION ALL
    SELECT unfound.pos, coverage_local.cov
    FROM unfound
    INNER JOIN coverage_local
        ON coverage_local.org = unfound.provider AND coverage_local.local_id = unfound.local_id
    WHERE (unfound.nhs_number IS NULL OR coverage_local.nhs_number IS NULL)
        AND (coverage_local.birth_date = unfound.birth_date
            OR coverage_local.birth_date IS NULL
            OR unfound.birth_date IS NULL)
),

paused AS (
    SELECT DISTINCT own.pos, own.cov
    FROM own
    INNER JOIN coverage_pause ON coverage_pause.cov = own.cov
    INNER JOIN unfound ON unfound.pos = own.pos
    WHERE coverage_pause.from_day <= unfound.last_day AND coverage_pause.to_day >= unfound.first_day
)

SELECT
    own.pos,
    own.cov,
    coverage.drug = unfound.drug AS same_drug,
    coverage.usable,
    unfound.first_day >= coverage.from_day
        AND unfound.last_day <= greatest(coverage.last_day, coverage.stop_day + unfound.after_stop)
        AND paused.cov IS NULL AS within,
    unfound.last_day >= coverage.from_day
        AND unfound.first_day
        > greatest(coverage.last_day, coverage.stop_day + unfound.after_stop) AS after,
    greatest(
        date_diff('day', unfound.last_day, coverage.from_day),
        date_diff(
            'day',
            greatest(coverage.last_day, coverage.stop_day + unfound.after_stop),
            unfound.first_day
        ),
        0
    ) AS distance
FROM own
INNER JOIN unfound ON unfound.pos = own.pos
INNER JOIN coverage ON coverage.cov = own.cov
LEFT JOIN paused ON paused.pos = own.pos AND paused.cov = own.cov
