-- Writes down who redacts, when, and in which transaction: what it allows, it allows there only.
CREATE FUNCTION stamp_redaction() RETURNS trigger LANGUAGE plpgsql AS $function$
BEGIN
    NEW.redacted_at := clock_timestamp();
    NEW.redacted_xid := pg_current_xact_id()::text::bigint;
    -- CURRENT_USER would be the owner of this function.
    NEW.redacted_by := coalesce(nullif(current_setting('role', true), 'none'), session_user);
    RETURN NEW;
END
$function$;
