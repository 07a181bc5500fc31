-- Refuses a new account that brings a balance or something held, or an id that the sequence did not give out.
--
-- COPY and OVERRIDING SYSTEM VALUE get past GENERATED ALWAYS; an id taken ahead of the sequence would
-- make a later INSERT fail. Each row's id is drawn just before this trigger sees the row.
CREATE FUNCTION guard_new_account() RETURNS trigger LANGUAGE plpgsql AS $function$
BEGIN
    IF NEW.balance <> 0 OR NEW.held <> 0 THEN
        RAISE EXCEPTION 'a new account starts at zero'
            USING ERRCODE = 'restrict_violation', TABLE = 'accounts', CONSTRAINT = 'ck_accounts_starts_at_zero';
    ELSIF NEW.id <> currval(pg_get_serial_sequence(quote_ident(TG_TABLE_SCHEMA) || '.accounts', 'id')) THEN
        RAISE EXCEPTION 'the id of an account is given out by the database'
            USING ERRCODE = 'restrict_violation', TABLE = 'accounts', CONSTRAINT = 'ck_accounts_id_by_database';
    END IF;
    RETURN NEW;
EXCEPTION WHEN object_not_in_prerequisite_state THEN
    RAISE EXCEPTION 'the id of an account is given out by the database'
        USING ERRCODE = 'restrict_violation', TABLE = 'accounts', CONSTRAINT = 'ck_accounts_id_by_database';
END
$function$;
