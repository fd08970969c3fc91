-- view
-- The supplies among them, which the passes look at: with numbers, or with pseudonyms.
SELECT earlier_row.*
FROM earlier_row
INNER JOIN compared ON compared.hidden = earlier_row.hidden
INNER JOIN (SELECT pos FROM kept WHERE kind = 'drug') AS supplied ON supplied.pos = earlier_row.pos
