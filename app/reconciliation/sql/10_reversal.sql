-- Credits that take back a charge of the same file: the same patient, provider, drug and day, and
-- the amount negated. The n-th credit of a supply reverses its n-th charge, both in the order of their
-- content, so that the order of rows changes nothing. Few lines are credits, so few charges are kept
-- and counted.
WITH credit AS (
    SELECT
        pos, nhs_number, local_id, provider, drug, supply_date, abs(total) AS amount,
        row_number() OVER (
            PARTITION BY nhs_number, local_id, provider, drug, supply_date, abs(total)
            ORDER BY content_key, pos
        ) AS nth
    FROM line
    WHERE kind = 'credit or rebate'
        AND has_identity
        AND supply_date IS NOT NULL
        AND drug IS NOT NULL
        AND total <> 0
),

credited AS (
    SELECT DISTINCT drug, supply_date, amount
    FROM credit
),

charge AS (
    SELECT
        line.pos, line.nhs_number, line.local_id, line.provider, line.drug, line.supply_date,
        credited.amount,
        row_number() OVER (
            PARTITION BY
                line.nhs_number, line.local_id, line.provider, line.drug, line.supply_date,
                credited.amount
            ORDER BY line.content_key, line.pos
        ) AS nth
    FROM line
    INNER JOIN credited
        ON credited.drug = line.drug
        AND credited.supply_date = line.supply_date
        AND credited.amount = abs(line.total)
    WHERE line.kind = 'drug' AND line.has_identity
)

SELECT credit.pos, charge.pos AS charge_pos
FROM charge
INNER JOIN credit
    ON charge.drug = credit.drug
    AND charge.supply_date = credit.supply_date
    AND charge.amount = credit.amount
    AND charge.nth = credit.nth
    AND charge.nhs_number IS NOT DISTINCT FROM credit.nhs_number
    AND charge.local_id IS NOT DISTINCT FROM credit.local_id
    AND charge.provider IS NOT DISTINCT FROM credit.provider
