-- Closes the holds on these accounts whose time is over at an instant. The accounts are locked by the caller.
--
-- A hold that another transaction has locked is closed by that one, which waits for the account: whoever
-- waited for it here would wait in a circle.
CREATE FUNCTION expire_holds(the_ledger bigint, account_ids bigint[], at timestamptz) RETURNS void LANGUAGE plpgsql
    SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
AS $function$
DECLARE
    hold_ids uuid[];
BEGIN
    SELECT array_agg(d.id) INTO hold_ids
      FROM (SELECT h.id FROM holds AS h
             WHERE h.ledger_id = the_ledger AND h.account_id = ANY (account_ids) AND h.status = 'open'
               AND h.expires_at <= at
               FOR UPDATE SKIP LOCKED) AS d;
    IF hold_ids IS NOT NULL THEN
        UPDATE holds SET status = 'expired' WHERE ledger_id = the_ledger AND id = ANY (hold_ids);
    END IF;
END
$function$;
