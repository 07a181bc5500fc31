-- Refuses to delete what the books need: an account with postings, holds, children or statements, a currency
-- with accounts, a ledger with either, a payee or a tag that entries have (or had, of a payee). The row is locked by now, so that no poster is under way.
CREATE OR REPLACE FUNCTION guard_removal() RETURNS trigger LANGUAGE plpgsql AS $function$
DECLARE
    is_needed boolean;
BEGIN
    IF TG_ARGV[0] = 'accounts' THEN
        is_needed := EXISTS (SELECT FROM postings WHERE ledger_id = OLD.ledger_id AND account_id = OLD.id)
                     OR EXISTS (SELECT FROM holds WHERE ledger_id = OLD.ledger_id AND account_id = OLD.id)
                     OR EXISTS (SELECT FROM accounts WHERE ledger_id = OLD.ledger_id AND parent_id = OLD.id)
                     OR EXISTS (SELECT FROM statements WHERE ledger_id = OLD.ledger_id AND account_id = OLD.id);
    ELSIF TG_ARGV[0] = 'currencies' THEN
        is_needed := EXISTS (SELECT FROM accounts WHERE ledger_id = OLD.ledger_id AND currency = OLD.code);
    ELSIF TG_ARGV[0] = 'payees' THEN
        is_needed := EXISTS (SELECT FROM journal_entries WHERE ledger_id = OLD.ledger_id AND payee_id = OLD.id)
                     OR EXISTS (SELECT FROM entry_revisions WHERE ledger_id = OLD.ledger_id AND payee_id = OLD.id);
    ELSIF TG_ARGV[0] = 'tags' THEN
        is_needed := EXISTS (SELECT FROM entry_tags WHERE ledger_id = OLD.ledger_id AND tag_id = OLD.id);
    ELSE
        is_needed := EXISTS (SELECT FROM currencies WHERE ledger_id = OLD.id)
                     OR EXISTS (SELECT FROM accounts WHERE ledger_id = OLD.id);
    END IF;
    IF is_needed THEN
        RAISE EXCEPTION 'this row of % is in use', TG_ARGV[0]
            USING ERRCODE = 'restrict_violation', TABLE = TG_ARGV[0], CONSTRAINT = 'ck_' || TG_ARGV[0] || '_not_removed';
    END IF;
    RETURN OLD;
END
$function$ SECURITY DEFINER
SET search_path FROM CURRENT
