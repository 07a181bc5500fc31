-- Applies new postings to what is derived from them, and refuses those that do not belong.
--
-- Fires once per INSERT statement (each row of an executemany, each batch of a COPY). It proves what
-- foreign keys would prove, in one query for all rows: the entry is there, is of this database
-- transaction and has the same date; the account is there, in this ledger, open and in the same
-- currency. Then it has move_balances() add to balances and monthly totals, and queues the entries that
-- this statement leaves unbalanced for settle_entry(). It stays out of what post_transfers() writes. The
-- transition table never meets a table in one query, so that Citus can run it.
--
-- Its plans are made once for any number of rows: planning for each call takes as long as all the rest.
-- They must not depend on how many rows the tables had on that day, or on how small most ledgers are:
-- no sequential scans, and each row is looked up by its whole key in a LATERAL subquery of its own.
CREATE OR REPLACE FUNCTION apply_postings() RETURNS trigger LANGUAGE plpgsql
    SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
AS $function$
DECLARE
    the_ledger bigint;
    line_count bigint;
    entry_ids uuid[];
    entry_dates date[];
    open_entries uuid[];
    lines_agree boolean;
    first_date date;
    entries record;
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
    -- record_adjustment(), one trigger further out, finds the balance set already.
    is_adjustment boolean := pg_trigger_depth() > 1 AND mode = 'adjustment ' || (pg_trigger_depth() - 1)::text;
BEGIN
    -- Anybody may create a table and give it this trigger; Citus adds a number to the name.
    IF TG_TABLE_SCHEMA <> current_schema() OR NOT starts_with(TG_TABLE_NAME, 'postings') THEN
        RAISE EXCEPTION 'apply_postings() serves postings only'
            USING ERRCODE = 'restrict_violation', TABLE = 'postings', CONSTRAINT = 'ck_postings_own_guard';
    END IF;
    FOR the_ledger, line_count, entry_ids, entry_dates, open_entries, lines_agree, first_date IN
        SELECT e.ledger_id, sum(e.lines), array_agg(e.entry_id), array_agg(e.first),
               array_agg(e.entry_id) FILTER (WHERE e.sum <> 0), bool_and(e.first = e.last), min(e.first)
          FROM (SELECT ledger_id, entry_id, min(date) AS first, max(date) AS last,
                       sum(amount) AS sum, count(*) AS lines
                  FROM new_postings GROUP BY ledger_id, entry_id, currency) AS e
         GROUP BY e.ledger_id ORDER BY e.ledger_id
    LOOP
        -- Posters share the advisory lock and a closing takes it alone, so that none in flight lands
        -- behind the closing. A transaction with an old snapshot would read an old closing: the row lock
        -- tells it. The row comes first, as for a closing: in the other order they wait for each other.
        IF current_setting('transaction_isolation') <> 'read committed' THEN
            PERFORM FROM ledgers WHERE id = the_ledger FOR SHARE;
        END IF;
        done := pg_advisory_xact_lock_shared(1179209295, hashint8(the_ledger));

        -- An entry in several currencies is looked at once for each. By its date too, which an index has before its
        -- id: were one left out, the plan might read all entries of the ledger for each.
        SELECT count(*) AS found, bool_and(e.is_open) AS are_open,
               array_agg(u.id) FILTER (WHERE e.is_linked) AS linked,
               array_agg(u.id) FILTER (WHERE e.settles_id IS NOT NULL) AS settling,
               array_agg(e.settles_id) FILTER (WHERE e.settles_id IS NOT NULL) AS holds,
               EXISTS (SELECT FROM journal_entries AS r
                        WHERE r.ledger_id = the_ledger AND r.reverses_id = ANY (entry_ids)) AS are_reversed,
               (SELECT l.closed_through FROM ledgers AS l WHERE l.id = the_ledger) AS closed_through
          INTO entries
          FROM unnest(entry_ids, entry_dates) AS u(id, date),
               LATERAL (SELECT j.settles_id,
                               coalesce(j.reverses_id, j.amends_id, j.settles_id) IS NOT NULL AS is_linked,
                               j.recorded_xid = this_xid AND j.recorded_at >= transaction_timestamp() AS is_open
                          FROM journal_entries AS j
                         WHERE j.ledger_id = the_ledger AND j.id = u.id AND j.date = u.date OFFSET 0) AS e;
        IF entries.found < cardinality(entry_ids) OR NOT lines_agree THEN
            -- The rarer errors may take their time.
            IF EXISTS (SELECT FROM unnest(entry_ids) AS u(id) WHERE NOT EXISTS (
                           SELECT FROM journal_entries AS j WHERE j.ledger_id = the_ledger AND j.id = u.id)) THEN
                RAISE EXCEPTION 'a posting names a journal entry that is not there'
                    USING ERRCODE = 'foreign_key_violation', TABLE = 'postings',
                          CONSTRAINT = 'fk_postings_entry_id_journal_entries';
            END IF;
            RAISE EXCEPTION 'a posting has another date than its journal entry'
                USING ERRCODE = 'check_violation', TABLE = 'postings',
                      CONSTRAINT = 'ck_postings_date_of_entry';
        ELSIF NOT entries.are_open OR entries.are_reversed THEN
            RAISE EXCEPTION 'a posting would join a journal entry that is committed, or reversed'
                USING ERRCODE = 'restrict_violation', TABLE = 'postings',
                      CONSTRAINT = 'ck_postings_entry_not_sealed';
        ELSIF first_date <= entries.closed_through THEN
            RAISE EXCEPTION 'a posting lies in a closed period'
                USING ERRCODE = 'check_violation', TABLE = 'postings',
                      CONSTRAINT = 'ck_postings_period_open',
                      DETAIL = json_build_object('on', first_date, 'closed_through', entries.closed_through);
        END IF;

        -- By way of timestamp: a date alone is taken to the session's time zone, which may have skipped it.
        SELECT array_agg(p.account_id), array_agg(p.currency), array_agg(p.month),
               array_agg(p.debit), array_agg(p.credit), array_agg(p.postings), array_agg(p.scale)
          INTO month_accounts, month_currencies, months, debits, credits, counts, scales
          FROM (SELECT account_id, currency, date_trunc('month', date::timestamp)::date AS month,
                       sum(greatest(amount, 0)) AS debit, sum(greatest(-amount, 0)) AS credit,
                       count(*) AS postings, max(min_scale(amount)) AS scale
                  FROM new_postings WHERE ledger_id = the_ledger GROUP BY 1, 2, 3 ORDER BY 1, 3) AS p;

        done := move_balances(the_ledger, month_accounts, month_currencies, months, debits, credits, counts, scales,
                              line_count, entries.holds, entries.settling, is_adjustment);

        -- An entry that reverses or amends another, or settles a hold, is looked at whenever a line joins it.
        open_entries := open_entries || entries.linked;
        IF open_entries IS NOT NULL THEN
            done := set_config('finance.applying', 'books ' || pg_trigger_depth()::text, true);
            INSERT INTO unsettled (ledger_id, entry_id, adjustment)
            SELECT the_ledger, e.id, is_adjustment FROM unnest(open_entries) AS e(id) ON CONFLICT DO NOTHING;
            done := set_config('finance.applying', mode, true);
        END IF;
    END LOOP;
    RETURN NULL;
END
$function$ SECURITY DEFINER
SET search_path FROM CURRENT
