-- Hashes what is left of an entry whose words are redacted: its canonical form (docs/reference/content-hash.md)
-- without them, so that its money is still told from money that was tampered with.
CREATE FUNCTION hash_redacted() RETURNS trigger LANGUAGE plpgsql AS $function$
BEGIN
    PERFORM FROM redactions WHERE ledger_id = NEW.ledger_id AND id = NEW.redaction_id
        AND redacted_xid = pg_current_xact_id()::text::bigint;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'an entry is redacted in the transaction that records the redaction'
            USING ERRCODE = 'restrict_violation', TABLE = 'redacted_entries',
                  CONSTRAINT = 'ck_redacted_entries_recorded_now';
    END IF;
    SELECT sha256(convert_to('["finance.entry.' || v.form || '","' || to_char(e.date, 'YYYY-MM-DD') || '","[redacted]","'
               || e.kind || '",' || coalesce('"' || e.reverses_id || '"', 'null') || ','
               || CASE v.form WHEN 1 THEN '' ELSE coalesce('"' || e.amends_id || '"', 'null') || ','
                                                 || coalesce('"' || e.settles_id || '"', 'null') || ',' END
               || '[' || l.written || '],{}]', 'UTF8'))
      INTO NEW.content_hash
      FROM journal_entries AS e
     CROSS JOIN LATERAL (SELECT CASE WHEN e.amends_id IS NULL AND e.settles_id IS NULL THEN 1 ELSE 2 END AS form) AS v
     CROSS JOIN LATERAL (
           SELECT string_agg('[' || p.account_id || ',"' || trim_scale(p.amount) || '",null]', ',' ORDER BY p.line)
                      AS written
             FROM postings AS p WHERE p.ledger_id = e.ledger_id AND p.entry_id = e.id) AS l
     WHERE e.ledger_id = NEW.ledger_id AND e.id = NEW.entry_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'this ledger has no such entry'
            USING ERRCODE = 'foreign_key_violation', TABLE = 'redacted_entries',
                  CONSTRAINT = 'fk_redacted_entries_ledger_id_entry_id_journal_entries';
    END IF;
    RETURN NEW;
END
$function$ SECURITY DEFINER
SET search_path FROM CURRENT
