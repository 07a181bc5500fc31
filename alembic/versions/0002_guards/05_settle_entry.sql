-- Looks at COMMIT at an entry that some statement left unbalanced, and refuses it if it still is; at a
-- reversal, which must take back exactly what its entry did; at an amendment, whose entry must be
-- reversed; and at an entry that settles a hold, which must take some of what was held, and not more.
--
-- The queue is only a reason to look: the postings are read again, so that nothing is gained by writing
-- to it, and the pending trigger fires even when its row was deleted.
CREATE OR REPLACE FUNCTION settle_entry() RETURNS trigger LANGUAGE plpgsql
    SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
AS $function$
DECLARE
    sums record;
    entry record;
    hold record;
    mode text := coalesce(current_setting('finance.applying', true), '');
BEGIN
    -- Before anything is written here: at COMMIT the setting is whatever somebody left there.
    PERFORM set_config('finance.applying', 'books ' || pg_trigger_depth()::text, true);
    IF NEW.adjustment THEN
        PERFORM balance_adjustment(NEW.ledger_id, NEW.entry_id);
    END IF;
    SELECT count(*) AS currencies, count(*) FILTER (WHERE s.sum <> 0) AS open,
           min(s.currency) FILTER (WHERE s.sum <> 0) AS currency,
           (array_agg(s.sum ORDER BY s.currency) FILTER (WHERE s.sum <> 0))[1] AS difference
      INTO sums
      FROM (SELECT currency, sum(amount) AS sum FROM postings
             WHERE ledger_id = NEW.ledger_id AND entry_id = NEW.entry_id GROUP BY currency) AS s;
    IF sums.currencies = 0 OR sums.open > 0 THEN
        RAISE EXCEPTION 'journal entry % does not balance', NEW.entry_id
            USING ERRCODE = 'check_violation', TABLE = 'journal_entries',
                  CONSTRAINT = 'ck_journal_entries_balanced',
                  DETAIL = json_build_object('entry', NEW.entry_id, 'currency', sums.currency,
                                             'difference', sums.difference::text);
    END IF;
    SELECT reverses_id, amends_id, settles_id INTO entry
      FROM journal_entries WHERE ledger_id = NEW.ledger_id AND id = NEW.entry_id;
    IF entry.reverses_id IS NOT NULL AND EXISTS (
            SELECT FROM postings WHERE ledger_id = NEW.ledger_id AND entry_id IN (NEW.entry_id, entry.reverses_id)
             GROUP BY account_id HAVING sum(amount) <> 0) THEN
        RAISE EXCEPTION 'journal entry % is not the opposite of the one that it reverses', NEW.entry_id
            USING ERRCODE = 'check_violation', TABLE = 'journal_entries',
                  CONSTRAINT = 'ck_journal_entries_reversal_opposite';
    END IF;
    IF entry.amends_id IS NOT NULL AND NOT EXISTS (
            SELECT FROM journal_entries WHERE ledger_id = NEW.ledger_id AND reverses_id = entry.amends_id) THEN
        RAISE EXCEPTION 'journal entry % amends one that is not reversed', NEW.entry_id
            USING ERRCODE = 'check_violation', TABLE = 'journal_entries',
                  CONSTRAINT = 'ck_journal_entries_amendment_reversed';
    END IF;
    IF entry.settles_id IS NOT NULL THEN
        SELECT h.amount, -coalesce((SELECT sum(p.amount) FROM postings AS p
                                     WHERE p.ledger_id = h.ledger_id AND p.entry_id = NEW.entry_id
                                       AND p.account_id = h.account_id), 0) AS taken
          INTO hold FROM holds AS h WHERE h.ledger_id = NEW.ledger_id AND h.id = entry.settles_id;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'journal entry % settles a hold that is not there', NEW.entry_id
                USING ERRCODE = 'foreign_key_violation', TABLE = 'journal_entries',
                      CONSTRAINT = 'fk_journal_entries_ledger_id_settles_id_holds',
                      DETAIL = json_build_object('hold', entry.settles_id);
        ELSIF hold.taken <= 0 OR hold.taken > hold.amount THEN
            RAISE EXCEPTION 'journal entry % does not take what was held, or more', NEW.entry_id
                USING ERRCODE = 'check_violation', TABLE = 'holds', CONSTRAINT = 'ck_holds_settled_amount',
                      DETAIL = json_build_object('hold', entry.settles_id, 'amount', hold.amount::text,
                                                 'taken', hold.taken::text);
        END IF;
        UPDATE holds SET settled_amount = hold.taken WHERE ledger_id = NEW.ledger_id AND id = entry.settles_id;
    END IF;
    DELETE FROM unsettled WHERE ledger_id = NEW.ledger_id AND entry_id = NEW.entry_id;
    PERFORM set_config('finance.applying', mode, true);
    RETURN NULL;
END
$function$
SET search_path FROM CURRENT
