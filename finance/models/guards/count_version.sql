-- Counts a change of an account that did not count itself: one that the ORM has not written.
CREATE FUNCTION count_version() RETURNS trigger LANGUAGE plpgsql AS $function$
BEGIN
    NEW.version := OLD.version + 1;
    RETURN NEW;
END
$function$;
