-- Lets the description and the metadata of entries change, refuses every other change, and keeps what was
-- replaced.
--
-- Fires once per UPDATE statement, after it: no trigger of somebody else can change a row behind its back.
-- Whatever column comes later is sealed until it is named here.
CREATE FUNCTION revise_entries() RETURNS trigger LANGUAGE plpgsql AS $function$
DECLARE
    is_refused boolean;
    ledger_ids bigint[];
    entry_ids uuid[];
    descriptions text[];
    details jsonb[];
    mode text := coalesce(current_setting('finance.applying', true), '');
BEGIN
    -- Anybody may create a table and give it this trigger; Citus adds a number to the name.
    IF TG_TABLE_SCHEMA <> current_schema() OR NOT starts_with(TG_TABLE_NAME, 'journal_entries') THEN
        RAISE EXCEPTION 'revise_entries() serves journal_entries only'
            USING ERRCODE = 'restrict_violation', TABLE = 'journal_entries', CONSTRAINT = 'ck_journal_entries_own_guard';
    END IF;
    -- A row whose key changed has no partner.
    SELECT bool_or(to_jsonb(o) - '{description,metadata}'::text[] IS DISTINCT FROM
                   to_jsonb(n) - '{description,metadata}'::text[])
      INTO is_refused
      FROM old_entries AS o FULL JOIN new_entries AS n ON n.ledger_id = o.ledger_id AND n.id = o.id;
    IF is_refused THEN
        RAISE EXCEPTION 'of a journal entry only the description and the metadata change'
            USING ERRCODE = 'restrict_violation', TABLE = 'journal_entries', CONSTRAINT = 'ck_journal_entries_sealed';
    END IF;
    SELECT array_agg(o.ledger_id), array_agg(o.id), array_agg(o.description), array_agg(o.metadata)
      INTO ledger_ids, entry_ids, descriptions, details
      FROM old_entries AS o JOIN new_entries AS n ON n.ledger_id = o.ledger_id AND n.id = o.id
     -- As text: 1 and 1.0 are equal as JSON.
     WHERE o.description <> n.description OR o.metadata::text <> n.metadata::text;
    IF entry_ids IS NOT NULL THEN
        PERFORM set_config('finance.applying', 'books ' || pg_trigger_depth()::text, true);
        INSERT INTO entry_revisions (ledger_id, entry_id, revision, description, metadata)
        SELECT e.ledger_id, e.id, 1 + (SELECT count(*) FROM entry_revisions AS r
                                        WHERE r.ledger_id = e.ledger_id AND r.entry_id = e.id),
               e.description, e.metadata
          FROM unnest(ledger_ids, entry_ids, descriptions, details) AS e(ledger_id, id, description, metadata);
        PERFORM set_config('finance.applying', mode, true);
    END IF;
    RETURN NULL;
END
$function$
SET search_path FROM CURRENT
