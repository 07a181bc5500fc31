-- Queues new journal entries that have no postings yet, for settle_entry() to look at before COMMIT.
--
-- An entry that comes with its postings in one statement needs no queue: apply_postings() has seen all
-- of them. Also refuses an entry that claims another origin than this transaction: postings may join
-- an entry only while the transaction that wrote it runs, and a restored entry must not look open.
-- Its plans are made as those of apply_postings().
CREATE OR REPLACE FUNCTION queue_entries() RETURNS trigger LANGUAGE plpgsql
    SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
AS $function$
DECLARE
    the_ledger bigint;
    entry_ids uuid[];
    is_recorded_now boolean;
    has_adjustment boolean;
    empty_entries uuid[];
    this_xid bigint := pg_current_xact_id()::text::bigint;
    mode text := coalesce(current_setting('finance.applying', true), '');
    is_adjustment boolean := pg_trigger_depth() > 1 AND mode = 'adjustment ' || (pg_trigger_depth() - 1)::text;
BEGIN
    FOR the_ledger, entry_ids, is_recorded_now, has_adjustment IN
        SELECT ledger_id, array_agg(id),
               bool_and(recorded_xid = this_xid
                        AND recorded_at BETWEEN transaction_timestamp() AND clock_timestamp()),
               bool_or(kind = 'adjustment')
          FROM new_entries GROUP BY ledger_id
    LOOP
        IF NOT is_recorded_now THEN
            RAISE EXCEPTION 'recorded_at and recorded_xid are set by the database'
                USING ERRCODE = 'restrict_violation', TABLE = 'journal_entries',
                      CONSTRAINT = 'ck_journal_entries_recorded_now';
        ELSIF has_adjustment AND NOT is_adjustment THEN
            RAISE EXCEPTION 'entries of kind adjustment are written by the database'
                USING ERRCODE = 'restrict_violation', TABLE = 'journal_entries',
                      CONSTRAINT = 'ck_journal_entries_adjustment_by_database';
        END IF;
        SELECT array_agg(e.id) INTO empty_entries FROM unnest(entry_ids) AS e(id)
         WHERE (SELECT p.line FROM postings AS p
                 WHERE p.ledger_id = the_ledger AND p.entry_id = e.id LIMIT 1) IS NULL;
        IF empty_entries IS NOT NULL THEN
            PERFORM set_config('finance.applying', 'books ' || pg_trigger_depth()::text, true);
            INSERT INTO unsettled (ledger_id, entry_id)
            SELECT the_ledger, e.id FROM unnest(empty_entries) AS e(id) ON CONFLICT DO NOTHING;
            PERFORM set_config('finance.applying', mode, true);
        END IF;
    END LOOP;
    RETURN NULL;
END
$function$
SET search_path FROM CURRENT
