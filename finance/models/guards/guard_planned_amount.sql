-- Refuses a planned amount that its account's currency cannot express; the trigger's argument is the name of the rule.
CREATE FUNCTION guard_planned_amount() RETURNS trigger LANGUAGE plpgsql AS $function$
DECLARE
    the_currency text;
    the_exponent smallint;
BEGIN
    SELECT c.code, c.exponent INTO the_currency, the_exponent
      FROM accounts AS a JOIN currencies AS c ON c.ledger_id = a.ledger_id AND c.code = a.currency
     WHERE a.ledger_id = NEW.ledger_id AND a.id = NEW.account_id;
    IF min_scale(NEW.amount) > the_exponent THEN
        RAISE EXCEPTION 'a planned amount has more decimals than its currency'
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_ARGV[0],
                  DETAIL = json_build_object('currency', the_currency, 'exponent', the_exponent);
    END IF;
    RETURN NEW;
END
$function$;
