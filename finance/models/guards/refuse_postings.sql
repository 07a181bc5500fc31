-- Raises the error that says which account of these postings is unknown, closed, in another currency,
-- or which amount is too fine. Only called when one of them is; it always raises.
CREATE FUNCTION refuse_postings(the_ledger bigint, account_ids bigint[], currencies text[], scales integer[])
RETURNS void LANGUAGE plpgsql AS $function$
DECLARE
    line record;
BEGIN
    FOR line IN
        SELECT p.id, p.currency, p.scale, a.id AS found, a.currency AS expected, a.closed_on, c.exponent
          FROM unnest(account_ids, currencies, scales) AS p(id, currency, scale)
          LEFT JOIN accounts AS a ON a.ledger_id = the_ledger AND a.id = p.id
          LEFT JOIN currencies AS c ON c.ledger_id = the_ledger AND c.code = a.currency
         ORDER BY p.id
    LOOP
        IF line.found IS NULL THEN
            RAISE EXCEPTION 'a posting names an account that this ledger does not have'
                USING ERRCODE = 'foreign_key_violation', TABLE = 'postings',
                      CONSTRAINT = 'fk_postings_account_id_accounts',
                      DETAIL = json_build_object('account', line.id);
        ELSIF line.currency IS DISTINCT FROM line.expected THEN
            RAISE EXCEPTION 'a posting has another currency than its account'
                USING ERRCODE = 'check_violation', TABLE = 'postings',
                      CONSTRAINT = 'ck_postings_currency_of_account',
                      DETAIL = json_build_object('account', line.id, 'currency', line.currency,
                                                 'expected', line.expected);
        ELSIF line.closed_on IS NOT NULL THEN
            RAISE EXCEPTION 'a posting names a closed account'
                USING ERRCODE = 'check_violation', TABLE = 'postings',
                      CONSTRAINT = 'ck_postings_account_open',
                      DETAIL = json_build_object('account', line.id);
        ELSIF line.scale > line.exponent THEN
            RAISE EXCEPTION 'a posting has more decimals than its currency'
                USING ERRCODE = 'check_violation', TABLE = 'postings',
                      CONSTRAINT = 'ck_postings_amount_scale',
                      DETAIL = json_build_object('currency', line.currency, 'exponent', line.exponent);
        END IF;
    END LOOP;
    -- Between the look before and this one another transaction has opened or changed what was missing.
    RAISE EXCEPTION 'the accounts changed while a posting looked at them' USING ERRCODE = 'serialization_failure';
END
$function$;
