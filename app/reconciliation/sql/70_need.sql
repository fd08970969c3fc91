-- Whether approval is needed, by the policies on the drug in force at the time of supply: the
-- commissioner's own entries where there are any, else the general ones.
WITH question AS (
    SELECT DISTINCT drug, commissioner, first_day, last_day
    FROM questioned
),

own AS (
    SELECT DISTINCT drug, commissioner
    FROM policy
    WHERE commissioner IS NOT NULL AND commissioner <> ''
),

held AS (
    SELECT question.*, policy.approval_required
    FROM question
    LEFT JOIN own ON own.drug = question.drug AND own.commissioner = question.commissioner
    INNER JOIN policy
        ON policy.drug = question.drug
        AND ((own.drug IS NOT NULL AND policy.commissioner = question.commissioner)
            OR (own.drug IS NULL AND policy.commissioner IS NULL))
        AND (question.first_day IS NULL
            OR (policy.from_day <= question.last_day AND policy.to_day >= question.first_day))
)

SELECT
    drug, commissioner, first_day, last_day,
    max(CASE WHEN approval_required THEN 1 ELSE 0 END) AS required
FROM held
GROUP BY drug, commissioner, first_day, last_day
