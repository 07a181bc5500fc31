-- Writes down when a hold is closed.
CREATE FUNCTION stamp_closing() RETURNS trigger LANGUAGE plpgsql AS $function$
BEGIN
    NEW.closed_at := clock_timestamp();
    RETURN NEW;
END
$function$;
