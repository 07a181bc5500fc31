-- Books what an adjustment entry leaves unbalanced against the adjustments account of each currency.
--
-- It runs at COMMIT, when the transaction takes no other lock any more, so that the one account that
-- every adjustment shares is held for the shortest time and cannot deadlock.
CREATE FUNCTION balance_adjustment(the_ledger bigint, the_entry uuid) RETURNS void LANGUAGE plpgsql AS $function$
DECLARE
    new_currencies text[];
BEGIN
    SELECT array_agg(s.currency ORDER BY s.currency) INTO new_currencies
      FROM (SELECT currency FROM postings WHERE ledger_id = the_ledger AND entry_id = the_entry
             GROUP BY currency HAVING sum(amount) <> 0) AS s
     WHERE NOT EXISTS (SELECT FROM accounts AS a WHERE a.ledger_id = the_ledger
                          AND a.purpose = 'adjustments' AND a.currency = s.currency);
    IF new_currencies IS NOT NULL THEN
        -- Any unique index may say that another transaction was faster: with one of them named as the place
        -- of the conflict, the others would raise an error, or wait for each other.
        INSERT INTO accounts (ledger_id, name, type, currency, purpose)
        SELECT the_ledger, 'Equity:Adjustments', 'equity', c.code, 'adjustments' FROM unnest(new_currencies) AS c(code)
        ON CONFLICT DO NOTHING;
        -- An account of this name that somebody has opened becomes it.
        UPDATE accounts AS o SET purpose = 'adjustments'
         WHERE o.ledger_id = the_ledger AND o.name = 'Equity:Adjustments' AND o.currency = ANY (new_currencies)
           AND o.purpose IS NULL
           AND NOT EXISTS (SELECT FROM accounts AS a WHERE a.ledger_id = the_ledger
                              AND a.purpose = 'adjustments' AND a.currency = o.currency);
    END IF;
    INSERT INTO postings (ledger_id, entry_id, line, account_id, date, currency, amount)
    SELECT the_ledger, the_entry, s.lines + row_number() OVER (ORDER BY s.currency), a.id, s.date, s.currency, -s.sum
      FROM (SELECT p.currency, min(p.date) AS date, sum(p.amount) AS sum,
                   (SELECT max(line) FROM postings AS l
                     WHERE l.ledger_id = the_ledger AND l.entry_id = the_entry) AS lines
              FROM postings AS p WHERE p.ledger_id = the_ledger AND p.entry_id = the_entry
             GROUP BY p.currency HAVING sum(p.amount) <> 0) AS s
      JOIN accounts AS a ON a.ledger_id = the_ledger AND a.purpose = 'adjustments' AND a.currency = s.currency;
END
$function$
SET search_path FROM CURRENT
