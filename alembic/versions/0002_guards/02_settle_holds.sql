-- Closes the holds that entries settle, as soon as a line of theirs reaches the account: the limits then
-- find the value free. The accounts are locked by the caller, before their holds as everywhere. How much
-- an entry takes is looked at by settle_entry() at COMMIT.
CREATE FUNCTION settle_holds(the_ledger bigint, hold_ids uuid[], entry_ids uuid[], account_ids bigint[])
RETURNS void LANGUAGE plpgsql
    SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
AS $function$
DECLARE
    hold record;
    open_holds uuid[];
    mode text := coalesce(current_setting('finance.applying', true), '');
BEGIN
    FOR hold IN
        SELECT s.id, h.status, h.account_id = ANY (account_ids) AS is_reached,
               h.status = 'settled' AND h.entry_id = s.entry_id AS is_settled_by_it,
               coalesce(h.expires_at <= clock_timestamp(), false) AS is_over
          FROM unnest(hold_ids, entry_ids) AS s(id, entry_id)
          LEFT JOIN holds AS h ON h.ledger_id = the_ledger AND h.id = s.id
    LOOP
        IF hold.status IS NULL THEN
            RAISE EXCEPTION 'a journal entry settles a hold that is not there'
                USING ERRCODE = 'foreign_key_violation', TABLE = 'journal_entries',
                      CONSTRAINT = 'fk_journal_entries_ledger_id_settles_id_holds',
                      DETAIL = json_build_object('hold', hold.id);
        ELSIF NOT hold.is_reached OR hold.is_settled_by_it THEN
            CONTINUE;
        ELSIF hold.status <> 'open' OR hold.is_over THEN
            RAISE EXCEPTION 'a hold is closed once'
                USING ERRCODE = 'restrict_violation', TABLE = 'holds', CONSTRAINT = 'ck_holds_closed_once',
                      DETAIL = json_build_object('hold', hold.id, 'status',
                                                 CASE hold.status WHEN 'open' THEN 'expired' ELSE hold.status END);
        END IF;
        open_holds := open_holds || hold.id;
    END LOOP;
    IF open_holds IS NOT NULL THEN
        PERFORM set_config('finance.applying', 'books ' || pg_trigger_depth()::text, true);
        UPDATE holds AS h SET status = 'settled', entry_id = s.entry_id
          FROM unnest(hold_ids, entry_ids) AS s(id, entry_id)
         WHERE h.ledger_id = the_ledger AND h.id = s.id AND h.id = ANY (open_holds);
        PERFORM set_config('finance.applying', mode, true);
    END IF;
END
$function$
SET search_path FROM CURRENT
