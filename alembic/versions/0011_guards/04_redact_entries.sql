-- Takes the words out of the entries that new rows of redacted_entries name: descriptions and details, those that
-- were replaced too, payees, tags, memos, what the bank said of them, and the words of holds that they settled.
CREATE OR REPLACE FUNCTION redact_entries() RETURNS trigger LANGUAGE plpgsql AS $function$
BEGIN
    UPDATE entry_revisions AS r SET description = '[redacted]', metadata = '{}', payee_id = NULL
      FROM new_rows AS n WHERE r.ledger_id = n.ledger_id AND r.entry_id = n.entry_id;
    UPDATE journal_entries AS e SET description = '[redacted]', metadata = '{}', payee_id = NULL
      FROM new_rows AS n WHERE e.ledger_id = n.ledger_id AND e.id = n.entry_id;
    UPDATE postings AS p SET memo = NULL
      FROM new_rows AS n WHERE p.ledger_id = n.ledger_id AND p.entry_id = n.entry_id AND p.memo IS NOT NULL;
    UPDATE statement_lines AS l SET payee = NULL, memo = NULL, check_number = NULL, raw = '{}'
      FROM new_rows AS n WHERE l.ledger_id = n.ledger_id AND l.entry_id = n.entry_id;
    -- On record by themselves: a match may be taken back.
    INSERT INTO redacted_rows (ledger_id, redaction_id, table_name, row_id)
    SELECT DISTINCT n.ledger_id, n.redaction_id, 'statement_lines', l.id::text
      FROM new_rows AS n
      JOIN matches AS m ON m.ledger_id = n.ledger_id AND m.entry_id = n.entry_id
      JOIN statement_lines AS l ON l.ledger_id = m.ledger_id AND l.id = m.line_id
     WHERE l.raw <> '{}' OR num_nonnulls(l.payee, l.memo, l.check_number) > 0
        ON CONFLICT DO NOTHING;
    UPDATE holds AS h SET description = '[redacted]'
      FROM new_rows AS n WHERE h.ledger_id = n.ledger_id AND h.entry_id = n.entry_id;
    DELETE FROM entry_tags AS t USING new_rows AS n WHERE t.ledger_id = n.ledger_id AND t.entry_id = n.entry_id;
    RETURN NULL;
END
$function$ SECURITY DEFINER
SET search_path FROM CURRENT
