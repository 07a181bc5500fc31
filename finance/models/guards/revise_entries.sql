-- Lets the description, the metadata and the payee of entries change, refuses every other change, and keeps
-- what was replaced. A payee that is given in the transaction that posts the entry replaces nothing.
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
    payees bigint[];
    payee_ledgers bigint[];
    new_payees bigint[];
    found_count bigint;
    this_xid bigint := pg_current_xact_id()::text::bigint;
    mode text := coalesce(current_setting('finance.applying', true), '');
BEGIN
    -- Anybody may create a table and give it this trigger; Citus adds a number to the name.
    IF TG_TABLE_SCHEMA <> current_schema() OR NOT starts_with(TG_TABLE_NAME, 'journal_entries') THEN
        RAISE EXCEPTION 'revise_entries() serves journal_entries only'
            USING ERRCODE = 'restrict_violation', TABLE = 'journal_entries', CONSTRAINT = 'ck_journal_entries_own_guard';
    END IF;
    -- A row whose key changed has no partner.
    SELECT bool_or(to_jsonb(o) - '{description,metadata,payee_id}'::text[] IS DISTINCT FROM
                   to_jsonb(n) - '{description,metadata,payee_id}'::text[])
      INTO is_refused
      FROM old_entries AS o FULL JOIN new_entries AS n ON n.ledger_id = o.ledger_id AND n.id = o.id;
    IF is_refused THEN
        RAISE EXCEPTION 'of a journal entry only the description, the metadata and the payee change'
            USING ERRCODE = 'restrict_violation', TABLE = 'journal_entries', CONSTRAINT = 'ck_journal_entries_sealed';
    END IF;
    SELECT array_agg(p.ledger_id), array_agg(p.payee_id) INTO payee_ledgers, new_payees
      FROM (SELECT DISTINCT n.ledger_id, n.payee_id
              FROM old_entries AS o JOIN new_entries AS n ON n.ledger_id = o.ledger_id AND n.id = o.id
             WHERE n.payee_id <> o.payee_id OR (n.payee_id IS NOT NULL AND o.payee_id IS NULL)) AS p;
    IF new_payees IS NOT NULL THEN
        -- Locked, so that nobody merges or removes them meanwhile.
        SELECT count(*) INTO found_count
          FROM (SELECT FROM unnest(payee_ledgers, new_payees) AS u(ledger_id, id)
                  JOIN payees AS p ON p.ledger_id = u.ledger_id AND p.id = u.id
                 WHERE p.merged_into_id IS NULL FOR SHARE OF p) AS found;
        IF found_count < cardinality(new_payees) THEN
            RAISE EXCEPTION 'this ledger has no such payee, or it was merged into another'
                USING ERRCODE = 'foreign_key_violation', TABLE = 'journal_entries',
                      CONSTRAINT = 'fk_journal_entries_ledger_id_payee_id_payees';
        END IF;
    END IF;
    SELECT array_agg(o.ledger_id), array_agg(o.id), array_agg(o.description), array_agg(o.metadata),
           array_agg(o.payee_id)
      INTO ledger_ids, entry_ids, descriptions, details, payees
      FROM old_entries AS o JOIN new_entries AS n ON n.ledger_id = o.ledger_id AND n.id = o.id
     -- As text: 1 and 1.0 are equal as JSON.
     WHERE o.description <> n.description OR o.metadata::text <> n.metadata::text
        OR (o.payee_id IS DISTINCT FROM n.payee_id AND (o.payee_id IS NOT NULL OR o.recorded_xid <> this_xid));
    IF entry_ids IS NOT NULL THEN
        PERFORM set_config('finance.applying', 'books ' || pg_trigger_depth()::text, true);
        -- CURRENT_USER would be the owner of this function.
        INSERT INTO entry_revisions (ledger_id, entry_id, revision, description, metadata, payee_id, replaced_by)
        SELECT e.ledger_id, e.id, 1 + (SELECT count(*) FROM entry_revisions AS r
                                        WHERE r.ledger_id = e.ledger_id AND r.entry_id = e.id),
               e.description, e.metadata, e.payee_id,
               coalesce(nullif(current_setting('role', true), 'none'), session_user)
          FROM unnest(ledger_ids, entry_ids, descriptions, details, payees)
                   AS e(ledger_id, id, description, metadata, payee_id);
        PERFORM set_config('finance.applying', mode, true);
    END IF;
    RETURN NULL;
END
$function$;
