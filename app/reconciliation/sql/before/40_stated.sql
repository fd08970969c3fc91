-- What the submission states that stands already.
SELECT DISTINCT own_content.content_hash
FROM own_content
INNER JOIN (SELECT DISTINCT content_hash FROM kept WHERE can_repeat) AS standing
    ON standing.content_hash = own_content.content_hash
