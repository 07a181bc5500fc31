-- Refuses to merge a payee or a tag into one that was merged itself, while others are merged into it, or while
-- entries have it: so one step leads from an alias to what it stands for. The trigger's argument is the rule.
CREATE FUNCTION guard_merge() RETURNS trigger LANGUAGE plpgsql AS $function$
DECLARE
    is_refused boolean;
BEGIN
    IF starts_with(TG_TABLE_NAME, 'tags') THEN
        PERFORM FROM tags WHERE ledger_id = NEW.ledger_id AND id = NEW.merged_into_id AND merged_into_id IS NULL
           FOR SHARE;
        is_refused := NOT FOUND
            OR EXISTS (SELECT FROM tags WHERE ledger_id = NEW.ledger_id AND merged_into_id = NEW.id)
            OR EXISTS (SELECT FROM entry_tags WHERE ledger_id = NEW.ledger_id AND tag_id = NEW.id);
    ELSE
        PERFORM FROM payees WHERE ledger_id = NEW.ledger_id AND id = NEW.merged_into_id AND merged_into_id IS NULL
           FOR SHARE;
        is_refused := NOT FOUND
            OR EXISTS (SELECT FROM payees WHERE ledger_id = NEW.ledger_id AND merged_into_id = NEW.id)
            OR EXISTS (SELECT FROM journal_entries WHERE ledger_id = NEW.ledger_id AND payee_id = NEW.id);
    END IF;
    IF is_refused THEN
        RAISE EXCEPTION 'only what no entry has is merged, and into what is not merged itself'
            USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_ARGV[0];
    END IF;
    RETURN NULL;
END
$function$;
