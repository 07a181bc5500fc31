-- Lets a statement line be marked as undone, once and for ever, when what it had posted is reversed and it is
-- matched with nothing; and lets its words be taken out in the transaction that has recorded their redaction, its type
-- and the bank's id of it too, where a word of them is one to forget. Nothing else of a line changes. Rows are compared
-- as text: 1 and 1.0 are equal as JSON.
CREATE FUNCTION guard_undone_line() RETURNS trigger LANGUAGE plpgsql AS $function$
DECLARE
    words text[] := '{payee,memo,check_number,raw,type,bank_id}';
    rule text;
BEGIN
    IF coalesce(NEW.payee, NEW.memo, NEW.check_number) IS NULL AND NEW.raw = '{}'
       AND coalesce(NEW.type = OLD.type, NEW.type IS NULL) AND coalesce(NEW.bank_id = OLD.bank_id, NEW.bank_id IS NULL)
       AND (to_jsonb(NEW) - words)::text = (to_jsonb(OLD) - words)::text
       AND EXISTS (SELECT FROM redactions AS r
                    WHERE r.ledger_id = OLD.ledger_id AND r.redacted_xid = pg_current_xact_id()::text::bigint
                      AND (r.through >= OLD.date OR EXISTS (
                          SELECT FROM redacted_rows AS x
                           WHERE x.ledger_id = r.ledger_id AND x.redaction_id = r.id
                             AND x.table_name = 'statement_lines' AND x.row_id = OLD.id::text) OR EXISTS (
                          SELECT FROM redacted_entries AS x
                           WHERE x.ledger_id = r.ledger_id AND x.redaction_id = r.id
                             AND (x.entry_id = OLD.entry_id OR EXISTS (
                                 SELECT FROM matches AS m WHERE m.ledger_id = OLD.ledger_id
                                    AND m.line_id = OLD.id AND m.entry_id = x.entry_id))))) THEN
        RETURN NEW;
    END IF;
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
