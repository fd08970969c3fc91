-- Why no pass found a coverage: the first answer decides.
WITH told AS (
    SELECT
        pos,
        max(CASE WHEN same_drug THEN 1 ELSE 0 END) AS any_same_drug,
        max(CASE WHEN same_drug AND usable THEN 1 ELSE 0 END) AS any_usable,
        min(CASE WHEN same_drug AND NOT usable AND within THEN cov END) AS undone_then,
        min(CASE WHEN same_drug AND NOT usable THEN cov END) AS undone,
        min(CASE WHEN NOT same_drug AND usable AND within THEN cov END) AS other_drug
    FROM history
    GROUP BY pos
),

ranked AS (
    SELECT
        history.pos,
        history.cov,
        CASE
            WHEN history.after AND unfound.first_day > coverage.overdue_after
                THEN 'continuation overdue'
            WHEN history.after AND coverage.submitted THEN 'awaiting decision'
            ELSE 'outside approval period'
        END AS verdict,
        row_number() OVER (
            PARTITION BY history.pos
            ORDER BY history.distance, coverage.from_day DESC, history.cov
        ) AS nearness
    FROM history
    INNER JOIN coverage ON coverage.cov = history.cov
    INNER JOIN questioned AS unfound ON unfound.pos = history.pos
    WHERE history.same_drug AND history.usable
),

asked AS (
    SELECT
        questioned.pos,
        questioned.first_day IS NULL AS no_time,
        questioned.has_identity,
        questioned.withheld,
        questioned.month_only,
        need.required,
        waiting.pos IS NOT NULL AS is_waiting,
        coalesce(told.any_same_drug, 0) AS any_same_drug,
        coalesce(told.any_usable, 0) AS any_usable,
        told.undone_then,
        told.undone,
        told.other_drug,
        ranked.cov AS nearest,
        ranked.verdict AS nearest_verdict
    FROM questioned
    LEFT JOIN need
        ON need.drug = questioned.drug
        AND need.commissioner IS NOT DISTINCT FROM questioned.commissioner
        AND need.first_day IS NOT DISTINCT FROM questioned.first_day
        AND need.last_day IS NOT DISTINCT FROM questioned.last_day
    LEFT JOIN waiting ON waiting.pos = questioned.pos
    LEFT JOIN told ON told.pos = questioned.pos
    LEFT JOIN ranked ON ranked.pos = questioned.pos AND ranked.nearness = 1
    WHERE questioned.request_wanted = 'any'
),

answered AS (
    SELECT
        asked.*,
        CASE
            WHEN required = 0 THEN 'approval not required'
            WHEN any_same_drug = 0 AND required IS NULL THEN 'no policy held'
            WHEN no_time THEN 'cannot be read'
            WHEN any_same_drug = 1 THEN CASE
                WHEN is_waiting THEN 'awaiting decision'
                WHEN undone_then IS NOT NULL OR any_usable = 0 THEN 'undone'
                WHEN month_only THEN 'cannot be read'
                ELSE 'nearest'
            END
            WHEN NOT has_identity AND withheld THEN 'identity withheld'
            WHEN NOT has_identity THEN 'cannot be read'
            WHEN is_waiting THEN 'awaiting decision'
            WHEN other_drug IS NOT NULL THEN 'drug or indication differs'
            ELSE 'no approval'
        END AS answer
    FROM asked
)

SELECT
    pos,
    CASE
        WHEN answer = 'undone' THEN 'no approval'
        WHEN answer = 'nearest' THEN nearest_verdict
        ELSE answer
    END AS outcome,
    CASE
        WHEN answer = 'undone' THEN coalesce(undone_then, undone)
        WHEN answer = 'nearest' THEN nearest
        WHEN answer = 'drug or indication differs' THEN other_drug
    END AS cov
FROM answered
