-- Makes a UUID of version 7 (RFC 9562, section 5.7): 48 bits of Unix time in milliseconds, then random
-- ones. PostgreSQL has uuidv7() from 18 on only.
CREATE FUNCTION new_entry_id() RETURNS uuid LANGUAGE sql VOLATILE AS $function$
    SELECT encode(
        set_bit(set_bit(
            overlay(uuid_send(gen_random_uuid())
                    placing substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3)
                    FROM 1 FOR 6),
            52, 1), 53, 1), 'hex')::uuid
$function$
SET search_path FROM CURRENT
