-- Frees what closed holds held, and refuses every other change of a hold but a redaction.
--
-- An open hold may be released, and expire once its time is over. The entry that names it settles it, by
-- settle_holds(), and settle_entry() then writes how much of it was taken. Fires once per UPDATE statement, after it.
CREATE FUNCTION close_holds() RETURNS trigger LANGUAGE plpgsql
    SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
AS $function$
DECLARE
    change record;
    the_ledger bigint;
    account_ids bigint[];
    amounts numeric[];
    is_by_guard boolean := pg_trigger_depth() > 1
        AND current_setting('finance.applying', true) IS NOT DISTINCT FROM 'books ' || (pg_trigger_depth() - 1)::text;
BEGIN
    -- Anybody may create a table and give it this trigger; Citus adds a number to the name.
    IF TG_TABLE_SCHEMA <> current_schema() OR NOT starts_with(TG_TABLE_NAME, 'holds') THEN
        RAISE EXCEPTION 'close_holds() serves holds only'
            USING ERRCODE = 'restrict_violation', TABLE = 'holds', CONSTRAINT = 'ck_holds_own_guard';
    END IF;
    -- A row whose key changed has no partner. As text: 1 and 1.0 are equal as JSON. Whatever column comes
    -- later is sealed until it is named here.
    FOR change IN
        SELECT o.ledger_id, o.id, o.status AS was, n.status AS becomes, o.expires_at, n.entry_id,
               (to_jsonb(o) - '{status,entry_id,settled_amount,closed_at}'::text[])::text IS DISTINCT FROM
               (to_jsonb(n) - '{status,entry_id,settled_amount,closed_at}'::text[])::text AS is_refused,
               o.status = 'settled' AND to_jsonb(o) - 'settled_amount' = to_jsonb(n) - 'settled_amount' AS is_counting
          FROM old_holds AS o FULL JOIN new_holds AS n ON n.ledger_id = o.ledger_id AND n.id = o.id
         WHERE to_jsonb(o)::text IS DISTINCT FROM to_jsonb(n)::text
           -- The words of a hold are redacted by its name; those of a closed one also with its entry, or with the
           -- ledger through a day.
           AND (n.description = '[redacted]'
                AND (to_jsonb(o) - 'description')::text = (to_jsonb(n) - 'description')::text
                AND EXISTS (SELECT FROM redactions AS r
                             WHERE r.ledger_id = n.ledger_id
                               AND r.redacted_xid = pg_current_xact_id()::text::bigint
                               AND ((o.status <> 'open' AND r.through >= (n.placed_at AT TIME ZONE 'UTC')::date)
                                    OR EXISTS (
                                    SELECT FROM redacted_rows AS x WHERE x.ledger_id = r.ledger_id
                                       AND x.redaction_id = r.id AND x.table_name = 'holds' AND x.row_id = n.id::text)
                                    OR EXISTS (
                                    SELECT FROM redacted_entries AS x WHERE x.ledger_id = r.ledger_id
                                       AND x.redaction_id = r.id AND x.entry_id = n.entry_id)))) IS NOT TRUE
    LOOP
        IF change.is_refused OR change.becomes = 'open' THEN
            RAISE EXCEPTION 'a hold never changes; it is settled, released, or expires'
                USING ERRCODE = 'restrict_violation', TABLE = 'holds', CONSTRAINT = 'ck_holds_sealed';
        ELSIF change.was <> 'open' AND NOT (is_by_guard AND change.is_counting) THEN
            RAISE EXCEPTION 'a hold is closed once'
                USING ERRCODE = 'restrict_violation', TABLE = 'holds', CONSTRAINT = 'ck_holds_closed_once',
                      DETAIL = json_build_object('hold', change.id, 'status', change.was);
        ELSIF change.was = 'open' AND change.becomes = 'settled' AND NOT EXISTS (
                SELECT FROM journal_entries AS e WHERE e.ledger_id = change.ledger_id AND e.id = change.entry_id
                   AND e.settles_id = change.id) THEN
            RAISE EXCEPTION 'a hold is settled by the entry that names it'
                USING ERRCODE = 'restrict_violation', TABLE = 'holds', CONSTRAINT = 'ck_holds_settled_by_entry';
        ELSIF change.becomes = 'expired' AND coalesce(change.expires_at > clock_timestamp(), true) THEN
            RAISE EXCEPTION 'a hold expires when its time is over'
                USING ERRCODE = 'check_violation', TABLE = 'holds', CONSTRAINT = 'ck_holds_time_over';
        END IF;
    END LOOP;
    FOR the_ledger, account_ids, amounts IN
        SELECT h.ledger_id, array_agg(h.account_id ORDER BY h.account_id), array_agg(-h.sum ORDER BY h.account_id)
          FROM (SELECT o.ledger_id, o.account_id, sum(o.amount) AS sum
                  FROM old_holds AS o JOIN new_holds AS n ON n.ledger_id = o.ledger_id AND n.id = o.id
                 WHERE o.status = 'open' AND n.status <> 'open' GROUP BY o.ledger_id, o.account_id) AS h
         GROUP BY h.ledger_id ORDER BY h.ledger_id
    LOOP
        PERFORM pg_advisory_xact_lock_shared(1179209295, hashint8(the_ledger));
        PERFORM move_held(the_ledger, account_ids, amounts);
    END LOOP;
    RETURN NULL;
END
$function$;
