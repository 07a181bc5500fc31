-- Locks the ledger that a new row of erasures names against everybody, and counts what there is of it.
--
-- It must be the first thing that its transaction writes, so that a statement erases one ledger and nothing else
-- rides along. Whoever posts to it, or opens an account in it, has committed by then, or finds no ledger.
CREATE FUNCTION begin_erasure() RETURNS trigger LANGUAGE plpgsql AS $function$
DECLARE
    one text;
    found_count bigint;
BEGIN
    -- Anybody may create a table and give it this trigger; Citus adds a number to the name.
    IF TG_TABLE_SCHEMA <> current_schema() OR NOT starts_with(TG_TABLE_NAME, 'erasures') THEN
        RAISE EXCEPTION 'begin_erasure() serves erasures only'
            USING ERRCODE = 'restrict_violation', TABLE = 'erasures', CONSTRAINT = 'ck_erasures_own_guard';
    ELSIF pg_current_xact_id_if_assigned() IS NOT NULL
          OR current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'a ledger is erased in a transaction of its own, under read committed'
            USING ERRCODE = 'restrict_violation', TABLE = 'erasures', CONSTRAINT = 'ck_erasures_first_write';
    END IF;
    -- In the order of whoever opens an account and then posts to it: its currency, the ledger, the advisory lock of
    -- posters, which a closing takes behind the ledger as well. Who does so in another order may meet a deadlock.
    PERFORM FROM currencies WHERE ledger_id = NEW.ledger_id ORDER BY code FOR UPDATE;
    PERFORM FROM ledgers WHERE id = NEW.ledger_id FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no such ledger'
            USING ERRCODE = 'foreign_key_violation', TABLE = 'erasures', CONSTRAINT = 'fk_erasures_ledger_id_ledgers';
    END IF;
    PERFORM pg_advisory_xact_lock(1179209295, hashint8(NEW.ledger_id));
    NEW.counts := '{}';
    FOREACH one IN ARRAY ledger_tables() LOOP
        EXECUTE format('SELECT count(*) FROM %I WHERE ledger_id = $1', one) INTO found_count USING NEW.ledger_id;
        IF found_count > 0 THEN
            NEW.counts := NEW.counts || jsonb_build_object(one, found_count);
        END IF;
    END LOOP;
    NEW.erased_at := clock_timestamp();
    NEW.erased_xid := pg_current_xact_id()::text::bigint;
    -- CURRENT_USER would be the owner of this function.
    NEW.erased_by := coalesce(nullif(current_setting('role', true), 'none'), session_user);
    RETURN NEW;
END
$function$ SECURITY DEFINER
SET search_path FROM CURRENT
