-- Waits until every poster in flight is done, before the day through which a ledger is closed changes.
CREATE FUNCTION close_period() RETURNS trigger LANGUAGE plpgsql AS $function$
BEGIN
    PERFORM pg_advisory_xact_lock(1179209295, hashint8(NEW.id));
    RETURN NEW;
END
$function$
SET search_path FROM CURRENT
