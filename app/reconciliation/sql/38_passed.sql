-- view
-- Each candidate's first pass (0: named by hand), how many of its tests failed, and its preference: a
-- number that is less where it goes before another. In this order: the pass, what the line fits, live
-- before under query, on time before late, the narrowest window, the latest start, and then the order
-- of all that coverages say, which is their number. A window and a day take 22 bits each.
WITH told AS (
    SELECT
        candidate.*,
        CASE
            WHEN candidate.by_hand THEN 0
            WHEN candidate.quoted AND coalesce(candidate.test_provider, TRUE) THEN 1
            WHEN candidate.by_nhs AND candidate.here THEN 2
            WHEN candidate.by_nhs AND candidate.test_provider THEN 3
            WHEN candidate.by_nhs THEN 4
            ELSE 5
        END AS pass,
        CASE WHEN NOT candidate.test_provider THEN 4 ELSE 0 END
        + CASE WHEN NOT candidate.test_product THEN 4 ELSE 0 END
        + CASE WHEN NOT candidate.test_route THEN 4 ELSE 0 END
        + CASE WHEN NOT candidate.test_start THEN 4 ELSE 0 END
        + CASE WHEN NOT candidate.test_indication THEN 4 ELSE 0 END
        + CASE WHEN NOT candidate.test_continuation THEN 4 ELSE 0 END
        + CASE WHEN candidate.under_query THEN 2 ELSE 0 END
        + CASE WHEN candidate.late THEN 1 ELSE 0 END AS misfits
    FROM candidate
)

SELECT
    told.*,
    CAST(
        (CAST(told.pass * 32 + told.misfits AS BIGINT) * 4194304 + told.width) * 4194304
        + date_diff('day', told.from_day, DATE '9999-12-31')
        AS DECIMAL(38, 0)
    ) * CAST(10000000000 AS DECIMAL(38, 0)) + told.cov AS preference
FROM told
