-- Failures that mean nothing where the drug needs no approval, or that an undecided transfer to the
-- supplying provider would mend.
SELECT
    questioned.pos,
    CASE WHEN need.required = 0 THEN 'approval not required' ELSE 'awaiting decision' END AS outcome
FROM questioned
LEFT JOIN need
    ON need.drug = questioned.drug
    AND need.commissioner IS NOT DISTINCT FROM questioned.commissioner
    AND need.first_day IS NOT DISTINCT FROM questioned.first_day
    AND need.last_day IS NOT DISTINCT FROM questioned.last_day
LEFT JOIN waiting ON waiting.pos = questioned.pos
WHERE questioned.request_wanted <> 'any'
    AND (need.required = 0
        OR (questioned.request_wanted = 'transfer' AND waiting.provider = questioned.provider))
