-- Lets an import be marked as undone, once and for ever, when all of its lines are; and lets the name of its file be
-- taken out in the transaction that has recorded the redaction of all of its lines, or of itself. Nothing else of it
-- changes.
CREATE OR REPLACE FUNCTION guard_undone_import() RETURNS trigger LANGUAGE plpgsql AS $function$
DECLARE
    rule text;
BEGIN
    IF NEW.file_name = '[redacted]' AND to_jsonb(NEW) - 'file_name' = to_jsonb(OLD) - 'file_name'
       AND EXISTS (SELECT FROM redactions AS r
                    WHERE r.ledger_id = OLD.ledger_id AND r.redacted_xid = pg_current_xact_id()::text::bigint
                      AND (r.through >= ALL (
                          SELECT l.date FROM statements AS s
                            JOIN statement_lines AS l ON l.ledger_id = s.ledger_id AND l.statement_id = s.id
                           WHERE s.ledger_id = OLD.ledger_id AND s.import_id = OLD.id)
                       OR EXISTS (SELECT FROM redacted_rows AS x
                                   WHERE x.ledger_id = r.ledger_id AND x.redaction_id = r.id
                                     AND x.table_name = 'imports' AND x.row_id = OLD.id::text))) THEN
        RETURN NEW;
    END IF;
    IF OLD.undone_at IS NULL AND NEW.undone_at IS NOT NULL THEN
        OLD.undone_at := NEW.undone_at;
        OLD.undone_by := NEW.undone_by;
    END IF;
    IF NEW IS DISTINCT FROM OLD THEN
        rule := 'ck_imports_sealed';
    ELSIF EXISTS (
        SELECT FROM statements AS s JOIN statement_lines AS l ON l.ledger_id = s.ledger_id AND l.statement_id = s.id
         WHERE s.ledger_id = OLD.ledger_id AND s.import_id = OLD.id AND l.undone_at IS NULL) THEN
        rule := 'ck_imports_undone_whole';
    ELSE
        OLD.undone_at := clock_timestamp();
        OLD.undone_by := CURRENT_USER;
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'UPDATE on imports is refused'
        USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = rule;
END
$function$
SET search_path FROM CURRENT
