-- The first undecided request of the patient for the drug: by NHS number, then by local identifier.
WITH found AS (
    SELECT questioned.pos, pending.provider, 0 AS source, pending.place, pending.pending
    FROM questioned
    INNER JOIN pending
        ON pending.nhs_number = questioned.nhs_number AND pending.drug = questioned.drug
    WHERE (questioned.request_wanted = 'any' AND pending.gives_cover)
        OR (questioned.request_wanted = 'transfer' AND pending.kind = 'transfer')
    UNION ALL
    SELECT questioned.pos, pending.provider, 1 AS source, pending.place, pending.pending
    FROM questioned
    INNER JOIN pending_local
        ON pending_local.org = questioned.provider
        AND pending_local.local_id = questioned.local_id
    INNER JOIN pending
        ON pending.pending = pending_local.pending AND pending.drug = questioned.drug
    WHERE ((questioned.request_wanted = 'any' AND pending.gives_cover)
            OR (questioned.request_wanted = 'transfer' AND pending.kind = 'transfer'))
        AND (questioned.nhs_number IS NULL
            OR pending.nhs_number IS NULL
            OR pending.nhs_number = questioned.nhs_number)
),

placed AS (
    SELECT pos, provider, pending, row_number() OVER (PARTITION BY pos ORDER BY source, place) AS nth
    FROM found
)

SELECT pos, provider, pending
FROM placed
WHERE nth = 1
