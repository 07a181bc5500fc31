CREATE TRIGGER budgets_guard_amount BEFORE INSERT OR UPDATE ON budgets FOR EACH ROW EXECUTE FUNCTION guard_planned_amount('ck_budgets_amount_scale')
CREATE TRIGGER schedule_postings_guard_amount BEFORE INSERT OR UPDATE ON schedule_postings FOR EACH ROW EXECUTE FUNCTION guard_planned_amount('ck_schedule_postings_amount_scale')
CREATE TRIGGER schedules_guard_rule BEFORE UPDATE ON schedules FOR EACH ROW WHEN (OLD.ledger_id <> NEW.ledger_id OR OLD.id <> NEW.id OR OLD.rule <> NEW.rule OR OLD.starts_on <> NEW.starts_on) EXECUTE FUNCTION refuse_change('ck_schedules_rule_fixed')
