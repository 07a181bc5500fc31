-- Refuses a statement that no guard has written; the trigger's argument is the name of the rule.
--
-- A guard names the depth of the trigger that it runs in: a trigger of somebody else that its statement
-- sets off runs deeper, and a statement that no trigger runs has no depth.
CREATE FUNCTION refuse_from_outside() RETURNS trigger LANGUAGE plpgsql AS $function$
BEGIN
    IF pg_trigger_depth() = 1
       OR current_setting('finance.applying', true) IS DISTINCT FROM 'books ' || (pg_trigger_depth() - 1)::text THEN
        RAISE EXCEPTION '% on % is refused', lower(TG_OP), TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_ARGV[0];
    END IF;
    RETURN NULL;
END
$function$
SET search_path FROM CURRENT
