-- Refuses every UPDATE of sealed rows but one that takes words out of them, in the transaction that has recorded
-- it: for the entry that they are of, for the row itself, or for the ledger through a day. The trigger's argument is
-- the rule.
--
-- Fires twice for a statement: before it, where nothing is being redacted at all, and after it. Whatever column comes
-- later is sealed until it is named here. Rows are compared as text: 1 and 1.0 are equal as JSON.
CREATE OR REPLACE FUNCTION guard_redaction() RETURNS trigger LANGUAGE plpgsql AS $function$
DECLARE
    row_count bigint;
    allowed_count bigint;
    this_xid bigint := pg_current_xact_id()::text::bigint;
BEGIN
    IF TG_WHEN = 'BEFORE' THEN
        IF EXISTS (SELECT FROM redactions WHERE redacted_xid = this_xid) THEN
            RETURN NULL;
        END IF;
    ELSIF starts_with(TG_TABLE_NAME, 'postings') THEN
        SELECT count(*) INTO allowed_count
          FROM old_rows AS o
          JOIN new_rows AS n ON n.ledger_id = o.ledger_id AND n.entry_id = o.entry_id AND n.line = o.line
         WHERE (to_jsonb(o) - 'memo')::text = (to_jsonb(n) - 'memo')::text AND n.memo IS NULL
           AND EXISTS (SELECT FROM redacted_entries AS x JOIN redactions AS r
                           ON r.ledger_id = x.ledger_id AND r.id = x.redaction_id
                        WHERE x.ledger_id = n.ledger_id AND x.entry_id = n.entry_id AND r.redacted_xid = this_xid);
    ELSIF starts_with(TG_TABLE_NAME, 'entry_revisions') THEN
        SELECT count(*) INTO allowed_count
          FROM old_rows AS o
          JOIN new_rows AS n ON n.ledger_id = o.ledger_id AND n.entry_id = o.entry_id AND n.revision = o.revision
         WHERE (to_jsonb(o) - '{description,metadata,payee_id}'::text[])::text
               = (to_jsonb(n) - '{description,metadata,payee_id}'::text[])::text
           AND n.description = '[redacted]' AND n.metadata = '{}' AND n.payee_id IS NULL
           AND EXISTS (SELECT FROM redacted_entries AS x JOIN redactions AS r
                           ON r.ledger_id = x.ledger_id AND r.id = x.redaction_id
                        WHERE x.ledger_id = n.ledger_id AND x.entry_id = n.entry_id AND r.redacted_xid = this_xid);
    ELSIF starts_with(TG_TABLE_NAME, 'assertions') THEN
        SELECT count(*) INTO allowed_count
          FROM old_rows AS o JOIN new_rows AS n ON n.ledger_id = o.ledger_id AND n.id = o.id
         WHERE (to_jsonb(o) - 'note')::text = (to_jsonb(n) - 'note')::text AND n.note = '[redacted]'
           AND EXISTS (SELECT FROM redactions AS r
                        WHERE r.ledger_id = n.ledger_id AND r.redacted_xid = this_xid AND (r.through >= n.date
                           OR EXISTS (SELECT FROM redacted_rows AS x
                                       WHERE x.ledger_id = r.ledger_id AND x.redaction_id = r.id
                                         AND x.table_name = 'assertions' AND x.row_id = n.id::text)));
    ELSE
        SELECT count(*) INTO allowed_count
          FROM old_rows AS o JOIN new_rows AS n ON n.ledger_id = o.ledger_id AND n.id = o.id
         WHERE (to_jsonb(o) - '{file_name,bank_account}'::text[])::text
               = (to_jsonb(n) - '{file_name,bank_account}'::text[])::text
           AND n.file_name = '[redacted]' AND (n.bank_account IS NULL OR n.bank_account = o.bank_account)
           AND EXISTS (SELECT FROM redactions AS r
                        WHERE r.ledger_id = n.ledger_id AND r.redacted_xid = this_xid AND (r.through >= ALL (
                              SELECT l.date FROM statement_lines AS l
                               WHERE l.ledger_id = n.ledger_id AND l.statement_id = n.id)
                           OR EXISTS (SELECT FROM redacted_rows AS x
                                       WHERE x.ledger_id = r.ledger_id AND x.redaction_id = r.id
                                         AND x.table_name = 'statements' AND x.row_id = n.id::text)));
    END IF;
    IF TG_WHEN = 'AFTER' THEN
        SELECT count(*) INTO row_count FROM new_rows;
        IF allowed_count = row_count THEN
            RETURN NULL;
        END IF;
    END IF;
    RAISE EXCEPTION '% on % is refused', lower(TG_OP), TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_ARGV[0];
END
$function$ SECURITY DEFINER
SET search_path FROM CURRENT
