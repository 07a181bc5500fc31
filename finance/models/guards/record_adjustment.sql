-- Writes the posting for a balance that somebody set with a plain UPDATE.
--
-- All such updates of one transaction and ledger share one entry of kind adjustment; what they leave
-- unbalanced is booked at COMMIT by balance_adjustment(). So a transfer typed as two UPDATEs becomes a
-- clean entry of two postings, and no adjustment waits for another one's account.
CREATE FUNCTION record_adjustment() RETURNS trigger LANGUAGE plpgsql AS $function$
DECLARE
    the_entry uuid;
    -- Whoever made the change: CURRENT_USER is the owner of this function here.
    the_user text := coalesce(nullif(current_setting('role', true), 'none'), session_user);
    mode text := coalesce(current_setting('finance.applying', true), '');
BEGIN
    -- Anybody may create a table and give it this trigger; Citus adds a number to the name.
    IF TG_TABLE_SCHEMA <> current_schema() OR NOT starts_with(TG_TABLE_NAME, 'accounts') THEN
        RAISE EXCEPTION 'record_adjustment() serves accounts only'
            USING ERRCODE = 'restrict_violation', TABLE = 'accounts', CONSTRAINT = 'ck_accounts_own_guard';
    END IF;
    IF NEW.purpose = 'adjustments' THEN
        RAISE EXCEPTION 'the balance of an adjustments account cannot be set'
            USING ERRCODE = 'restrict_violation', TABLE = 'accounts',
                  CONSTRAINT = 'ck_accounts_adjustments_not_adjusted';
    END IF;
    PERFORM set_config('finance.applying', 'adjustment ' || pg_trigger_depth()::text, true);
    SELECT entry_id INTO the_entry FROM unsettled WHERE ledger_id = NEW.ledger_id AND adjustment;
    IF the_entry IS NULL THEN
        WITH entry AS (
            INSERT INTO journal_entries (ledger_id, id, date, description, kind, recorded_by)
            VALUES (NEW.ledger_id, new_entry_id(), current_date, 'Balance adjustment', 'adjustment', the_user)
            RETURNING id, date
        )
        INSERT INTO postings (ledger_id, entry_id, line, account_id, date, currency, amount)
        SELECT NEW.ledger_id, e.id, 1, NEW.id, e.date, NEW.currency, NEW.balance - OLD.balance FROM entry AS e;
    ELSE
        INSERT INTO postings (ledger_id, entry_id, line, account_id, date, currency, amount)
        SELECT NEW.ledger_id, e.id, (SELECT max(p.line) + 1 FROM postings AS p
                                      WHERE p.ledger_id = e.ledger_id AND p.entry_id = e.id),
               NEW.id, e.date, NEW.currency, NEW.balance - OLD.balance
          FROM journal_entries AS e WHERE e.ledger_id = NEW.ledger_id AND e.id = the_entry;
    END IF;
    PERFORM set_config('finance.applying', mode, true);
    RETURN NULL;
END
$function$;
