-- view
-- The rows as `reversal` reads a submission's lines. No credit takes back another file's charge to the
-- day: so a provider is another one in each file.
SELECT
    pos, content_key, kind, nhs_number, local_id, has_identity, drug, supply_date, total,
    concat_ws(' ', CAST(file AS VARCHAR), provider) AS provider
FROM earlier_row
