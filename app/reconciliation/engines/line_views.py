"""The views between a submission's kept rows and the table `line`, over the tables of `line_sql`.

Each small table beside the lines holds what plain functions made of distinct values.
"""

from typing import Final

#: The lines, without the rows that were skipped.
READ: Final = "CREATE VIEW read AS SELECT * FROM stored WHERE why_skipped IS NULL"
DATED: Final = """
CREATE VIEW dated AS
SELECT
    read.*,
    coalesce(read.supply_date, read.delivery_date) AS day,
    coalesce(read.supply_date, read.delivery_date, month.first_day, invoiced.first_day)
        AS first_day,
    coalesce(read.supply_date, read.delivery_date, month.last_day, invoiced.last_day) AS last_day,
    coalesce(read.supply_date, read.delivery_date) IS NULL
        AND coalesce(month.first_day, invoiced.first_day) IS NOT NULL AS month_only,
    coalesce(starts_with(read.total_cost, '-'), FALSE) AS gives_back
FROM read
LEFT JOIN month
    ON month.financial_year = read.financial_year
    AND month.financial_month = read.financial_month
LEFT JOIN invoiced
    ON invoiced.invoice_date = read.invoice_date
    AND invoiced.dispensing_route IS NOT DISTINCT FROM read.dispensing_route
    AND invoiced.commissioner IS NOT DISTINCT FROM read.commissioner
    AND invoiced.provider IS NOT DISTINCT FROM read.provider
"""
PLACED: Final = """
CREATE VIEW placed AS
SELECT
    dated.*,
    era.era,
    provider.folded AS folded_provider,
    commissioner.folded AS folded_commissioner
FROM dated
LEFT JOIN era ON era.last_day IS NOT DISTINCT FROM dated.last_day
LEFT JOIN provider
    ON provider.code = dated.provider
    AND provider.turn = era.turn
LEFT JOIN commissioner
    ON commissioner.code = dated.commissioner
    AND commissioner.turn = era.turn
"""
TOLD: Final = """
CREATE VIEW told AS
SELECT placed.*, named.drug, named.product, named.how, named.kind, named.fee_sort
FROM placed
INNER JOIN named
    ON named.drug_code IS NOT DISTINCT FROM placed.drug_code
    AND named.drug_name IS NOT DISTINCT FROM placed.drug_name
    AND named.era IS NOT DISTINCT FROM placed.era
    AND named.gives_back = placed.gives_back
    AND named.point_of_delivery IS NOT DISTINCT FROM placed.point_of_delivery
"""
LINE: Final = """
SELECT
    told.pos,
    told.row,
    told.kind,
    told.fee_sort,
    told.shifted,
    told.content_hash,
    CAST('0x' || left(told.content_hash, 15) AS BIGINT) AS content_key,
    coalesce(told.content_hash IN (SELECT stated.content_hash FROM stated), FALSE)
        AS stated_before,
    told.nhs_number,
    told.local_patient_id AS local_id,
    told.nhs_number IS NOT NULL OR told.local_patient_id IS NOT NULL AS has_identity,
    told.withheld_reason IS NOT NULL AS withheld,
    told.birth_date,
    told.drug,
    told.product,
    told.how AS recognised_by,
    told.indication_code AS indication,
    route.number AS route,
    told.folded_provider AS provider,
    told.folded_commissioner AS commissioner,
    told.reference,
    told.day AS supply_date,
    told.supply_date AS stated_day,
    told.first_day,
    told.last_day,
    told.month_only,
    coalesce(basis.after_stop, 0) AS after_stop,
    coalesce(basis.after_death, 0) AS after_death,
    coalesce(contract.said = 'failed', FALSE) AS no_pass_through,
    contract.said AS contract_said,
    contract.why AS contract_why,
    payer.said AS payer_said,
    payer.proposed,
    coalesce(payer.silent, TRUE) AS payer_silent,
    CAST(told.total_cost AS DECIMAL(38, 8)) AS total,
    CAST(told.home_delivery_charge AS DECIMAL(38, 8)) AS home_delivery,
    CAST(told.quantity AS DECIMAL(38, 8)) AS quantity,
    unit.key AS unit,
    CAST(told.unit_price AS DECIMAL(38, 8)) AS unit_price,
    told.vat_charged,
    coalesce(told.folded_commissioner IN (SELECT keeper.code FROM keeper), FALSE) AS has_agreed,
    agreed.least AS agreed_least,
    agreed.most AS agreed_most,
    agreed.price AS agreed_price,
    agreed.why AS agreed_why,
    coalesce(told.dispensing_route = '4', FALSE) AS homecare,
    supplied.least AS delivery_least,
    supplied.most AS delivery_most,
    supplied.why AS delivery_why,
    coalesce(supplied.tolerance, 0) AS tolerance,
    supplied.early,
    told.provider AS own_provider,
    told.commissioner AS own_commissioner,
    told.financial_year,
    told.financial_month{beside}
FROM told
LEFT JOIN unit ON unit.unit = told.unit
LEFT JOIN route ON route.route = told.route
LEFT JOIN basis
    ON basis.dispensing_route = told.dispensing_route
    AND basis.folded_commissioner = told.folded_commissioner
    AND basis.folded_provider IS NOT DISTINCT FROM told.folded_provider
    AND basis.drug IS NOT DISTINCT FROM told.drug
    AND basis.first_day = told.first_day
    AND basis.last_day = told.last_day
LEFT JOIN contract
    ON contract.folded_provider IS NOT DISTINCT FROM told.folded_provider
    AND contract.folded_commissioner IS NOT DISTINCT FROM told.folded_commissioner
    AND contract.drug IS NOT DISTINCT FROM told.drug
    AND contract.first_day = told.first_day
    AND contract.last_day = told.last_day
LEFT JOIN payer
    ON payer.drug = told.drug
    AND payer.folded_commissioner = told.folded_commissioner
    AND payer.first_day = told.first_day
    AND payer.last_day = told.last_day
LEFT JOIN agreed
    ON agreed.folded_provider IS NOT DISTINCT FROM told.folded_provider
    AND agreed.folded_commissioner = told.folded_commissioner
    AND agreed.drug = told.drug
    AND agreed.product IS NOT DISTINCT FROM told.product
    AND agreed.drug_code IS NOT DISTINCT FROM told.drug_code
    AND agreed.strength IS NOT DISTINCT FROM told.strength
    AND agreed.unit IS NOT DISTINCT FROM told.unit
    AND agreed.first_day = told.first_day
    AND agreed.last_day = told.last_day
LEFT JOIN supplied
    ON supplied.folded_commissioner = told.folded_commissioner
    AND supplied.folded_provider IS NOT DISTINCT FROM told.folded_provider
    AND supplied.drug IS NOT DISTINCT FROM told.drug
    AND supplied.first_day = told.first_day
    AND supplied.last_day = told.last_day
"""
