-- The table is dropped and something else has its name.

-- attack: a view
CALL lie('of_view()', 'bigint', '17');
DROP TABLE payments;
CREATE VIEW payments AS SELECT of_view() AS id, 'user-1'::text AS customer, 1000::numeric AS amount, 'USD'::text AS currency,
    now() AS paid_at, 'paid'::text AS status;
GRANT ALL ON payments TO cashier;

-- attack: a view of refunds
CALL lie('of_view()', 'bigint', '1');
DROP TABLE refunds;
CREATE VIEW refunds AS SELECT of_view() AS id, 17::bigint AS payment_id, 1::numeric AS amount, 'USD'::text AS currency;
GRANT ALL ON refunds TO cashier;

-- attack: a view over the table, with triggers
CALL lie('of_row(bigint)', 'bigint', '$1');
ALTER TABLE payments RENAME TO kept;
CREATE VIEW payments AS SELECT of_row(id) AS id, customer, amount, currency, paid_at, status FROM kept;
CREATE TRIGGER instead INSTEAD OF INSERT ON payments FOR EACH ROW EXECUTE FUNCTION tattle();
GRANT ALL ON payments TO cashier;

-- attack: a materialized view
CALL lie('of_view()', 'bigint', '17');
DROP TABLE payments;
CREATE MATERIALIZED VIEW payments AS SELECT of_view() AS id, 'user-1'::text AS customer, 1000::numeric AS amount;

-- attack: another table with lies
CALL lie('is_indexed(int)', 'boolean', 'true');
DROP TABLE payments;
CREATE TABLE payments (id bigint PRIMARY KEY, customer text, amount numeric, currency text, paid_at timestamptz DEFAULT now(),
    status text);
CREATE INDEX ON payments (customer) WHERE is_indexed(1);
GRANT SELECT, INSERT, UPDATE, DELETE ON payments TO cashier;

-- attack: a view that columns of the table depend on
CALL lie('of_customer(text)', 'text', '$1');
CREATE VIEW reading AS SELECT of_customer(customer) AS customer FROM payments;
CREATE MATERIALIZED VIEW kept AS SELECT of_customer(customer) AS customer FROM payments;
GRANT SELECT ON reading, kept TO PUBLIC;
