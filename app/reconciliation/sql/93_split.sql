-- What is accepted of each line over price or quantity. `split_case` holds each distinct case with
-- what plain functions accept of it: the shares are fractions, which DECIMAL does not hold.
SELECT over_limit.pos, split_case.accepted
FROM over_limit
INNER JOIN split_case
    ON split_case.total IS NOT DISTINCT FROM over_limit.total
    AND split_case.delivery IS NOT DISTINCT FROM over_limit.delivery
    AND split_case.price_cap IS NOT DISTINCT FROM over_limit.price_cap
    AND split_case.price IS NOT DISTINCT FROM over_limit.price
    AND split_case.quantity_left IS NOT DISTINCT FROM over_limit.quantity_left
    AND split_case.counted IS NOT DISTINCT FROM over_limit.counted
    AND split_case.most IS NOT DISTINCT FROM over_limit.most
    AND split_case.quantity IS NOT DISTINCT FROM over_limit.quantity
    AND split_case.delivery_agreed IS NOT DISTINCT FROM over_limit.delivery_agreed
