-- Reserves what new holds hold, and refuses those that a posting could not follow: what apply_postings()
-- is to postings. Fires once per INSERT statement; its plans are made as those of apply_postings().
CREATE FUNCTION place_holds() RETURNS trigger LANGUAGE plpgsql
    SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
AS $function$
DECLARE
    the_ledger bigint;
    held_accounts bigint[];
    currencies text[];
    sums numeric[];
    counts bigint[];
    scales integer[];
    hold_count bigint;
    are_open boolean;
    are_placed_now boolean;
    first_expiry timestamptz;
    locked_at timestamptz;
    account_ids bigint[];
    account_sums numeric[];
    found_count bigint;
    is_refused boolean;
    is_held boolean;
BEGIN
    -- Anybody may create a table and give it this trigger; Citus adds a number to the name.
    IF TG_TABLE_SCHEMA <> current_schema() OR NOT starts_with(TG_TABLE_NAME, 'holds') THEN
        RAISE EXCEPTION 'place_holds() serves holds only'
            USING ERRCODE = 'restrict_violation', TABLE = 'holds', CONSTRAINT = 'ck_holds_own_guard';
    END IF;
    FOR the_ledger, held_accounts, currencies, sums, counts, scales, hold_count, are_open, are_placed_now,
        first_expiry IN
        SELECT h.ledger_id, array_agg(h.account_id), array_agg(h.currency), array_agg(h.sum), array_agg(h.holds),
               array_agg(h.scale), sum(h.holds), bool_and(h.are_open), bool_and(h.are_placed_now), min(h.first_expiry)
          FROM (SELECT ledger_id, account_id, currency, sum(amount) AS sum, count(*) AS holds,
                       max(min_scale(amount)) AS scale, bool_and(status = 'open') AS are_open,
                       bool_and(placed_at BETWEEN transaction_timestamp() AND clock_timestamp()) AS are_placed_now,
                       min(expires_at) AS first_expiry
                  FROM new_holds GROUP BY ledger_id, account_id, currency) AS h
         GROUP BY h.ledger_id ORDER BY h.ledger_id
    LOOP
        IF NOT are_open THEN
            RAISE EXCEPTION 'a hold is placed open'
                USING ERRCODE = 'restrict_violation', TABLE = 'holds', CONSTRAINT = 'ck_holds_starts_open';
        ELSIF NOT are_placed_now THEN
            RAISE EXCEPTION 'placed_at is set by the database'
                USING ERRCODE = 'restrict_violation', TABLE = 'holds', CONSTRAINT = 'ck_holds_placed_now';
        END IF;
        -- A hold has no date for a closing to mind; whoever posts after it must have the lock in this order.
        PERFORM pg_advisory_xact_lock_shared(1179209295, hashint8(the_ledger));
        SELECT array_agg(o.id), array_agg(s.sum), sum(s.holds),
               bool_or(o.currency <> s.currency OR o.closed_on IS NOT NULL OR s.scale > o.exponent), bool_or(o.held <> 0)
          INTO account_ids, account_sums, found_count, is_refused, is_held
          FROM (SELECT u.* FROM unnest(held_accounts, currencies, sums, counts, scales)
                              AS u(id, currency, sum, holds, scale) ORDER BY u.id) AS s,
               LATERAL (SELECT a.id, a.currency, a.closed_on, a.held,
                               (SELECT c.exponent FROM currencies AS c
                                 WHERE c.ledger_id = the_ledger AND c.code = a.currency) AS exponent
                          FROM accounts AS a WHERE a.ledger_id = the_ledger AND a.id = s.id
                           FOR NO KEY UPDATE OF a) AS o;
        IF is_refused OR found_count IS DISTINCT FROM hold_count THEN
            PERFORM refuse_postings(the_ledger, held_accounts, currencies, scales);
        END IF;
        -- By one instant: a new hold whose time ran out while it waited must not expire before it was counted.
        locked_at := clock_timestamp();
        IF first_expiry <= locked_at THEN
            RAISE EXCEPTION 'a hold expires after it was placed'
                USING ERRCODE = 'check_violation', TABLE = 'holds', CONSTRAINT = 'ck_holds_expires_later';
        END IF;
        IF is_held THEN
            PERFORM expire_holds(the_ledger, account_ids, locked_at);
        END IF;
        PERFORM move_held(the_ledger, account_ids, account_sums);
    END LOOP;
    RETURN NULL;
END
$function$;
