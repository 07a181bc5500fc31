-- Posts one transfer, as post_transfers() does many: what is set up for arrays costs more than all the rest of one.
--
-- Only post_transfers() calls it, as part of itself and under its settings. The accounts are two different ones.
CREATE FUNCTION post_transfer(
    the_ledger bigint, the_id uuid, the_date date, the_description text, the_hash bytea, first_account bigint,
    second_account bigint, the_currency text, the_amount numeric, the_user text
) RETURNS bigint LANGUAGE plpgsql AS $function$
DECLARE
    lower_account bigint := least(first_account, second_account);
    higher_account bigint := greatest(first_account, second_account);
    -- What is added to the first of the two by their ids; the opposite to the other.
    lower_amount numeric := CASE WHEN first_account < second_account THEN the_amount ELSE -the_amount END;
    the_month date;
    found record;
    entry_count bigint;
    posting_count bigint;
    moved_count bigint;
    totalled_count bigint;
    done text;  -- assigned to only: PERFORM would set up a query
    mode text := coalesce(current_setting('finance.applying', true), '');
BEGIN
    done := set_config('finance.applying', 'transfers ' || pg_trigger_depth()::text, true);
    INSERT INTO journal_entries (ledger_id, id, date, description, content_hash, recorded_by)
    VALUES (the_ledger, the_id, the_date, the_description, the_hash, the_user);
    GET DIAGNOSTICS entry_count = ROW_COUNT;
    INSERT INTO postings (ledger_id, entry_id, line, account_id, date, currency, amount)
    VALUES (the_ledger, the_id, 1, first_account, the_date, the_currency, the_amount),
           (the_ledger, the_id, 2, second_account, the_date, the_currency, -the_amount);
    GET DIAGNOSTICS posting_count = ROW_COUNT;
    done := set_config('finance.applying', mode, true);
    IF entry_count <> 1 OR posting_count <> 2 THEN
        RAISE EXCEPTION 'a rule or a trigger keeps the postings from being written'
            USING ERRCODE = 'restrict_violation', TABLE = 'postings', CONSTRAINT = 'ck_postings_written';
    END IF;

    -- In the order and for the reasons that apply_postings() and move_balances() give.
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        PERFORM FROM ledgers WHERE id = the_ledger FOR SHARE;
    END IF;
    done := pg_advisory_xact_lock_shared(1179209295, hashint8(the_ledger));
    SELECT a.currency = the_currency AND b.currency = the_currency AND a.closed_on IS NULL AND b.closed_on IS NULL
           AND min_scale(the_amount) <= (SELECT c.exponent FROM currencies AS c
                                          WHERE c.ledger_id = the_ledger AND c.code = the_currency) AS are_fit,
           a.held <> 0 OR b.held <> 0 AS are_held,
           CASE WHEN coalesce(a.minimum_balance, a.maximum_balance) IS NOT NULL THEN lower_account
                WHEN coalesce(b.minimum_balance, b.maximum_balance) IS NOT NULL THEN higher_account END AS limited,
           (SELECT l.closed_through FROM ledgers AS l WHERE l.id = the_ledger) AS closed_through
      INTO found
      FROM (SELECT id, currency, closed_on, held, minimum_balance, maximum_balance FROM accounts
             WHERE ledger_id = the_ledger AND id = lower_account FOR NO KEY UPDATE) AS a,
           -- It names the first one, so that no plan can lock it before.
           LATERAL (SELECT currency, closed_on, held, minimum_balance, maximum_balance FROM accounts
                     WHERE ledger_id = the_ledger AND id = higher_account AND id > a.id FOR NO KEY UPDATE) AS b;
    IF the_date <= found.closed_through THEN
        RAISE EXCEPTION 'a posting lies in a closed period'
            USING ERRCODE = 'check_violation', TABLE = 'postings', CONSTRAINT = 'ck_postings_period_open',
                  DETAIL = json_build_object('on', the_date, 'closed_through', found.closed_through);
    ELSIF found.are_fit IS NOT TRUE THEN
        PERFORM refuse_postings(the_ledger, ARRAY[lower_account, higher_account], ARRAY[the_currency, the_currency],
                                ARRAY[min_scale(the_amount), min_scale(the_amount)]);
    ELSIF found.limited IS NOT NULL AND current_setting('finance.posting', true) = 'unordered' THEN
        RAISE EXCEPTION 'entries that touch limits are posted in their order'
            USING ERRCODE = 'check_violation', TABLE = 'accounts', CONSTRAINT = 'ck_accounts_limits_in_order',
                  DETAIL = json_build_object('account', found.limited);
    ELSIF found.are_held THEN
        PERFORM expire_holds(the_ledger, ARRAY[lower_account, higher_account], clock_timestamp());
    END IF;

    done := set_config('finance.applying', 'books ' || pg_trigger_depth()::text, true);
    UPDATE accounts SET balance = balance + CASE id WHEN lower_account THEN lower_amount ELSE -lower_amount END
     WHERE ledger_id = the_ledger AND id IN (lower_account, higher_account);
    GET DIAGNOSTICS moved_count = ROW_COUNT;
    the_month := date_trunc('month', the_date::timestamp)::date;
    INSERT INTO monthly_totals AS t (ledger_id, account_id, month, debit, credit, postings)
    VALUES (the_ledger, lower_account, the_month, greatest(lower_amount, 0), greatest(-lower_amount, 0), 1),
           (the_ledger, higher_account, the_month, greatest(-lower_amount, 0), greatest(lower_amount, 0), 1)
    ON CONFLICT (ledger_id, account_id, month) DO UPDATE
       SET debit = t.debit + excluded.debit, credit = t.credit + excluded.credit,
           postings = t.postings + excluded.postings;
    GET DIAGNOSTICS totalled_count = ROW_COUNT;
    IF moved_count <> 2 OR totalled_count <> 2 THEN
        RAISE EXCEPTION 'a rule or a trigger keeps the balances from being written'
            USING ERRCODE = 'restrict_violation', TABLE = 'accounts', CONSTRAINT = 'ck_accounts_balance_written';
    END IF;
    done := set_config('finance.applying', mode, true);
    RETURN posting_count;
END
$function$
SET search_path FROM CURRENT
