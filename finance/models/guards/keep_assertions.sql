-- Refuses to delete what a statement claims, unless its ledger is being erased.
CREATE FUNCTION keep_assertions() RETURNS trigger LANGUAGE plpgsql AS $function$
BEGIN
    IF EXISTS (SELECT FROM erasures
                WHERE ledger_id = OLD.ledger_id AND erased_xid = pg_current_xact_id()::text::bigint) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'DELETE on assertions is refused'
        USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = 'ck_assertions_sealed';
END
$function$;
