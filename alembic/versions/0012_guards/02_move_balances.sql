-- Moves the balances and monthly totals of one ledger's accounts by sums of new postings, and refuses those that do
-- not belong: of an account that is unknown, closed or in another currency, or finer than that.
--
-- The sums are one for each account, currency and month, in the order of the accounts. Only the guards that have
-- written or seen the postings call it, as part of themselves and under their settings: apply_postings() and
-- post_transfers().
CREATE FUNCTION move_balances(
    the_ledger bigint, month_accounts bigint[], month_currencies text[], months date[], debits numeric[],
    credits numeric[], counts bigint[], scales integer[], line_count bigint, hold_ids uuid[], settling_ids uuid[],
    is_adjustment boolean
) RETURNS bigint LANGUAGE plpgsql AS $function$
DECLARE
    account_ids bigint[];
    account_sums numeric[];
    found_count bigint;
    is_refused boolean;
    is_held boolean;
    limited_account bigint;
    moved_count bigint;
    totalled_count bigint;
    done text;  -- assigned to only: PERFORM would set up a query
    mode text := coalesce(current_setting('finance.applying', true), '');
BEGIN
    -- Every writer locks its accounts in this order, so that no two can wait for each other.
    SELECT array_agg(o.id), array_agg(s.sum), sum(s.postings),
           bool_or(o.currency <> s.currency OR o.closed_on IS NOT NULL OR s.scale > o.exponent),
           bool_or(o.held <> 0),
           min(o.id) FILTER (WHERE o.minimum_balance IS NOT NULL OR o.maximum_balance IS NOT NULL)
      INTO account_ids, account_sums, found_count, is_refused, is_held, limited_account
      FROM (SELECT m.id, m.currency, sum(m.debit - m.credit) AS sum, sum(m.postings) AS postings,
                   max(m.scale) AS scale
              FROM unnest(month_accounts, month_currencies, debits, credits, counts, scales)
                   AS m(id, currency, debit, credit, postings, scale)
             GROUP BY m.id, m.currency ORDER BY m.id) AS s,
           LATERAL (SELECT a.id, a.currency, a.closed_on, a.held, a.minimum_balance, a.maximum_balance,
                           (SELECT c.exponent FROM currencies AS c
                             WHERE c.ledger_id = the_ledger AND c.code = a.currency) AS exponent
                      FROM accounts AS a WHERE a.ledger_id = the_ledger AND a.id = s.id
                       FOR NO KEY UPDATE OF a) AS o;
    IF is_refused OR found_count IS DISTINCT FROM line_count THEN
        PERFORM refuse_postings(the_ledger, month_accounts, month_currencies, scales);
    END IF;
    -- The fast lane gathers entries of many callers: their sum says nothing of one after another.
    IF limited_account IS NOT NULL AND current_setting('finance.posting', true) = 'unordered' THEN
        RAISE EXCEPTION 'entries that touch limits are posted in their order'
            USING ERRCODE = 'check_violation', TABLE = 'accounts', CONSTRAINT = 'ck_accounts_limits_in_order',
                  DETAIL = json_build_object('account', limited_account);
    END IF;
    -- The limits count what is held: a hold whose time is over must not stand in the way.
    IF is_held THEN
        PERFORM expire_holds(the_ledger, account_ids, clock_timestamp());
    END IF;
    IF hold_ids IS NOT NULL THEN
        PERFORM settle_holds(the_ledger, hold_ids, settling_ids, account_ids);
    END IF;

    done := set_config('finance.applying', 'books ' || pg_trigger_depth()::text, true);
    -- A balance that somebody set directly is there already; only its posting is new. A sum of zero is
    -- written all the same: whoever deletes the account by an older snapshot must find the row changed.
    IF is_adjustment THEN
        moved_count := cardinality(account_ids);
    ELSE
        UPDATE accounts AS a SET balance = a.balance + d.amount
          FROM unnest(account_ids, account_sums) AS d(id, amount)
         WHERE a.ledger_id = the_ledger AND a.id = d.id;
        GET DIAGNOSTICS moved_count = ROW_COUNT;
    END IF;
    INSERT INTO monthly_totals AS t (ledger_id, account_id, month, debit, credit, postings)
    SELECT the_ledger, m.account_id, m.month, m.debit, m.credit, m.postings
      FROM unnest(month_accounts, months, debits, credits, counts)
           AS m(account_id, month, debit, credit, postings)
    ON CONFLICT (ledger_id, account_id, month) DO UPDATE
       SET debit = t.debit + excluded.debit, credit = t.credit + excluded.credit,
           postings = t.postings + excluded.postings;
    GET DIAGNOSTICS totalled_count = ROW_COUNT;
    IF moved_count <> cardinality(account_ids) OR totalled_count <> cardinality(months) THEN
        RAISE EXCEPTION 'a rule or a trigger keeps the balances from being written'
            USING ERRCODE = 'restrict_violation', TABLE = 'accounts', CONSTRAINT = 'ck_accounts_balance_written';
    END IF;
    done := set_config('finance.applying', mode, true);
    RETURN moved_count;
END
$function$
SET search_path FROM CURRENT
