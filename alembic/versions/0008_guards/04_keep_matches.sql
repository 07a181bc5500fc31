-- Refuses to take back a match of a line whose statement is reconciled, unless its ledger is being erased.
CREATE FUNCTION keep_matches() RETURNS trigger LANGUAGE plpgsql AS $function$
BEGIN
    IF EXISTS (
        SELECT FROM statement_lines AS l
          JOIN reconciliations AS r ON r.ledger_id = l.ledger_id AND r.statement_id = l.statement_id
         WHERE l.ledger_id = OLD.ledger_id AND l.id = OLD.line_id)
       AND NOT EXISTS (
        SELECT FROM erasures
         WHERE ledger_id = OLD.ledger_id AND erased_xid = pg_current_xact_id()::text::bigint) THEN
        RAISE EXCEPTION 'DELETE on matches is refused'
            USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = 'ck_matches_reconciled';
    END IF;
    RETURN OLD;
END
$function$
SET search_path FROM CURRENT
