-- Takes the words out of the rows that new rows of redacted_rows name, of tables that keep what a bank or a person
-- wrote beside the entries: lines of statements, names of files, what holds are for, notes of assertions.
CREATE FUNCTION redact_rows() RETURNS trigger LANGUAGE plpgsql AS $function$
DECLARE
    named_count bigint;
    found_count bigint := 0;
    row_count bigint;
BEGIN
    IF EXISTS (
        SELECT FROM new_rows AS n WHERE NOT EXISTS (
            SELECT FROM redactions AS r WHERE r.ledger_id = n.ledger_id AND r.id = n.redaction_id
               AND r.redacted_xid = pg_current_xact_id()::text::bigint)) THEN
        RAISE EXCEPTION 'a row is redacted in the transaction that records the redaction'
            USING ERRCODE = 'restrict_violation', TABLE = 'redacted_rows',
                  CONSTRAINT = 'ck_redacted_rows_recorded_now';
    END IF;
    SELECT count(DISTINCT (ledger_id, table_name, row_id)) INTO named_count FROM new_rows;
    -- CASE, so that no row of another table is read as a number: the ids of holds are none.
    UPDATE statement_lines AS l SET payee = NULL, memo = NULL, check_number = NULL, raw = '{}'
      FROM new_rows AS n WHERE l.ledger_id = n.ledger_id
       AND l.id = CASE WHEN n.table_name = 'statement_lines' THEN n.row_id::bigint END;
    GET DIAGNOSTICS row_count = ROW_COUNT;
    found_count := found_count + row_count;
    UPDATE statements AS s SET file_name = '[redacted]'
      FROM new_rows AS n WHERE s.ledger_id = n.ledger_id
       AND s.id = CASE WHEN n.table_name = 'statements' THEN n.row_id::bigint END;
    GET DIAGNOSTICS row_count = ROW_COUNT;
    found_count := found_count + row_count;
    UPDATE imports AS i SET file_name = '[redacted]'
      FROM new_rows AS n WHERE i.ledger_id = n.ledger_id
       AND i.id = CASE WHEN n.table_name = 'imports' THEN n.row_id::bigint END;
    GET DIAGNOSTICS row_count = ROW_COUNT;
    found_count := found_count + row_count;
    UPDATE holds AS h SET description = '[redacted]'
      FROM new_rows AS n WHERE h.ledger_id = n.ledger_id
       AND h.id = CASE WHEN n.table_name = 'holds' THEN n.row_id::uuid END;
    GET DIAGNOSTICS row_count = ROW_COUNT;
    found_count := found_count + row_count;
    UPDATE assertions AS a SET note = '[redacted]'
      FROM new_rows AS n WHERE a.ledger_id = n.ledger_id
       AND a.id = CASE WHEN n.table_name = 'assertions' THEN n.row_id::bigint END;
    GET DIAGNOSTICS row_count = ROW_COUNT;
    IF found_count + row_count < named_count THEN
        RAISE EXCEPTION 'this ledger has no such row'
            USING ERRCODE = 'foreign_key_violation', TABLE = 'redacted_rows', CONSTRAINT = 'ck_redacted_rows_found';
    END IF;
    RETURN NULL;
END
$function$ SECURITY DEFINER
SET search_path FROM CURRENT
