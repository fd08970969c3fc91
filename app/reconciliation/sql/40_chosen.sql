-- The waterfall: one coverage a line, the one that is preferred. Nothing is sorted: the least number of
-- each line is kept, and with it the one candidate that has it.
WITH best AS (
    SELECT pos, min(preference) AS preference
    FROM passed
    GROUP BY pos
)

SELECT
    passed.pos, passed.cov, passed.pass, passed.test_provider, passed.test_product,
    passed.test_route, passed.test_start,
    passed.test_indication, passed.test_birth_date, passed.test_funding, passed.test_continuation,
    passed.under_query, passed.late, passed.first_day, passed.too_late, passed.countable,
    passed.test_price, passed.has_agreed, passed.test_agreed, passed.has_delivery,
    passed.test_delivery, passed.has_length, passed.total, passed.has_reference
FROM passed
INNER JOIN best ON best.pos = passed.pos AND best.preference = passed.preference
