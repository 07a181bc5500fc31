-- Deletes all that there is of the ledger that a new row of erasures names, each table before those that it
-- refers to. The guards of the tables let it pass by the row, which is there by now.
CREATE FUNCTION erase_ledger() RETURNS trigger LANGUAGE plpgsql AS $function$
DECLARE
    next_table text;
    remaining text[] := ledger_tables();
    mode text := coalesce(current_setting('finance.applying', true), '');
BEGIN
    PERFORM set_config('finance.applying', 'books ' || pg_trigger_depth()::text, true);
    WHILE cardinality(remaining) > 0 LOOP
        SELECT t.name INTO STRICT next_table FROM unnest(remaining) AS t(name)
         WHERE NOT EXISTS (SELECT FROM pg_constraint AS k JOIN pg_class AS r ON r.oid = k.conrelid
                            WHERE k.contype = 'f' AND k.confrelid = to_regclass(quote_ident(t.name))
                              AND k.conrelid <> k.confrelid AND r.relnamespace = current_schema()::regnamespace
                              AND r.relname = ANY (remaining))
         ORDER BY t.name LIMIT 1;
        EXECUTE format('DELETE FROM %I WHERE ledger_id = $1', next_table) USING NEW.ledger_id;
        remaining := array_remove(remaining, next_table);
    END LOOP;
    DELETE FROM ledgers WHERE id = NEW.ledger_id;
    PERFORM set_config('finance.applying', mode, true);
    RETURN NULL;
END
$function$ SECURITY DEFINER
SET search_path FROM CURRENT
