-- Refuses to take back a match of a line whose statement is reconciled.
CREATE FUNCTION keep_matches() RETURNS trigger LANGUAGE plpgsql AS $function$
BEGIN
    IF EXISTS (
        SELECT FROM statement_lines AS l
          JOIN reconciliations AS r ON r.ledger_id = l.ledger_id AND r.statement_id = l.statement_id
         WHERE l.ledger_id = OLD.ledger_id AND l.id = OLD.line_id) THEN
        RAISE EXCEPTION 'DELETE on matches is refused'
            USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = 'ck_matches_reconciled';
    END IF;
    RETURN OLD;
END
$function$;
