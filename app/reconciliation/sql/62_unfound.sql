-- The lines that lie within no coverage. Few, so that later steps look at them alone.
SELECT line.pos
FROM line
LEFT JOIN limited ON limited.pos = line.pos
WHERE limited.pos IS NULL
