-- Closes the holds that new journal entries settle, before their postings are applied: the limits then
-- find the value free. How much the entry takes is looked at by settle_entry() at COMMIT.
--
-- Accounts are locked before their holds, and the closing lock before both, as everywhere.
CREATE FUNCTION settle_holds(the_ledger bigint, hold_ids uuid[], entry_ids uuid[]) RETURNS void LANGUAGE plpgsql
    SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
AS $function$
DECLARE
    hold record;
    settled_count bigint;
    mode text := coalesce(current_setting('finance.applying', true), '');
BEGIN
    PERFORM pg_advisory_xact_lock_shared(1179209295, hashint8(the_ledger));
    PERFORM FROM (SELECT DISTINCT h.account_id FROM holds AS h
                   WHERE h.ledger_id = the_ledger AND h.id = ANY (hold_ids) ORDER BY h.account_id) AS s,
                 LATERAL (SELECT a.id FROM accounts AS a WHERE a.ledger_id = the_ledger AND a.id = s.account_id
                             FOR NO KEY UPDATE OF a) AS o;
    FOR hold IN
        SELECT u.id, h.status, h.expires_at <= clock_timestamp() AS is_over
          FROM unnest(hold_ids) AS u(id) LEFT JOIN holds AS h ON h.ledger_id = the_ledger AND h.id = u.id
    LOOP
        IF hold.status IS NULL THEN
            RAISE EXCEPTION 'a journal entry settles a hold that is not there'
                USING ERRCODE = 'foreign_key_violation', TABLE = 'journal_entries',
                      CONSTRAINT = 'fk_journal_entries_ledger_id_settles_id_holds',
                      DETAIL = json_build_object('hold', hold.id);
        ELSIF hold.status <> 'open' OR hold.is_over THEN
            RAISE EXCEPTION 'a hold is closed once'
                USING ERRCODE = 'restrict_violation', TABLE = 'holds', CONSTRAINT = 'ck_holds_closed_once',
                      DETAIL = json_build_object('hold', hold.id, 'status',
                                                 CASE hold.status WHEN 'open' THEN 'expired' ELSE hold.status END);
        END IF;
    END LOOP;
    PERFORM set_config('finance.applying', 'books ' || pg_trigger_depth()::text, true);
    UPDATE holds AS h SET status = 'settled', entry_id = s.entry_id
      FROM unnest(hold_ids, entry_ids) AS s(hold_id, entry_id)
     WHERE h.ledger_id = the_ledger AND h.id = s.hold_id AND h.status = 'open';
    GET DIAGNOSTICS settled_count = ROW_COUNT;
    PERFORM set_config('finance.applying', mode, true);
    IF settled_count <> cardinality(hold_ids) THEN
        RAISE EXCEPTION 'a hold was closed while an entry settled it' USING ERRCODE = 'serialization_failure';
    END IF;
END
$function$
SET search_path FROM CURRENT
