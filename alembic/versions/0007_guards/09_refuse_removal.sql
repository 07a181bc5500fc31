-- Refuses to delete rows of committed books, unless their ledger is being erased: the record of that is made in
-- the same transaction, by which it is erased whole. The trigger's argument is the name of the rule.
--
-- Fires twice for a statement: before it, where nothing is being erased at all, and after it for each ledger.
CREATE FUNCTION refuse_removal() RETURNS trigger LANGUAGE plpgsql AS $function$
BEGIN
    IF TG_WHEN = 'BEFORE' THEN
        IF EXISTS (SELECT FROM erasures WHERE erased_xid = pg_current_xact_id()::text::bigint) THEN
            RETURN NULL;
        END IF;
    ELSIF NOT EXISTS (SELECT FROM (SELECT DISTINCT ledger_id FROM old_rows) AS o
                WHERE NOT EXISTS (SELECT FROM erasures AS e WHERE e.ledger_id = o.ledger_id
                                     AND e.erased_xid = pg_current_xact_id()::text::bigint)) THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION '% on % is refused', lower(TG_OP), TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_ARGV[0];
END
$function$ SECURITY DEFINER
SET search_path FROM CURRENT
