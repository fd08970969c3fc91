-- Credits that take back a charge of the same file: the same patient, provider, drug and day, and
-- the amount negated. The n-th credit of a supply reverses its n-th charge.
WITH legible AS (
    SELECT pos, kind, nhs_number, local_id, provider, drug, supply_date, abs(total) AS amount
    FROM line
    WHERE has_identity
        AND supply_date IS NOT NULL
        AND drug IS NOT NULL
        AND total <> 0
        AND kind IN ('drug', 'credit or rebate')
),

credit AS (
    SELECT
        *,
        row_number() OVER (
            PARTITION BY nhs_number, local_id, provider, drug, supply_date, amount ORDER BY pos
        ) AS nth
    FROM legible
    WHERE kind = 'credit or rebate'
),

charge AS (
    SELECT
        *,
        row_number() OVER (
            PARTITION BY nhs_number, local_id, provider, drug, supply_date, amount ORDER BY pos
        ) AS nth
    FROM legible
    WHERE kind = 'drug'
        AND EXISTS (
            SELECT 1
            FROM credit
            WHERE credit.drug = legible.drug
                AND credit.supply_date = legible.supply_date
                AND credit.amount = legible.amount
        )
)

SELECT credit.pos, charge.pos AS charge_pos
FROM credit
INNER JOIN charge
    ON charge.drug = credit.drug
    AND charge.supply_date = credit.supply_date
    AND charge.amount = credit.amount
    AND charge.nth = credit.nth
    AND charge.nhs_number IS NOT DISTINCT FROM credit.nhs_number
    AND charge.local_id IS NOT DISTINCT FROM credit.local_id
    AND charge.provider IS NOT DISTINCT FROM credit.provider
