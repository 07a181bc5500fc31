-- Lets a statement line be marked as undone, once and for ever, when what it had posted is reversed and it is
-- matched with nothing. Nothing else of a line changes.
CREATE FUNCTION guard_undone_line() RETURNS trigger LANGUAGE plpgsql AS $function$
DECLARE
    rule text;
BEGIN
    IF OLD.undone_at IS NULL AND NEW.undone_at IS NOT NULL THEN
        OLD.undone_at := NEW.undone_at;
    END IF;
    IF NEW IS DISTINCT FROM OLD THEN
        rule := 'ck_statement_lines_sealed';
    ELSIF OLD.entry_id IS NOT NULL AND NOT EXISTS (
        SELECT FROM journal_entries WHERE ledger_id = OLD.ledger_id AND reverses_id = OLD.entry_id) THEN
        rule := 'ck_statement_lines_undone_reversed';
    ELSIF EXISTS (SELECT FROM matches WHERE ledger_id = OLD.ledger_id AND line_id = OLD.id) THEN
        rule := 'ck_statement_lines_undone_unmatched';
    ELSE
        OLD.undone_at := clock_timestamp();
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'UPDATE on statement_lines is refused'
        USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = rule;
END
$function$;
