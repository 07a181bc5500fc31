-- Computes again what is derived from the postings of the account that a new row of rebuilds names, and
-- puts into the row what that changed. An account that agrees with its postings gets no row.
--
-- It can only restore the truth: everything comes from the postings, under the row lock that posters take.
-- It must be the first thing that its transaction writes, and so comes to one account a transaction: in
-- the middle of another statement, postings may be there that are not applied yet, and would count twice.
CREATE FUNCTION rebuild_account() RETURNS trigger LANGUAGE plpgsql
    SET enable_seqscan = off
AS $function$
DECLARE
    removed_count bigint;
    written_count bigint;
    moved_count bigint;
    mode text := coalesce(current_setting('finance.applying', true), '');
BEGIN
    -- Anybody may create a table and give it this trigger; Citus adds a number to the name.
    IF TG_TABLE_SCHEMA <> current_schema() OR NOT starts_with(TG_TABLE_NAME, 'rebuilds') THEN
        RAISE EXCEPTION 'rebuild_account() serves rebuilds only'
            USING ERRCODE = 'restrict_violation', TABLE = 'rebuilds', CONSTRAINT = 'ck_rebuilds_own_guard';
    ELSIF pg_current_xact_id_if_assigned() IS NOT NULL THEN
        RAISE EXCEPTION 'an account is rebuilt in a transaction of its own'
            USING ERRCODE = 'restrict_violation', TABLE = 'rebuilds', CONSTRAINT = 'ck_rebuilds_first_write';
    END IF;
    SELECT balance, held INTO NEW.balance_before, NEW.held_before FROM accounts
     WHERE ledger_id = NEW.ledger_id AND id = NEW.account_id FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'this ledger does not have the account'
            USING ERRCODE = 'foreign_key_violation', TABLE = 'rebuilds',
                  CONSTRAINT = 'fk_rebuilds_account_id_accounts',
                  DETAIL = json_build_object('account', NEW.account_id);
    END IF;

    PERFORM set_config('finance.applying', 'books ' || pg_trigger_depth()::text, true);
    DELETE FROM monthly_totals AS t
     WHERE t.ledger_id = NEW.ledger_id AND t.account_id = NEW.account_id
       AND (t.month <> date_trunc('month', t.month::timestamp)::date
            OR NOT EXISTS (SELECT FROM postings AS p
                            WHERE p.ledger_id = NEW.ledger_id AND p.account_id = NEW.account_id AND p.date >= t.month
                              AND p.date < (t.month::timestamp + interval '1 month')::date));
    GET DIAGNOSTICS removed_count = ROW_COUNT;
    INSERT INTO monthly_totals AS t (ledger_id, account_id, month, debit, credit, postings)
    SELECT NEW.ledger_id, NEW.account_id, date_trunc('month', p.date::timestamp)::date,
           sum(greatest(p.amount, 0)), sum(greatest(-p.amount, 0)), count(*)
      FROM postings AS p WHERE p.ledger_id = NEW.ledger_id AND p.account_id = NEW.account_id GROUP BY 3 ORDER BY 3
    ON CONFLICT (ledger_id, account_id, month) DO UPDATE
       SET debit = excluded.debit, credit = excluded.credit, postings = excluded.postings
     WHERE (t.debit, t.credit, t.postings) IS DISTINCT FROM (excluded.debit, excluded.credit, excluded.postings);
    GET DIAGNOSTICS written_count = ROW_COUNT;
    NEW.months := removed_count + written_count;

    -- What an account derives from its postings is written here, all of it in one UPDATE.
    SELECT coalesce(sum(amount), 0) INTO NEW.balance_after FROM postings
     WHERE ledger_id = NEW.ledger_id AND account_id = NEW.account_id;
    SELECT coalesce(sum(amount), 0) INTO NEW.held_after FROM holds
     WHERE ledger_id = NEW.ledger_id AND account_id = NEW.account_id AND status = 'open';
    IF NEW.balance_after <> NEW.balance_before OR NEW.held_after <> NEW.held_before THEN
        UPDATE accounts SET balance = NEW.balance_after, held = NEW.held_after
         WHERE ledger_id = NEW.ledger_id AND id = NEW.account_id;
        GET DIAGNOSTICS moved_count = ROW_COUNT;
        IF moved_count <> 1 THEN
            RAISE EXCEPTION 'a rule or a trigger keeps the balances from being written'
                USING ERRCODE = 'restrict_violation', TABLE = 'accounts', CONSTRAINT = 'ck_accounts_balance_written';
        END IF;
    END IF;
    PERFORM set_config('finance.applying', mode, true);
    IF NEW.balance_after = NEW.balance_before AND NEW.held_after = NEW.held_before AND NEW.months = 0 THEN
        RETURN NULL;
    END IF;
    NEW.rebuilt_at := clock_timestamp();
    -- CURRENT_USER would be the owner of this function.
    NEW.rebuilt_by := coalesce(nullif(current_setting('role', true), 'none'), session_user);
    RETURN NEW;
END
$function$
SET search_path FROM CURRENT
