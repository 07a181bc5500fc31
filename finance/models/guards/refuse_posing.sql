-- Refuses a statement below somebody's own trigger that says, by the setting, that a guard has written it.
--
-- Who may write triggers on the table needs no such trick, and the guards themselves write as its owner: so
-- this trigger fires for nobody but those who may not. It runs after the statement and right before the guard
-- that believes the setting, because a statement can change the setting while it runs. The trigger's
-- argument is the name of the rule.
CREATE FUNCTION refuse_posing() RETURNS trigger LANGUAGE plpgsql AS $function$
DECLARE
    outer_depth integer := pg_trigger_depth() - 1;
BEGIN
    IF outer_depth > 0 AND current_setting('finance.applying', true)
                           IN ('books ' || outer_depth::text, 'adjustment ' || outer_depth::text) THEN
        RAISE EXCEPTION '% on % says to be a guard''s', lower(TG_OP), TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_ARGV[0];
    END IF;
    RETURN NULL;
END
$function$;
