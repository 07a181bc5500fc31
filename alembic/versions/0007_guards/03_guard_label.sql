-- Refuses a payee or a tag of an entry that is not there, or that was merged into another. Its row stays locked
-- against merging and removal until the end of the transaction.
CREATE FUNCTION guard_label() RETURNS trigger LANGUAGE plpgsql AS $function$
BEGIN
    IF starts_with(TG_TABLE_NAME, 'entry_tags') THEN
        PERFORM FROM tags WHERE ledger_id = NEW.ledger_id AND id = NEW.tag_id AND merged_into_id IS NULL FOR SHARE;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'this ledger has no such tag, or it was merged into another'
                USING ERRCODE = 'foreign_key_violation', TABLE = 'entry_tags',
                      CONSTRAINT = 'fk_entry_tags_ledger_id_tag_id_tags';
        END IF;
    ELSE
        PERFORM FROM payees WHERE ledger_id = NEW.ledger_id AND id = NEW.payee_id AND merged_into_id IS NULL FOR SHARE;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'this ledger has no such payee, or it was merged into another'
                USING ERRCODE = 'foreign_key_violation', TABLE = 'journal_entries',
                      CONSTRAINT = 'fk_journal_entries_ledger_id_payee_id_payees';
        END IF;
    END IF;
    RETURN NULL;
END
$function$ SECURITY DEFINER
SET search_path FROM CURRENT
