-- The waterfall: each candidate's first pass (0: named by hand), then one coverage a line, by a full tie-break: what
-- the line fits, live before under query, on time before late, the narrowest window, the latest
-- start, and then the order of all that coverages say, which is their number. Most lines have one
-- candidate, so only the others are sorted.
WITH passed AS (
    SELECT
        candidate.*,
        CASE
            WHEN by_hand THEN 0
            WHEN quoted AND coalesce(test_provider, TRUE) THEN 1
            WHEN by_nhs AND here THEN 2
            WHEN by_nhs AND test_provider THEN 3
            WHEN NOT by_nhs OR own_id.pos IS NOT NULL THEN 4
            ELSE 5
        END AS pass,
        CASE WHEN NOT test_provider THEN 1 ELSE 0 END
        + CASE WHEN NOT test_product THEN 1 ELSE 0 END
        + CASE WHEN NOT test_indication THEN 1 ELSE 0 END
        + CASE WHEN NOT test_continuation THEN 1 ELSE 0 END AS misfits
    FROM candidate
    LEFT JOIN own_id ON own_id.pos = candidate.pos AND own_id.cov = candidate.cov
),

several AS (
    SELECT pos
    FROM candidate
    GROUP BY pos
    HAVING count(*) > 1
),

ranked AS (
    SELECT
        passed.*,
        row_number() OVER (
            PARTITION BY passed.pos
            ORDER BY pass, misfits, under_query, late, width, from_day DESC, cov
        ) AS preference
    FROM passed
    INNER JOIN several ON several.pos = passed.pos
)

SELECT
    passed.pos, cov, pass, test_provider, test_product, test_indication, test_birth_date,
    test_funding, test_continuation, under_query, late
FROM passed
LEFT JOIN several ON several.pos = passed.pos
WHERE several.pos IS NULL
UNION ALL
SELECT
    pos, cov, pass, test_provider, test_product, test_indication, test_birth_date, test_funding,
    test_continuation, under_query, late
FROM ranked
WHERE preference = 1
