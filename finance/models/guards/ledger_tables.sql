-- Names the tables of the books: those of this schema whose primary key leads with ledger_id. The record of what
-- was erased outlives its ledger, and is none of them.
CREATE FUNCTION ledger_tables() RETURNS text[] LANGUAGE sql STABLE AS $function$
    SELECT array_agg(c.relname::text ORDER BY c.relname)
      FROM pg_class AS c
      JOIN pg_index AS i ON i.indrelid = c.oid AND i.indisprimary
      JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
     WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
       AND a.attname = 'ledger_id' AND c.relname <> 'erasures'
$function$;
