-- Refuses matches of a line with a posting of another account or amount, or of a line that was undone. Which line and
-- which posting is matched twice, the unique keys see. A scalar subquery looks each pair up by its keys: joined, lines
-- and postings would meet by account and amount first, which many share.
CREATE FUNCTION check_matches() RETURNS trigger LANGUAGE plpgsql AS $function$
BEGIN
    IF EXISTS (
        SELECT FROM new_matches AS m
         WHERE (SELECT l.undone_at IS NULL AND (p.account_id, p.amount) = (l.account_id, l.amount)
                  FROM statement_lines AS l
                  LEFT JOIN postings AS p ON p.ledger_id = m.ledger_id AND p.entry_id = m.entry_id AND p.line = m.posting
                 WHERE l.ledger_id = m.ledger_id AND l.id = m.line_id) IS NOT TRUE) THEN
        RAISE EXCEPTION 'INSERT on matches is refused'
            USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = 'ck_matches_of_equals';
    END IF;
    RETURN NULL;
END
$function$
SET search_path FROM CURRENT
