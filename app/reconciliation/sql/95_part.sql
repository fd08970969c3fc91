-- view
-- What is accepted of each line, before fees on lines of their own are looked at. A reversal takes its
-- charge's part, negated: few lines are reversed, so few are looked up.
SELECT
    own_part.pos, own_part.total, own_part.step, own_part.outcome, own_part.other_pos,
    own_part.is_duplicate, own_part.pass, own_part.cov, own_part.within_cov, own_part.has_reference,
    own_part.test_reference, own_part.test_provider, own_part.test_product,
    own_part.test_route, own_part.test_start,
    own_part.test_indication, own_part.test_birth_date, own_part.test_funding,
    own_part.test_continuation, own_part.test_price, own_part.has_agreed, own_part.test_agreed,
    own_part.test_quantity, own_part.has_dose, own_part.test_dose, own_part.has_length,
    own_part.has_delivery, own_part.test_delivery,
    coalesce(taken_back.accepted, own_part.own_part) AS accepted
FROM own_part
LEFT JOIN (
    SELECT reversal.pos, -charge.own_part AS accepted
    FROM own_part AS charge
    INNER JOIN reversal ON reversal.charge_pos = charge.pos
) AS taken_back ON taken_back.pos = own_part.pos
