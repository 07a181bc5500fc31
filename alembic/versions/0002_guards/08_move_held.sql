-- Adds to what is held on accounts, which it locks in the order of their ids as every writer does.
CREATE FUNCTION move_held(the_ledger bigint, account_ids bigint[], amounts numeric[]) RETURNS void LANGUAGE plpgsql
    SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
AS $function$
DECLARE
    moved_count bigint;
    mode text := coalesce(current_setting('finance.applying', true), '');
BEGIN
    PERFORM FROM (SELECT u.id FROM unnest(account_ids) AS u(id) ORDER BY u.id) AS s,
                 LATERAL (SELECT a.id FROM accounts AS a WHERE a.ledger_id = the_ledger AND a.id = s.id
                             FOR NO KEY UPDATE OF a) AS o;
    PERFORM set_config('finance.applying', 'books ' || pg_trigger_depth()::text, true);
    UPDATE accounts AS a SET held = a.held + d.amount
      FROM unnest(account_ids, amounts) AS d(id, amount) WHERE a.ledger_id = the_ledger AND a.id = d.id;
    GET DIAGNOSTICS moved_count = ROW_COUNT;
    IF moved_count <> cardinality(account_ids) THEN
        RAISE EXCEPTION 'a rule or a trigger keeps what is held from being written'
            USING ERRCODE = 'restrict_violation', TABLE = 'accounts', CONSTRAINT = 'ck_accounts_balance_written';
    END IF;
    PERFORM set_config('finance.applying', mode, true);
END
$function$
SET search_path FROM CURRENT
