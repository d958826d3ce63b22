-- Tables that become children or parents of an attached one.

-- attack: a child with lies
-- only: after
CALL lie('of_nothing(int)', 'text', '''x''');
CALL lie('is_indexed(int)', 'boolean', 'true');
CALL lie('is_visible(text)', 'boolean', 'true');
CREATE TABLE child () INHERITS (payments);
INSERT INTO child (id, customer, amount, currency, status) VALUES (900, 'user-1', 1000, 'USD', 'paid');
CREATE INDEX ON child (of_nothing(1));
CREATE INDEX ON child (customer) WHERE is_indexed(1);
ALTER TABLE child ADD CHECK (is_indexed(1));
ALTER TABLE child ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY spy ON child USING (is_visible(customer));

-- attack: a child of refunds
CALL lie('is_indexed(int)', 'boolean', 'true');
CREATE TABLE child () INHERITS (refunds);
INSERT INTO child VALUES (900, 17, 1, 'USD');
CREATE INDEX ON child (payment_id) WHERE is_indexed(1);
ALTER TABLE child ADD CHECK (is_indexed(1));

-- attack: a foreign child that logs in as a superuser
-- users: cashier mallory
-- needs: postgres_fdw
-- superuser: CREATE EXTENSION IF NOT EXISTS postgres_fdw
-- superuser: CREATE SERVER {s}_loop FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '{host}', port '{port}', dbname '{db}'); ALTER SERVER {s}_loop OWNER TO mallory
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
CREATE FOREIGN TABLE child () INHERITS (payments) SERVER {s}_loop OPTIONS (schema_name '{s}', table_name 'remote');

-- attack: a parent with lies
-- only: after
CALL lie('is_indexed(int)', 'boolean', 'true');
CREATE TABLE parent (LIKE payments);
CREATE INDEX ON parent (customer) WHERE is_indexed(1);
ALTER TABLE payments INHERIT parent;
ALTER TABLE parent ADD CHECK (is_indexed(1));
