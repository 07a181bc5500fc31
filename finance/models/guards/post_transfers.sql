-- Posts transfers: entries of one ledger that move an amount from a second account to a first one, and say nothing else.
--
-- Fires for each row that is inserted into new_transfers. What queue_entries() and apply_postings() find out about any
-- entry that somebody wrote is so by construction for one that is written here: it is new, of this transaction, has
-- its postings, balances, and they have its date. What is left is proved and derived here, in the same order and under
-- the same locks, and those two stay out of it. Its plans are made as those of apply_postings().
CREATE FUNCTION post_transfers() RETURNS trigger LANGUAGE plpgsql
    SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
AS $function$
DECLARE
    transfer_count integer := cardinality(NEW.ids);
    currencies text[] := NEW.currencies;
    joined_hashes bytea;
    entry_count bigint;
    posting_count bigint;
    closed_through date;
    first_date date;
    month_accounts bigint[];
    month_currencies text[];
    months date[];
    debits numeric[];
    credits numeric[];
    counts bigint[];
    scales integer[];
    this_xid bigint := pg_current_xact_id()::text::bigint;
    done text;  -- assigned to only: PERFORM would set up a query
    mode text := coalesce(current_setting('finance.applying', true), '');
BEGIN
    -- Anybody may create a view and give it this trigger.
    IF TG_TABLE_SCHEMA <> current_schema() OR TG_TABLE_NAME <> 'new_transfers' THEN
        RAISE EXCEPTION 'post_transfers() serves new_transfers only'
            USING ERRCODE = 'restrict_violation', TABLE = 'new_transfers', CONSTRAINT = 'ck_new_transfers_own_guard';
    ELSIF (transfer_count > 0 AND cardinality(NEW.dates) = transfer_count
           AND cardinality(NEW.descriptions) = transfer_count
           AND (cardinality(NEW.content_hashes) = transfer_count OR cardinality(NEW.content_hashes) = 1
                AND octet_length(NEW.content_hashes[1]) = 32 * transfer_count)
           AND cardinality(NEW.first_accounts) = transfer_count AND cardinality(NEW.second_accounts) = transfer_count
           AND cardinality(NEW.currencies) IN (1, transfer_count) AND cardinality(NEW.amounts) = transfer_count)
          IS NOT TRUE THEN
        RAISE EXCEPTION 'the arrays of new transfers are of different lengths, or empty'
            USING ERRCODE = 'check_violation', TABLE = 'new_transfers', CONSTRAINT = 'ck_new_transfers_one_length';
    END IF;
    IF NEW.lock_timeout IS NOT NULL THEN
        done := set_config('lock_timeout', NEW.lock_timeout, true);
    END IF;
    IF NEW.is_unordered IS NOT NULL THEN
        done := set_config('finance.posting', CASE WHEN NEW.is_unordered THEN 'unordered' ELSE '' END, true);
    END IF;
    -- A hash that may be missing must be seen to be: an array that begins elsewhere has none at 1.
    IF transfer_count = 1 AND NEW.first_accounts[1] <> NEW.second_accounts[1]
       AND array_dims(NEW.content_hashes) = '[1:1]' THEN
        done := post_transfer(NEW.ledger_id, NEW.ids[1], NEW.dates[1], NEW.descriptions[1], NEW.content_hashes[1],
                              NEW.first_accounts[1], NEW.second_accounts[1], NEW.currencies[1], NEW.amounts[1],
                              NEW.recorded_by);
        RETURN NEW;
    END IF;

    -- What is the same for all, or has one length, may come as one: to make arrays is the sender's hardest work.
    IF transfer_count > 1 AND cardinality(currencies) = 1 THEN
        currencies := array_fill(currencies[1], ARRAY[transfer_count]);
    END IF;
    IF transfer_count > 1 AND cardinality(NEW.content_hashes) = 1 THEN
        joined_hashes := NEW.content_hashes[1];
    END IF;

    -- The entries come first, and in the order in which they were sent, as wherever entries are posted: whoever posts
    -- the same ids in another order might wait for this one, and this one for him.
    done := set_config('finance.applying', 'transfers ' || pg_trigger_depth()::text, true);
    INSERT INTO journal_entries (ledger_id, id, date, description, content_hash, recorded_by, recorded_xid)
    SELECT NEW.ledger_id, t.id, t.date, t.description,
           CASE WHEN joined_hashes IS NULL THEN t.content_hash
                ELSE substring(joined_hashes FROM 32 * t.number::integer - 31 FOR 32) END, NEW.recorded_by, this_xid
      FROM unnest(NEW.ids, NEW.dates, NEW.descriptions, NEW.content_hashes)
           WITH ORDINALITY AS t(id, date, description, content_hash, number);
    GET DIAGNOSTICS entry_count = ROW_COUNT;
    INSERT INTO postings (ledger_id, entry_id, line, account_id, date, currency, amount)
    SELECT NEW.ledger_id, t.id, p.line, p.account_id, t.date, t.currency, p.amount
      FROM unnest(NEW.ids, NEW.dates, NEW.first_accounts, NEW.second_accounts, currencies, NEW.amounts)
                AS t(id, date, first_account, second_account, currency, amount),
           LATERAL (VALUES (1, t.first_account, t.amount), (2, t.second_account, -t.amount))
                AS p(line, account_id, amount);
    GET DIAGNOSTICS posting_count = ROW_COUNT;
    done := set_config('finance.applying', mode, true);
    IF entry_count <> transfer_count OR posting_count <> 2 * transfer_count THEN
        RAISE EXCEPTION 'a rule or a trigger keeps the postings from being written'
            USING ERRCODE = 'restrict_violation', TABLE = 'postings', CONSTRAINT = 'ck_postings_written';
    END IF;

    -- As apply_postings() does it.
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        PERFORM FROM ledgers WHERE id = NEW.ledger_id FOR SHARE;
    END IF;
    done := pg_advisory_xact_lock_shared(1179209295, hashint8(NEW.ledger_id));
    SELECT array_agg(p.account_id), array_agg(p.currency), array_agg(p.month),
           array_agg(p.debit), array_agg(p.credit), array_agg(p.postings), array_agg(p.scale), min(p.first_date),
           (SELECT l.closed_through FROM ledgers AS l WHERE l.id = NEW.ledger_id)
      INTO month_accounts, month_currencies, months, debits, credits, counts, scales, first_date, closed_through
      FROM (SELECT l.account_id, l.currency, date_trunc('month', l.date::timestamp)::date AS month,
                   sum(l.debit) AS debit, sum(l.credit) AS credit, count(*) AS postings, max(l.scale) AS scale,
                   min(l.date) AS first_date
              -- Both accounts are of one currency, or refused: the decimals are counted once.
              FROM (SELECT account_id, currency, date, greatest(amount, 0) AS debit, greatest(-amount, 0) AS credit,
                           min_scale(amount) AS scale
                      FROM unnest(NEW.first_accounts, currencies, NEW.dates, NEW.amounts)
                                AS first(account_id, currency, date, amount)
                    UNION ALL
                    SELECT account_id, currency, date, greatest(-amount, 0), greatest(amount, 0), 0
                      FROM unnest(NEW.second_accounts, currencies, NEW.dates, NEW.amounts)
                                AS second(account_id, currency, date, amount)) AS l
             GROUP BY 1, 2, 3 ORDER BY 1, 3) AS p;
    IF first_date <= closed_through THEN
        RAISE EXCEPTION 'a posting lies in a closed period'
            USING ERRCODE = 'check_violation', TABLE = 'postings', CONSTRAINT = 'ck_postings_period_open',
                  DETAIL = json_build_object('on', first_date, 'closed_through', closed_through);
    END IF;
    done := move_balances(NEW.ledger_id, month_accounts, month_currencies, months, debits, credits, counts, scales,
                          posting_count, NULL, NULL, false);
    RETURN NEW;
END
$function$;
